"""Long straight or slightly bent lines of light, found from the detections on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: At most so many detections are looked at, spread over all, and so many of those
#: whose surroundings are the most elongated; a trail has many.
_MOST, _MOST_ELONGATED = 3000, 150

#: Directions over half a turn: samples 8 FWHM away stay on a trail of 1 FWHM.
_N_ANGLES = 24

#: How far to either side a detection's surroundings are looked at, FWHM, and how
#: far beside a line there is no light of it: so wide is half of the widest trail.
_REACH, _NEAR, _BESIDE = 8.0, 1.5, 5.0

#: So many sigma is the light along the line through a detection, at a first look
#: and compared with the lines beside; a pixel counts no more than the last.
_FIRST_LOOK, _ELONGATED, _CLIP = 3.0, 3.5, 2.5

#: Light of a trail is even: the far half of it, as a part of the near one. Halos
#: and spikes of stars, and galaxies, have less than a tenth.
_EVEN = 0.35

#: Pieces, FWHM long, that a line is followed by; sigma of a piece with light; how
#: many it has at least, and how many of those that it crosses.
_PIECE, _LIT, _LEAST_PIECES, _LIT_PART = 8.0, 3.0, 5, 0.75

#: Pieces without light end a line.
_GAP = 3

#: How far a line may turn aside from one piece to the next, FWHM.
_ASIDE = 1.2

#: The pieces' light is so even, highest quarter of them over lowest.
_LARGEST_RATIO = 5.0

#: So likely is it at most that chance makes one of all lines tried.
_CHANCE = 1e-4

#: Lines through so many detections at least: what is not cut is left alone.
_LEAST_ON_LINE = 3

#: The light of a line makes detections of itself: the S/N of its level in an area
#: as large as the PSF's, as a part of the threshold of the detections.
_LEAST_LIGHT = 0.5

#: A trail lifts the lowest part of what it crosses by so much of what it lifts the
#: rest, and by so many sigma of what the lines beside it are.
_LOWEST, _LIFT, _LIFT_SIGMA = 0.2, 0.6, 4.0

#: Trails of a frame at most, and lines tried in vain before the search ends.
_MOST_TRAILS, _MOST_TRIES = 20, 25


@dataclass(frozen=True)
class TrailPath:
    """A line of light, piece by piece.

    Attributes
    ----------
    x, y : float
        A point of the line, pixels.
    angle : float
        Its direction there, radians from +x.
    bend : 1D ndarray
        The polynomial, highest power first, of the offset to the left against the
        distance along the direction, pixels.
    start, stop : float
        The distances of its ends.
    at : 1D ndarray
        The distances of the pieces' centres.
    level : 1D ndarray
        The light at the centre of each piece, in the image's unit.
    offset : 1D ndarray
        Offsets from the centre line, pixels.
    profile : 1D ndarray
        The light at those offsets, as a part of the level.
    """

    x: float
    y: float
    angle: float
    bend: NDArray[np.float64]
    start: float
    stop: float
    at: NDArray[np.float64]
    level: NDArray[np.float64]
    offset: NDArray[np.float64]
    profile: NDArray[np.float64]

    def coordinates(
        self, x: NDArray[Any], y: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return distances along the line and offsets from it, of positions."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        along = (x - self.x) * cos + (y - self.y) * sin
        aside = (y - self.y) * cos - (x - self.x) * sin
        inside = np.clip(along, self.start, self.stop)
        return along, aside - np.polyval(self.bend, inside)


@dataclass(frozen=True)
class _Frame:
    """The pixels that lines are followed on."""

    data: NDArray[Any]
    noise: NDArray[Any]
    mask: NDArray[np.bool_]
    fwhm: float

    def sample(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
        """Return the nearest pixels in sigma; NaN where there are none."""
        ny, nx = self.data.shape
        i, j = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
        inside = (i >= 0) & (j >= 0) & (i < nx) & (j < ny)
        flat = np.where(inside, j * nx + i, 0)
        value = np.take(self.data, flat) / np.take(self.noise, flat)
        value = np.where(inside & ~np.take(self.mask, flat), value, np.nan)
        return np.asarray(value, dtype=np.float64)


def find_paths(
    data: NDArray[Any],
    noise: NDArray[Any],
    mask: NDArray[np.bool_],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    fwhm: float,
    threshold: float,
) -> list[TrailPath]:
    """Find the lines of light that cut into detections.

    A line is one of light and not of stars that happen to line up if there is
    light all along it, between the detections too, more than along the lines
    beside it, and evenly: the number of its lit pieces must not be what chance
    gives anywhere in the frame, as the lines beside tell.

    Parameters
    ----------
    data : 2D array
        The image without its sky.
    noise : 2D array
        The 1-sigma noise of its sky.
    mask : 2D bool array
        Pixels without data.
    x, y : 1D array
        The detections.
    fwhm : float
        The PSF's full width at half maximum, pixels.
    threshold : float
        The S/N of the faintest detections.

    Returns
    -------
    paths : list of `TrailPath`
        The brightest first.
    """
    if len(x) < _LEAST_ON_LINE:
        return []
    frame = _Frame(data, np.broadcast_to(noise, data.shape), mask, fwhm)
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
        path = _follow(frame, seed_x[k], seed_y[k], angle[k], n_chances)
        if (
            path is None
            or _count_on(path, x, y, fwhm) < _LEAST_ON_LINE
            or _line_snr(frame, path) < _LEAST_LIGHT * threshold
            or not _lifts_all(frame, path)
        ):
            n_tries += 1
            if n_tries == _MOST_TRIES:
                break
            continue
        paths.append(path)
        along, aside = path.coordinates(seed_x, seed_y)
        on = (along > path.start) & (along < path.stop)
        is_open &= ~(on & (abs(aside) < abs(path.offset).max() + fwhm))
        if len(paths) == _MOST_TRAILS:
            break
    return sorted(paths, key=lambda path: -float(np.median(path.level)))


def _elongated(
    frame: _Frame, x: NDArray[Any], y: NDArray[Any]
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
    light = np.mean([_light_along(frame, x, y, fine, reach, d) for d in within], axis=0)
    best = np.argmax(light, axis=1)
    rows = np.arange(len(x))
    angle, light = fine[rows, best], light[rows, best]
    beside = [
        _light_along(frame, x, y, angle[:, None], reach, side * _BESIDE * fwhm)[:, 0]
        for side in (-1, 1)
    ]
    top = light - np.maximum(*beside)
    at = _values_along(frame, x, y, angle[:, None], reach, 0.0)[:, 0]
    is_far = abs(reach) > abs(reach).mean()
    far, near = _row_medians(at[:, is_far]), _row_medians(at[:, ~is_far])
    kept = np.flatnonzero((top > _ELONGATED) & (far > _EVEN * near))
    kept = kept[np.argsort(-top[kept], kind="stable")]
    return x[kept], y[kept], angle[kept]


def _first_look(
    frame: _Frame,
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
    frame: _Frame,
    x: NDArray[Any],
    y: NDArray[Any],
    angles: NDArray[Any],
    reach: NDArray[Any],
    aside: float,
) -> NDArray[np.float64]:
    """Return the significance of the light along lines, (detections, angles)."""
    return _clipped_sum(_values_along(frame, x, y, angles, reach, aside))


def _clipped_sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum what single stars cannot make large, in its sigma."""
    n = np.count_nonzero(np.isfinite(values), axis=-1)
    total = np.nansum(np.clip(values, -_CLIP, _CLIP), axis=-1)
    return np.where(
        n > values.shape[-1] // 3, total / np.sqrt(np.maximum(n, 1)), -np.inf
    )


