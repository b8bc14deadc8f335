"""From an image and a PSF to a catalogue: sky, find, group, fit."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from psfphot.background import LocalBackground
from psfphot.cli._defaults import (
    ANNULUS,
    GROUPING,
    LARGEST_GROUP,
    ROUNDNESS,
    SEPARATION,
    SMALLEST_BOX,
    THRESHOLD,
)
from psfphot.detection import IRAFStarFinder
from psfphot.io import Sky, add_sky_coordinates, estimate_sky
from psfphot.psf import PSFPhotometry, SourceGrouper

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.io import FitsImage, Psf


@dataclass(frozen=True)
class Settings:
    """What a run is made with; lengths are in pixels.

    Attributes
    ----------
    threshold : float
        Detection threshold in sigma of the background noise.
    fwhm : float
        The finder's FWHM.
    roundness : float
        Largest roundness of a detection: 0 is round, blends are not.
    min_separation : float
        A detection has no brighter pixel nearer than this.
    fit_shape : int
        Side of the square of pixels that each star is fitted in.
    aperture_radius : float
        Radius for the first guess of the flux.
    group : float or `None`
        Stars nearer to each other than this are fitted together; `None`
        fits each alone.
    largest_group : int or `None`
        ``group`` is lowered until no group has more stars; `None` keeps it.
    local_bkg : tuple of float or `None`
        Radii of the annulus for the local background; `None` subtracts one
        level from the whole image.
    n_threads : int or `None`
        Threads to use; `None` takes all CPUs.
    """

    threshold: float
    fwhm: float
    roundness: float
    min_separation: float
    fit_shape: int
    aperture_radius: float
    group: float | None
    largest_group: int | None
    local_bkg: tuple[float, float] | None
    n_threads: int | None = None


@dataclass
class Run:
    """What a run found on its way; `photometer` fills it.

    Attributes
    ----------
    sky : `~psfphot.io.Sky`
        Background level and noise.
    catalog : `~astropy.table.QTable`
        PSFPhotometry's table, with units and, given a WCS, RA and Dec.
    model : 2D array
        The fitted stars, without sky.
    group_separation : float or `None`
        The distance up to which stars were grouped.
    seconds : dict
        The time of each stage by its name.
    """

    sky: Sky
    catalog: QTable = field(default_factory=QTable)
    model: NDArray[Any] | None = None
    group_separation: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def group_sizes(self) -> NDArray[np.int64]:
        """The number of stars in each group, in no particular order."""
        return np.unique(np.asarray(self.catalog["group_id"]), return_counts=True)[1]


def default_settings(
    psf: Psf,
    *,
    threshold: float = THRESHOLD,
    fwhm: float | None = None,
    roundness: float = ROUNDNESS,
    min_separation: float | None = None,
    fit_shape: int | None = None,
    aperture_radius: float | None = None,
    group: float | None = None,
    grouped: bool = True,
    local_bkg: tuple[float, float] | None = None,
    local: bool = True,
    n_threads: int | None = None,
) -> Settings:
    """Fill in what was not given, from the PSF's width.

    Parameters
    ----------
    psf : `~psfphot.io.Psf`
        The PSF, for its FWHM.
    threshold, fwhm, roundness, min_separation, fit_shape, aperture_radius, \
group, local_bkg, n_threads
        As in `Settings`; `None` takes the default.
    grouped, local : bool, optional
        `False` turns grouping or the local background off.

    Returns
    -------
    settings : `Settings`
    """
    fwhm = fwhm or psf.fwhm
    # The core and half as much around it; narrower PSFs still need the pixels.
    side = fit_shape or max(SMALLEST_BOX, 2 * round(fwhm) + 1)
    if group is None and grouped:
        group, limit = GROUPING * side, LARGEST_GROUP
    else:
        limit = None
    annulus = (ANNULUS[0] * side, ANNULUS[1] * side)
    return Settings(
        threshold=threshold,
        fwhm=fwhm,
        roundness=roundness,
        min_separation=SEPARATION * fwhm if min_separation is None else min_separation,
        fit_shape=side,
        aperture_radius=aperture_radius or side / 2,
        group=group if grouped else None,
        largest_group=limit,
        local_bkg=(local_bkg or annulus) if local else None,
        n_threads=n_threads,
    )


def measure_sky(image: FitsImage) -> Sky:
    """Return the sky, with the noise from the errors where there are some."""
    sky = estimate_sky(image.data, image.mask)
    if image.error is None:
        return sky
    noise = float(np.median(image.error[~image.mask]))
    return Sky(sky.level, noise, f"level: {sky.method}; noise: median of ERR")


def find(image: FitsImage, sky: Sky, settings: Settings) -> QTable:
    """Find stars; the table is empty if there are none.

    Returns
    -------
    stars : `~astropy.table.QTable`
        The finder's table.
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
    return QTable() if stars is None else stars


def start_values(stars: QTable, settings: Settings) -> QTable:
    """Make PSFPhotometry's ``init_params``: positions and groups.

    Returns
    -------
    start : `~astropy.table.QTable`
        Its ``meta["group_separation"]`` is the distance that was used.
    """
    start = QTable()
    start["x"] = np.asarray(stars["x_centroid"], dtype=float)
    start["y"] = np.asarray(stars["y_centroid"], dtype=float)
    separation = settings.group
    if separation is not None:
        group_id = SourceGrouper(separation)(start["x"], start["y"])
        while (
            settings.largest_group is not None
            and np.bincount(group_id).max() > settings.largest_group
            and separation > settings.fwhm
        ):
            separation *= 0.9
            group_id = SourceGrouper(separation)(start["x"], start["y"])
        start["group_id"] = group_id
    start.meta["group_separation"] = separation
    return start


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
    photometry = PSFPhotometry(
        psf.model,
        settings.fit_shape,
        aperture_radius=settings.aperture_radius,
        local_bkg_estimator=estimator,
        progress_bar=progress,
        n_threads=n_threads,
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
    progress : bool, optional
        Whether to show a progress bar.
    want_model : bool, optional
        Whether to make the model image.

    Returns
    -------
    run : `Run`

    Raises
    ------
    ValueError
        If no star is found.
    """
    clock = _Clock()
    run = Run(measure_sky(image), seconds=clock.seconds)
    clock.lap("sky")
    stars = find(image, run.sky, settings)
    clock.lap("find")
    if len(stars) == 0:
        msg = (
            f"{image.name}: no stars above {settings.threshold:g} sigma "
            f"({settings.threshold * run.sky.noise:.4g}); "
            "lower --threshold, or check --fwhm and --psf"
        )
        raise ValueError(msg)
    start = start_values(stars, settings)
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
    """Add units, RA and Dec, and how it was made."""
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
        "threshold_sigma": settings.threshold,
        "finder_fwhm": settings.fwhm,
        "finder_roundness": settings.roundness,
        "finder_min_separation": settings.min_separation,
        "group_separation": run.group_separation,
        "local_bkg_radii": settings.local_bkg and list(settings.local_bkg),
    }
    return table


def error_source(image: FitsImage) -> str:
    """Say what the catalogue's errors come from."""
    if image.error is None:
        return "from the scatter of each fit's own residuals (there is no ERR)"
    return "from the ERR extension"
