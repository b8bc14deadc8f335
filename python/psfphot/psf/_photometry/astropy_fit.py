"""Fits by one of astropy's fitters: slow, in Python, for scripts that use one.

Sources and groups are the same as for the compiled fit, each pixel counting
once, and so are the quality measures and flags.
"""

from __future__ import annotations

import functools
import operator
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from psfphot import _core
from psfphot._progress import progress_callback
from psfphot.psf._photometry.fitter import LevenbergMarquardt, takes_maxiter
from psfphot.psf._photometry.fitting import core_call, fit_box

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot._validate import Frame
    from psfphot.psf._photometry.fitting import FitSetup

# What a fitter says of a fit that ended well (MINPACK's and scipy's numbers).
_CONVERGED = (1, 2, 3, 4)

# What is worth keeping of a fitter's report, as photutils does.
_INFO = ("param_cov", "ierr", "message", "status", "exit_mode")


class _Pixels(NamedTuple):
    """The usable pixels of a group."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    values: NDArray[np.float64]
    weights: NDArray[np.float64] | None


def fit_with_astropy(
    setup: FitSetup,
    frame: Frame,
    init: QTable,
    bkg_variance: NDArray[np.float64] | None,
) -> dict[str, NDArray[Any]]:
    """Fit the sources with the astropy fitter of the setup.

    Parameters
    ----------
    setup, frame, init, bkg_variance
        See `psfphot.psf._photometry.fitting.fit_with_core`.

    Returns
    -------
    dict
        As from there, and ``fit_info``, the fitter's report for each source.
    """
    n = len(init)
    # The core's own settings of a fit say nothing here.
    own_setup = replace(setup, fitter=LevenbergMarquardt())
    call = core_call(own_setup, frame, init, bkg_variance)
    starts = dict(call["starts"])
    starts["local_bkg"] = _core.known_backgrounds(
        starts["local_bkg"], starts["group_id"]
    )
    fitted = np.column_stack(
        [starts["flux"], starts["x"], starts["y"], starts["shape"]]
    )
    errors = np.full(fitted.shape, np.nan)
    has_converged = [False] * n
    info: list[dict[str, Any]] = [{} for _ in range(n)]

    def judged() -> dict[str, Any]:
        return _core.judge_sources(
            call,
            fitted,
            errors,
            has_converged,
        )

    # Those that cannot be fitted have no parameters, whatever they started from.
    valid = np.isfinite(judged()["parameters"][:, 0])
    done = 0
    with progress_callback(n, "Fit source", enabled=setup.progress_bar) as progress:
        for members in _groups(starts["group_id"], valid):
            pixels = _gather(setup, frame, starts, members)
            report, values = _fit_group(setup, pixels, fitted[members])
            fitted[members] = values
            blocks = _own_covariances(setup, report.get("param_cov"), len(members))
            errors[members] = _errors(setup, blocks, len(members))
            for i, k in enumerate(members):
                info[k] = {key: report[key] for key in _INFO if key in report}
                if "param_cov" in info[k] and blocks is not None:
                    info[k]["param_cov"] = blocks[i]
                has_converged[k] = _has_converged(report)
            done += len(members)
            if progress is not None:
                progress(done)
    return judged() | {"fit_info": info}


def _groups(
    group_id: NDArray[np.int64], valid: NDArray[np.bool_]
) -> list[NDArray[np.int_]]:
    labels = np.unique(group_id[valid])
    return [np.flatnonzero(valid & (group_id == label)) for label in labels]


def _fit_group(
    setup: FitSetup, pixels: _Pixels, start: NDArray[np.float64]
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Fit one group; return the fitter's report and the parameters, row by row."""
    model = _group_model(setup, start)
    options = {"maxiter": setup.max_iterations} if takes_maxiter(setup.fitter) else {}
    with warnings.catch_warnings():
        # The flags tell of it.
        warnings.simplefilter("ignore", AstropyUserWarning)
        result = setup.fitter(
            model, pixels.x, pixels.y, pixels.values, weights=pixels.weights, **options
        )
    own = setup.psf_model.param_names
    order = [own.index(name) for name in setup.names.in_core_order()]
    values = result.parameters.reshape(len(start), len(own))[:, order]
    return dict(getattr(setup.fitter, "fit_info", None) or {}), values


