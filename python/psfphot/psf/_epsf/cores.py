"""What the middles of stars look like, and of what is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psfphot.psf._models.gaussian import CircularGaussianPRF

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot._validate import Frame

    Vector = NDArray[np.float64]
    Mask = NDArray[np.bool_]

# The core, in FWHM, of which no pixel may be missing, and the radii whose light is
# compared to tell stars from what is none.
_CORE, _INNER, OUTER = 1.5, 0.75, 2.0

# The pixels beside a star's brightest one have at least this part of what they have of
# a Gaussian of the stars' width, wherever in the pixel it is: cosmic rays have none,
# and may be most of what is bright and alone. Of 400 chosen on an exposure of 700 s by
# WFPC2 they were 283, and the PSF's FWHM was 0.88 px; with 0.25 to 0.6 it is 1.5.
_BESIDE = 0.4

# Where stars have more pixels at their top of one value they are full.
_FLAT = 2

# Stars that are measured at once.
_AT_ONCE = 2000

# Of the four pixels beside one: (dy, dx).
_SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))


class Cores(NamedTuple):
    """What the middles of stars look like."""

    #: Whether no pixel of them is missing or full.
    is_whole: Mask
    #: The part of the light that is within them; NaN where there is none.
    light: Vector
    #: Whether one side of the brightest pixel is darker than any star's.
    is_needle: Mask


def measure_cores(
    frame: Frame, x: Vector, y: Vector, fwhm: float, full: float | None
) -> Cores:
    """Measure the middles of stars at places; pixels of `full` and more are no good."""
    least = _BESIDE * _least_beside(fwhm)
    is_whole, is_needle = np.zeros((2, x.size), dtype=bool)
    light = np.full(x.size, np.nan)
    for start in range(0, x.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        values, radius, good = _cut(frame, x[part], y[part], fwhm, full)
        core = radius < max(_CORE * fwhm, 1.5)
        top = np.where(core & good, values, -np.inf).max(axis=(1, 2), keepdims=True)
        is_flat = ((values == top) & core).sum(axis=(1, 2)) > _FLAT
        is_whole[part] = ~(core & ~good).any(axis=(1, 2)) & ~is_flat
        light[part] = _concentration(values, radius / fwhm, good)
        rim = good & (radius >= OUTER * fwhm)
        is_needle[part] = _light_beside(values, core & good, rim, good) < least
    return Cores(is_whole, light, is_needle)


def reach_of(fwhm: float) -> int:
    """Tell how far, in pixels, the light of a star is looked at."""
    return int(np.ceil(OUTER * fwhm)) + 1


def _cut(
    frame: Frame, x: Vector, y: Vector, fwhm: float, full: float | None
) -> tuple[Vector, Vector, Mask]:
    """Cut stars out: values (0 where they are no good), distances, and what is good."""
    reach = reach_of(fwhm)
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    data, _, mask = frame.arrays
    ny, nx = data.shape
    i = np.rint(x).astype(int)[:, None, None] + dx
    j = np.rint(y).astype(int)[:, None, None] + dy
    off = (i < 0) | (j < 0) | (i >= nx) | (j >= ny)
    i, j = np.clip(i, 0, nx - 1), np.clip(j, 0, ny - 1)
    values = np.asarray(data[j, i], dtype=np.float64)
    bad = off | ~np.isfinite(values)
    if mask is not None:
        bad |= mask[j, i]
    if full is not None:
        bad |= values >= full
    values[bad] = 0.0
    radius = np.hypot(i - x[:, None, None], j - y[:, None, None])
    return values, radius, ~bad


def _concentration(values: Vector, radius: Vector, good: Mask) -> Vector:
    """Tell the light of cores over that of the stars, above what is around."""
    inner = good & (radius < _INNER)
    outer = good & (radius < OUTER)
    rim = good & (radius >= OUTER) & (radius < OUTER + 0.5)
    sums = [(values * part).sum(axis=(1, 2)) for part in (inner, outer, rim)]
    sizes = [part.sum(axis=(1, 2)) for part in (inner, outer, rim)]
    sky = sums[2] / np.maximum(sizes[2], 1)
    whole = sums[1] - sky * sizes[1]
    light = np.full(len(values), np.nan)
    np.divide(sums[0] - sky * sizes[0], whole, out=light, where=whole > 0)
    return light


def _light_beside(values: Vector, core: Mask, rim: Mask, good: Mask) -> Vector:
    """Tell the least pixel beside the core's brightest, over that, above the rim."""
    any_will_do = ~rim.any(axis=(1, 2), keepdims=True)
    around = np.where(rim | any_will_do, values, np.nan)
    above = values - np.nanmedian(around, axis=(1, 2), keepdims=True)
    n, ny, nx = values.shape
    top = np.where(core, above, -np.inf).reshape(n, -1).argmax(axis=1)
    j, i = np.unravel_index(top, (ny, nx))
    star = np.arange(n)
    # What is no good, or outside, is not the least.
    sides = np.pad(
        np.where(good, above, np.inf), ((0, 0), (1, 1), (1, 1)), constant_values=np.inf
    )
    least = np.min([sides[star, j + 1 + dy, i + 1 + dx] for dy, dx in _SIDES], axis=0)
    peak = above[star, j, i]
    ratio = np.full(n, np.nan)
    np.divide(least, peak, out=ratio, where=peak > 0)
    return ratio


def _least_beside(fwhm: float) -> float:
    """Tell what `_light_beside` is of a Gaussian in the middle of a pixel's edge."""
    star = CircularGaussianPRF(x_0=0.5, fwhm=fwhm)
    return float(star(-1.0, 0.0) / star(0.0, 0.0))
