"""The state of a measurement, which all steps read."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from astropy import units as u
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.io import FitsImage, Psf, check_detector, measure_fwhm, place_psf
from psfphot.pipeline._masks import PixelMasks
from psfphot.pipeline._psf_width import measure_image_psf
from psfphot.pipeline._settings import ResolvedSettings, Settings, as_settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from psfphot.pipeline._sky_maps import SkyMaps


#: Units whose gain is the header's.
_COUNTS = (u.adu, u.count, u.DN)


class Exposure:
    """An image with what a measurement knows of it: PSF, masks, sky.

    Parameters
    ----------
    image : `~psfphot.io.FitsImage`
        The image, as `psfphot.io.read_image` reads it. It is not changed.
    psf : `~psfphot.io.Psf` or `~astropy.modeling.Fittable2DModel`
        The PSF, as `psfphot.io.read_psf` makes it, or a model of
        `psfphot.psf`. Where it says so its width is measured on the image.
    settings : `Settings`, optional
        How to measure; by default the defaults of all.

    Attributes
    ----------
    image : `~psfphot.io.FitsImage`
        The image as it was read.
    psf : `~psfphot.io.Psf`
        The PSF; a grid's positions are those on the image, which may be a part of
        the detector.
    has_measured_psf : bool
        Whether the PSF's width was measured on the image.
    settings : `ResolvedSettings`
        The settings in pixels.
    given_settings : `Settings`
        The same as they were given.
    masks : `PixelMasks`
        The pixels that are left out and why; steps and users may add some.

    Raises
    ------
    TypeError
        If an argument is of another type.

    Warns
    -----
    AstropyUserWarning
        If a grid of PSFs is of another detector or filter than the image.
    """

    def __init__(
        self, image: FitsImage, psf: Psf | Any, settings: Settings | None = None
    ) -> None:
        if not isinstance(image, FitsImage):
            msg = (
                "image must be a FitsImage, as psfphot.io.read_image reads it, "
                f"got {type(image).__name__}"
            )
            raise TypeError(msg)
        settings = as_settings(settings)
        self.image = image
        given = _as_psf(psf)
        self.has_measured_psf = given.measured_as is not None
        known = measure_image_psf(image, given, settings.n_threads)
        self.psf = _placed(known, image)
        self.given_settings = settings
        self.settings: ResolvedSettings = settings.resolve(self.psf.fwhm)
        self.masks = PixelMasks(image.mask, image.n_masked)
        self._sky: SkyMaps | None = None
        self._error: NDArray[Any] | None = image.error
        #: Whether errors are made of the fitted stars' light.
        self.has_renewed_errors = False
        #: The inverse gain and the variance by the reading of each pixel, where the
        #: variances of a larger image have told them.
        self.noise_planes: tuple[NDArray[Any], NDArray[Any]] | None = None
        #: Whether cosmic rays were looked for, or the file flags them.
        self.knows_cosmic_rays = any("DQ" in name for name in image.masks)

    @property
    def sky(self) -> SkyMaps:
        """The background; it must have been set.

        Raises
        ------
        ValueError
            If it has not been.
        """
        if self._sky is None:
            msg = "the exposure has no sky yet: exposure.sky = measure_sky(exposure)"
            raise ValueError(msg)
        return self._sky

    @sky.setter
    def sky(self, sky: SkyMaps) -> None:
        self._sky = sky

    @property
    def data(self) -> NDArray[Any]:
        """2D float array: the image with its sky, in its unit."""
        return self.image.data

    @property
    def error(self) -> NDArray[Any] | None:
        """2D float array of the pixels' 1-sigma errors, or `None`.

        They are the image's own where it has some; what is set otherwise, as by
        `pixel_errors`.
        """
        return self._error

    @error.setter
    def error(self, error: NDArray[Any] | None) -> None:
        self._error = error

    @property
    def gain(self) -> float | None:
        """Electrons in one unit of the image, if header and unit tell.

        A header's gain is that of counts: of no use for calibrated images.
        """
        if self.settings.gain is not None:
            return self.settings.gain
        unit = self.image.unit
        if unit == u.electron:
            return 1.0
        found = self.image.gain
        is_count = unit is None or unit in _COUNTS
        return found.value if found is not None and is_count else None

    @property
    def robust(self) -> bool | float:
        """Whether the weights of fits are robust: as was set, or where need be."""
        robust = self.settings.robust
        return not self.knows_cosmic_rays if robust is None else robust

    @property
    def mask(self) -> NDArray[np.bool_]:
        """2D bool array: `True` where a pixel is left out, for any cause."""
        return self.masks.pixels

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (ny, nx)."""
        return self.image.shape

    def subtract_sky(self) -> NDArray[Any]:
        """Take the sky off the image.

        Returns
        -------
        data : 2D float array
            A new array, of the image's type.
        """
        data: NDArray[Any] = self.image.data - self.sky.background
        return data

    @property
    def error_source(self) -> str:
        """What the catalogue's errors come from, for people."""
        if self.image.error is not None:
            source = f"from {self.image.error_source}"
            if self.has_renewed_errors:
                source += ", with VAR_POISSON for the fitted stars' light"
            return source
        if self.error is None:
            return "from the scatter of each fit's own residuals (no ERR is used)"
        if self.gain is None:
            return "from the sky's noise; the stars' photons are left out (no gain)"
        if self.settings.gain is not None:
            source = f"{self.settings.gain:g}"
        else:
            source = "of electrons" if self.image.gain is None else str(self.image.gain)
        sky = "the sky's noise"
        if self.settings.read_noise is not None:
            sky = f"the sky's photons, a read noise of {self.settings.read_noise:g}"
        return f"from {sky} and the stars' photons, gain {source}"

    def __repr__(self) -> str:
        ny, nx = self.shape
        return f"<Exposure({self.image.name}: {nx} x {ny}, {self.psf.description})>"


def _placed(psf: Psf, image: FitsImage) -> Psf:
    """Move a grid of PSFs to where on the detector the image is, or say why not."""
    check = check_detector(image, psf)
    for said in check.warnings:
        warnings.warn(f"{image.name}: {said}", AstropyUserWarning, stacklevel=4)
    return place_psf(psf, check.offset)


def _as_psf(psf: Any) -> Psf:
    if isinstance(psf, Psf):
        return psf
    if not all(hasattr(psf, name) for name in ("x_0", "y_0", "flux", "copy")):
        msg = (
            "psf must be a Psf, as psfphot.io.read_psf makes it, or a model with "
            f"parameters x_0, y_0 and flux, got {type(psf).__name__}"
        )
        raise TypeError(msg)
    return Psf(psf, type(psf).__name__, measure_fwhm(psf))
