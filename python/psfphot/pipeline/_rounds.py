"""Rounds after the first: what shows in the residual is fitted with all other stars."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.detection import MatchedFilterFinder
from psfphot.matching import match_positions
from psfphot.pipeline._cuts import central_pixels, noise_area, sharper_than_stars
from psfphot.pipeline._detection import make_finder
from psfphot.pipeline._groups import make_grouper
from psfphot.pipeline._mismatch import Surroundings, known_mismatch
from psfphot.pipeline._noise import search_noise
from psfphot.pipeline._pixels import nearest_pixels
from psfphot.pipeline._remade_sky import RemadeSky
from psfphot.psf import StarListManagement
from psfphot.psf._iterative.extra import extra_columns
from psfphot.psf._iterative.managed import Manager
from psfphot.psf._iterative.rounds import Observation, Rounds
from psfphot.psf._iterative.search import Knowledge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot._residual import Residual
    from psfphot.pipeline._exposure import Exposure
    from psfphot.psf import PSFPhotometry

#: A new star's score is at least this part of the threshold: 4.5 of 5.
PART_OF_THRESHOLD = 0.9

#: A new star's peak is so many times what the PSF's mismatch may leave of others. At
#: 3 a star of 3 % beside a bright one of a NIRCam image, which was none, goes.
_CLEAR = 3.0

#: The vertex of a maximum is that near to where it was looked for, pixels.
_SAME_PLACE = 1.5

#: What each row's history is called in tables on the way to the catalogue.
HISTORY = ("iter_detected", "n_merged")


@dataclass(frozen=True)
class History:
    """What the rounds have come to.

    Attributes
    ----------
    most : int
        How many there could have been.
    n_new : tuple of int
        How many stars each round after the first has found.
    n_dropped, n_merged : int
        How many stars were dropped as insignificant, or merged into others.
    stopped : str
        What ended the rounds: ``"nothing found"``, ``"few found"`` or
        ``"maxiters"``, their number.
    """

    most: int
    n_new: tuple[int, ...]
    n_dropped: int
    n_merged: int
    stopped: str

    @property
    def n(self) -> int:
        """The number of rounds, the first included."""
        return 1 + len(self.n_new)

    def summary(self) -> dict[str, Any]:
        """Sum the rounds up in numbers and words that files can hold."""
        return {
            "n_rounds": self.n,
            "n_new": list(self.n_new),
            "n_insignificant": self.n_dropped,
            "n_merged": self.n_merged,
            "stopped": self.stopped,
        }


def iterate(
    exposure: Exposure,
    data: NDArray[Any],
    photometry: PSFPhotometry,
    around: Surroundings,
    *,
    are_given: bool = False,
) -> tuple[QTable, History, NDArray[Any]] | None:
    """Find more stars in what a fit has left, and fit all together, round by round.

    The list is managed as that of `~psfphot.psf.IterativePSFPhotometry`; new stars
    are tested by their projected score.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky, its errors and settings.
    data : 2D array
        The image as it was fitted.
    photometry : `~psfphot.psf.PSFPhotometry`
        What has fitted the first round; it holds the last fit afterwards.
    around : `Surroundings`
        What else there is in the image.
    are_given : bool, optional
        Whether the stars of the first round are not to be dropped or merged.

    Returns
    -------
    table : `~astropy.table.QTable`
        The last fit's table, with the columns of `HISTORY`.
    history : `History`
    data : 2D array
        The image without the sky of what the stars have left, which is the exposure's
        now.
    """
    photometry.finder = make_finder(exposure, exposure.settings.threshold)
    # In groups, not as one system: that of 945 stars of the demo takes forty times as
    # long, and its fluxes and the stars found are the same.
    photometry.grouper = make_grouper(exposure)
    seen = Observation(data, exposure.mask, exposure.error)
    most = exposure.settings.rounds(are_given=are_given)
    sky = RemadeSky(exposure, data, around.light)

    def mismatch() -> float:
        return known_mismatch(photometry.results, exposure, around)

    manager = Manager(
        photometry,
        seen,
        rules_of(exposure),
        maxiters=most,
        sub_shape=None,
        knowledge=Knowledge(
            errors=lambda light: search_noise(
                exposure, light + around.light, mismatch()
            ),
            accepts=StarTests(exposure, around.closed, lambda: sky.data, mismatch),
            sky=sky,
            # Other finders know of no correlated noise.
            is_scaled=exposure.settings.finder == "matched",
        ),
    )
    first = Rounds(
        photometry.last_fit(), np.ones(len(photometry.last_fit().ids), dtype=np.int64)
    )
    with warnings.catch_warnings():
        # The run counts every flag by its name.
        warnings.filterwarnings("ignore", message=".*may not have converged.*")
        rounds = manager.fit_all(first, are_given)
    if rounds is None or photometry.results is None:
        return None
    table = rounds.fit.table()
    table.meta |= photometry.results.meta
    return table, told_by(rounds, table, most), sky.data


def told_by(rounds: Rounds, table: QTable, most: int) -> History:
    """Tell what the rounds have come to; the table is given the columns of `HISTORY`.

    Parameters
    ----------
    rounds : `~psfphot.psf._iterative.rounds.Rounds`
        The rounds.
    table : `~astropy.table.QTable`
        The rows of the last fit.
    most : int
        How many rounds there could have been.
    """
    table["iter_detected"] = rounds.iter_detected
    table["n_merged"] = rounds.n_merged
    told = rounds.told
    return History(
        most,
        tuple(told["n_new"]),
        told["n_dropped"],
        told["n_merged"],
        rounds.stopped,
    )


def add_extra_columns(
    table: QTable,
    exposure: Exposure,
    data: NDArray[Any],
    photometry: PSFPhotometry,
    mismatch: float,
) -> None:
    """Tell how crowded, how wide and how well fitted each star is, in place.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The last table of ``photometry``.
    exposure, data, photometry
        As for `iterate`.
    mismatch : float
        By what part of its value the PSF may be off.
    """
    ones = np.ones(len(table), dtype=np.int64)
    merged = np.asarray(table["n_merged"]) if "n_merged" in table.colnames else None
    more = extra_columns(
        Rounds(photometry.last_fit(), ones, n_merged=merged),
        Observation(data, exposure.mask, exposure.error),
        photometry,
        StarListManagement(profile_error=mismatch),
    )
    del more["snr"]  # which the catalogue has anyway
    if "blend_significance" in table.colnames:
        del more["blend_significance"]
    for name, column in more.items():
        # Last, also where the rounds have put it among the others.
        if name in table.colnames:
            table.remove_column(name)
        table[name] = column


@dataclass(frozen=True, eq=False)
class StarTests:
    """What a new star must stand beside its score.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its masks and settings.
    closed : 2D bool array
        Pixels in which there is no new star.
    data : callable
        Tells the image that is fitted.
    mismatch : callable
        Tells by what part of a star's light what is left of it may be the PSF's fault.
    """

    exposure: Exposure
    closed: NDArray[np.bool_]
    data: Callable[[], NDArray[Any]]
    mismatch: Callable[[], float]

    def __call__(self, left: Residual, found: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Tell which of the peaks of the score in a residual pass."""
        row, column, known = nearest_pixels(found["x"], found["y"], self.exposure.shape)
        passes: NDArray[np.bool_] = np.asarray(known & ~self.closed[row, column])
        passes &= self._is_no_flaw(left, found, row, column)
        if self.exposure.settings.finder == "matched" and passes.any():
            passes &= self._is_no_sky(left, found, passes)
        return passes

    def _is_no_flaw(
        self, left: Residual, found: Mapping[str, Any], row: Any, column: Any
    ) -> NDArray[np.bool_]:
        """Tell which are clearly brighter than what the PSF may leave of others.

        In the score the errors of pixels that the PSF does not match are independent,
        which they are not.
        """
        ny, nx = self.exposure.shape
        brightest, data = np.zeros(len(row)), self.data()
        for dy, dx in np.ndindex(3, 3):
            at = np.clip(row + dy - 1, 0, ny - 1), np.clip(column + dx - 1, 0, nx - 1)
            light = data[at] - left.data[at]
            light = np.where(self.exposure.mask[at], 0, light)
            brightest = np.fmax(brightest, light)
        peak = found["flux"] * central_pixels(self.exposure.psf, 0.25).max()
        return np.asarray(peak >= _CLEAR * self.mismatch() * brightest)

    def _is_no_sky(
        self, left: Residual, found: Mapping[str, Any], which: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Test the S/N with a free sky, and for single pixels, as in the first round.

        The score is that of a known sky. Far from all stars the S/N of the first round
        takes its place, beside one the score without what the sky that is left adds.
        """
        settings, psf = self.exposure.settings, self.exposure.psf
        x, y = found["x"], found["y"]
        finder = MatchedFilterFinder(
            psf.model,
            settings.threshold,
            fwhm=settings.fwhm,
            xycoords=np.column_stack([x, y])[which],
            n_threads=settings.n_threads,
        )
        measured = finder(left.data, mask=self.exposure.mask, error=left.error)
        is_beside = np.isfinite(found["distance"])
        passes: NDArray[np.bool_] = is_beside.copy()
        if measured is None:
            return passes
        places = measured["x_centroid"], measured["y_centroid"]
        here, row = match_positions((x, y), places, _SAME_PLACE)
        sky, snr = (np.asarray(measured[name])[row] for name in ("local_bkg", "snr"))
        area = noise_area(psf) * found["q"][here]
        at = nearest_pixels(x[here], y[here], self.exposure.shape)[:2]
        of_sky = np.maximum(sky, 0) * np.sqrt(area) / left.error[at]
        least = settings.threshold * found["width"][here]
        stands_out = found["z"][here] - of_sky >= PART_OF_THRESHOLD * least
        passes[here] = np.where(is_beside[here], stands_out, snr >= least)
        passes[here] &= ~sharper_than_stars(measured, psf)[row]
        return passes


def rules_of(exposure: Exposure) -> StarListManagement:
    """Tell the rules by which an exposure's list of stars is managed."""
    n_sigma = PART_OF_THRESHOLD * exposure.settings.threshold
    if exposure.settings.keep_all:
        return StarListManagement(n_sigma=n_sigma, drop_below=None, merge_distance=0)
    return StarListManagement(n_sigma=n_sigma)
