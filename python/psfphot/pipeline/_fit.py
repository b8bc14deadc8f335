"""The step that fits the stars."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from psfphot._validate import check_instance
from psfphot.background import LocalBackground
from psfphot.pipeline._exposure import Exposure
from psfphot.psf import PSFPhotometry

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.pipeline._settings import ResolvedSettings


def fit_stars(
    exposure: Exposure,
    start: QTable,
    *,
    data: NDArray[Any] | None = None,
    error: Any = None,
    progress_bar: bool = False,
) -> tuple[QTable, PSFPhotometry]:
    """Fit the stars.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky, which is subtracted, and its errors.
    start : `~astropy.table.QTable`
        The ``init_params`` of `~psfphot.psf.PSFPhotometry`, as
        `start_from_detections` or `start_from_catalog` make them; grouped by
        `group_stars` where groups are wanted.
    data : 2D array, optional
        The image to fit, without its sky, instead of the exposure's: from which
        other stars may have been subtracted.
    error : 2D array or `~psfphot.utils.NoiseModel`, optional
        The errors of the pixels, instead of the exposure's.
    progress_bar : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    table : `~astropy.table.QTable`
        PSFPhotometry's table, without units.
    photometry : `~psfphot.psf.PSFPhotometry`
        What fitted, for model images and covariances.
    """
    check_instance(exposure, Exposure, "exposure")
    photometry = make_photometry(exposure, progress_bar=progress_bar)
    data = exposure.subtract_sky() if data is None else data
    with warnings.catch_warnings():
        # The run counts every flag by its name.
        warnings.filterwarnings("ignore", message=".*may not have converged.*")
        table = photometry(
            data,
            mask=exposure.mask,
            error=exposure.error if error is None else error,
            init_params=start,
        )
    return table, photometry


def make_photometry(exposure: Exposure, *, progress_bar: bool = False) -> PSFPhotometry:
    """Make what fits the stars of an exposure as the settings say."""
    settings = exposure.settings
    model = exposure.psf.model.copy()
    model.x_0.fixed = model.y_0.fixed = settings.forced
    return PSFPhotometry(
        model,
        settings.fit_shape,
        aperture_radius=settings.aperture_radius,
        local_bkg_estimator=local_background(settings),
        xy_bounds=settings.max_shift,
        progress_bar=progress_bar,
        n_threads=settings.n_threads,
        keep_columns=True,
        robust=exposure.robust,
    )


def local_background(settings: ResolvedSettings) -> LocalBackground | None:
    """Make what measures the sky around each star, if the settings want that."""
    if settings.local_bkg is None:
        return None
    return LocalBackground(*settings.local_bkg, n_threads=settings.n_threads)
