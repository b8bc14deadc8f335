"""The result of a fit, and what can be asked of it."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, vstack

from psfphot import _core
from psfphot._validate import values_of
from psfphot.psf._photometry.covariance import in_table_order
from psfphot.psf._photometry.fit_info import FitInfo
from psfphot.psf._photometry.flags import decode_psf_flags
from psfphot.psf._photometry.model_images import ModelImages
from psfphot.psf._photometry.results import results_table
from psfphot.psf._photometry.starts import add_groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot._validate import Frame
    from psfphot.psf._photometry.covariance import GroupCovariance
    from psfphot.psf._photometry.fitting import FitSetup


# What a fit calls the covariances that are kept of it.
_KEPT = "covariances"

# The covariance of so many sources takes 70 MB.
_MOST_SOURCES = 1000


class FitResult:
    """The sources of one fit of an image.

    It keeps rows of its own: what is done to tables that it made does not change it.
    Nor does it change itself, so that copies may share it. It holds no pixels:
    covariances come from the normal equations that the fit has left.

    Parameters
    ----------
    setup : FitSetup
        How the fit was done. Its model is copied.
    frame : Frame
        The image.
    init : `~astropy.table.QTable`
        The starting values, which nobody else may change.
    fit : dict of array
        What came of it, see `psfphot.psf._photometry.fitting.fit_with_core`.
    """

    def __init__(
        self, setup: FitSetup, frame: Frame, init: QTable, fit: dict[str, Any]
    ) -> None:
        self._setup = setup.with_own_model()
        self._unit = frame.unit
        self._init = init
        self._fit = {name: values for name, values in fit.items() if name != _KEPT}
        # Columns that are none of the fit's own.
        self._more: dict[str, NDArray[Any]] = {}
        # None of a fitter that is not our own.
        self._covariances: _core.Covariances | None = fit.get(_KEPT)

    def followed_by(self, other: FitResult) -> FitResult:
        """Join the fit of other sources, whose ids and groups go on counting.

        The covariances of neither are kept: they belong to two images.
        """
        joined = self.without_covariances()
        later = other._init.copy()
        for label in ("id", "group_id"):
            last = np.max(self._init[label])
            if np.min(later[label]) <= last:
                later[label] += last
        joined._init = vstack([self._init, later], metadata_conflicts="silent")
        joined._fit = {
            name: [*mine, *other._fit[name]]
            if isinstance(mine, list)
            else np.concatenate([mine, other._fit[name]])
            for name, mine in self._fit.items()
        }
        return joined

    def without_covariances(self) -> FitResult:
        """Make a copy that does not hold the equations of covariances."""
        light = copy.copy(self)
        light._covariances = None
        return light

    def grouped_by(self, grouper: Any) -> FitResult:
        """Make a copy whose groups are those of a grouper."""
        grouped = copy.copy(self)
        grouped._init = self._init.copy()
        del grouped._init["group_id"]
        add_groups(grouped._init, grouper, self.fit_shape)
        return grouped

    def with_larger_errors(
        self,
        factor: NDArray[np.float64],
        *,
        more: dict[str, NDArray[Any]],
        flagged: dict[int, NDArray[np.bool_]],
    ) -> FitResult:
        """Make a copy whose errors are so many times larger.

        Parameters
        ----------
        factor : (n,) array
            Of the errors of each row. Covariances have the square of it.
        more : dict of (n,) array
            Columns that the rows have besides.
        flagged : dict of int to (n,) bool array
            The rows that have a flag besides, by its bit.
        """
        larger = copy.copy(self)
        errors = self._fit["errors"] * factor[:, None]
        flags = self.flags.copy()
        for bit, rows in flagged.items():
            flags[rows] |= bit
        larger._fit = self._fit | {"errors": errors, "flags": flags}
        larger._fit["error_factor"] = factor * self._fit.get("error_factor", 1.0)
        larger._more = more
        return larger

    def as_starts(self) -> QTable:
        """Make all rows the starting values of another fit, backgrounds included."""
        starts = self.to_init_params(remove_invalid=False, reset_ids=False)
        starts["local_bkg"] = self._init["local_bkg"]
        return starts

    def own_shape(self) -> list[str]:
        """Tell the shape parameters that each source has its own of, fitted or not."""
        has = self._init.colnames
        return [name for name in self._setup.names.shape if f"{name}_init" in has]

    @property
    def fit_shape(self) -> tuple[int, int]:
        """(ny, nx) of the box of pixels that was fitted of each source."""
        return self._setup.fit_shape

    @property
    def psf_model(self) -> Any:
        """The PSF that was fitted."""
        return self._setup.psf_model

    @property
    def n_threads(self) -> int | None:
        """How many threads the fit was to use."""
        return self._setup.n_threads

    @property
    def flags(self) -> NDArray[np.int64]:
        """The flags of each row."""
        return np.asarray(self._fit["flags"])

    def snr(self) -> NDArray[np.float64]:
        """Tell the flux of each row over its error; NaN without a positive error."""
        flux, error = self._fit["parameters"][:, 0], self._fit["errors"][:, 0]
        # A flux of 0 without an error is not significant either.
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(error > 0, flux / error, np.nan)

    def fits_flux(self) -> bool:
        """Tell whether fluxes were fitted, or fixed."""
        return not self._setup.parameters()[0].fixed

    def significance(self, up_to: float | None) -> NDArray[np.float64]:
        """Tell the flux of each row over its error if its position were known.

        That of neighbours is not known. In a close pair the flux over its error is
        small where it is certain that there are two stars.

        Parameters
        ----------
        up_to : float or None
            What is more significant is more than this, and not computed exactly; with
            `None` nothing is.

        Returns
        -------
        (n,) float array
            NaN without an error.
        """
        significance = self.snr()
        low = np.flatnonzero((significance > 0) & (significance < (up_to or 0.0)))
        if self._covariances is not None and len(low) > 0:
            factor = self._covariances.flux_inflation(
                low.tolist(), self._setup.n_threads
            )
            significance[low] *= np.sqrt(factor)
        return significance

    @property
    def ids(self) -> list[int]:
        """The id of each row."""
        ids: list[int] = np.asarray(self._init["id"]).tolist()
        return ids

    def table(self) -> QTable:
        """Make a table of the rows, in the columns of the results."""
        setup = self._setup
        table = results_table(
            self._init, self._fit, setup.names.shape, self.own_shape(), self._unit
        )
        if setup.robust is not None:
            table["n_rejected"] = self._fit["n_rejected"]
        for name, column in self._more.items():
            table.add_column(column, name=name, index=table.colnames.index("flags"))
        return table

    def images(self) -> ModelImages:
        """Make what draws the sources."""
        return ModelImages(
            core_psf=self._setup.core_psf,
            psf_model=self._setup.psf_model,
            parameters=self._fit["parameters"],
            shape_names=self._setup.names.shape if self.own_shape() else (),
            local_bkg=self._levels(),
            unit=self._unit,
            n_threads=self._setup.n_threads,
            progress_bar=self._setup.progress_bar,
        )

    def _levels(self) -> NDArray[np.float64]:
        """Tell the level under each source: what was subtracted, and fitted."""
        known = _core.known_backgrounds(
            values_of(self._init["local_bkg"]), np.asarray(self._init["group_id"])
        )
        return np.asarray(known + np.nan_to_num(self._fit["bkg"]))

    def fit_info(self) -> list[dict[str, Any]]:
        """Tell how the fit of each row ended, see `PSFPhotometry.fit_info`."""
        fit = self._fit
        if "fit_info" in fit:
            return list(fit["fit_info"])
        ends = _core.terminations()
        steps = zip(
            fit["termination"].tolist(), fit["iterations"].tolist(), strict=True
        )
        return [
            FitInfo(
                {"status": ends[end][0], "message": ends[end][1], "n_iterations": n},
                functools.partial(self._param_cov, row),
            )
            for row, (end, n) in enumerate(steps)
        ]

    def _param_cov(self, row: int) -> NDArray[np.float64]:
        """Compute the covariance of the free parameters of a row, as the model's."""
        joint = self._covariance_of(np.array([row]))
        names = self._setup.names
        of_model = {names.x: "x", names.y: "y", names.flux: "flux"}
        shown = [of_model.get(name, name) for name in self._setup.psf_model.param_names]
        order = [
            joint.parameters.index(name) for name in shown if name in joint.parameters
        ]
        return np.asarray(joint.covariance[np.ix_(order, order)])

    def decode_flags(self, return_bit_values: bool) -> dict[int, Any]:
        """Tell the flags of each id, see `PSFPhotometry.decode_flags`."""
        decoded = decode_psf_flags(
            np.asarray(self._fit["flags"]), return_bit_values=return_bit_values
        )
        return dict(zip(self.ids, decoded, strict=True))

    def to_init_params(self, *, remove_invalid: bool, reset_ids: bool) -> QTable:
        """Name the values as starting values, see `PSFPhotometry`."""
        return self._named("{}_init".format, remove_invalid, reset_ids)

    def to_model_params(self, *, remove_invalid: bool, reset_ids: bool) -> QTable:
        """Name the values as the model's parameters, see `PSFPhotometry`."""
        # Positions and flux have names of their own in the table of results.
        names = self._setup.names
        own = {"x": names.x, "y": names.y, "flux": names.flux}
        return self._named(lambda name: own.get(name, name), remove_invalid, reset_ids)

    def _named(
        self, name_of: Callable[[str], str], remove_invalid: bool, reset_ids: bool
    ) -> QTable:
        rows = self.table()
        table = QTable()
        table["id"] = rows["id"]
        for name in ("x", "y", "flux", *self.own_shape()):
            table[name_of(name)] = rows[f"{name}_fit"]
        if not remove_invalid:
            return table
        columns = [values_of(table[name]) for name in table.colnames[1:]]
        table = table[np.all(np.isfinite(columns), axis=0)]
        if reset_ids:
            table["id"] = np.arange(len(table)) + 1
        return table

    def group_covariance(self, group_id: int) -> GroupCovariance:
        """Tell the joint covariance of a group's sources.

        Raises
        ------
        ValueError
            If there is no such group, or it is too large.
        NotImplementedError
            If the fitter was not our own.
        """
        self._kept()
        members = np.flatnonzero(np.asarray(self._init["group_id"]) == group_id)
        if len(members) == 0:
            raise ValueError(f"group_id must be one of the results, got {group_id!r}")
        if len(members) > _MOST_SOURCES:
            msg = (
                f"group {group_id} has {len(members)} sources, and a covariance has "
                f"up to {_MOST_SOURCES}: ask for source_covariance of some of them"
            )
            raise ValueError(msg)
        return self._covariance_of(members)

    def source_covariance(self, ids: Any) -> GroupCovariance:
        """Tell the joint covariance of some sources of a group.

        Raises
        ------
        ValueError
            If the ids are none of the fit's, come twice, are too many or not of one
            group.
        NotImplementedError
            If the fitter was not our own.
        """
        asked = np.atleast_1d(np.asarray(ids))
        places = {own: row for row, own in enumerate(self.ids)}
        unknown = [own for own in asked.tolist() if own not in places]
        if asked.ndim != 1 or unknown or len(set(asked.tolist())) < len(asked):
            msg = f"ids must be different ids of the results, got {ids!r}"
            raise ValueError(msg)
        rows = np.array([places[own] for own in asked.tolist()], dtype=int)
        if len(rows) > _MOST_SOURCES:
            msg = f"ids must be at most {_MOST_SOURCES}, got {len(rows)}"
            raise ValueError(msg)
        groups = np.unique(np.asarray(self._init["group_id"])[rows])
        if len(groups) > 1:
            msg = f"ids must be of one group, got those of {groups.tolist()}"
            raise ValueError(msg)
        return self._covariance_of(rows)

    def _kept(self) -> _core.Covariances:
        if self._covariances is None:
            msg = "covariances need a fit of all sources together by LevenbergMarquardt"
            raise NotImplementedError(msg)
        return self._covariances

    def _covariance_of(self, rows: NDArray[np.int_]) -> GroupCovariance:
        covariance = self._kept().of(rows.tolist())
        is_free = [not parameter.fixed for parameter in self._setup.parameters()]
        errors = np.asarray(self._fit["errors"])[rows][:, is_free]
        if "error_factor" in self._fit:
            factor = np.repeat(self._fit["error_factor"][rows], errors.shape[1])
            covariance = covariance * np.outer(factor, factor)
        # Those that have no errors have no covariance either.
        lost = np.isnan(errors).any(axis=1).repeat(errors.shape[1])
        covariance[lost] = covariance[:, lost] = np.nan
        if is_free[0]:
            # The noise of local backgrounds is in the errors alone.
            fluxes = np.arange(len(rows)) * errors.shape[1]
            own = errors[:, 0] ** 2
            covariance[fluxes, fluxes] = np.where(lost[fluxes], np.nan, own)
        ids = np.asarray(self._init["id"])[rows].tolist()
        return in_table_order(covariance, ids, self._setup)