def _values_along(
    frame: _Frame,
    x: NDArray[Any],
    y: NDArray[Any],
    angles: NDArray[Any],
    reach: NDArray[Any],
    aside: float,
) -> NDArray[np.float64]:
    """Return the pixels along lines, (detections, angles, distances)."""
    cos, sin = np.cos(angles)[..., None], np.sin(angles)[..., None]
    return frame.sample(
        x[:, None, None] + reach * cos - aside * sin,
        y[:, None, None] + reach * sin + aside * cos,
    )


def _row_medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return medians without NaN along the last axis, 0 where all are."""
    ordered = np.sort(values, axis=-1)
    n = np.count_nonzero(np.isfinite(ordered), axis=-1)
    low, high = np.maximum(n - 1, 0) // 2, np.maximum(n, 1) // 2
    high = np.minimum(high, np.maximum(n - 1, 0))
    pair = np.take_along_axis(ordered, np.stack([low, high], -1), -1)
    return np.where(n > 0, pair.mean(axis=-1), 0.0)


def _has_company(
    x: NDArray[Any], y: NDArray[Any], angle: NDArray[Any], k: int, fwhm: float
) -> bool:
    """Tell whether others on the line through a detection have its direction."""
    cos, sin = math.cos(angle[k]), math.sin(angle[k])
    dx, dy = x - x[k], y - y[k]
    along, aside = abs(dx * cos + dy * sin), abs(dy * cos - dx * sin)
    turned = abs((angle - angle[k] + np.pi / 2) % np.pi - np.pi / 2)
    on = (aside < _BESIDE / 2 * fwhm + 0.05 * along) & (turned < 2 * np.pi / _N_ANGLES)
    return bool(np.count_nonzero(on & (along < 60 * fwhm)) >= _LEAST_ON_LINE - 1)


def _count_on(
    path: TrailPath, x: NDArray[Any], y: NDArray[Any], fwhm: float
) -> int:
    along, aside = path.coordinates(x, y)
    on = (along > path.start) & (along < path.stop)
    return int(np.count_nonzero(on & (abs(aside) < abs(path.offset).max() + fwhm)))


def _line_snr(frame: _Frame, path: TrailPath) -> float:
    """Return the S/N of a line's light in the noise-equivalent area of a Gaussian."""
    sigma = [
        _noise_at(frame, path.x, path.y, path.angle, at, float(np.polyval(path.bend, at)))
        for at in path.at
    ]
    return float(np.median(path.level / sigma)) * 1.5 * frame.fwhm