def _has_converged(report: dict[str, Any]) -> bool:
    """Tell what a fitter says of its end; who says nothing is believed."""
    if "exit_mode" in report:  # of SLSQP and Simplex
        return bool(report["exit_mode"] == 0)
    status = report.get("ierr", report.get("status"))
    return status is None or status in _CONVERGED


def _free_names(model: Any) -> list[str]:
    return [name for name in model.param_names if not getattr(model, name).fixed]


def _own_covariances(
    setup: FitSetup, covariance: Any, n_members: int
) -> NDArray[np.float64] | None:
    """Take the covariance of each member out of the group's, if there is one."""
    n = len(_free_names(setup.psf_model))
    if covariance is None or np.shape(covariance) != (n * n_members,) * 2:
        return None
    blocks = np.reshape(covariance, (n_members, n, n_members, n))
    own = np.arange(n_members)
    return np.asarray(blocks[own, :, own], dtype=np.float64)


def _errors(
    setup: FitSetup, covariances: NDArray[np.float64] | None, n_members: int
) -> NDArray[np.float64]:
    """Take the errors, in the core's order, from the covariances of what is free."""
    names = setup.names.in_core_order()
    errors = np.full((n_members, len(names)), np.nan)
    free = _free_names(setup.psf_model)
    if covariances is None:
        return errors
    with np.errstate(invalid="ignore"):
        found = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    for k, name in enumerate(names):
        if name in free:
            errors[:, k] = found[:, free.index(name)]
    return errors


def _group_model(setup: FitSetup, start: NDArray[np.float64]) -> Any:
    """Make the sum of the models of a group, each with its start and bounds."""
    models = []
    for values in start:
        model = setup.psf_model.copy()
        for name, value in zip(setup.names.in_core_order(), values, strict=True):
            getattr(model, name).value = value
        for name, reach in zip(setup.names[:2], setup.xy_bounds, strict=True):
            if reach is not None:
                parameter = getattr(model, name)
                parameter.bounds = (parameter.value - reach, parameter.value + reach)
        for parameter in (getattr(model, name) for name in model.param_names):
            if not parameter.fixed:
                low, high = parameter.bounds
                parameter.value = np.clip(parameter.value, low, high)
        models.append(model)
    return functools.reduce(operator.add, models)


def _gather(
    setup: FitSetup, frame: Frame, starts: dict[str, Any], members: NDArray[np.int_]
) -> _Pixels:
    """Take the pixels of all boxes, each once, minus the mean background there."""
    boxes = [
        fit_box(starts["x"][k], starts["y"][k], setup.fit_shape, frame.data.shape)
        for k in members
    ]
    y0, x0 = (min(box[axis].start for box in boxes) for axis in (0, 1))
    y1, x1 = (max(box[axis].stop for box in boxes) for axis in (0, 1))
    count, background = np.zeros((2, y1 - y0, x1 - x0))
    for (rows, columns), k in zip(boxes, members, strict=True):
        own = np.s_[
            rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0
        ]
        count[own] += 1
        background[own] += starts["local_bkg"][k]
    whole = np.s_[y0:y1, x0:x1]
    usable = count > 0
    data, error, mask = frame.arrays
    if mask is not None:
        usable &= ~mask[whole]
    values = np.asarray(data[whole], dtype=np.float64)
    usable &= np.isfinite(values)
    weights = None
    if error is not None:
        one_sigma = np.asarray(error[whole], dtype=np.float64)
        usable &= np.isfinite(one_sigma) & (one_sigma > 0)
        weights = 1 / one_sigma[usable]
    y, x = np.nonzero(usable)
    values = values[usable] - background[usable] / count[usable]
    return _Pixels((x + x0).astype(float), (y + y0).astype(float), values, weights)
