"""What measures an image: a photometry object, or the pipeline with its settings."""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from astropy.stats import mad_std
from astropy.table import QTable

from psfphot.completeness._injection import Pixels, draw_stars
from psfphot.completeness._sources import sources_of
from psfphot.io import Psf, measure_fwhm, place_psf
from psfphot.pipeline import NoStarsError, Settings, measure
from psfphot.psf import GriddedPSFModel

if TYPE_CHECKING:
    from astropy import units as u
    from numpy.typing import NDArray

    from psfphot._validate import Frame
    from psfphot.io import FitsImage


#: So many pixels tell the level of the sky to 0.2 % of a pixel's noise.
_SAMPLE = 500_000


class Photometer(Protocol):
    """Makes catalogues of images that differ from one in their pixels alone."""

    def measure(self, pixels: Pixels, window: Any = None) -> QTable:
        """Measure an image, or a window (slices) of it that ``pixels`` are.

        Returns
        -------
        table : `~astropy.table.QTable`
            Positions are the window's. Without a row if there is no star.
        """


@dataclass(frozen=True)
class ObjectPhotometer:
    """Measures with a photometry object.

    Attributes
    ----------
    photometry : callable
        Called as ``photometry(data, mask=mask, error=error)``.
    mask : 2D bool array or `None`
        The pixels left out.
    unit : unit or `None`
        Of the data.
    """

    photometry: Any
    mask: NDArray[np.bool_] | None
    unit: u.UnitBase | None

    def measure(self, pixels: Pixels, window: Any = None) -> QTable:
        """Measure an image, see `Photometer`."""
        data, error = pixels
        mask = self.mask if self.mask is None or window is None else self.mask[window]
        if self.unit is not None:
            data = data << self.unit
            error = None if error is None else error << self.unit
        photometry = self.photometry
        if window is not None:
            photometry = moved(photometry, (window[1].start, window[0].start))
        table = photometry(data, mask=mask, error=error)
        return QTable() if table is None else QTable(table, copy=False)


def moved(photometry: Any, offset: tuple[int, int]) -> Any:
    """Copy a photometry object for a part of the image.

    Parameters
    ----------
    photometry : callable
        The object. Where its PSF is a grid, that is moved, in the finder too; else it
        is returned as it is.
    offset : tuple of int
        (x, y) of the part's first pixel.
    """
    inner = getattr(photometry, "_photometry", photometry)
    model = getattr(inner, "psf_model", None)
    if not isinstance(model, GriddedPSFModel):
        return photometry
    own = copied(inner)
    own.psf_model = place_psf(Psf(model, "", math.nan), offset).model
    if getattr(own.finder, "psf_model", None) is not None:
        own.finder = copy.copy(own.finder)
        own.finder.psf_model = own.psf_model
    if inner is photometry:
        return own
    outer = copy.copy(photometry)
    outer._photometry = own
    return outer


def copied(photometry: Any) -> Any:
    """Copy a photometry object without its results, which stay the user's."""
    if not hasattr(photometry, "forget"):
        return copy.copy(photometry)
    # Copying would compute what results need to do without their image.
    own = object.__new__(type(photometry))
    own.__dict__.update(photometry.__dict__)
    own.forget()
    return own


@dataclass(frozen=True)
class PipelinePhotometer:
    """Measures with the pipeline.

    Attributes
    ----------
    settings : `~psfphot.pipeline.Settings`
        How.
    psf : `~psfphot.io.Psf` or `~astropy.modeling.Model`
        The PSF, whose width is known.
    image : `~psfphot.io.FitsImage`
        The image without artificial stars, whose other properties count.
    """

    settings: Settings
    psf: Any
    image: FitsImage

    def measure(self, pixels: Pixels, window: Any = None) -> QTable:
        """Measure an image, see `Photometer`."""
        if window is not None:
            raise ValueError("the pipeline measures whole images")
        image = replace(
            self.image,
            data=pixels.data,
            error=pixels.error,
            var_poisson=self._var_poisson(pixels.data),
        )
        try:
            return measure(image, self.psf, self.settings).catalog
        except NoStarsError:
            return QTable()

    def _var_poisson(self, data: NDArray[Any]) -> NDArray[Any] | None:
        """Let the variance by photons, if it is known, grow with the light."""
        before = self.image.var_poisson
        if before is None:
            return None
        own = self.image.data
        ratio = np.divide(
            data, own, out=np.ones(own.shape), where=(own > 0) & (data > 0)
        )
        return np.asarray(before * ratio, dtype=before.dtype)


