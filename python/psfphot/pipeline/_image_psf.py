"""The PSF of an image, built from its own stars."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import extract_array
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.io import Psf, measure_fwhm
from psfphot.pipeline._detection import NoStarsError, find_stars
from psfphot.pipeline._exposure import Exposure
from psfphot.pipeline._noise import pixel_errors
from psfphot.pipeline._unusable import mask_cosmic_rays, mask_unexposed, prepare_sky
from psfphot.psf import build_psf_grid, select_psf_stars

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.io import FitsImage
    from psfphot.pipeline._settings import Settings
    from psfphot.psf import GriddedPSFModel, PSFReport, PSFStarSelection

#: With fewer stars a measured Moffat is the better PSF.
ENOUGH_STARS = 25

#: With fewer stars that are alone, those with neighbours are taken as well.
_ALONE = 100

#: The cutouts, in FWHM to each side, and the least side, pixels.
_REACH, _SMALLEST = 4.5, 25

_FEW = "too few stars for a PSF of the image's own"


@dataclass(frozen=True, eq=False)
class ImagePSF:
    """A PSF that was built from an image, and what it was built from.

    Attributes
    ----------
    model : `~psfphot.psf.GriddedPSFModel`
        The PSF.
    report : `~psfphot.psf.PSFReport`
        How good it is.
    exposure : `Exposure`
        The image with its sky and its masks, and the PSF that its stars were found
        with.
    selection : `~psfphot.psf.PSFStarSelection`
        The stars that were chosen.
    """

    model: GriddedPSFModel
    report: PSFReport
    exposure: Exposure
    selection: PSFStarSelection

    @property
    def psf(self) -> Psf:
        """The PSF as `measure` takes it."""
        return Psf(self.model, self.description, measure_fwhm(self.model), False)

    @property
    def description(self) -> str:
        """What it is and how good, for people."""
        report = self.report
        nodes = "" if len(report.nodes) == 1 else f" at {len(report.nodes)} nodes"
        flags = f"; {', '.join(report.flags)}" if report.flags else ""
        core, mismatch = 100 * report.core_error, 100 * report.model_error
        return (
            f"built from {report.n_used} stars of the image, {report.order}{nodes}: "
            f"core known to {core:.2g} % of the peak, stars differ from it by "
            f"{mismatch:.2g} %{flags}"
        )

    @property
    def brightest(self) -> QTable:
        """The stars that it was built from, the brightest first."""
        stars = self.report.stars
        order = np.argsort(-np.asarray(stars["flux"]), kind="stable")
        brightest: QTable = stars[[k for k in order if stars["is_used"][k]]]
        return brightest

    def residuals(self, most: int = 60) -> list[NDArray[np.float64]]:
        """Subtract the PSF from the `brightest` stars.

        Parameters
        ----------
        most : int, optional
            The most stars.

        Returns
        -------
        list of 2D array
            What is left in each cutout, over the star's flux; NaN where the image
            is masked.
        """
        data = np.where(self.exposure.mask, np.nan, self.exposure.subtract_sky())
        return star_residuals(
            self.model, data, self.brightest[:most], self.selection.size
        )


def star_residuals(
    model: Any, data: Any, stars: Any, size: tuple[int, int]
) -> list[NDArray[np.float64]]:
    """Subtract a PSF from stars of an image.

    Parameters
    ----------
    model : PSF model
        The PSF.
    data : 2D array
        The image without its sky.
    stars : `~astropy.table.Table`
        Columns x, y (pixels) and flux.
    size : (ny, nx)
        The cutouts, pixels, odd.

    Returns
    -------
    list of 2D array
        What is left in each cutout, over the star's flux; NaN off the image.
    """
    left = []
    for star in stars:
        x, y, flux = (float(star[name]) for name in ("x", "y", "flux"))
        cut = extract_array(
            np.asarray(data, dtype=np.float64), size, (y, x), fill_value=np.nan
        )
        rows, columns = (
            np.arange(side) + math.ceil(at - side / 2)
            for at, side in zip((y, x), size, strict=True)
        )
        grid_y, grid_x = np.meshgrid(rows, columns, indexing="ij")
        left.append((cut - model.evaluate(grid_x, grid_y, flux, x, y)) / flux)
    return left


def build_image_psf(
    image: FitsImage,
    settings: Settings | None = None,
    *,
    psf: Psf | Any = None,
    **options: Any,
) -> ImagePSF:
    """Build the PSF of an image from its stars.

    Parameters
    ----------
    image : `~psfphot.io.FitsImage`
        The image. Its sky is measured, full pixels and cosmic rays are masked.
    settings : `Settings`, optional
        How stars are found.
    psf : `~psfphot.io.Psf` or model, optional
        A library: its deviation is solved for. By default a Moffat whose width is
        measured finds the stars, and the PSF is built from nothing.
    **options
        For `~psfphot.psf.build_psf_grid`.

    Returns
    -------
    ImagePSF
        The PSF and its report.

    Raises
    ------
    TypeError, ValueError
        If an option cannot be used, or the image's stars cannot be.
    NoStarsError
        If there is none.
    """
    start = Psf(None, "", math.nan, measured_as="moffat") if psf is None else psf
    exposure = Exposure(image, start, settings)
    mask_unexposed(exposure)
    prepare_sky(exposure)
    mask_cosmic_rays(exposure)
    data = exposure.subtract_sky()
    known = image.error is not None or exposure.gain is not None
    error = np.asarray(pixel_errors(exposure), dtype=data.dtype) if known else None
    catalog = _find(exposure)
    fwhm = exposure.settings.fwhm
    side = max(_SMALLEST, 2 * math.ceil(_REACH * fwhm) + 1)
    size = options.pop("size", side)
    select = {"fwhm": fwhm, "size": size, **options.pop("select", {})}
    selection = select_psf_stars(
        data, catalog, error=error, mask=exposure.mask, **select
    )
    neighbours = options.pop("neighbours", None)
    if len(selection.stars) < _ALONE and neighbours is None:
        crowded = select_psf_stars(
            data,
            catalog,
            error=error,
            mask=exposure.mask,
            fits_neighbours=True,
            **select,
        )
        if len(crowded.stars) > len(selection.stars):
            selection, neighbours = crowded, catalog
    if len(selection.stars) == 0:
        raise NoStarsError(f"{_FEW}: {selection!r}")
    library = exposure.psf.model if psf is not None else None
    model, report = build_psf_grid(
        data,
        error,
        selection,
        mask=exposure.mask,
        neighbours=neighbours,
        library=library,
        size=size,
        n_threads=exposure.settings.n_threads,
        **options,
    )
    return ImagePSF(model, report, exposure, selection)


def _find(exposure: Exposure) -> Any:
    """Find all stars, with fluxes of the PSF's filter."""
    stars = find_stars(exposure)
    if "flux" not in stars.colnames:
        raise ValueError("the finder must tell fluxes")
    return stars