def _lifts_all(frame: _Frame, path: TrailPath) -> bool:
    """Tell whether a line lifts its darkest places as much as the others.

    A trail adds its light to the faint stars and the sky alike. Stars that line up
    leave gaps: the lowest fifth of a line through them is like that of others.
    """
    fwhm = frame.fwhm
    step = 0.8 * fwhm
    first, last = path.at[0] - _PIECE * fwhm / 2, path.at[-1] + _PIECE * fwhm / 2
    along = np.arange(first, last, step)
    cos, sin = math.cos(path.angle), math.sin(path.angle)
    small = np.linspace(-0.5, 0.5, max(3, round(fwhm)))
    edge = float(abs(path.offset).max())
    # As wide as the line has half of its light, and not less than the PSF.
    bright = path.offset[path.profile > 0.5]  # noqa: PLR2004
    middle = float(bright.mean())
    beside = edge + fwhm * np.arange(1.5, 9, 1.5)
    lows, medians = [], []
    for aside in (middle, *(middle - beside), *(middle + beside)):
        u = along[:, None, None] + small[:, None] * step
        v = np.polyval(path.bend, u) + aside + small * fwhm
        values = frame.sample(path.x + u * cos - v * sin, path.y + u * sin + v * cos)
        n_good = np.count_nonzero(np.isfinite(values), axis=(1, 2))
        total = np.nansum(values, axis=(1, 2))
        steps = total[n_good > 0] / n_good[n_good > 0]
        if steps.size < along.size // 2:
            steps = np.full(1, np.nan)
        low, median = np.quantile(steps, (_LOWEST, 0.5))
        lows.append(low)
        medians.append(median)
    others = np.array(lows[1:])
    others = others[np.isfinite(others)]
    if others.size < 4:  # noqa: PLR2004
        return False
    lift = lows[0] - np.median(others)
    lift_of_median = medians[0] - np.nanmedian(medians[1:])
    return bool(
        lift > _LIFT * lift_of_median and lift > _LIFT_SIGMA * float(np.std(others))
    )