@dataclass(frozen=True)
class Baseline:
    """What an image holds without artificial stars.

    Attributes
    ----------
    photometer : `Photometer`
        Measures images like it.
    pixels : `Pixels`
        The image.
    usable : 2D bool array
        The pixels that are measured.
    unit : unit or `None`
        Of the data.
    table : `~astropy.table.QTable`
        The catalogue.
    stars : 2D array
        The fitted stars.
    psf_model : `~astropy.modeling.Model`
        The PSF.
    fwhm : float
        Its width in pixels.
    gain : float or `None`
        Electrons in one unit, if the image tells.
    zero_point : float or `None`
        The magnitude of a flux of 1, if known.
    sky, noise : 2D array or `None`
        The sky and the 1-sigma errors of the pixels, where they were measured.
    """

    photometer: Photometer
    pixels: Pixels
    usable: NDArray[np.bool_]
    unit: u.UnitBase | None
    table: QTable
    stars: NDArray[np.float64]
    psf_model: Any
    fwhm: float
    gain: float | None = None
    zero_point: float | None = None
    sky: NDArray[Any] | None = None
    noise: NDArray[Any] | None = None

    def expectation(self) -> tuple[tuple[Any, Any], Any]:
        """Tell what the pixels hold without noise, and their 1-sigma errors.

        Returns
        -------
        expected : (2D array, 2D array or float)
            The stars, and the sky below them.
        noise : 2D array or float
            The errors.
        """
        noise = self.pixels.error if self.noise is None else self.noise
        if self.sky is not None:
            return (self.stars, self.sky), noise
        # Every so many pixels, in each row others.
        step = self.usable.size // _SAMPLE | 1
        at = np.flatnonzero(self.usable.ravel()[::step]) * step
        if not len(at):
            at = np.flatnonzero(self.usable)
        residual = self.pixels.data.ravel()[at] - self.stars.ravel()[at]
        # Zero, unless the photometry measures local backgrounds.
        level = float(np.median(residual))
        own = float(mad_std(residual)) if noise is None else noise
        return (self.stars, level), own


def measure_image(settings: Settings, image: FitsImage, psf: Any) -> Baseline:
    """Run the pipeline on the image itself.

    Parameters
    ----------
    settings : `~psfphot.pipeline.Settings`
        How.
    image : `~psfphot.io.FitsImage`
        The image.
    psf : `~psfphot.io.Psf` or `~astropy.modeling.Model`
        The PSF. One whose width is measured on the image keeps that.

    Raises
    ------
    NoStarsError
        If there is no star at all.
    """
    run = measure(image, psf, settings)
    exposure = run.exposure
    # Any other is placed on the detector by each measurement.
    known = exposure.psf if exposure.has_measured_psf else psf
    return Baseline(
        PipelinePhotometer(settings, known, image),
        Pixels(image.data, image.error),
        ~exposure.mask,
        image.unit,
        run.catalog,
        run.model,
        exposure.psf.model,
        exposure.psf.fwhm,
        exposure.gain,
        run.zero_point.value,
        exposure.sky.background,
        exposure.sky.rms if exposure.error is None else exposure.error,
    )


def measure_pixels(photometry: Any, frame: Frame, psf_model: Any) -> Baseline:
    """Run a photometry object on the image itself.

    Parameters
    ----------
    photometry : callable
        The object; a copy of it is called.
    frame : `~psfphot._validate.Frame`
        The image.
    psf_model : `~astropy.modeling.Model`
        Its PSF.

    Raises
    ------
    ValueError
        If it returns no table of photometry.
    """
    own = copied(photometry)
    data, error, mask = frame.arrays
    photometer = ObjectPhotometer(own, mask, frame.unit)
    table = photometer.measure(Pixels(data, error))
    sources = sources_of(table)
    usable = np.isfinite(data) if mask is None else np.isfinite(data) & ~mask
    if error is not None:
        usable &= np.isfinite(error) & (error > 0)
    if not usable.any():
        raise ValueError("data has no pixel that can be used")
    good = sources.take(sources.is_placed)
    with warnings.catch_warnings():
        # Of rows without a flux, which are in no image.
        warnings.simplefilter("ignore")
        if len(table) and hasattr(own, "make_model_image"):
            stars = np.asarray(own.make_model_image(data.shape), dtype=np.float64)
        else:
            x, y = good.points.T
            stars = draw_stars(data.shape, psf_model, x, y, good.flux)
    if hasattr(own, "forget"):
        own.forget()
    return Baseline(
        photometer,
        Pixels(data, error),
        usable,
        frame.unit,
        table,
        stars,
        psf_model,
        measure_fwhm(psf_model),
    )
