"""Rounds with a managed star list: stars are found, fitted together, dropped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from psfphot.psf._iterative.rounds import (
    Observation,
    Rounds,
    add_model_shape,
    subtract,
    without_covariances,
)
from psfphot.psf._iterative.search import (
    Finding,
    Knowledge,
    find_new,
    starting_flux,
)
from psfphot.psf._iterative.star_list import StarList, in_unit_of
from psfphot.psf._photometry.residuals import (
    compiled,
    quiet_frame,
    residual_for_core,
    with_errors,
    with_profile_error,
    without_sky,
)
from psfphot.psf._photometry.starts import add_background

if TYPE_CHECKING:
    from psfphot.psf._iterative.management import StarListManagement
    from psfphot.psf._photometry.fit_results import FitResult
    from psfphot.psf._photometry.photometry import PSFPhotometry

# A list is fitted again after it has been culled, so many times a round.
_CULLS = 2


@dataclass
class Manager:
    """What the rounds of one call with a managed star list have in common.

    The rules and where they come from: `StarListManagement`.

    Parameters
    ----------
    photometry : PSFPhotometry
        What did the first round; its finder searches the others.
    seen : Observation
        The image.
    rules : StarListManagement
        How the list is managed.
    maxiters, sub_shape
        See `IterativePSFPhotometry`.
    knowledge : Knowledge, optional
        What else is known of the image.
    """

    photometry: PSFPhotometry
    seen: Observation
    rules: StarListManagement
    maxiters: int
    sub_shape: tuple[int, int] | None
    knowledge: Knowledge = field(default_factory=Knowledge)

    def __post_init__(self) -> None:
        self._n_new: list[int] = []
        self._highest = 0.0
        self.psf, self.fwhm = compiled(self.photometry.psf_model, self.seen.shape)
        # A flux that is not fitted has no error, and no significance.
        fits_flux = self.photometry.last_fit().fits_flux()
        self._limit = self.rules.least_significance() if fits_flux else None

    def fit_all(self, rounds: Rounds, is_given: bool) -> Rounds | None:
        """Fit all stars to the image together in each round.

        Parameters
        ----------
        rounds : Rounds
            The first round.
        is_given : bool
            Whether its stars are the user's.

        Returns
        -------
        Rounds or None
            `None` if no star is left.
        """
        stars = self._list(rounds.fit, is_given)
        self._cull(self.seen, stars, 1)
        for number in range(2, self.maxiters + 1):
            if len(stars) == 0:
                break
            left = subtract(self.photometry, self.seen.data, self.sub_shape)
            if self.knowledge.sky is not None:
                change = self.knowledge.sky(left)
                left = left - change
                self.seen = replace(self.seen, data=self.seen.data - change)
            new = self._find(stars, left)
            if new is None:
                rounds.stopped = "nothing found"
                break
            stars.append(StarList(new, number, is_given=False))
            self._fit(self.seen, stars)
            self._cull(self.seen, stars, number)
            rounds.fits.append(without_covariances(self.photometry))
            if self.rules.is_few(len(new), len(stars), self._highest):
                rounds.stopped = "few found"
                break
        return self._end(rounds, stars, self.photometry.last_fit())

    def fit_new(self, rounds: Rounds, is_given: bool) -> Rounds | None:
        """Fit the stars of each round to what the rounds before have left.

        The parameters are those of `fit_all`.
        """
        stars = self._list(rounds.fit, is_given)
        self._cull(self.seen, stars, 1)
        fit, left = self.photometry.last_fit(), self.seen.data
        for number in range(2, self.maxiters + 1):
            if len(stars) == 0:
                break
            left = subtract(self.photometry, left, self.sub_shape)
            found = self._find(stars, left)
            if found is None:
                rounds.stopped = "nothing found"
                break
            new = StarList(found, number, is_given=False)
            rest = self.seen.beside(left)
            self._fit(rest, new)
            self._cull(rest, new, number)
            rounds.fits.append(without_covariances(self.photometry))
            stars.append(new)
            if len(new) > 0:
                fit = fit.followed_by(self.photometry.last_fit())
            if len(new) == 0 or self.rules.is_few(
                len(found), len(stars), self._highest
            ):
                rounds.stopped = "few found"
                break
        return self._end(rounds, stars, fit)

    def _list(self, fit: FitResult, is_given: bool) -> StarList:
        stars = StarList(fit.as_starts(), 1, is_given)
        stars.update(fit, self._limit)
        return stars

    def _find(self, stars: StarList, left: Any) -> QTable | None:
        """Find stars in a residual, and tell what their fit starts from."""
        frame = quiet_frame(left, self.seen.mask, self.seen.search_errors(left))
        light = quiet_frame(self.seen.data, self.seen.mask, None).data - frame.data
        is_above_sky = self.photometry.local_bkg_estimator is None
        residual = residual_for_core(
            frame if is_above_sky else without_sky(frame),
            stars.position(),
            psf=self.psf,
            fwhm=self.fwhm,
            n_threads=self.photometry.n_threads,
        )
        if self.knowledge.errors is not None:
            residual = with_errors(residual, self.knowledge.errors(light))
        else:
            residual = with_profile_error(residual, light, self.rules.profile_error)
        finding = find_new(
            self.photometry.finder,
            Observation(left, self.seen.mask, None),
            stars,
            self.rules,
            residual,
            accepts=self.knowledge.accepts,
            is_scaled=self.knowledge.is_scaled,
        )
        if finding is None:
            return None
        new = self._starts_of(finding, stars)
        add_background(new, frame, self.photometry.local_bkg_estimator)
        return stars.number(new)

    def _starts_of(self, finding: Finding, stars: StarList) -> QTable:
        """Tell what the fit of new stars starts from, but for their backgrounds."""
        self._n_new.append(len(finding.x))
        self._highest = float(np.max(finding.score))
        flux, taken = starting_flux(finding, stars, self.fwhm)
        is_beside = finding.nearest >= 0
        stars.take_light(finding.nearest[is_beside], taken[is_beside])
        new = QTable({"x_init": finding.x, "y_init": finding.y})
        new["flux_init"] = in_unit_of(stars.starts["flux_init"], flux)
        add_model_shape(new, self.photometry)
        return new

    def _fit(self, seen: Observation, stars: StarList) -> None:
        """Fit a list of stars from where they are."""
        self.photometry(
            seen.data, mask=seen.mask, error=seen.error, init_params=stars.starts
        )
        stars.update(self.photometry.last_fit(), self._limit)

    def _cull(self, seen: Observation, stars: StarList, number: int) -> None:
        """Drop and merge stars that were fitted, and fit the others again."""
        rules = self.rules
        for _ in range(_CULLS):
            is_merged = stars.merge(rules.merge_distance * self.fwhm)
            is_dropped = stars.drop(
                seen.shape,
                self._limit,
                bar=number >= rules.bar_from,
                clump=rules.min_separation * self.fwhm,
            )
            if len(stars) == 0 or not (is_dropped or is_merged):
                return
            self._fit(seen, stars)

    def _end(self, rounds: Rounds, stars: StarList, fit: FitResult) -> Rounds | None:
        if len(stars) == 0:
            return None
        rounds.fit = fit
        rounds.iter_detected = stars.iter_detected
        rounds.n_merged = stars.n_merged
        rounds.told = {
            "n_new": self._n_new,
            "n_dropped": stars.n_dropped,
            "n_merged": len(stars.merged_into),
            "merged_into": stars.merged_into,
        }
        return rounds
