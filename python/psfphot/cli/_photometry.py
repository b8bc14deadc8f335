"""From an image and a PSF to a catalogue: sky, find, group, fit."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from psfphot.background import LocalBackground
from psfphot.cli._starts import from_catalog, from_finder
from psfphot.detection import IRAFStarFinder
from psfphot.io import (
    FileFormatError,
    Sky,
    ZeroPoint,
    add_magnitudes,
    add_sky_coordinates,
    estimate_sky,
    find_zero_point,
)
from psfphot.psf import PSFPhotometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.cli._settings import Settings
    from psfphot.cli._starts import SourceList
    from psfphot.io import FitsImage, Psf


@dataclass
class Run:
    """What a run found on its way; `photometer` fills it.

    Attributes
    ----------
    sky : `~psfphot.io.Sky`
        Background level and noise.
    zero_point : `~psfphot.io.ZeroPoint`
        What makes magnitudes of the fluxes, or why there are none.
    catalog : `~astropy.table.QTable`
        PSFPhotometry's table, with units and, where the header tells, RA and
        Dec, and magnitudes.
    model : 2D array
        The fitted stars, without sky.
    positions : str or `None`
        What gave the positions; `None` for the finder.
    n_off : int
        How many of those are off the image.
    group_separation : float or `None`
        The distance up to which stars were grouped.
    seconds : dict
        The time of each stage by its name.
    """

    sky: Sky
    zero_point: ZeroPoint
    catalog: QTable = field(default_factory=QTable)
    model: NDArray[Any] | None = None
    positions: str | None = None
    n_off: int = 0
    group_separation: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def group_sizes(self) -> NDArray[np.int64]:
        """The number of stars in each group, in no particular order."""
        return np.unique(np.asarray(self.catalog["group_id"]), return_counts=True)[1]

    @property
    def n_fitted(self) -> int:
        """The number of stars that have a flux with an error."""
        return int(np.count_nonzero(np.isfinite(np.asarray(self.catalog["flux_err"]))))


def measure_sky(image: FitsImage) -> Sky:
    """Return the sky, with the noise from the errors where there are some."""
    sky = estimate_sky(image.data, image.mask)
    if image.error is None:
        return sky
    noise = float(np.median(image.error[~image.mask]))
    source = image.error_source.removeprefix("the ").removesuffix(" extension")
    return Sky(sky.level, noise, f"level: {sky.method}; noise: median of {source}")


def find(image: FitsImage, sky: Sky, settings: Settings) -> QTable:
    """Find stars.

    Returns
    -------
    stars : `~astropy.table.QTable`
        The finder's table.

    Raises
    ------
    FileFormatError
        If there are none.
    """
    finder = IRAFStarFinder(
        settings.threshold * sky.noise,
        settings.fwhm,
        min_separation=settings.min_separation,
        roundness_range=(0.0, settings.roundness),
        n_threads=settings.n_threads,
    )
    # Without the sky's level the zeros outside the image would be an edge.
    flat = np.where(image.mask, 0, image.data - sky.level).astype(image.data.dtype)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(No s|S)ources were found.*")
        stars = finder(flat, mask=image.mask)
    if stars is None or len(stars) == 0:
        msg = (
            f"{image.name}: no stars above {settings.threshold:g} sigma "
            f"({settings.threshold * sky.noise:.4g}); "
            "lower --threshold, or check --fwhm and --psf"
        )
        raise FileFormatError(msg)
    return stars


def fit(
    image: FitsImage,
    psf: Psf,
    sky: Sky,
    start: QTable,
    settings: Settings,
    *,
    progress: bool = False,
) -> tuple[QTable, PSFPhotometry]:
    """Fit the stars.

    Returns
    -------
    catalog : `~astropy.table.QTable`
        PSFPhotometry's table, without units.
    photometry : `~psfphot.psf.PSFPhotometry`
        For the model image.
    """
    annulus, n_threads = settings.local_bkg, settings.n_threads
    estimator = annulus and LocalBackground(*annulus, n_threads=n_threads)
    model = psf.model.copy()
    model.x_0.fixed = model.y_0.fixed = settings.forced
    photometry = PSFPhotometry(
        model,
        settings.fit_shape,
        aperture_radius=settings.aperture_radius,
        local_bkg_estimator=estimator,
        xy_bounds=settings.max_shift,
        progress_bar=progress,
        n_threads=n_threads,
        keep_columns=True,
    )
    data = image.data if annulus is not None else image.data - sky.level
    with warnings.catch_warnings():
        # The summary counts every flag by its name.
        warnings.filterwarnings("ignore", message=".*may not have converged.*")
        catalog = photometry(
            data, mask=image.mask, error=image.error, init_params=start
        )
    return catalog, photometry


def photometer(
    image: FitsImage,
    psf: Psf,
    settings: Settings,
    *,
    sources: SourceList | None = None,
    progress: bool = False,
    want_model: bool = True,
) -> Run:
    """Measure all stars of an image.

    Parameters
    ----------
    image : `~psfphot.io.FitsImage`
        The image.
    psf : `~psfphot.io.Psf`
        The PSF.
    settings : `Settings`
        How.
    sources : `SourceList`, optional
        Where; by default where the finder finds stars.
    progress : bool, optional
        Whether to show a progress bar.
    want_model : bool, optional
        Whether to make the model image.

    Returns
    -------
    run : `Run`

    Raises
    ------
    FileFormatError
        If no star is found, or the catalogue cannot be placed on the image.
    """
    clock = _Clock()
    zero_point = find_zero_point(image, settings.zero_point)
    run = Run(measure_sky(image), zero_point, seconds=clock.seconds)
    clock.lap("sky")
    if sources is None:
        stars = find(image, run.sky, settings)
        clock.lap("find")
        start = from_finder(stars, settings)
    else:
        start = from_catalog(sources, image, settings)
        run.positions, run.n_off = start.meta["positions"], start.meta["n_off"]
    clock.lap("group")
    catalog, photometry = fit(image, psf, run.sky, start, settings, progress=progress)
    clock.lap("fit")
    run.group_separation = start.meta["group_separation"]
    run.catalog = _finish(catalog, image, psf, run, settings)
    if want_model:
        run.model = np.asarray(photometry.make_model_image(image.shape))
        clock.lap("model")
    return run


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage], self._last = now - self._last, now


def _finish(
    catalog: QTable, image: FitsImage, psf: Psf, run: Run, settings: Settings
) -> QTable:
    """Add units, RA and Dec, magnitudes, and how it was made."""
    table = QTable(catalog, copy=False)
    if image.unit is not None:
        for name in ("local_bkg", "flux_init", "flux_fit", "flux_err"):
            table[name] = table[name] * image.unit
    if image.wcs is not None:
        add_sky_coordinates(table, image.wcs)
    table.meta |= {
        "image": image.name,
        "psf": psf.description,
        "sky_level": run.sky.level,
        "sky_noise": run.sky.noise,
        "sky_method": run.sky.method,
        "errors": error_source(image),
        "masked": dict(image.n_masked),
        "positions": run.positions or "from the finder",
        "positions_fixed": settings.forced,
        "group_separation": run.group_separation,
        "local_bkg_radii": settings.local_bkg and list(settings.local_bkg),
        "max_shift": settings.max_shift and list(settings.max_shift),
    }
    if run.positions is None:
        table.meta |= {
            "threshold_sigma": settings.threshold,
            "finder_fwhm": settings.fwhm,
            "finder_roundness": settings.roundness,
            "finder_min_separation": settings.min_separation,
        }
    if run.zero_point.value is not None:
        add_magnitudes(table, run.zero_point)
    return table


def error_source(image: FitsImage) -> str:
    """Say what the catalogue's errors come from."""
    if image.error is None:
        return "from the scatter of each fit's own residuals (no ERR is used)"
    return f"from {image.error_source}"
