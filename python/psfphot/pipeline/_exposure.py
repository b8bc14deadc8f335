"""The state of a measurement, which all steps read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psfphot.io import FitsImage, Psf, measure_fwhm
from psfphot.pipeline._masks import PixelMasks
from psfphot.pipeline._settings import ResolvedSettings, Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from psfphot.io import Sky


class Exposure:
    """An image with what a measurement knows of it: PSF, masks, sky.

    Parameters
    ----------
    image : `~psfphot.io.FitsImage`
        The image, as `psfphot.io.read_image` reads it. It is not changed.
    psf : `~psfphot.io.Psf` or `~astropy.modeling.Fittable2DModel`
        The PSF, as `psfphot.io.read_psf` makes it, or a model of
        `psfphot.psf`, whose width is measured.
    settings : `Settings`, optional
        How to measure; by default the defaults of all.

    Attributes
    ----------
    image : `~psfphot.io.FitsImage`
        The image as it was read.
    psf : `~psfphot.io.Psf`
        The PSF.
    settings : `ResolvedSettings`
        The settings in pixels.
    masks : `PixelMasks`
        The pixels that are left out and why; steps and users may add some.

    Raises
    ------
    TypeError
        If an argument is of another type.
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
        settings = Settings() if settings is None else settings
        if not isinstance(settings, Settings):
            msg = f"settings must be Settings, got {type(settings).__name__}"
            raise TypeError(msg)
        self.image = image
        self.psf = _as_psf(psf)
        self.settings: ResolvedSettings = settings.resolve(self.psf.fwhm)
        self.masks = PixelMasks(image.mask, image.n_masked)
        self._sky: Sky | None = None

    @property
    def sky(self) -> Sky:
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
    def sky(self, sky: Sky) -> None:
        self._sky = sky

    @property
    def data(self) -> NDArray[Any]:
        """2D float array: the image with its sky, in its unit."""
        return self.image.data

    @property
    def error(self) -> NDArray[Any] | None:
        """2D float array of the pixels' 1-sigma errors, or `None`."""
        return self.image.error

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
        data: NDArray[Any] = self.image.data - self.sky.level
        return data

    @property
    def error_source(self) -> str:
        """What the catalogue's errors come from, for people."""
        if self.error is None:
            return "from the scatter of each fit's own residuals (no ERR is used)"
        return f"from {self.image.error_source}"

    def __repr__(self) -> str:
        ny, nx = self.shape
        return f"<Exposure({self.image.name}: {nx} x {ny}, {self.psf.description})>"


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
