"""Artificial stars: put in, measured, and looked for."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from astropy.nddata import NDData
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._progress import progress_callback
from psfphot._validate import as_count, as_frame, unpack_nddata
from psfphot.completeness._arguments import (
    check_arguments,
    check_pickles,
    fitted_model,
)
from psfphot.completeness._columns import Reason
from psfphot.completeness._curve import fit_completeness
from psfphot.completeness._fingerprint import fingerprint
from psfphot.completeness._fluxes import UniformMagnitudes, as_fluxes, make_fluxes
from psfphot.completeness._matching import MatchingRules
from psfphot.completeness._parts import Parts
from psfphot.completeness._photometers import Baseline, measure_image, measure_pixels
from psfphot.completeness._plan import Batch, Planner, Task, as_positions
from psfphot.completeness._positions import Field
from psfphot.completeness._results import ArtificialStarResults
from psfphot.completeness._rows import stack
from psfphot.completeness._sources import sources_of
from psfphot.completeness._table import add_measured, make_table
from psfphot.completeness._tasks import Scene, passing
from psfphot.completeness._working import run_tasks
from psfphot.io import FitsImage
from psfphot.pipeline import Settings

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from astropy.table import Table

#: Of one image, in FWHM: how far artificial stars stay from each other, and how far
#: a star may be from its place. At 10 FWHM the completeness of a crowded field is
#: that of single stars; at half a FWHM 0.3 % match with nothing put in, before the
#: fluxes and the real stars' claims count.
_SPACING, _RADIUS = 10.0, 0.5

#: Half of a window's side, in FWHM.
_WINDOW = 16.0

#: The pilot takes no more than this share of all stars, and there is one only if there
#: are so many times as many.
_PILOT_SHARE, _PILOT_TIMES = 0.3, 10


class ArtificialStarTest:
    r"""Put artificial stars into an image, measure it again, and look for them.

    What the image's own catalogue misses, and how right its fluxes and errors are,
    is what happens to stars that are known. All is done again with them in the image:
    sky, detection, groups and fits. The PSF is not.

    Parameters
    ----------
    photometry : callable or `~psfphot.pipeline.Settings`
        What is tested: a configured `~psfphot.psf.PSFPhotometry`,
        `~psfphot.psf.IterativePSFPhotometry` or any object that returns a table
        with ``x_fit``, ``y_fit`` and ``flux_fit`` for
        ``photometry(data, mask=mask, error=error)``; or the settings of
        `psfphot.pipeline.measure`.
    psf : `~psfphot.io.Psf` or `~astropy.modeling.Model`, optional
        What the pipeline measures with; needed with `Settings`.
    psf_model : `~astropy.modeling.Model`, optional
        The PSF of the artificial stars; by default the photometry's. Another one
        tests errors of the PSF too.
    gain : float, optional
        Electrons in one unit of the image: their Poisson noise is added to the
        artificial stars and, as variance, to the errors. By default the pipeline's
        images say; infinity adds none.
    positions : {"lattice", "uniform", "density"} or `~astropy.table.Table`, optional
        Where: on lattices, jittered and anywhere, in each image; anywhere on the
        usable pixels; where stars are, around each by half a spacing; or a table of
        ``x`` and ``y``, and ``flux`` if each has its own. Stars of one image stay
        away from each other; those that are too near go into other images.
    spacing : float, optional
        The lattice's, pixels; none is nearer to another than 3/4 of it. By default
        10 FWHM, which changes crowding by nothing that can be measured.
    stars_per_image : int, optional
        Most stars in one image; 1 for one at a time. By default as many as go.
    flux : (faint, bright), `~astropy.table.Table` or callable
        Fluxes: uniform in magnitude over a range; drawn from a column ``flux``; or
        what ``flux(rng, n)`` returns.
    pilot : int, optional
        Of a range of fluxes so many stars are measured first, or the image full,
        over all of it, and 70 % of all go to within 3 widths of the fitted m50. 0
        for no pilot. There is none for fewer than 10 times as many stars.
    match_radius : float, optional
        The largest distance of a star from its row, pixels; by default FWHM / 2.
    flux_tolerance : float, optional
        The largest difference of its flux, magnitudes.
    selection : callable, optional
        The cuts of the catalogue: takes a table, returns which rows pass (bool).
        See `QualityCuts`. Of the image's own and of all others.
    zero_point : float, optional
        The magnitude of a flux of 1; by default the pipeline's, or 0.
    noise_images : int, optional
        So many images of the fitted stars and noise are measured for the rate of
        false rows, without which a completeness is half of the answer.
    refit : {"frame", "local"}, optional
        Whether the image is measured whole, or only windows of it, of each star
        one: for few stars on a large image. Not with the pipeline, whose sky is the
        whole image's, nor with a `~psfphot.psf.PolynomialPSFModel`.
    window : int, optional
        Half of the windows' side, pixels; by default 16 FWHM.
    seed : int, optional
        Of all that is random.
    n_workers : int, optional
        How many processes measure images. The result does not depend on it. A lost
        one is replaced, and its image measured again.
    client : `distributed.Client`, optional
        Measure on this cluster of Dask (``pip install 'psfphot[dask]'``) instead.
    progress_bar : bool, optional
        Whether to show a progress bar over the images.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used; the message names it.

    Notes
    -----
    A star is recovered if it and a row are each other's nearest within
    ``match_radius``, no real star claims the row (its light there is more than the
    artificial star's, and the row is its nearest, as DOLPHOT decides), the fluxes
    agree within ``flux_tolerance``, and the row passes ``selection``.

    References
    ----------
    Dolphin, A. E. 2000, PASP, 112, 1383; Stetson, P. B. & Harris, W. E. 1988, AJ,
    96, 909.

    Examples
    --------
    >>> from psfphot.completeness import ArtificialStarTest
    >>> from psfphot.detection import MatchedFilterFinder
    >>> from psfphot.pipeline import simulate_star_field
    >>> from psfphot.psf import CircularGaussianPRF, PSFPhotometry
    >>> psf = CircularGaussianPRF(fwhm=2.5)
    >>> image, truth = simulate_star_field(psf, 128, 40, seed=1)
    >>> data = image.data - 100  # without its sky
    >>> finder = MatchedFilterFinder(psf)
    >>> photometry = PSFPhotometry(psf, 5, finder=finder, aperture_radius=3)
    >>> test = ArtificialStarTest(photometry, flux=(30, 3000), gain=1.0)
    >>> results = test(data, error=image.error, n_stars=300)
    >>> len(results.table), 0 < results.fit_completeness().m50_err < 0.3
    (300, True)
    """

    def __init__(
        self,
        photometry: Any,
        *,
        psf: Any = None,
        psf_model: Any = None,
        gain: float | None = None,
        positions: Any = "lattice",
        spacing: float | None = None,
        stars_per_image: int | None = None,
        flux: Any = None,
        pilot: int = 300,
        match_radius: float | None = None,
        flux_tolerance: float = 0.75,
        selection: Callable[[Table], Any] | None = None,
        zero_point: float | None = None,
        noise_images: int = 1,
        refit: Literal["frame", "local"] = "frame",
        window: int | None = None,
        seed: int = 0,
        n_workers: int = 1,
        client: Any = None,
        progress_bar: bool = False,
    ) -> None:
        self.photometry = photometry
        self.psf = psf
        self.psf_model = psf_model
        self.gain = gain
        self.positions = positions
        self.spacing = spacing
        self.stars_per_image = stars_per_image
        self.flux = flux
        self.pilot = as_count(pilot, "pilot")
        self.match_radius = match_radius
        self.flux_tolerance = flux_tolerance
        self.selection = selection
        self.zero_point = zero_point
        self.noise_images = as_count(noise_images, "noise_images")
        self.refit = refit
        self.window = window
        self.seed = as_count(seed, "seed")
        self.n_workers = as_count(n_workers, "n_workers", least=1)
        self.client = client
        self.progress_bar = progress_bar
        check_arguments(self)
        if self.n_workers > 1 or client is not None:
            check_pickles(
                {n: getattr(self, n) for n in ("photometry", "psf_model", "selection")}
            )

    def __call__(
        self,
        data: Any,
        *,
        mask: Any = None,
        error: Any = None,
        n_stars: int | None = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> ArtificialStarResults:
        """Run the test on an image.

        Parameters
        ----------
        data : (ny, nx) array_like, `~astropy.nddata.NDData` or `~psfphot.io.FitsImage`
            The image as the photometry takes it; a `FitsImage` with `Settings`.
        mask : (ny, nx) bool array, optional
            `True` where a pixel is to be ignored.
        error : (ny, nx) array_like, optional
            1-sigma errors, in the unit of the data.
        n_stars : int, optional
            How many artificial stars; by default 10,000, or all of ``positions``.
        resume : path-like, optional
            A directory, made if need be, where each image's stars are kept as soon
            as they are measured. Those that are there are not measured again.

        Returns
        -------
        results : `ArtificialStarResults`

        Raises
        ------
        TypeError, ValueError
            If an argument cannot be used, or ``resume`` has another test's stars.
        WorkersError
            If no worker can measure an image.

        Warns
        -----
        AstropyUserWarning
            If the gain is not known: the artificial stars have no noise of their
            own.
        """
        base = self._measure(data, mask, error)
        gain = self._gain(base)
        real = sources_of(base.table)
        rules = MatchingRules(
            self.match_radius or _RADIUS * base.fwhm, self.flux_tolerance, base.fwhm
        )
        place = Field(
            base.usable,
            self.spacing or _SPACING * base.fwhm,
            self.stars_per_image,
            real.points[real.is_placed],
        )
        expected, noise = base.expectation() if self.noise_images else ((), None)
        scene = Scene(
            base.photometer,
            base.pixels,
            base.psf_model if self.psf_model is None else self.psf_model,
            gain,
            real,
            rules,
            self.selection,
            passing(self.selection, base.table),
            self._window(base),
            expected,
            noise,
        )
        n_stars, planner = self._planner(place, base, n_stars)
        settings = self._settings(base, place, rules, gain, n_stars)
        parts = None
        if resume is not None:
            names = ("photometry", "flux", "positions", "selection")
            given = {name: getattr(self, name) for name in names}
            parts = Parts(resume, fingerprint(scene, base.table, settings, given))
        workers = {"n_workers": self.n_workers, "client": self.client}
        run = _Run(scene, parts, workers, progress_bar=self.progress_bar)
        batches = self._measure_stars(run, planner, n_stars)
        images = planner.noise_images(self.noise_images)
        rows = run.measure([*batches, *images])
        weights = planner.weights(np.concatenate([batch.flux for batch in batches]))
        table = make_table(batches, rows[: len(batches)], base, settings["zero_point"])
        table["weight"][:] = weights
        settings["n_images"] = len(batches)
        noise_table = None
        if images:
            found, noise_table = stack(rows[len(batches) :]), QTable()
            noise_table["image"], noise_table["false"] = found["image"], found["false"]
            add_measured(noise_table, found, base.table)
        return ArtificialStarResults(table, noise_table, settings)

    def _measure(self, data: Any, mask: Any, error: Any) -> Baseline:
        """Measure the image itself."""
        if isinstance(self.photometry, Settings):
            if not isinstance(data, FitsImage):
                msg = (
                    "data must be a FitsImage with the settings of the pipeline, "
                    f"got {type(data).__name__}"
                )
                raise TypeError(msg)
            if mask is not None or error is not None:
                raise ValueError("mask and error are the FitsImage's own")
            return measure_image(self.photometry, data, self.psf)
        if isinstance(data, NDData):
            values, own_mask, own_error = unpack_nddata(data)
            if (mask is not None and own_mask is not None) or (
                error is not None and own_error is not None
            ):
                raise ValueError("mask and error must be None where data has its own")
            data = values
            mask = own_mask if mask is None else mask
            error = own_error if error is None else error
        return measure_pixels(
            self.photometry,
            as_frame(data, error, mask),
            fitted_model(self.photometry, self.psf_model),
        )

    def _gain(self, base: Baseline) -> float | None:
        if self.gain is not None:
            return None if math.isinf(self.gain) else float(self.gain)
        if base.gain is None:
            msg = (
                "gain is not known: the artificial stars have no photon noise, and the "
                "scatter of bright ones is too small (gain=inf says that this is meant)"
            )
            warnings.warn(msg, AstropyUserWarning, stacklevel=3)
        return base.gain

    def _window(self, base: Baseline) -> int | None:
        if self.refit == "frame":
            return None
        return self.window or math.ceil(_WINDOW * base.fwhm)

    def _planner(
        self, place: Field, base: Baseline, n_stars: int | None
    ) -> tuple[int, Planner]:
        positions = as_positions(self.positions)
        own_flux = None
        most = None
        if not isinstance(positions, str):
            most = len(positions)
            if "flux" in self.positions.colnames:
                column = self.positions["flux"]
                own_flux = as_fluxes(column, base.unit, "flux of positions")
        n = as_count(most or 10_000 if n_stars is None else n_stars, "n_stars", least=1)
        if most is not None and n > most:
            msg = f"n_stars must be at most the {most} positions, got {n}"
            raise ValueError(msg)
        fluxes = None if self.flux is None else make_fluxes(self.flux, base.unit)
        return n, Planner(place, positions, fluxes, self.seed, own_flux)

    def _measure_stars(
        self, run: _Run, planner: Planner, n_stars: int
    ) -> Sequence[Batch]:
        """Plan all batches; where there is a pilot it has been measured."""
        has_range = isinstance(planner.fluxes, UniformMagnitudes)
        has_range &= isinstance(planner.positions, str) and planner.own_flux is None
        most = int(_PILOT_SHARE * n_stars)
        if not has_range or not self.pilot or n_stars < _PILOT_TIMES * self.pilot:
            return planner.rest(n_stars)
        batches = planner.pilot(self.pilot, most)
        rows = stack(run.measure(batches))
        flux = np.concatenate([batch.flux for batch in batches])
        recovered = np.asarray(rows["reason"]) == Reason.RECOVERED
        try:
            curve = fit_completeness(-2.5 * np.log10(flux), recovered)
        except ValueError:
            # All or none are found: nothing changes in this range.
            return [*batches, *planner.rest(n_stars)]
        return [*batches, *planner.rest(n_stars, (curve.m50, curve.width))]

    def _settings(
        self,
        base: Baseline,
        place: Field,
        rules: MatchingRules,
        gain: float | None,
        n_stars: int,
    ) -> dict[str, Any]:
        """Say what is done, in what JSON can hold."""
        zero_point = self.zero_point
        if zero_point is None:
            zero_point = base.zero_point or 0.0
        positions = self.positions if isinstance(self.positions, str) else "table"
        return {
            "n_stars": n_stars,
            "seed": self.seed,
            "shape": [int(n) for n in base.usable.shape],
            "positions": positions,
            "spacing": float(place.spacing),
            "stars_per_image": self.stars_per_image,
            "pilot": self.pilot,
            "fwhm": float(base.fwhm),
            "match_radius": float(rules.radius),
            "flux_tolerance": float(rules.flux_tolerance),
            "gain": gain,
            "zero_point": float(zero_point),
            "noise_images": self.noise_images,
            "refit": self.refit,
            "window": self._window(base),
        }


class _Run:
    """Measures tasks that no part is there of, and keeps them."""

    def __init__(
        self,
        scene: Scene,
        parts: Parts | None,
        workers: dict[str, Any],
        *,
        progress_bar: bool,
    ) -> None:
        self._scene, self._parts = scene, parts
        self._workers, self._progress_bar = workers, progress_bar
        self._rows: dict[str, Table] = {}

    def measure(self, tasks: Sequence[Task]) -> list[Table]:
        """Return the rows of tasks, in their order."""
        missing = []
        for task in tasks:
            known = task.name in self._rows
            part = self._rows[task.name] if known else self._read(task)
            if part is None:
                missing.append(task)
            else:
                self._rows[task.name] = part
        for task, rows in self._with_progress(missing):
            if self._parts is not None:
                self._parts.write(task.name, rows)
            self._rows[task.name] = rows
        return [self._rows[task.name] for task in tasks]

    def _read(self, task: Task) -> Table | None:
        return None if self._parts is None else self._parts.read(task.name)

    def _with_progress(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Table]]:
        with progress_callback(
            len(tasks), "Artificial stars", enabled=self._progress_bar
        ) as progress:
            done = run_tasks(self._scene, tasks, **self._workers)
            for n, each in enumerate(done, start=1):
                yield each
                if progress is not None:
                    progress(n)
