"""The result of a fit, and what can be asked of it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, vstack

from psfphot import _core
from psfphot._validate import values_of
from psfphot.psf._photometry.covariance import Covariances, in_table_order
from psfphot.psf._photometry.fit_info import FitInfo
from psfphot.psf._photometry.fitter import LevenbergMarquardt
from psfphot.psf._photometry.flags import PSF_FLAGS, decode_psf_flags
from psfphot.psf._photometry.model_images import ModelImages
from psfphot.psf._photometry.results import results_table
from psfphot.psf._photometry.starts import add_groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot._validate import Frame
    from psfphot.psf._photometry.covariance import GroupCovariance
    from psfphot.psf._photometry.fitting import FitSetup


# Variances of a fit and those computed again agree better, unless the system is
# so nearly singular that its rounding counts.
_SAME = 0.01

# Relative errors (in x and y: pixels) of a fit that left nothing but rounding.
_ROUNDING = 1e-8


class FitResult:
    """The sources of one fit of an image.

    It keeps rows of its own: what is done to tables that it made, or to those
    that went into it, does not change it. Nor does it change itself, so that
    copies may share it. A pickle, or a copy by `copy`, is without the image.

    Parameters
    ----------
    setup : FitSetup
        How the fit was done. Its model is copied.
    frame : Frame
        The image.
    init : `~astropy.table.QTable`
        The starting values.
    fit : dict of array
        What came of it, see `psfphot.psf._photometry.fitting.fit_with_core`.
    """

    def __init__(
        self, setup: FitSetup, frame: Frame, init: QTable, fit: dict[str, Any]
    ) -> None:
        self._setup = setup.with_own_model()
        self._unit = frame.unit
        self._init = init.copy()
        self._fit = fit
        self._covariances: Covariances | None = None
        if isinstance(setup.fitter, LevenbergMarquardt):
            self._covariances = Covariances(
                self._setup, frame, self._init, fit["parameters"]
            )

    def __getstate__(self) -> dict[str, Any]:
        if self._covariances is not None:
            self._covariances.drop_image()
        return self.__dict__

    def followed_by(self, other: FitResult) -> FitResult:
        """Join the fit of other sources, whose ids and groups go on counting.

        The covariances of neither are kept: they belong to two images.
        """
        joined = self.without_image()
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

    def without_image(self) -> FitResult:
        """Make a copy that holds no pixels, and so no covariances of groups."""
        light = object.__new__(type(self))
        light.__dict__ |= self.__dict__ | {"_covariances": None}
        return light

    def grouped_by(self, grouper: Any) -> FitResult:
        """Make a copy without pixels whose groups are those that a grouper makes."""
        grouped = self.without_image()
        grouped._init = self._init.copy()
        del grouped._init["group_id"]
        add_groups(grouped._init, grouper, self.fit_shape)
        return grouped

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
    def flags(self) -> NDArray[np.int64]:
        """The flags of each row."""
        return np.asarray(self._fit["flags"])

    def snr(self) -> NDArray[np.float64]:
        """Tell the flux of each row over its error; NaN without a positive error."""
        flux, error = self._fit["parameters"][:, 0], self._fit["errors"][:, 0]
        # A flux of 0 without an error is not significant either.
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(error > 0, flux / error, np.nan)

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
        return table

    def images(self) -> ModelImages:
        """Make what draws the sources."""
        return ModelImages(
            core_psf=self._setup.core_psf,
            psf_model=self._setup.psf_model,
            parameters=self._fit["parameters"],
            shape_names=self._setup.names.shape if self.own_shape() else (),
            local_bkg=_core.known_backgrounds(
                values_of(self._init["local_bkg"]), np.asarray(self._init["group_id"])
            ),
            unit=self._unit,
            n_threads=self._setup.n_threads,
            progress_bar=self._setup.progress_bar,
        )

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
        joint = self.group_covariance(self._init["group_id"][row])
        n, k = len(joint.parameters), joint.ids.index(self.ids[row])
        names = self._setup.names
        of_model = {names.x: "x", names.y: "y", names.flux: "flux"}
        shown = [of_model.get(name, name) for name in self._setup.psf_model.param_names]
        order = [
            k * n + joint.parameters.index(name)
            for name in shown
            if name in joint.parameters
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
            If there is no such group, or the image has been changed in place.
        NotImplementedError
            If the fitter was not our own.
        """
        if self._covariances is None:
            msg = (
                "group_covariance needs a fit by LevenbergMarquardt, and of "
                "IterativePSFPhotometry a fit of its own"
            )
            raise NotImplementedError(msg)
        members = np.flatnonzero(np.asarray(self._init["group_id"]) == group_id)
        if len(members) == 0:
            raise ValueError(f"group_id must be one of the results, got {group_id!r}")
        covariance = self._covariances.of(group_id, members)
        # Those that have no errors have no covariance either.
        no_covariance = PSF_FLAGS.get_bit_value("no_covariance")
        has_none = np.asarray(self._fit["flags"])[members] & no_covariance > 0
        n_free = len(covariance) // len(members)
        lost = np.repeat(has_none, n_free)
        covariance[lost] = covariance[:, lost] = np.nan
        self._check_unchanged(covariance, members)
        ids = np.asarray(self._init["id"])[members].tolist()
        return in_table_order(covariance, ids, self._setup)

    def _check_unchanged(
        self, covariance: NDArray[np.float64], members: NDArray[np.int_]
    ) -> None:
        """Compare with the errors of the fit, and give the covariance those of fluxes.

        The covariance is computed of the arrays that the user gave, which were not
        copied. The noise of the local backgrounds is in the errors alone.

        Raises
        ------
        ValueError
            If the covariance is another than that of the fit.
        """
        is_free = [not parameter.fixed for parameter in self._setup.parameters()]
        fitted = np.asarray(self._fit["errors"])[members][:, is_free] ** 2
        found = np.diag(covariance).reshape(fitted.shape)
        scale = np.abs(self._fit["parameters"][members])
        scale[:, 1:3] = 1.0
        rounding = (_ROUNDING * scale[:, is_free]) ** 2
        is_same = np.abs(found - fitted) <= _SAME * fitted + rounding
        is_same |= np.isnan(found) & np.isnan(fitted)
        if is_free[0]:
            is_same[:, 0] |= found[:, 0] < fitted[:, 0]
        if not is_same.all():
            msg = (
                "the covariance is no longer that of the fit: its data, error or mask "
                "have been changed in place; ask for it before they are, or fit copies"
            )
            raise ValueError(msg)
        if is_free[0]:
            fluxes = np.arange(len(members)) * fitted.shape[1]
            covariance[fluxes, fluxes] = fitted[:, 0]
