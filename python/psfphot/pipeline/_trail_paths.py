"""Long lines of light, straight or slightly bent, that cut into detections."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.pipeline._trail_lines import (
    BESIDE,
    Frame,
    Line,
    TrailPath,
    follow,
    lifts_all,
    line_snr,
    row_medians,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: At most so many detections are looked at, spread over all, and so many of those
#: whose surroundings are the most elongated; a trail has many.
_MOST, _MOST_ELONGATED = 3000, 150

#: Directions over half a turn: samples 8 FWHM away stay on a trail of 1 FWHM.
_N_ANGLES = 24

#: How far to either side a detection's surroundings are looked at, FWHM.
_NEAR, _REACH = 1.5, 8.0

#: So many sigma is the light along the line through a detection, at a first look
#: and compared with the lines beside; a pixel counts no more than the last.
_FIRST_LOOK, _ELONGATED, _CLIP = 3.0, 3.5, 2.5

#: Light of a trail is even: the far half of it, as a part of the near one. Halos
#: and spikes of stars, and galaxies, have less than a tenth.
_EVEN = 0.35

#: Lines through so many detections at least: what is not cut is left alone.
_LEAST_ON_LINE = 3

#: The light of a line makes detections of itself: the S/N of its level in an area
#: as large as the PSF's, as a part of the threshold of the detections.
_LEAST_LIGHT = 0.5

#: Trails of a frame at most, and lines tried in vain before the search ends.
_MOST_TRAILS, _MOST_TRIES = 20, 8


def find_paths(
    frame: Frame, x: NDArray[np.float64], y: NDArray[np.float64], threshold: float
) -> list[TrailPath]:
    """Find the lines of light that cut into detections.

    A line is one of light and not of stars that happen to line up if there is
    light all along it, between the detections too, more than along the lines
    beside it, and evenly: the number of its lit pieces must not be what chance
    gives anywhere in the frame, as the lines beside tell.

    Parameters
    ----------
    frame : `Frame`
        The pixels.
    x, y : 1D array
        The detections.
    threshold : float
        The S/N of the faintest detections.

    Returns
    -------
    paths : list of `TrailPath`
        The brightest first.
    """
    if len(x) < _LEAST_ON_LINE:
        return []
    fwhm = frame.fwhm
    step = -(-len(x) // _MOST)
    seed_x, seed_y, angle = _elongated(frame, x[::step], y[::step])
    paths: list[TrailPath] = []
    n_tries = 0
    is_open = np.ones(len(seed_x), bool)
    n_chances = max(len(seed_x), 1) * _N_ANGLES
    for k in range(len(seed_x)):
        if not is_open[k]:
            continue
        if not _has_company(seed_x, seed_y, angle, k, fwhm):
            continue
        line = Line(float(seed_x[k]), float(seed_y[k]), float(angle[k]))
        path = follow(frame, line, n_chances)
        if (
            path is None
            or np.count_nonzero(_are_on(path, x, y, fwhm)) < _LEAST_ON_LINE
            or line_snr(frame, path) < _LEAST_LIGHT * threshold
            or not lifts_all(frame, path)
        ):
            n_tries += 1
            if n_tries == _MOST_TRIES:
                break
            continue
        paths.append(path)
        is_open &= ~_are_on(path, seed_x, seed_y, fwhm)
        if len(paths) == _MOST_TRAILS:
            break
    return sorted(paths, key=lambda path: -float(np.median(path.level)))


def _elongated(
    frame: Frame, x: NDArray[Any], y: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the detections on even lines of light, and their directions.

    The most significant come first.
    """
    fwhm = frame.fwhm
    n = max(6, round((_REACH - _NEAR) * fwhm / 1.5))
    half = np.linspace(_NEAR, _REACH, n) * fwhm
    reach = np.concatenate([-half, half])
    step = np.pi / _N_ANGLES
    first = np.arange(_N_ANGLES) * step
    significance = _first_look(frame, x, y, first, reach[::2])
    best = np.argmax(significance, axis=1)
    top = significance[np.arange(len(x)), best]
    chosen = np.flatnonzero(top > _FIRST_LOOK)
    chosen = chosen[np.argsort(-top[chosen], kind="stable")][:_MOST_ELONGATED]
    if not chosen.size:
        return x[:0], y[:0], first[:0]
    x, y = x[chosen], y[chosen]
    fine = first[best[chosen]][:, None] + np.arange(-2, 3) * step / 3
    within = (-0.35 * fwhm, 0.0, 0.35 * fwhm)
    light = np.mean(
        [_light_along(frame, x, y, fine, reach, aside=d) for d in within], axis=0
    )
    best = np.argmax(light, axis=1)
    rows = np.arange(len(x))
    angle, light = fine[rows, best], light[rows, best]
    beside = [
        _light_along(frame, x, y, angle[:, None], reach, aside=side * BESIDE * fwhm)[
            :, 0
        ]
        for side in (-1, 1)
    ]
    top = light - np.maximum(*beside)
    at = _values_along(frame, x, y, angle[:, None], reach, aside=0.0)[:, 0]
    is_far = abs(reach) > abs(reach).mean()
    far, near = row_medians(at[:, is_far]), row_medians(at[:, ~is_far])
    kept = np.flatnonzero((top > _ELONGATED) & (far > _EVEN * near))
    kept = kept[np.argsort(-top[kept], kind="stable")]
    return x[kept], y[kept], angle[kept]


