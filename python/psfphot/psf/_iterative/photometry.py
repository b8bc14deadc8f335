"""Iterative PSF photometry: find, fit, subtract, and find again."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

from psfphot._deprecated import old_arguments
from psfphot._repr import show_call
from psfphot.psf._iterative.arguments import (
    Mode,
    as_given,
    as_maxiters,
    as_mode,
    as_sub_shape,
)
from psfphot.psf._iterative.rounds import Observation, Rounds, begin, fit_all, fit_new
from psfphot.psf._photometry.fitted import FittedSources
from psfphot.psf._photometry.fitting import apart
from psfphot.psf._photometry.photometry import PSFPhotometry
from psfphot.psf._photometry.results import metadata

if TYPE_CHECKING:
    from astropy.table import QTable

    from psfphot.background import LocalBackground
    from psfphot.psf._photometry.fit_results import FitResult


class IterativePSFPhotometry(FittedSources):
    """Measure sources by PSF photometry, finding more in what the fits leave.

    The interface is that of `photutils.psf.IterativePSFPhotometry`. The image is
    searched and fitted as by `PSFPhotometry`; then the finder searches the
    residual, what it finds is fitted too, and so on.

    Parameters
    ----------
    psf_model, fit_shape
        See `PSFPhotometry`.
    finder : callable
        Called as ``finder(data, mask=mask)``, on the image and on residuals;
        returns a table with columns of positions, or `None`.
    grouper, fitter, fitter_maxiters, xy_bounds
        See `PSFPhotometry`. Mode ``'all'`` needs a ``grouper``.
    maxiters : int, optional
        Most rounds, the first included.
    mode : {'new', 'all'}, optional
        Whether each round fits its new sources alone, on the residual, or all
        sources together, on the image.
    aperture_radius : float
        Radius (pixels) of the aperture that gives starting fluxes.
    local_bkg_estimator, group_warning_threshold
        See `PSFPhotometry`.
    sub_shape : int or (ny, nx), optional
        The box in which each source is subtracted before the next search, odd;
        the model's bounding box by default.
    n_threads, progress_bar
        See `PSFPhotometry`.

    Attributes
    ----------
    results : `~astropy.table.QTable` or `None`
        What the last call returned.
    fit_results : list of PSFPhotometry
        One for each round, with its tables, without its image.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used; the message names it.
    """

    @old_arguments(renamed={"localbkg_estimator": "local_bkg_estimator"})
    def __init__(
        self,
        psf_model: Any,
        fit_shape: Any,
        finder: Any,
        *,
        grouper: Any = None,
        fitter: Any = None,
        fitter_maxiters: int | None = 100,
        xy_bounds: Any = None,
        maxiters: int = 3,
        mode: Mode = "new",
        aperture_radius: float | None = None,
        local_bkg_estimator: LocalBackground | None = None,
        group_warning_threshold: int = 25,
        sub_shape: Any = None,
        n_threads: int | None = None,
        progress_bar: bool = False,
    ) -> None:
        self._photometry = PSFPhotometry(
            psf_model,
            fit_shape,
            finder=as_given(finder, "finder"),
            grouper=grouper,
            fitter=fitter,
            fitter_maxiters=fitter_maxiters,
            xy_bounds=xy_bounds,
            aperture_radius=as_given(aperture_radius, "aperture_radius"),
            local_bkg_estimator=local_bkg_estimator,
            group_warning_threshold=group_warning_threshold,
            n_threads=n_threads,
            progress_bar=progress_bar,
        )
        self.maxiters = as_maxiters(maxiters)
        self.mode = as_mode(mode)
        if self.mode == "all" and grouper is None:
            raise ValueError("grouper must be input for the 'all' mode")
        self.sub_shape = as_sub_shape(sub_shape)
        self._reset()

    def _reset(self) -> None:
        self.results: QTable | None = None
        self.fit_results: list[PSFPhotometry] = []
        self._fit_result: FitResult | None = None

    def __repr__(self) -> str:
        """Show the class with its arguments."""
        return show_call(type(self), self._settings())

    def _settings(self) -> dict[str, Any]:
        fit = (
            "psf_model fit_shape finder grouper fitter fitter_maxiters xy_bounds "
            "maxiters mode local_bkg_estimator aperture_radius "
            "group_warning_threshold sub_shape n_threads progress_bar"
        )
        own = ("maxiters", "mode", "sub_shape")
        return {
            name: getattr(self if name in own else self._photometry, name)
            for name in fit.split()
        }

    def __call__(
        self,
        data: Any,
        *,
        mask: Any = None,
        error: Any = None,
        init_params: Any = None,
    ) -> QTable | None:
        """Find and fit the sources of an image.

        Parameters
        ----------
        data, mask, error
            See `PSFPhotometry`.
        init_params : `~astropy.table.Table`, optional
            Sources to start with, instead of what the finder finds on the image;
            see `PSFPhotometry`.

        Returns
        -------
        `~astropy.table.QTable` or `None`
            One row per source; the columns are those of `PSFPhotometry` and
            ``iter_detected``, the round in which the source was found, from 1.
            `None` if the finder finds none in the image.

        Raises
        ------
        TypeError, ValueError
            If an argument cannot be used; the message names it.
        """
        self._reset()
        seen = Observation(*apart(data, mask, error))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            rounds = self._run(seen, init_params)
        _warn_once(caught)
        if rounds is None:
            return None
        self._fit_result = rounds.fit
        self.results = self._table(rounds)
        return self.results

    def _run(self, seen: Observation, init_params: Any) -> Rounds | None:
        rounds = begin(self._photometry, seen, init_params)
        if rounds is None:
            self.fit_results = [copy.copy(self._photometry)]
            return None
        further = fit_all if self.mode == "all" else fit_new
        rounds = further(
            self._photometry,
            rounds,
            seen,
            maxiters=self.maxiters,
            sub_shape=self.sub_shape,
        )
        self.fit_results = rounds.fits
        return rounds

    def _table(self, rounds: Rounds) -> QTable:
        table = rounds.fit.table()
        after = table.colnames.index("group_size") + 1
        table.add_column(rounds.iter_detected, name="iter_detected", index=after)
        table.meta["psf_class"] = type(self).__name__
        table.meta.update(metadata(self._settings()))
        return table


def _warn_once(caught: list[warnings.WarningMessage]) -> None:
    """Give each warning of the rounds once, to the caller of the photometry."""
    for message in {str(one.message): one.message for one in caught}.values():
        warnings.warn(message, stacklevel=3)