@dataclass(frozen=True)
class _Pieces:
    """What was measured on the pieces of a line."""

    at: NDArray[np.float64]
    centre: NDArray[np.float64]
    level: NDArray[np.float64]
    is_lit: NDArray[np.bool_]
    by_chance: float


def _follow(
    frame: _Frame, x: float, y: float, angle: float, n_chances: int
) -> TrailPath | None:
    """Follow a line from a detection to its ends; `None` if it is none."""
    pieces = _collect(frame, x, y, angle)
    n_lit = int(np.count_nonzero(pieces.is_lit))
    n_all = len(pieces.at)
    if n_lit < _LEAST_PIECES or n_lit < _LIT_PART * n_all:
        return None
    if n_chances * _tail(n_lit, n_all, pieces.by_chance) > _CHANCE:
        return None
    ordered = np.sort(pieces.level[pieces.is_lit])
    quarter = max(1, n_lit // 4)
    lowest, highest = np.median(ordered[:quarter]), np.median(ordered[-quarter:])
    if highest > _LARGEST_RATIO * lowest:
        return None
    degree = min(2, n_lit // 4)
    lit = pieces.is_lit
    bend = np.polyfit(pieces.at[lit], pieces.centre[lit], degree)
    return _measure(frame, x, y, angle, bend, pieces)


def _tail(n_lit: int, n: int, chance: float) -> float:
    """Return the probability that chance lights so many of n pieces or more."""
    return math.fsum(
        math.comb(n, k) * chance**k * (1 - chance) ** (n - k)
        for k in range(n_lit, n + 1)
    )


def _collect(frame: _Frame, x: float, y: float, angle: float) -> _Pieces:
    """Measure piece after piece, to one side and then to the other."""
    length = _PIECE * frame.fwhm
    at, centre, level, lit, beside = [], [], [], [], []
    for side in (1, -1):
        n_dark, k = 0, 0 if side == 1 else -1
        while n_dark < _GAP:
            where = k * length
            known = [i for i, one in enumerate(lit) if one]
            expected = _expect(at, centre, known, where)
            found = _piece(frame, x, y, angle, where, expected)
            if found is None:
                break
            one_centre, one_level, one_lit, others = found
            at.append(where)
            centre.append(one_centre)
            level.append(one_level)
            lit.append(one_lit)
            beside.append(others)
            n_dark = 0 if one_lit else n_dark + 1
            k += side
            n_lit = sum(lit)
            if not n_lit or (len(lit) - n_lit) > max(1, n_lit // 2):
                break
        # What is dark at an end is not of the line.
        while lit and not lit[-1]:
            for column in (at, centre, level, lit, beside):
                column.pop()
        if not lit:
            break
    order = np.argsort(at, kind="stable")
    others = np.concatenate(beside) if beside else np.zeros(0)
    # Never 0, however few lines beside there are.
    by_chance = (np.count_nonzero(others) + 1) / (len(others) + 10)
    return _Pieces(
        np.array(at, float)[order],
        np.array(centre, float)[order],
        np.array(level, float)[order],
        np.array(lit, bool)[order],
        float(by_chance),
    )


def _expect(
    at: list[float], centre: list[float], known: list[int], where: float
) -> float:
    """Extrapolate the centres of the nearest known pieces."""
    if len(known) < 2:  # noqa: PLR2004
        return centre[known[0]] if known else 0.0
    near = sorted(known, key=lambda i: abs(at[i] - where))[:8]
    places, values = (np.array([column[i] for i in near]) for column in (at, centre))
    # From the detection's own direction alone, a turn is not known yet.
    slope, level = np.polyfit(places, values, 1)
    return float(slope * where + level)


def _piece(
    frame: _Frame, x: float, y: float, angle: float, where: float, expected: float
) -> tuple[float, float, bool, NDArray[np.bool_]] | None:
    """Measure a piece: its centre, level and whether it is lit; `None` off the image.

    And whether lines beside it are.
    """
    fwhm = frame.fwhm
    half = 2 * _BESIDE * fwhm
    offset = np.arange(-math.ceil(half), math.ceil(half) + 1.0)
    profile, error = _profile(frame, x, y, angle, where, expected + offset)
    if profile is None:
        return None
    width = max(1, round(fwhm))
    smooth = _running_mean(profile, width)
    error = error / math.sqrt(width)
    outer = abs(offset) > _BESIDE * fwhm
    beside = smooth[outer]
    base = float(np.median(beside))
    spread = 1.4826 * float(np.median(abs(beside - base)))
    limit = base + _LIT * max(error, spread)
    window = abs(offset) <= _ASIDE * fwhm
    top = int(np.argmax(np.where(window, smooth, -np.inf)))
    is_lit = bool(smooth[top] > limit)
    part = (abs(offset - offset[top]) <= 1.5 * fwhm) & (
        smooth - base > (smooth[top] - base) / 2
    )
    weight = np.where(part, smooth - base, 0.0)
    total = weight.sum()
    centre = float((weight * offset).sum() / total) if total > 0 else 0.0
    n_windows = max(1, int(half / 2 // (2 * _ASIDE * fwhm)))
    lines = np.array_split(smooth[: outer.size // 2][outer[: outer.size // 2]], n_windows)
    lines += np.array_split(
        smooth[outer.size // 2 :][outer[outer.size // 2 :]], n_windows
    )
    others = np.array([line.max(initial=-np.inf) > limit for line in lines])
    sigma = _noise_at(frame, x, y, angle, where, expected)
    return expected + centre, float(smooth[top] - base) * sigma, is_lit, others


def _noise_at(
    frame: _Frame, x: float, y: float, angle: float, where: float, aside: float
) -> float:
    ny, nx = frame.data.shape
    i = x + where * math.cos(angle) - aside * math.sin(angle)
    j = y + where * math.sin(angle) + aside * math.cos(angle)
    return float(
        frame.noise[
            int(min(max(round(j), 0), ny - 1)), int(min(max(round(i), 0), nx - 1))
        ]
    )


def _profile(
    frame: _Frame,
    x: float,
    y: float,
    angle: float,
    where: float,
    offset: NDArray[np.float64],
) -> tuple[NDArray[np.float64] | None, float]:
    """Return the medians along a piece at offsets from the line, and their error.

    In sigma of a pixel; `None` where less than a third of the piece has data.
    """
    n = max(8, round(_PIECE * frame.fwhm))
    along = where + (np.arange(n) - (n - 1) / 2) * (_PIECE * frame.fwhm / n)
    cos, sin = math.cos(angle), math.sin(angle)
    values = frame.sample(
        x + along * cos - offset[:, None] * sin, y + along * sin + offset[:, None] * cos
    )
    n_good = np.count_nonzero(np.isfinite(values), axis=1)
    middle = len(offset) // 2
    reach = max(1, round(frame.fwhm))
    if n_good[middle - reach : middle + reach + 1].mean() < n / 3:
        return None, 0.0
    return _row_medians(values), 1.2533 / math.sqrt(max(n_good.mean(), 1))


def _running_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    return np.convolve(values, np.full(width, 1 / width), mode="same")


def _measure(
    frame: _Frame,
    x: float,
    y: float,
    angle: float,
    bend: NDArray[np.float64],
    pieces: _Pieces,
) -> TrailPath:
    """Measure the profile across a line that is known, and its level along it."""
    for _ in range(2):
        offset, every, low, high = _cross_section(frame, x, y, angle, bend, pieces)
        bend = bend + _correction(offset, every, low, high, pieces, len(bend) - 1)
    offset, every, low, high = _cross_section(frame, x, y, angle, bend, pieces)
    part = every[:, low : high + 1]
    shape = np.maximum(_row_medians(part.T), 0)
    shape = shape / max(shape.max(), np.finfo(float).tiny)
    known = np.isfinite(part)
    norm = (known * shape**2).sum(axis=1)
    level = (np.where(known, part, 0) * shape).sum(axis=1)
    level = np.where(norm > 0, level / np.where(norm > 0, norm, 1), 0)
    length = _PIECE * frame.fwhm
    return TrailPath(
        float(x),
        float(y),
        float(angle),
        np.asarray(bend),
        float(pieces.at.min() - length),
        float(pieces.at.max() + length),
        pieces.at,
        np.maximum(level, 0),
        offset[low : high + 1],
        shape,
    )


def _cross_section(
    frame: _Frame,
    x: float,
    y: float,
    angle: float,
    bend: NDArray[np.float64],
    pieces: _Pieces,
) -> tuple[NDArray[np.float64], NDArray[np.float64], int, int]:
    """Return offsets, the light at them of each piece, and where the line is wide to.

    The last are the indices of the first and last offset with light, and one more.
    """
    half = 2 * _BESIDE * frame.fwhm
    offset = np.arange(-math.ceil(half), math.ceil(half) + 1.0)
    outer = abs(offset) > 1.5 * _BESIDE * frame.fwhm
    rows, sigmas = [], []
    for where in pieces.at:
        expected = float(np.polyval(bend, where))
        profile, _ = _profile(frame, x, y, angle, where, expected + offset)
        sigmas.append(_noise_at(frame, x, y, angle, where, expected))
        rows.append(
            np.full(offset.size, np.nan)
            if profile is None
            else (profile - np.median(profile[outer])) * sigmas[-1]
        )
    every = np.array(rows)
    mean = _row_medians(every.T)
    floor = max(3 * float(np.std(mean[outer])), 0.15 * float(np.median(sigmas)))
    within = abs(offset) <= _BESIDE * frame.fwhm
    low = high = int(np.argmax(np.where(within, mean, -np.inf)))
    while low > 0 and mean[low - 1] > floor:
        low -= 1
    while high < len(mean) - 1 and mean[high + 1] > floor:
        high += 1
    return offset, every, max(0, low - 1), min(len(mean) - 1, high + 1)


def _correction(
    offset: NDArray[np.float64],
    every: NDArray[np.float64],
    low: int,
    high: int,
    pieces: _Pieces,
    degree: int,
) -> NDArray[np.float64]:
    """Return the polynomial of how far aside of the line its light is."""
    margin = (high - low) // 2 + 1
    near = slice(max(0, low - margin), high + margin + 1)
    part = every[:, near]
    # Half of its own highest light: what is below is noise.
    light = np.maximum(part - np.nanmax(part, axis=1, initial=0)[:, None] / 2, 0)
    light = np.where(np.isfinite(light), light, 0)
    total = light.sum(axis=1)
    good = pieces.is_lit & (total > 0)
    centre = (light * offset[near]).sum(axis=1)[good] / total[good]
    at = pieces.at[good]
    if len(at) <= degree:
        return np.zeros(degree + 1)
    fit = np.polyfit(at, centre, degree)
    apart = abs(centre - np.polyval(fit, at))
    kept = apart <= 3 * 1.4826 * np.median(apart) + 0.1
    return np.asarray(np.polyfit(at[kept], centre[kept], degree))