def _first_look(
    frame: Frame,
    x: NDArray[Any],
    y: NDArray[Any],
    angles: NDArray[Any],
    reach: NDArray[Any],
) -> NDArray[np.float64]:
    """Return about the significance of the light along lines, in little time.

    The pixels of an edge stand for those beyond it.
    """
    ny, nx = frame.data.shape
    i, j = (np.rint(values).astype(np.int32) for values in (x, y))
    di = np.rint(np.outer(np.cos(angles), reach)).astype(np.int32)
    dj = np.rint(np.outer(np.sin(angles), reach)).astype(np.int32)
    column = np.clip(i[:, None, None] + di, 0, nx - 1)
    row = np.clip(j[:, None, None] + dj, 0, ny - 1)
    flat = row * np.int64(nx) + column
    at = np.clip(j, 0, ny - 1), np.clip(i, 0, nx - 1)
    sigma = frame.noise[at].astype(np.float32)[:, None, None]
    value = np.take(frame.data, flat).astype(np.float32) / sigma
    value = np.clip(value, -_CLIP, _CLIP, out=value)
    value[np.take(frame.mask, flat) | ~np.isfinite(value)] = 0
    return np.asarray(value.sum(axis=-1) / math.sqrt(len(reach)), dtype=float)


def _light_along(
    frame: Frame,
    x: NDArray[Any],
    y: NDArray[Any],
    angles: NDArray[Any],
    reach: NDArray[Any],
    *,
    aside: float,
) -> NDArray[np.float64]:
    """Return the significance of the light along lines, (detections, angles)."""
    return _clipped_sum(_values_along(frame, x, y, angles, reach, aside=aside))


def _clipped_sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum what single stars cannot make large, in its sigma."""
    n = np.count_nonzero(np.isfinite(values), axis=-1)
    total = np.nansum(np.clip(values, -_CLIP, _CLIP), axis=-1)
    return np.where(
        n > values.shape[-1] // 3, total / np.sqrt(np.maximum(n, 1)), -np.inf
    )


def _values_along(
    frame: Frame,
    x: NDArray[Any],
    y: NDArray[Any],
    angles: NDArray[Any],
    reach: NDArray[Any],
    *,
    aside: float,
) -> NDArray[np.float64]:
    """Return the pixels along lines, (detections, angles, distances)."""
    cos, sin = np.cos(angles)[..., None], np.sin(angles)[..., None]
    return frame.sample(
        x[:, None, None] + reach * cos - aside * sin,
        y[:, None, None] + reach * sin + aside * cos,
    )


def _has_company(
    x: NDArray[Any], y: NDArray[Any], angle: NDArray[Any], k: int, fwhm: float
) -> bool:
    """Tell whether others on the line through a detection have its direction."""
    line = Line(x[k], y[k], angle[k])
    along, aside = (abs(values) for values in line.coordinates(x, y))
    turned = abs((angle - angle[k] + np.pi / 2) % np.pi - np.pi / 2)
    on = (aside < BESIDE / 2 * fwhm + 0.05 * along) & (turned < 2 * np.pi / _N_ANGLES)
    return bool(np.count_nonzero(on & (along < 60 * fwhm)) >= _LEAST_ON_LINE - 1)


def _are_on(
    path: TrailPath, x: NDArray[Any], y: NDArray[Any], fwhm: float
) -> NDArray[np.bool_]:
    """Tell which positions are on a path."""
    along, aside = path.coordinates(x, y)
    on = (along > path.start) & (along < path.stop)
    return np.asarray(on & (abs(aside) < abs(path.offset).max() + fwhm))
