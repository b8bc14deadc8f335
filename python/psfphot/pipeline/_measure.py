"""From an image and a PSF to a catalogue, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._validate import check_instance
from psfphot.io import find_zero_point
from psfphot.pipeline._bright import measure_saturated, with_saturated
from psfphot.pipeline._catalog import make_catalog
from psfphot.pipeline._clock import Clock
from psfphot.pipeline._exposure import Exposure
from psfphot.pipeline._fit import fit_stars
from psfphot.pipeline._groups import group_stars
from psfphot.pipeline._image_psf import with_own_psf
from psfphot.pipeline._noise import noise_model, pixel_errors, renew_errors
from psfphot.pipeline._passes import find_and_fit, with_neighbours
from psfphot.pipeline._psf_check import check_psf
from psfphot.pipeline._run import PhotometryRun
from psfphot.pipeline._starts import SourceList, start_from_catalog
from psfphot.pipeline._unusable import mask_cosmic_rays, mask_unexposed, prepare_sky

if TYPE_CHECKING:
    from astropy.table import Table

    from psfphot.io import FitsImage, Psf, ZeroPoint
    from psfphot.pipeline._settings import Settings


def measure(
    image: FitsImage,
    psf: Psf | Any,
    settings: Settings | None = None,
    *,
    sources: SourceList | Table | None = None,
    progress_bar: bool = False,
) -> PhotometryRun:
    """Measure all stars of an image.

    Parameters
    ----------
    image : `~psfphot.io.FitsImage`
        The image, as `psfphot.io.read_image` reads it.
    psf : `~psfphot.io.Psf` or `~astropy.modeling.Fittable2DModel`
        The PSF, as `psfphot.io.read_psf` makes it, or a model of
        `psfphot.psf`.
    settings : `Settings`, optional
        How; by default the defaults of all.
    sources : `SourceList` or `~astropy.table.Table`, optional
        Where, in pixels or sky coordinates; by default where the finder finds
        stars.
    progress_bar : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    run : `PhotometryRun`
        The catalogue and what was found on the way to it.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or settings do not go together.
    NoStarsError
        If no star is found.
    FileFormatError
        If the sources cannot be placed on the image.

    Examples
    --------
    >>> from psfphot.pipeline import Settings, measure, simulate_star_field
    >>> from psfphot.psf import CircularGaussianPRF
    >>> psf = CircularGaussianPRF(fwhm=2.5)
    >>> image, truth = simulate_star_field(psf, 128, 40, seed=1)
    >>> run = measure(image, psf, Settings(threshold=7, zero_point=31.7))
    >>> run.catalog.colnames[-3:]
    ['confusion_factor', 'blend_significance', 'flags']
    >>> run.residual.shape
    (128, 128)
    """
    clock = Clock()
    with clock.step("psf"):
        exposure = with_own_psf(Exposure(image, psf, settings), psf)
    return _measure(exposure, sources, clock, progress_bar)


def measure_exposure(
    exposure: Exposure,
    *,
    sources: SourceList | Table | None = None,
    progress_bar: bool = False,
) -> PhotometryRun:
    """Measure all stars of an exposure, whose masks may have been added to.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its PSF and settings; its sky is measured and set.
    sources, progress_bar
        As for `measure`.

    Returns
    -------
    run : `PhotometryRun`
        It holds the exposure.

    Raises
    ------
    NoStarsError, FileFormatError, ValueError
        As `measure`.
    """
    check_instance(exposure, Exposure, "exposure")
    return _measure(exposure, sources, Clock(), progress_bar)


def _measure(
    exposure: Exposure,
    sources: SourceList | Table | None,
    clock: Clock,
    progress_bar: bool,
) -> PhotometryRun:
    """Measure stars that are to be found, or those of a catalogue."""
    with clock.step("sky"):
        zero_point = find_zero_point(exposure.image, exposure.settings.zero_point)
        mask_unexposed(exposure)
        saturation, no_data = prepare_sky(exposure)
    if sources is not None:
        return _measure_known(exposure, sources, zero_point, clock, progress_bar)
    with clock.step("masks"):
        mask_cosmic_rays(exposure)
    with clock.step("saturated"):
        saturated = measure_saturated(exposure, saturation, no_data)
    data = exposure.subtract_sky()
    if saturated is not None:
        # In single precision where the image is.
        data -= saturated.model.astype(data.dtype, copy=False)
    passes = find_and_fit(
        exposure, data, clock, saturated=saturated, progress_bar=progress_bar
    )
    if saturated is not None and saturated.n_dropped:
        passes.dropped["saturated, without a flux"] = saturated.n_dropped
    table = with_saturated(passes.table, saturated, passes.profile())
    catalog = make_catalog(table, exposure, passes.start, zero_point)
    if passes.history is not None:
        catalog.meta |= passes.history.summary()
    if passes.confusion is not None:
        catalog.meta |= passes.confusion.summary()
    with clock.step("check"):
        psf_check = check_psf(exposure, passes.mismatch)
    return PhotometryRun(
        exposure,
        catalog,
        passes.photometry,
        zero_point,
        group_separation=passes.start.meta["group_separation"],
        clock=clock,
        history=passes.history,
        confusion=passes.confusion,
        passes=passes,
        saturated=saturated,
        psf_check=psf_check,
    )


def _measure_known(
    exposure: Exposure,
    sources: SourceList | Table,
    zero_point: ZeroPoint,
    clock: Clock,
    progress_bar: bool,
) -> PhotometryRun:
    """Measure the sources of a catalogue: each keeps its row."""
    with clock.step("group"):
        known = sources if isinstance(sources, SourceList) else SourceList(sources)
        start = start_from_catalog(known, exposure)
        group_stars(start, exposure)
    with clock.step("fit"):
        exposure.error = pixel_errors(exposure)
        data = exposure.subtract_sky()
        table, photometry = fit_stars(
            exposure,
            start,
            data=data,
            error=noise_model(exposure),
            progress_bar=progress_bar,
        )
        renew_errors(
            exposure, lambda: np.asarray(photometry.make_model_image(exposure.shape))
        )
    table, history, confusion = with_neighbours(
        exposure, data, table, photometry, clock
    )
    catalog = make_catalog(table, exposure, start, zero_point)
    if history is not None:
        catalog.meta |= history.summary()
    if confusion is not None:
        catalog.meta |= confusion.summary()
    return PhotometryRun(
        exposure,
        catalog,
        photometry,
        zero_point,
        positions=start.meta["positions"],
        n_off_image=start.meta["n_off"],
        group_separation=start.meta["group_separation"],
        clock=clock,
        history=history,
        confusion=confusion,
    )
