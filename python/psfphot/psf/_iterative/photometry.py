"""Iterative PSF photometry: find, fit, subtract, and find again."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, join

from psfphot._deprecated import old_arguments
from psfphot._repr import show_call
from psfphot.psf._iterative.arguments import (
    Mode,
    as_given,
    as_maxiters,
    as_mode,
    as_sub_shape,
)
from psfphot.psf._iterative.extra import extra_columns
from psfphot.psf._iterative.managed import Manager
from psfphot.psf._iterative.management import StarListManagement, as_management
from psfphot.psf._iterative.rounds import (
    Observation,
    Rounds,
    begin,
    fit_all,
    fit_new,
    fitted_as_one,
    without_covariances,
)
from psfphot.psf._photometry.arguments import as_keep_columns
from psfphot.psf._photometry.confusion import with_confusion
from psfphot.psf._photometry.fitted import FittedSources
from psfphot.psf._photometry.fitting import NO_CONVERGENCE, apart
from psfphot.psf._photometry.init_params import extra_columns as user_columns
from psfphot.psf._photometry.photometry import PSFPhotometry
from psfphot.psf._photometry.residuals import quiet_frame
from psfphot.psf._photometry.results import metadata
from psfphot.utils import NoDetectionsWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psfphot.background import LocalBackground
    from psfphot.psf._photometry.arguments import CovarianceKind
    from psfphot.psf._photometry.fit_results import FitResult


class IterativePSFPhotometry(FittedSources):
    r"""Measure sources by PSF photometry, finding more in what the fits leave.

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
        See `PSFPhotometry`. Mode ``'all'`` needs a ``grouper``. With a managed list,
        sources with more than a twentieth of their light outside of their fit boxes
        are all fitted as one, so that each is without the wings of the others; the
        grouper then tells the ``group_id`` alone.
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
    management : StarListManagement or bool, optional
        Whether, and by which rules, the list of stars is managed: new stars are
        tested against those that are near, insignificant ones dropped and
        coincident ones merged, and the rounds end by themselves. `True` stands for
        the default rules, `None` for `True` in mode ``'all'`` and for `False`, which
        is what photutils does, in mode ``'new'``.
    extra_columns : bool, optional
        Whether the results have, after photutils' columns,

        * ``snr``: the flux over its error
        * ``crowding``: the magnitudes by which the source would be brighter with
          the light of all others left in (Dolphin 2000, PASP 112, 1383)
        * ``sharpness``: by how much it is wider than the PSF, pixels\ :sup:`2`:
          the variance of the Gaussian by which the PSF would have to be smeared,
          to first order; Stetson's SHARP (1987, PASP 99, 191) in pixels
        * ``chi``: the scatter of its residuals over their errors: Stetson's CHI
        * ``n_merged``: how many others were merged into it
        * ``blend_significance``: the largest score of another star within half of a
          full width at half maximum (see
          `psfphot.detection.MatchedFilterFinder.search_residual`)
    keep_columns : bool or list of str, optional
        See `PSFPhotometry`; the rows of sources that were found are masked. Needs
        a managed list, in which ids are for life.
    robust, covariance, fit_background
        See `PSFPhotometry`.
    confusion : bool, optional
        See `PSFPhotometry`; told of the last fit alone.

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
        management: StarListManagement | bool | None = None,
        extra_columns: bool = False,
        keep_columns: bool | Sequence[str] = False,
        robust: bool | float = False,
        covariance: CovarianceKind | None = None,
        fit_background: bool = False,
        confusion: bool = False,
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
            robust=robust,
            covariance=covariance,
            fit_background=fit_background,
        )
        self.maxiters = as_maxiters(maxiters)
        self.mode = as_mode(mode)
        if self.mode == "all" and grouper is None:
            raise ValueError("grouper must be input for the 'all' mode")
        self.sub_shape = as_sub_shape(sub_shape)
        self.management = as_management(management, self.mode)
        self.extra_columns = bool(extra_columns)
        self.keep_columns = as_keep_columns(keep_columns)
        self.confusion = bool(confusion)
        if self.keep_columns and self.management is None:
            msg = "keep_columns needs management: without it ids change"
            raise ValueError(msg)
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
            See `PSFPhotometry`. A `~psfphot.utils.NoiseModel` also tells the errors
            with which the residuals are searched, from the stars subtracted.
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
            try:
                rounds = self._run(seen, init_params)
            finally:
                # It would hold the image.
                self._photometry.forget()
        texts = {str(one.message): one.message for one in caught}
        if self.management is not None and not (rounds and rounds.has_unconverged()):
            # Of the fits on the way, whose stars may have been dropped since.
            texts.pop(NO_CONVERGENCE, None)
        for message in texts.values():
            warnings.warn(message, stacklevel=2)
        if rounds is None:
            return None
        if self.confusion:
            rounds.fit, rounds.told["confusion_factor"] = with_confusion(
                rounds.fit,
                quiet_frame(seen.data, seen.mask, seen.error),
                has_sky=self._photometry.local_bkg_estimator is not None,
            )
        self._fit_result = rounds.fit
        table = self._table(rounds)
        if self.extra_columns:
            rules = self.management or StarListManagement()
            more = extra_columns(rounds, seen, self._photometry, rules)
            for name, column in more.items():
                if name not in table.colnames:
                    table[name] = column
        if init_params is not None and self.keep_columns:
            table = _with_columns(table, init_params, self.keep_columns)
        self.results = table
        return table

    def _run(self, seen: Observation, init_params: Any) -> Rounds | None:
        is_managed = self.management is not None
        with (
            fitted_as_one(self._photometry)
            if is_managed and self.mode == "all"
            else nullcontext(self._photometry.grouper)
        ) as grouper:
            rounds = begin(self._photometry, seen, init_params)
            if rounds is None:
                self.fit_results = [without_covariances(self._photometry)]
                return None
            further = self._managed_rounds if is_managed else self._plain_rounds
            rounds = further(rounds, seen, init_params is not None)
            if rounds is not None and self._photometry.grouper is not grouper:
                rounds.fit = rounds.fit.grouped_by(grouper)
        self.fit_results = [] if rounds is None else rounds.fits
        return rounds

    def _managed_rounds(
        self, rounds: Rounds, seen: Observation, is_given: bool
    ) -> Rounds | None:
        manager = Manager(
            self._photometry,
            seen,
            self.management or StarListManagement(),
            maxiters=self.maxiters,
            sub_shape=self.sub_shape,
        )
        managed = manager.fit_all if self.mode == "all" else manager.fit_new
        found = managed(rounds, is_given)
        if found is None:
            msg = "Sources were found, but none is significant in the fit."
            warnings.warn(msg, NoDetectionsWarning, stacklevel=2)
        return found

    def _plain_rounds(
        self, rounds: Rounds, seen: Observation, is_given: bool
    ) -> Rounds:
        del is_given
        plain = fit_all if self.mode == "all" else fit_new
        limits = {"maxiters": self.maxiters, "sub_shape": self.sub_shape}
        return plain(self._photometry, rounds, seen, **limits)

    def _table(self, rounds: Rounds) -> QTable:
        table = rounds.fit.table()
        after = table.colnames.index("group_size") + 1
        table.add_column(rounds.iter_detected, name="iter_detected", index=after)
        table.meta["psf_class"] = type(self).__name__
        table.meta.update(metadata(self._settings()))
        if self.management is not None:
            table.meta["stopped"] = rounds.stopped
        table.meta |= rounds.told
        return table


def _with_columns(
    table: QTable, init_params: Any, keep: bool | Sequence[str]
) -> QTable:
    """Add a user's columns to the rows of his ids; the others are masked."""
    own = user_columns(init_params, keep, table.colnames)
    if not own.colnames:
        return table
    names = init_params.colnames
    ids = init_params["id"] if "id" in names else np.arange(len(init_params)) + 1
    own["id"] = np.sort(np.asarray(ids))
    joined = join(table, own, keys="id", join_type="left", metadata_conflicts="silent")
    joined.meta = table.meta
    return joined
