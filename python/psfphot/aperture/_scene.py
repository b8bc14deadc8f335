"""An image with apertures on it: what is measured, and what is in the way."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._validate import Frame, as_frame, unpack_nddata
from psfphot.aperture._flags import APERTURE_FLAGS
from psfphot.aperture._pixel import PixelAperture
from psfphot.aperture._sky import SkyAperture

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Scene(NamedTuple):
    """An image, and what is known of it."""

    frame: Frame
    wcs: Any
    # Neither masked nor without a finite value.
    usable: NDArray[np.bool_]

    @property
    def without_bad(self) -> Frame:
        """The image with all that cannot be used masked."""
        bad = None if self.usable.all() else ~self.usable
        return self.frame._replace(mask=bad)


def as_scene(data: Any, error: Any, mask: Any, wcs: Any) -> Scene:
    """Make a scene of the arguments; those that NDData has too are its.

    Raises
    ------
    TypeError
        If an array has a dtype that cannot be used.
    ValueError
        If shapes or units do not go together.
    """
    if isinstance(data, NDData):
        given = {"error": error, "mask": mask, "wcs": wcs}
        for name in (name for name, value in given.items() if value is not None):
            msg = f"{name!r} is ignored: the NDData's own counts"
            warnings.warn(msg, AstropyUserWarning, stacklevel=3)
        wcs = data.wcs
        data, mask, error = unpack_nddata(data)
    frame = as_frame(data, error, mask)
    usable = np.isfinite(frame.data)
    if frame.mask is not None:
        usable &= ~frame.mask
    return Scene(frame, wcs, usable)


def as_pixel_aperture(aperture: Any, wcs: Any) -> PixelAperture:
    """Make the aperture on the image.

    Raises
    ------
    TypeError
        If it is no aperture of this package.
    ValueError
        If it is one on the sky, and there is no WCS.
    """
    if isinstance(aperture, PixelAperture):
        return aperture
    if not isinstance(aperture, SkyAperture):
        msg = (
            "apertures must be circles or annuli of psfphot.aperture, got "
            f"{type(aperture).__module__}.{type(aperture).__qualname__}"
        )
        raise TypeError(msg)
    if wcs is None:
        raise ValueError(
            "an aperture on the sky needs a WCS: give wcs, or data with one"
        )
    pixel_aperture: PixelAperture = aperture.to_pixel(wcs)
    return pixel_aperture


def footprint_flags(
    scene: Scene,
    aperture: PixelAperture,
    method: Any,
    subpixels: int,
    n_threads: int | None,
) -> NDArray[np.int_]:
    """Flag each aperture for what is in the way of measuring it."""
    data, error, mask = scene.frame.arrays

    def measure(image: Any, mask: Any = None) -> tuple[Any, Any]:
        frame = Frame(image, None, mask, None)
        sums, _, areas = aperture.measure(frame, method, subpixels, n_threads)
        return sums, areas

    _, inside = measure(data)
    flags = np.zeros(len(inside), dtype=int)
    off = np.isnan(inside)
    flags[off] |= APERTURE_FLAGS.NO_OVERLAP
    flags[off | (inside == 0)] |= APERTURE_FLAGS.NO_PIXELS
    for i in np.flatnonzero(~off).tolist():
        if _reaches_beyond(aperture, i, data.shape, method, subpixels):
            flags[i] |= APERTURE_FLAGS.PARTIAL_OVERLAP
    nowhere = np.zeros(data.shape, dtype=bool)
    masked = nowhere if mask is None else mask
    obstacles = {
        APERTURE_FLAGS.MASKED_PIXELS: masked,
        APERTURE_FLAGS.NON_FINITE_DATA: ~(scene.usable | masked),
        APERTURE_FLAGS.NON_FINITE_ERROR: nowhere
        if error is None
        else ~np.isfinite(error) & ~masked,
    }
    for bit, bad in obstacles.items():
        if bad.any():
            weight, _ = measure(bad.astype(np.float64))
            flags[weight > 0] |= bit
    if not scene.usable.all():
        _, used = measure(data, ~scene.usable)
        flags[(inside > 0) & (used == 0)] |= APERTURE_FLAGS.ALL_MASKED
    return flags


def _reaches_beyond(
    aperture: PixelAperture, i: int, shape: tuple[int, ...], method: Any, subpixels: int
) -> bool:
    """Tell whether a pixel off the image has a weight."""
    one = aperture if aperture.isscalar else aperture[i]
    box: Any = one.bbox
    ny, nx = shape
    if box.ixmin >= 0 and box.iymin >= 0 and box.ixmax <= nx and box.iymax <= ny:
        return False
    mask: Any = one.to_mask(method=method, subpixels=subpixels)
    weights = mask.data.copy()
    _, small = mask.get_overlap_slices((ny, nx))
    if small is not None:
        weights[small] = 0
    return bool((weights > 0).any())
