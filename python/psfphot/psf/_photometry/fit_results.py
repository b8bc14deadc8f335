"""What can be asked of photometry after a fit."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyDeprecationWarning

from psfphot import _core
from psfphot._validate import values_of
from psfphot.psf._photometry.fitter import LevenbergMarquardt
from psfphot.psf._photometry.fitting import core_call
from psfphot.psf._photometry.flags import PSF_FLAGS, decode_psf_flags
from psfphot.psf._photometry.model_images import NO_RESULTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot._validate import Frame
    from psfphot.psf._photometry.fitting import FitSetup

__all__ = ["GroupCovariance"]


class Run(NamedTuple):
    """A fit that was done, with all that went into it."""

    setup: FitSetup
    frame: Frame
    init: QTable
    fit: dict[str, NDArray[Any]]


class GroupCovariance(NamedTuple):
    """The joint covariance of the sources of one group.

    Attributes
    ----------
    ids : list of int
        The sources.
    parameters : list of str
        The free parameters of each: of x, y, flux and those of the shape.
    covariance : ndarray
        Of shape (n, n) with n = len(ids) * len(parameters), source by source;
        pixels and the unit of the data, squared. NaN where there is none.
    """

    ids: list[int]
    parameters: list[str]
    covariance: NDArray[np.float64]

    def correlation(self) -> NDArray[np.float64]:
        """Divide the covariance by the errors."""
        error = np.sqrt(np.diag(self.covariance))
        return np.asarray(self.covariance / np.outer(error, error))


class FitResults:
    """The methods of photometry that tell of its results."""

    results: QTable | None
    _run: Run | None

    def _table(self) -> QTable:
        if self.results is None:
            raise ValueError(NO_RESULTS)
        return self.results

    @property
    def fit_info(self) -> list[dict[str, Any]]:
        """How the fit of each source ended, in the order of the table.

        Each dictionary has ``status`` (1 converged, 0 out of iterations,
        negative otherwise), ``message`` and ``n_iterations``; with an astropy
        fitter what that one tells.
        """
        if self._run is None:
            return []
        fit = self._run.fit
        if "fit_info" in fit:
            return list(fit["fit_info"])
        ends = _core.terminations()
        return [
            {"status": ends[end][0], "message": ends[end][1], "n_iterations": n}
            for end, n in zip(
                fit["termination"].tolist(), fit["iterations"].tolist(), strict=True
            )
        ]

    @property
    def fit_params(self) -> QTable | None:
        """The fitted parameters and errors; deprecated, read `results`."""
        warnings.warn(
            "The fit_params attribute was deprecated in photutils 3.0. Use the "
            "'results' attribute instead.",
            AstropyDeprecationWarning,
            stacklevel=2,
        )
        if self.results is None:
            return None
        names = [n for n in self.results.colnames if n.endswith(("_fit", "_err"))]
        return QTable(self.results["id", *(n for n in names if n != "n_pixels_fit")])

    def decode_flags(self, return_bit_values: bool = False) -> dict[int, Any]:
        """Tell which flags each source has.

        Parameters
        ----------
        return_bit_values : bool, optional
            Whether to return bits instead of names.

        Returns
        -------
        dict
            The list of each id.

        Raises
        ------
        ValueError
            If there are no results yet.
        """
        table = self._table()
        decoded = decode_psf_flags(np.asarray(table["flags"]), return_bit_values)
        return dict(zip(np.asarray(table["id"]).tolist(), decoded, strict=True))

    def results_to_init_params(
        self, *, remove_invalid: bool = True, reset_ids: bool = True
    ) -> QTable | None:
        """Make the results the starting values of another fit.

        Parameters
        ----------
        remove_invalid : bool, optional
            Whether to leave out the rows with a value that is not finite.
        reset_ids : bool, optional
            Whether to number the rows from 1 where some may have been removed.

        Returns
        -------
        `~astropy.table.QTable` or `None`
            The columns ``id``, ``x_init``, ``y_init``, ``flux_init`` and those
            of free shape parameters; `None` if there are no results yet.
        """
        return self._fitted("{}_init".format, remove_invalid, reset_ids)

    def results_to_model_params(
        self, *, remove_invalid: bool = True, reset_ids: bool = True
    ) -> QTable | None:
        """Name the results as the model's parameters, to simulate an image.

        Parameters
        ----------
        remove_invalid, reset_ids
            See `results_to_init_params`.

        Returns
        -------
        `~astropy.table.QTable` or `None`
            A table for `psfphot.datasets.make_model_image`; `None` if there
            are no results yet.
        """
        # Positions and flux have names of their own in the table of results.
        own: dict[str, str] = {}
        if self._run is not None:
            names = self._run.setup.names
            own = {"x": names.x, "y": names.y, "flux": names.flux}
        return self._fitted(lambda name: own.get(name, name), remove_invalid, reset_ids)

    def _fitted(
        self, name_of: Callable[[str], str], remove_invalid: bool, reset_ids: bool
    ) -> QTable | None:
        if self.results is None or self._run is None:
            return None
        table = QTable()
        table["id"] = self.results["id"]
        for name in ("x", "y", "flux", *self._run.setup.names.shape):
            if f"{name}_fit" in self.results.colnames:
                table[name_of(name)] = self.results[f"{name}_fit"]
        if not remove_invalid:
            return table
        columns = [values_of(table[name]) for name in table.colnames[1:]]
        table = table[np.all(np.isfinite(columns), axis=0)]
        if reset_ids:
            table["id"] = np.arange(len(table)) + 1
        return table

    def group_covariance(self, group_id: int) -> GroupCovariance:
        r"""Compute the joint covariance of a group's sources.

        Its diagonal is that of the errors squared; off it stands how the
        values of blended sources go together.

        Parameters
        ----------
        group_id : int
            The group, as in the table of results.

        Returns
        -------
        GroupCovariance
            The covariance and what its rows are.

        Raises
        ------
        ValueError
            If there are no results yet, or no such group.
        NotImplementedError
            If the fitter was not our own.
        """
        table = self._table()
        run = self._run
        if run is None or not isinstance(run.setup.fitter, LevenbergMarquardt):
            msg = "group_covariance needs a fit by LevenbergMarquardt"
            raise NotImplementedError(msg)
        members = np.flatnonzero(np.asarray(table["group_id"]) == group_id)
        if len(members) == 0:
            raise ValueError(f"group_id must be one of the results, got {group_id!r}")
        covariance = _core.joint_covariance(
            core_call(run.setup, run.frame, run.init),
            members.tolist(),
            np.ascontiguousarray(run.fit["parameters"][members]),
        )
        # Those that have no errors have no covariance either.
        no_covariance = PSF_FLAGS.get_bit_value("no_covariance")
        has_none = np.asarray(table["flags"])[members] & no_covariance > 0
        lost = np.repeat(has_none, len(covariance) // len(members))
        covariance[lost] = covariance[:, lost] = np.nan
        ids = np.asarray(table["id"])[members].tolist()
        return _in_table_order(covariance, ids, run.setup)


def _in_table_order(
    covariance: NDArray[np.float64], ids: list[int], setup: FitSetup
) -> GroupCovariance:
    """Go from the core's flux, x, y to the table's x, y, flux."""
    own = ["flux", "x", "y", *setup.names.shape]
    fixed = [parameter.fixed for parameter in setup.parameters()]
    free = [name for name, is_fixed in zip(own, fixed, strict=True) if not is_fixed]
    shown = [name for name in ("x", "y", "flux", *setup.names.shape) if name in free]
    order = [free.index(name) for name in shown]
    index = [k * len(free) + i for k in range(len(ids)) for i in order]
    return GroupCovariance(ids, shown, covariance[np.ix_(index, index)])
