"""An image with all that its file says about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from psfphot.io._detector import Detector
from psfphot.io._errors import FileFormatError
from psfphot.io._fits import keyword_value

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from psfphot.io._area import PixelArea
    from psfphot.io._gwcs import GeneralizedWCS
    from psfphot.io._levels import HeaderValue


@dataclass(frozen=True)
class FitsImage:
    """An image with all that its file says about it.

    Attributes
    ----------
    data : 2D float array
        The pixels, in native byte order; float32 or float64.
    error : 2D float array or `None`
        1-sigma errors of the pixels.
    mask : 2D bool array
        `True` where the data are not finite, the error is unusable, or a mask
        or the data quality says so.
    unit : `~astropy.units.UnitBase` or `None`
        The unit of ``data`` and ``error``, from BUNIT.
    wcs : `~astropy.wcs.WCS`, `GeneralizedWCS` or `None`
        The celestial coordinates, in whatever frame the file has them. Both
        kinds have ``pixel_to_world`` and ``world_to_pixel``.
    header : `~astropy.io.fits.Header`
        The header of the extension that was read, for images made from it.
    name : str
        The file and its extension, for messages: ``m31.fits[SCI,1]``.
    error_source : str
        Where ``error`` is from; empty without it.
    n_masked : dict
        How many pixels are masked by what, by its name; a pixel may count
        more than once.
    primary : `~astropy.io.fits.Header`
        The file's first header, which holds what is true of all extensions.
    masks : dict
        The masked pixels of each cause, 2D bool arrays, by the names in
        ``n_masked``; ``mask`` is their union.
    weight : 2D float array or `None`
        The weights of the pixels as the file has them: those that were asked
        for, or the WHT extension's. Not finite, 0 or negative: no data.
    var_poisson, var_rnoise : 2D float array or `None`
        The variances by photons and by the reading, in the square of ``unit``, where
        the file has both beside the ERR extension that gave ``error``, as those of
        JWST have; see `psfphot.utils.NoiseModel.from_variances`.
    saturated : 2D bool array or `None`
        `True` where the data quality says that the pixel was full; `None` where
        it cannot say. Such pixels need not be in ``mask``.
    saturation : `HeaderValue` or `None`
        The level at which pixels are full, in the image's unit.
    gain, read_noise : `HeaderValue` or `None`
        In electrons per count, and in electrons, as the header has them.
    detector : `Detector`
        Which detector this is of, and which part.
    area : `PixelArea` or `None`
        The pixels' relative areas, where fluxes must be multiplied by them.
    wcs_source : str
        What ``wcs`` is from, for people; empty without it.
    tables : tuple of `~astropy.io.fits.ImageHDU`
        Lookup tables that the header's WCS needs.
    """

    data: NDArray[Any]
    error: NDArray[Any] | None
    mask: NDArray[np.bool_]
    unit: u.UnitBase | None
    wcs: WCS | GeneralizedWCS | None
    header: fits.Header
    name: str
    error_source: str = ""
    n_masked: dict[str, int] = field(default_factory=dict)
    primary: fits.Header = field(default_factory=fits.Header)
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    weight: NDArray[Any] | None = None
    saturated: NDArray[np.bool_] | None = None
    saturation: HeaderValue | None = None
    gain: HeaderValue | None = None
    read_noise: HeaderValue | None = None
    detector: Detector = field(default_factory=Detector)
    area: PixelArea | None = None
    wcs_source: str = ""
    tables: tuple[Any, ...] = ()
    var_poisson: NDArray[Any] | None = None
    var_rnoise: NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (ny, nx)."""
        ny, nx = self.data.shape
        return ny, nx

    def keyword(self, name: str) -> Any:
        """Look a keyword up, first in the extension's header; `None` without."""
        return keyword_value((self.header, self.primary), name, self.name)


def joined_masks(bad: dict[str, NDArray[np.bool_]], name: str) -> NDArray[np.bool_]:
    """Join the masks of all causes; an image without a pixel left is refused."""
    mask: NDArray[np.bool_] = np.logical_or.reduce(list(bad.values()))
    if mask.all():
        counts = ", ".join(f"{what}: {np.sum(bad[what])}" for what in bad)
        msg = f"{name}: every pixel is masked ({counts})"
        raise FileFormatError(msg)
    return mask
