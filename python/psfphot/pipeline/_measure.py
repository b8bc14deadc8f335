"""From an image and a PSF to a catalogue, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psfphot.io import find_zero_point
from psfphot.pipeline._catalog import make_catalog
from psfphot.pipeline._clock import Clock
from psfphot.pipeline._detection import find_stars
from psfphot.pipeline._exposure import Exposure
from psfphot.pipeline._fit import fit_stars
from psfphot.pipeline._groups import group_stars
from psfphot.pipeline._run import PhotometryRun
from psfphot.pipeline._sky import measure_sky
from psfphot.pipeline._starts import (
    SourceList,
    start_from_catalog,
    start_from_detections,
)

if TYPE_CHECKING:
    from astropy.table import QTable, Table

    from psfphot.io import FitsImage, Psf
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
    ['cfit', 'reduced_chi2', 'flags']
    >>> run.residual.shape
    (128, 128)
    """
    exposure = Exposure(image, psf, settings)
    return measure_exposure(exposure, sources=sources, progress_bar=progress_bar)


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
    clock = Clock()
    with clock.step("sky"):
        zero_point = find_zero_point(exposure.image, exposure.settings.zero_point)
        exposure.sky = measure_sky(exposure)
    start = _start(exposure, sources, clock)
    with clock.step("group"):
        group_stars(start, exposure)
    with clock.step("fit"):
        table, photometry = fit_stars(exposure, start, progress_bar=progress_bar)
        catalog = make_catalog(table, exposure, start, zero_point)
    return PhotometryRun(
        exposure,
        catalog,
        photometry,
        zero_point,
        positions=start.meta.get("positions"),
        n_off_image=start.meta.get("n_off", 0),
        group_separation=start.meta["group_separation"],
        clock=clock,
    )


def _start(
    exposure: Exposure, sources: SourceList | Table | None, clock: Clock
) -> QTable:
    if sources is None:
        with clock.step("find"):
            return start_from_detections(find_stars(exposure))
    # No step of its own: placing sources takes no time to speak of.
    with clock.step("group"):
        known = sources if isinstance(sources, SourceList) else SourceList(sources)
        return start_from_catalog(known, exposure)
