"""Which pixels of an image on disk are of no use, and its sky."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.background._coverage import SAMPLE, find_fillings
from psfphot.io._on_disk import new_plane, release
from psfphot.pipeline._blobs import grow
from psfphot.pipeline._masks import COSMIC_RAYS
from psfphot.pipeline._saturation import (
    CLEARLY_ABOVE,
    MOST_FULL,
    PILE_UP,
    Saturation,
    find_saturation,
)
from psfphot.pipeline._tiles.sheets import measure_sky_sheets
from psfphot.pipeline._unusable import CAUSES, find_cosmic_rays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._tiles.mosaic import Mosaic, Window
    from psfphot.pipeline._tiles.tiling import Tile

#: The blocks of equal pixels, and the neighbours of saturated ones, reach so far.
_NEAR = 8


def mask_unexposed_tiles(mosaic: Mosaic) -> None:
    """Mask the pixels that hold no data, as `mask_unexposed` does."""
    image = mosaic.image
    sample = _sample(mosaic)
    found = new_plane(mosaic.directory, "unexposed", mosaic.shape, np.int8)
    causes = {cause: 1 << k for k, cause in enumerate(("zero", "flat"))}
    for window in mosaic.bands():
        wide, inner = _widened(window, mosaic.shape)
        values = np.array(image.data[wide])
        fillings = find_fillings(values, sample, mosaic.given.n_threads)
        for cause, pixels in fillings.items():
            found[window] |= np.where(pixels[inner], causes[cause], 0).astype(np.int8)
        release(found)
    for window in mosaic.bands():
        known = np.array(image.mask[window])
        for cause, bit in causes.items():
            new = ((found[window] & bit) != 0) & ~known
            mosaic.masks.add_in(window, CAUSES[cause], new)
        release(found)


def _sample(mosaic: Mosaic) -> NDArray[Any]:
    """Take every so manieth of the values with data, as `coverage_mask` does."""

    def values(window: Window) -> NDArray[Any]:
        data = np.array(mosaic.image.data[window])
        known: NDArray[Any] = data[~(mosaic.image.mask[window] | (data == 0))]
        return known

    size = sum(values(window).size for window in mosaic.bands())
    step, seen, parts = max(1, size // SAMPLE), 0, []
    for window in mosaic.bands():
        some = values(window)
        parts.append(some[-seen % step :: step])
        seen += some.size
    return np.concatenate(parts)


def prepare_sky_tiles(mosaic: Mosaic) -> float | None:
    """Measure the sky and mask what is saturated, as `prepare_sky` does.

    Returns
    -------
    level : float or `None`
        From which value on pixels are saturated.
    """
    image, masks = mosaic.image, mosaic.masks
    given = None if image.saturation is None else image.saturation.value
    likely = _likely_saturated(mosaic, given)
    mosaic.no_data = new_plane(mosaic.directory, "no_data", mosaic.shape, bool)
    for window in mosaic.bands():
        mosaic.no_data[window] = masks.pixels[window]
    release(mosaic.no_data)
    unused = masks.pixels
    if likely is not None:
        unused = new_plane(mosaic.directory, "unused", mosaic.shape, bool)
        for window in mosaic.bands():
            unused[window] = masks.pixels[window] | likely[window]
    mosaic.sky = measure_sky_sheets(mosaic.whole, unused)
    level = _level(mosaic, given, is_above=True)[0]
    saturated = new_plane(mosaic.directory, "full", mosaic.shape, bool)
    for tile, found in mosaic.over_tiles(partial(_saturated_in, mosaic, level)):
        _mark(saturated, tile, found)
    is_sky = False
    for window in mosaic.bands():
        if likely is not None:
            is_sky |= bool((likely[window] & ~saturated[window]).any())
        masks.add_in(window, "saturated", np.array(saturated[window]))
    if masks.pixels.all():
        msg = (
            f"{image.name}: every pixel in use is saturated or beside one that is "
            f"(level: {level})"
        )
        raise ValueError(msg)
    if is_sky:
        mosaic.sky = measure_sky_sheets(mosaic.whole, masks.pixels)
    mosaic.release()
    return level


def _saturated_in(
    mosaic: Mosaic, level: float | None, tile: Tile, part: Exposure
) -> NDArray[np.intp]:
    """Tell which of a tile's own pixels are saturated."""
    found = saturation_in(mosaic, part, tile, level)
    return np.flatnonzero(found.mask[tile.inner])


