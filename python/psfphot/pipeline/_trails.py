"""Trails of satellites and airplanes, and bleeding columns: what is no row of stars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.pipeline._detection import NoStarsError, find_stars
from psfphot.pipeline._masks import COSMIC_RAYS
from psfphot.pipeline._pixels import nearest_pixels
from psfphot.pipeline._trail_lines import Frame, TrailPath
from psfphot.pipeline._trail_paths import find_paths
from psfphot.psf import PSF_FLAGS

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure

#: What the masked pixels are called in the report.
CAUSE = "trails"

#: Trails never mask more of the image than this: where they would they are its
#: structure, as stripes and crowded nebulae are.
_LARGEST_PART = 0.15

#: How uneven the light of a trail is, as a part of it: its model is no better.
_UNEVEN = 0.3

#: A star on a trail is that much brighter in its centre than the trail.
_ABOVE_TRAIL = 1.0

#: The pixels of such a star are kept up to here, FWHM.
_KEPT = 1.2


@dataclass(frozen=True, eq=False)
class Trails:
    """The trails of an image.

    Attributes
    ----------
    pixels : 2D bool array
        The pixels that they cover.
    masked : 2D bool array
        Those of them that are no star's.
    light : 2D array
        The light of the trails, in the image's unit.
    n : int
        How many there are.
    """

    pixels: NDArray[np.bool_]
    masked: NDArray[np.bool_]
    light: NDArray[np.float64]
    n: int

    def covers(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which positions are on a trail."""
        return _at(self.pixels, x, y)

    def hides(self, start: QTable) -> NDArray[np.bool_]:
        """Tell which starts of fits are masked by a trail."""
        x, y = (np.asarray(start[name], dtype=float) for name in ("x_init", "y_init"))
        return _at(self.masked, x, y)

    def joined(self, other: Trails | None) -> Trails:
        """Add the trails that were found before."""
        if other is None:
            return self
        return Trails(
            self.pixels | other.pixels,
            self.masked | other.masked,
            self.light + other.light,
            self.n + other.n,
        )


def _at(plane: NDArray[np.bool_], x: Any, y: Any) -> NDArray[np.bool_]:
    """Tell at which positions a plane is set; not off the image."""
    row, column, known = nearest_pixels(x, y, plane.shape)
    return np.asarray(plane[row, column] & known)


def find_trails(
    exposure: Exposure,
    data: NDArray[Any],
    error: NDArray[Any],
    stars: QTable,
    threshold: float,
    *,
    subtracted: NDArray[Any] | float = 0.0,
) -> Trails | None:
    """Find the trails that cut into detections, and the stars that they cross.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky.
    data : 2D array
        The image without its sky, in which the detections were found.
    error : 2D array
        1-sigma errors of its pixels.
    stars : `~astropy.table.QTable`
        What `find_stars` found.
    threshold : float
        And down to which S/N.
    subtracted : 2D array, optional
        The light of the stars that were taken off the image before.

    Returns
    -------
    trails : `Trails` or `None`
        `None` without a trail.
    """
    x, y = (np.asarray(stars[name], float) for name in ("x_centroid", "y_centroid"))
    # A narrow trail has been taken for cosmic rays in places.
    rays = exposure.masks.planes.get(COSMIC_RAYS)
    mask = exposure.mask if rays is None else exposure.mask & ~rays
    noise = np.broadcast_to(exposure.sky.rms, data.shape)
    frame = Frame(data, noise, mask, exposure.psf.fwhm)
    paths = find_paths(frame, x, y, threshold)
    pixels = np.zeros(exposure.shape, dtype=bool)
    light = np.zeros(exposure.shape)
    doubt = np.zeros(exposure.shape)
    most = _LARGEST_PART * pixels.size
    n = 0
    for path in paths:
        with_it = pixels.copy()
        _draw(path, with_it, light, doubt)
        if np.count_nonzero(with_it) > most:
            return None
        pixels, n = with_it, n + 1
    if not n:
        return None
    uneven = np.hypot(error, doubt)
    kept = _crossed(exposure, data + subtracted, light, uneven, pixels)
    return Trails(pixels, pixels & ~kept, light, n)


def _draw(
    path: TrailPath,
    pixels: NDArray[np.bool_],
    light: NDArray[np.float64],
    doubt: NDArray[np.float64],
) -> None:
    """Add a trail to the pixels, the light and the doubt about it, in place."""
    rows, columns = _box(path, pixels.shape)
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return
    y, x = np.mgrid[rows, columns]
    along, aside = path.coordinates(x, y)
    low, high = path.offset[0], path.offset[-1]
    on = (along >= path.start) & (along <= path.stop) & (aside >= low) & (aside <= high)
    level = np.interp(along[on], path.at, path.level)
    made = level * np.interp(aside[on], path.offset, path.profile)
    light[rows, columns][on] += made
    # The light of its ends is not known: the line may end before them.
    at_end = (along[on] < path.at[0]) | (along[on] > path.at[-1])
    doubt[rows, columns][on] += np.where(at_end, level, _UNEVEN * made)
    pixels[rows, columns][on] = True


def _box(path: TrailPath, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns that a trail may lie in."""
    along = np.linspace(path.start, path.stop, 33)
    aside = np.polyval(path.bend, along)
    x, y = path.line.positions(along, aside)
    margin = float(abs(path.offset).max()) + 2
    slices = []
    for values, size in (
        (y, shape[0]),
        (x, shape[1]),
    ):
        low = int(np.clip(np.floor(values.min() - margin), 0, size))
        high = int(np.clip(np.ceil(values.max() + margin) + 1, 0, size))
        slices.append(slice(low, high))
    return slices[0], slices[1]


def _crossed(
    exposure: Exposure,
    data: NDArray[Any],
    light: NDArray[np.float64],
    error: NDArray[Any],
    pixels: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Tell the pixels of the stars that stand out of the trails."""
    kept = np.zeros_like(pixels)
    data = data - light
    try:
        stars = find_stars(exposure, data=data, error=error)
    except NoStarsError:
        return kept
    x, y = (np.asarray(stars[name], float) for name in ("x_centroid", "y_centroid"))
    row, column, known = nearest_pixels(x, y, pixels.shape)
    on = known & pixels[row, column]
    on &= data[row, column] > _ABOVE_TRAIL * light[row, column]
    radius = _KEPT * exposure.psf.fwhm
    reach = int(np.ceil(radius))
    ny, nx = pixels.shape
    for one_x, one_y in zip(x[on], y[on], strict=True):
        i, j = min(max(round(one_x), 0), nx - 1), min(max(round(one_y), 0), ny - 1)
        rows = slice(max(0, j - reach), min(ny, j + reach + 1))
        columns = slice(max(0, i - reach), min(nx, i + reach + 1))
        v, u = np.mgrid[rows, columns]
        near = np.hypot(u - one_x, v - one_y) <= radius
        # Where the trail is brighter than the star its own unevenness would be.
        kept[rows, columns] |= near & (light[rows, columns] < data[j, i])
    return kept


def mask_trails(exposure: Exposure, trails: Trails) -> None:
    """Mask the pixels of trails, but those of the stars that they cross."""
    if trails.masked.any():
        exposure.masks.add(CAUSE, trails.masked)


def flag_on_trails(table: QTable, trails: Trails | None) -> None:
    """Flag the rows on trails, in place."""
    if trails is None:
        return
    x, y = (np.asarray(table[name], dtype=float) for name in ("x_fit", "y_fit"))
    table["flags"][trails.covers(x, y)] |= PSF_FLAGS.ON_TRAIL
