"""Finding and fitting stars in two passes: the bright ones, then all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, vstack

from psfphot._core import near_pairs
from psfphot.pipeline._confusion import Confusion, add_confusion
from psfphot.pipeline._cuts import (
    find_no_stars,
    flag_low,
    noise_area,
    sharper_than_stars,
)
from psfphot.pipeline._detection import (
    NoStarsError,
    excess_noise,
    find_stars,
)
from psfphot.pipeline._fit import fit_stars
from psfphot.pipeline._groups import group_stars
from psfphot.pipeline._light import LightImages
from psfphot.pipeline._mismatch import (
    LEAST_MISMATCH,
    Surroundings,
    measure_mismatch,
)
from psfphot.pipeline._noise import pixel_errors, renew_errors, search_noise
from psfphot.pipeline._rounds import (
    HISTORY,
    add_extra_columns,
    iterate,
)
from psfphot.pipeline._starts import start_from_detections
from psfphot.pipeline._trails import Trails, find_trails, flag_on_trails, mask_trails

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot.pipeline._clock import Clock
    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._profile_error import ProfileError
    from psfphot.pipeline._rounds import History
    from psfphot.pipeline._saturated_stars import SaturatedStars
    from psfphot.psf import PSFPhotometry

#: S/N of the stars of the first pass.
BRIGHT = 30.0

#: After so many fits without what is no star, only rows are dropped that no star
#: can be; they become fewer each time.
_REPEATS, _MOST_REPEATS = 3, 10
_NEVER_KEPT = ("flux not positive", "off the image")


@dataclass(eq=False)
class Passes:
    """What `find_and_fit` found.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        The fits' table.
    photometry : `~psfphot.psf.PSFPhotometry`
        What fitted them.
    start : `~astropy.table.QTable`
        Where the fits started.
    n_bright : int
        Stars of the first pass.
    mismatch : float
        By what part of its value the PSF does not match the bright stars.
    excess_noise : float
        By what factor the filtered image is noisier than its pixels make it, where
        stripes or resampling correlate them; the threshold was raised by it.
    dropped : dict
        How many rows were dropped by which rule, the first that applied.
    trails : `Trails` or `None`
        The trails that were masked; `None` without.
    history : `History` or `None`
        What the rounds after these passes have come to; `None` without any.
    confusion : `Confusion` or `None`
        By how much the errors were made larger for what is left; `None` where they
        were not.
    """

    table: QTable
    photometry: PSFPhotometry
    start: QTable
    n_bright: int = 0
    mismatch: float = LEAST_MISMATCH
    excess_noise: float = 1.0
    dropped: dict[str, int] = field(default_factory=dict)
    trails: Trails | None = None
    history: History | None = None
    confusion: Confusion | None = None

    def profile(self) -> ProfileError | None:
        """Tell how far the PSF is off, if it was measured and stars tell it."""
        return None if self.confusion is None else self.confusion.profile


def find_and_fit(
    exposure: Exposure,
    data: NDArray[Any],
    clock: Clock,
    *,
    saturated: SaturatedStars | None = None,
    progress_bar: bool = False,
) -> Passes:
    """Find stars in two passes and fit them, and look again in what is left.

    Trails that cut into detections are masked in either pass, and their light is
    taken off the stars that they cross.

    The stars above 30 sigma are found, fitted and subtracted; then all others are
    searched for in what is left, whose noise holds the photons of the bright ones
    and the PSF's mismatch. All are fitted together; rows that are no stars are
    dropped, and what is left is fitted again. Then, in so many rounds as the settings
    want, what shows in the residual is fitted with the others, see `iterate`.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky; its errors are set.
    data : 2D array
        The image without its sky and without the saturated stars.
    clock : `Clock`
        Keeps the time of the steps "find", "group", "fit" and "rounds".
    saturated : `SaturatedStars`, optional
        The saturated stars, whose light is noise for all others.
    progress_bar : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    passes : `Passes`

    Raises
    ------
    NoStarsError
        If there are none.
    """
    # One value, without known stars.
    known = np.zeros((1, 1), data.dtype)
    if saturated is not None:
        known = saturated.model.astype(data.dtype, copy=False)
    passes = _two_passes(exposure, data, known, clock, progress_bar=progress_bar)
    trails, closed = passes.trails, exposure.mask
    if trails is not None:
        data, known = data - trails.light, known + trails.light
        closed = closed | trails.pixels
    if saturated is not None:
        closed = closed | saturated.is_near
    around = Surroundings(known, closed, passes.mismatch)
    if exposure.settings.rounds(are_given=False) > 1:
        fitter = passes.photometry
        renew_errors(
            exposure,
            lambda: np.asarray(fitter.make_model_image(exposure.shape)) + known,
        )
        passes, data = _iterated(
            exposure, data, passes, around, clock, progress_bar=progress_bar
        )
    if exposure.settings.has_confusion(are_given=False):
        with clock.step("confusion"):
            passes.confusion = add_confusion(
                passes.table, exposure, data, passes.photometry, around
            )
    if exposure.settings.extra_columns:
        add_extra_columns(
            passes.table, exposure, data, passes.photometry, passes.mismatch
        )
    flag_on_trails(passes.table, trails)
    return passes


def _two_passes(
    exposure: Exposure,
    data: NDArray[Any],
    known: NDArray[Any],
    clock: Clock,
    *,
    progress_bar: bool,
) -> Passes:
    """Find the bright stars, then all others in what they leave; ``known`` is light."""
    exposure.error = pixel_errors(exposure)
    first, trails = _bright_pass(exposure, data, clock)
    mismatch = LEAST_MISMATCH if first is None else first.mismatch
    found = [] if first is None else [first.start]
    light = known if trails is None else known + trails.light
    light = light if first is None else light + first.light
    is_sharp = is_close = np.zeros(0, dtype=bool)
    excess = 1.0
    with clock.step("find"):
        exposure.error = pixel_errors(exposure, np.broadcast_to(light, data.shape))
        rest = data if trails is None else data - trails.light
        rest = rest if first is None else rest - first.light
        noise = search_noise(exposure, light, mismatch)
        threshold = exposure.settings.threshold
        # Above that the bright stars themselves are still there, and noise.
        if threshold < BRIGHT:
            excess = excess_noise(exposure, rest, noise)
            threshold *= excess
        bright = 0.0 if first is None else first.light
        stars, fainter = _find(exposure, rest, noise, threshold, bright)
        if fainter is not None:
            found = [start[~fainter.hides(start)] for start in found]
            trails = fainter.joined(trails)
        if stars is not None:
            is_sharp = sharper_than_stars(stars, exposure.psf)
            more = start_from_detections(stars[~is_sharp])
            is_close = close_to(more, found, exposure.settings.min_separation)
            found.append(more[~is_close])
        if not sum(map(len, found)):
            raise NoStarsError.above(threshold, exposure)
    if trails is not None:
        data = data - trails.light
    start = vstack(found, metadata_conflicts="silent")
    start["id"] = np.arange(1, len(start) + 1)
    passes = _fit(exposure, data, start, clock=clock, progress_bar=progress_bar)
    passes.n_bright = 0 if first is None else len(first.start)
    passes.mismatch, passes.excess_noise = mismatch, excess
    passes.dropped["sharper than the PSF"] = int(np.count_nonzero(is_sharp))
    passes.dropped["too close to a bright star"] = int(np.count_nonzero(is_close))
    passes.trails = trails
    refit = partial(_fit, exposure, data, clock=clock, progress_bar=progress_bar)
    return without_no_stars(exposure, passes, refit)


def _iterated(
    exposure: Exposure,
    data: NDArray[Any],
    passes: Passes,
    around: Surroundings,
    clock: Clock,
    *,
    progress_bar: bool,
) -> tuple[Passes, NDArray[Any]]:
    """Look for more stars in what the passes have left, and drop what is none.

    Returns the image without the sky that is left, too.
    """
    with clock.step("rounds"):
        again = iterate(exposure, data, passes.photometry, around)
    if again is None:
        raise NoStarsError.above(exposure.settings.threshold, exposure)
    passes.table, passes.history, data = again
    refit = partial(_fit, exposure, data, clock=clock, progress_bar=progress_bar)
    return without_no_stars(exposure, passes, refit), data


def with_neighbours(
    exposure: Exposure,
    data: NDArray[Any],
    table: QTable,
    photometry: PSFPhotometry,
    clock: Clock,
) -> tuple[QTable, History | None, Confusion | None]:
    """Fit the sources of a catalogue with the stars that show in what they leave.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky; its errors are set.
    data : 2D array
        The image without its sky.
    table : `~astropy.table.QTable`
        The fits' table.
    photometry : `~psfphot.psf.PSFPhotometry`
        What fitted them; afterwards it has fitted them with their neighbours.
    clock : `Clock`
        Keeps the time of the step "rounds".

    Returns
    -------
    table : `~astropy.table.QTable`
        The same sources, with the same columns of the user's.
    history : `History` or `None`
        `None` where the settings want one round.
    confusion : `Confusion` or `None`
        `None` where the errors are those of the fit.
    """
    settings, mismatch = exposure.settings, measure_mismatch(table)
    fitted, history, confusion = table, None, None
    nothing = np.zeros((1, 1), data.dtype)
    around = Surroundings(nothing, exposure.mask, mismatch)
    if settings.rounds(are_given=True) > 1:
        with clock.step("rounds"):
            again = iterate(exposure, data, photometry, around, are_given=True)
        if again is not None:
            fitted, history, data = again
            fitted.remove_column("iter_detected")
    if settings.has_confusion(are_given=True):
        with clock.step("confusion"):
            confusion = add_confusion(fitted, exposure, data, photometry, around)
    if settings.extra_columns:
        add_extra_columns(fitted, exposure, data, photometry, mismatch)
    for name in fitted.colnames:
        # The ids of neighbours are larger than all others.
        table[name] = fitted[name][: len(table)]
    return table, history, confusion


def _find(
    exposure: Exposure,
    data: NDArray[Any],
    error: NDArray[Any],
    threshold: float,
    subtracted: NDArray[Any] | float = 0.0,
) -> tuple[QTable | None, Trails | None]:
    """Find stars, and again without the trails that were cut into some."""
    trails = None
    try:
        stars = find_stars(exposure, data=data, error=error, threshold=threshold)
        trails = find_trails(
            exposure, data, error, stars, threshold, subtracted=subtracted
        )
        if trails is not None:
            mask_trails(exposure, trails)
            data = data - trails.light
            stars = find_stars(exposure, data=data, error=error, threshold=threshold)
    except NoStarsError:
        return None, trails
    return stars, trails


def close_to(
    start: QTable, known: list[QTable], separation: float
) -> NDArray[np.bool_]:
    """Tell which detections are nearer to a known star than any two may be."""
    is_close = np.zeros(len(start), dtype=bool)
    at = np.column_stack([start["x_init"], start["y_init"]])
    for stars in known:
        others = np.column_stack([stars["x_init"], stars["y_init"]])
        is_close[near_pairs(at, others, separation)[0]] = True
    return is_close


@dataclass(eq=False)
class _BrightPass:
    start: QTable
    light: NDArray[Any]
    mismatch: float


def _bright_pass(
    exposure: Exposure, data: NDArray[Any], clock: Clock
) -> tuple[_BrightPass | None, Trails | None]:
    """Fit the bright stars; `None` where there are none."""
    with clock.step("find"):
        threshold = max(BRIGHT, exposure.settings.threshold)
        stars, trails = _find(exposure, data, pixel_errors(exposure), threshold)
    if stars is None:
        return None, trails
    if trails is not None:
        data = data - trails.light
    start = start_from_detections(stars)
    start["id"] = np.arange(1, len(start) + 1)
    passes = _fit(exposure, data, start, clock=clock)
    with clock.step("fit"):
        render = LightImages(
            exposure.psf.model, exposure.sky.rms, exposure.settings.n_threads
        )
        columns = (np.asarray(passes.table[f"{n}_fit"]) for n in ("x", "y", "flux"))
        light = render(*columns).astype(data.dtype, copy=False)
    fitted = QTable({"x_init": passes.table["x_fit"], "y_init": passes.table["y_fit"]})
    is_known = np.isfinite(fitted["x_init"]) & np.isfinite(fitted["y_init"])
    first = _BrightPass(fitted[is_known], light, measure_mismatch(passes.table))
    return first, trails


def _fit(
    exposure: Exposure,
    data: NDArray[Any],
    start: QTable,
    *,
    clock: Clock,
    progress_bar: bool = False,
) -> Passes:
    """Group and fit stars."""
    with clock.step("group"):
        group_stars(start, exposure)
    with clock.step("fit"):
        table, photometry = fit_stars(
            exposure, start, data=data, progress_bar=progress_bar
        )
    return Passes(table, photometry, start)


def without_no_stars(
    exposure: Exposure,
    passes: Passes,
    refit: Callable[[QTable], Passes],
    noise_at: Callable[[QTable], NDArray[Any]] | None = None,
) -> Passes:
    """Drop what is no star and fit the rest again; or flag it.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky and settings.
    passes : `Passes`
        The fits.
    refit : callable
        Fits stars that are known, from where they are.
    noise_at : callable, optional
        Tells the sky's noise at each row; by default the exposure's map does.
    """
    area = noise_area(exposure.psf)
    for repeat in range(_MOST_REPEATS):
        against = find_no_stars(
            passes.table,
            exposure,
            area,
            are_tested=passes.history is not None,
            noise=None if noise_at is None else noise_at(passes.table),
        )
        if repeat >= _REPEATS:
            against = {rule: against[rule] for rule in _NEVER_KEPT}
        bad = np.any(list(against.values()), axis=0)
        if exposure.settings.keep_all:
            flag_low(passes.table, bad)
            return passes
        if not bad.any():
            return passes
        counted = np.zeros_like(bad)
        for rule, rows in against.items():
            n = int(np.count_nonzero(rows & ~counted))
            passes.dropped[rule] = passes.dropped.get(rule, 0) + n
            counted |= rows
        if bad.all():
            rules = ", ".join(f"{rule}: {n}" for rule, n in passes.dropped.items() if n)
            msg = (
                f"{exposure.image.name}: no star is left of {len(bad)} detections "
                f"({rules})"
            )
            raise NoStarsError(msg)
        kept = passes.table[~bad]
        start = QTable({"x_init": kept["x_fit"], "y_init": kept["y_fit"]})
        start["flux_init"] = kept["flux_fit"]
        for name in set(HISTORY) & set(kept.colnames):
            start[name] = kept[name]
        start["id"] = np.arange(1, len(start) + 1)
        again = refit(start)
        told = {"table": again.table, "photometry": again.photometry, "start": start}
        passes = replace(passes, **told)
    return passes