def with_own_psf(exposure: Exposure, psf: Psf | Any) -> Exposure:
    """Give an exposure the PSF of its own stars, if there are enough.

    Parameters
    ----------
    exposure : `Exposure`
        An image whose PSF was measured, to begin with, as a Moffat.
    psf : `~psfphot.io.Psf` or model
        What was asked for: it is built only if ``measured_as`` is "image".

    Returns
    -------
    `Exposure`
        The same, or one with the new PSF; else the description of the PSF says why
        it is the Moffat.
    """
    if getattr(psf, "measured_as", None) != "image":
        return exposure
    try:
        with warnings.catch_warnings():
            # The description has what they say.
            warnings.simplefilter("ignore", AstropyUserWarning)
            built = build_image_psf(exposure.image, exposure.given_settings)
    except NoStarsError as exc:
        return _keep(exposure, str(exc.finding))
    if built.report.n_used < ENOUGH_STARS:
        n_used = built.report.n_used
        return _keep(exposure, f"{_FEW}: {n_used}, {ENOUGH_STARS} are needed")
    own = Exposure(exposure.image, built.psf, exposure.given_settings)
    own.has_measured_psf = True
    return own


def _keep(exposure: Exposure, why: str) -> Exposure:
    described = f"{exposure.psf.description} ({why})"
    exposure.psf = replace(exposure.psf, description=described)
    return exposure