def _mark(plane: NDArray[np.bool_], tile: Tile, pixels: NDArray[np.intp]) -> None:
    """Set some of a tile's own pixels in a plane that is on disk."""
    own = np.zeros(plane[tile.rows, tile.columns].shape, bool)
    own.flat[pixels] = True
    plane[tile.rows, tile.columns] = own
    release(plane)


def saturation_in(
    mosaic: Mosaic, part: Exposure, tile: Tile, level: float | None
) -> Saturation:
    """Find the saturated pixels of a tile's window, by the whole image's level."""
    return find_saturation(
        part.data,
        sky=part.sky.background,
        noise=part.sky.rms,
        mask=np.array(mosaic.no_data[tile.window]),
        level=level,
        quality_saturated=part.image.saturated,
        may_pile_up=False,
    )


def _likely_saturated(mosaic: Mosaic, given: float | None) -> NDArray[np.bool_] | None:
    """Tell the pixels that may be saturated, as `likely_saturated` does."""
    image = mosaic.image
    level: float | None = None
    if image.saturated is None:
        level, cause = _level(mosaic, given, is_above=False)
        if level is None or cause == "none":
            return None
    full = new_plane(mosaic.directory, "likely", mosaic.shape, bool)
    n = 0
    for window in mosaic.bands():
        wide, inner = _widened(window, mosaic.shape)
        if image.saturated is not None:
            pixels = np.array(image.saturated[wide])
        else:
            pixels = (image.data[wide] >= level) & ~image.mask[wide]
        n += int(np.count_nonzero(pixels[inner]))
        full[window] = grow(pixels)[inner]
    release(full)
    return full if 0 < n < MOST_FULL * full.size else None


def _level(
    mosaic: Mosaic, given: float | None, *, is_above: bool
) -> tuple[float | None, str]:
    """Tell from which value on pixels are saturated, and how that is known.

    A pile-up must be clearly above the sky, if ``is_above`` says so.
    """
    image, highest = mosaic.image, -np.inf
    for window in mosaic.bands():
        good = ~image.mask[window]
        highest = max(highest, float(image.data[window][good].max(initial=-np.inf)))
    if given is not None and highest >= given:
        return given, "level"
    above: list[NDArray[Any]] = []
    for window in mosaic.bands():
        data = image.data[window]
        at = (data == highest) & ~image.mask[window]
        if not at.any():
            continue
        values = data[at]
        if is_above:
            sky = mosaic.sky.window(window)
            values = (values - sky.background[at]) / sky.rms[at]
        above.append(values)
    values = np.concatenate(above) if above else np.zeros(0)
    is_high = not is_above or float(np.median(values)) > CLEARLY_ABOVE
    if values.size >= PILE_UP and is_high:
        return highest, "pile-up"
    return given, "none" if given is None else "level"


def mask_cosmic_ray_tiles(mosaic: Mosaic) -> None:
    """Mask hot pixels and cosmic rays, as `mask_cosmic_rays` does."""
    found = new_plane(mosaic.directory, "rays", mosaic.shape, bool)
    for tile, rays in mosaic.over_tiles(_rays_in):
        if rays is None:
            return
        _mark(found, tile, rays)
    mosaic.whole.knows_cosmic_rays = True
    for window in mosaic.bands():
        mosaic.masks.add_in(window, COSMIC_RAYS, np.array(found[window]))
    release(found)


def _rays_in(tile: Tile, part: Exposure) -> NDArray[np.intp] | None:
    """Tell which of a tile's own pixels are hot, or hit by cosmic rays."""
    rays = find_cosmic_rays(part)
    return None if rays is None else np.flatnonzero(rays[tile.inner])


def _widened(window: Window, shape: tuple[int, int]) -> tuple[Window, Window]:
    """Add rows on both sides of a band; also tell where the band is in that."""
    rows, columns = window
    first, last = max(0, rows.start - _NEAR), min(shape[0], rows.stop + _NEAR)
    inner = slice(rows.start - first, rows.stop - first), slice(None)
    return (slice(first, last), columns), inner
