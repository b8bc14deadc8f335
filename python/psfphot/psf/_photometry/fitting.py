"""The fit of all sources of an image by the compiled core."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning

from psfphot import _core
from psfphot._progress import progress_callback
from psfphot._validate import Frame, as_frame, unpack_nddata, values_of
from psfphot.psf._models.convert import parameter_value, to_core
from psfphot.psf._photometry.data_errors import OF_DATA, is_root_of_data
from psfphot.psf._photometry.fitter import LevenbergMarquardt
from psfphot.psf._photometry.flags import PSF_FLAGS
from psfphot.utils import DataErrorWarning, NoiseModel

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.psf._models.base import ParameterNames
    from psfphot.psf._photometry.arguments import CovarianceKind

_NON_FINITE = (
    "Input data contains unmasked non-finite values (NaN or inf), which were "
    "automatically ignored."
)
NO_CONVERGENCE = (
    "One or more fit(s) may not have converged. Please check the "
    '"flags" column in the output table.'
)


@dataclass(kw_only=True)
class FitSetup:
    """What a fit is to do, besides the image and the starting values."""

    psf_model: Any
    # Of the model when the setup was made; of a pickled one made when needed.
    compiled: _core.Psf | None
    names: ParameterNames
    fit_shape: tuple[int, int]
    fitter: Any
    max_iterations: int
    # Half-widths in x and y.
    xy_bounds: tuple[float | None, float | None]
    # Of robust weights: where a pixel has half of its own, sigma.
    robust: float | None
    covariance: CovarianceKind | None
    fit_background: bool
    n_threads: int | None
    progress_bar: bool

    @property
    def core_psf(self) -> _core.Psf:
        """The compiled PSF."""
        if self.compiled is None:
            self.compiled = to_core(self.psf_model)
        return self.compiled

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"compiled": None}

    def with_own_model(self) -> FitSetup:
        """Copy the setup and its model, which the user may change later."""
        return replace(self, psf_model=self.psf_model.copy())

    def parameters(self) -> list[Any]:
        """Return the model's parameters in the core's order."""
        return [getattr(self.psf_model, name) for name in self.names.in_core_order()]

    def shape_of_model(self) -> dict[str, bool]:
        """Tell the shape parameters that a source can have, and which are fitted."""
        model = self.psf_model
        return {name: not getattr(model, name).fixed for name in self.names.shape}

    def free_shape(self) -> list[str]:
        """Return the names of the shape parameters that are fitted."""
        return [name for name, is_free in self.shape_of_model().items() if is_free]


def check_constraints(setup: FitSetup) -> None:
    """Refuse what cannot be fitted.

    Raises
    ------
    ValueError
        If no parameter is free, or another's fitter is to be robust.
    NotImplementedError
        If a free parameter is tied to others.
    """
    parameters = setup.parameters()
    if all(parameter.fixed for parameter in parameters):
        msg = (
            "psf_model has no free parameters to fit. At least one model "
            "parameter must not be fixed."
        )
        raise ValueError(msg)
    if setup.robust is not None and not isinstance(setup.fitter, LevenbergMarquardt):
        raise ValueError("robust needs the fitter LevenbergMarquardt")
    for parameter in parameters:
        if parameter.tied and not parameter.fixed:
            msg = (
                f"tied psf_model parameters are not supported: {parameter.name} is tied"
            )
            raise NotImplementedError(msg)


def check_errors(setup: FitSetup, *, has_error: bool) -> None:
    """Refuse covariances that need an error image, or have no use for the one given.

    Raises
    ------
    ValueError
        If the covariance or the constant cannot be had.
    """
    if not isinstance(setup.fitter, LevenbergMarquardt):
        own = "formal" if has_error else "unit"
        if setup.covariance not in (None, own):
            msg = (
                f"covariance must be None for astropy's fitters, which give their own, "
                f"got {setup.covariance!r}"
            )
            raise ValueError(msg)
        if setup.fit_background:
            raise ValueError("fit_background needs a fit by LevenbergMarquardt")
    if setup.covariance == "formal" and not has_error:
        msg = "covariance='formal' needs an error image; without there is 'sandwich'"
        raise ValueError(msg)
    if setup.covariance == "unit" and has_error:
        msg = (
            "covariance='unit' takes all pixels as equally noisy, and error says what "
            "they are: leave out one of them"
        )
        raise ValueError(msg)


def starting_values(
    setup: FitSetup, init: QTable, bkg_variance: NDArray[np.float64] | None = None
) -> dict[str, Any]:
    """Make the table of starting values into what the core takes."""
    names = setup.names
    shape = np.empty((len(init), len(names.shape)))
    for k, name in enumerate(names.shape):
        is_given = f"{name}_init" in init.colnames
        model_value = parameter_value(setup.psf_model, name)
        shape[:, k] = init[f"{name}_init"] if is_given else model_value
    return {
        "x": np.ascontiguousarray(init["x_init"], dtype=float),
        "y": np.ascontiguousarray(init["y_init"], dtype=float),
        "flux": values_of(init["flux_init"]),
        "local_bkg": values_of(init["local_bkg"]),
        "bkg_variance": bkg_variance,
        "group_id": np.ascontiguousarray(init["group_id"]),
        "shape": shape,
    }


def core_settings(setup: FitSetup) -> dict[str, Any]:
    """Make the setup into what the core takes."""
    parameters = setup.parameters()
    most = setup.fitter.max_iterations
    return {
        "fit_shape": setup.fit_shape,
        "is_fixed": [bool(parameter.fixed) for parameter in parameters],
        "bounds": [_bounds(parameter) for parameter in parameters],
        "xy_bounds": setup.xy_bounds,
        "max_iterations": setup.max_iterations if most is None else most,
        "step_tolerance": setup.fitter.step_tolerance,
        "robust": setup.robust,
        "covariance": setup.covariance,
        "fit_background": setup.fit_background,
    }


def core_call(
    setup: FitSetup,
    frame: Frame,
    init: QTable,
    bkg_variance: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """Make a fit, its image and its starting values into what the core takes."""
    data, error, mask = frame.arrays
    return {
        "data": data,
        "error": error,
        "noise": frame.noise,
        "mask": mask,
        "psf": setup.core_psf,
        "starts": starting_values(setup, init, bkg_variance),
        "settings": core_settings(setup),
    }


def _bounds(parameter: Any) -> tuple[float, float]:
    low, high = (getattr(v, "value", v) for v in parameter.bounds)
    if parameter.unit is not None and parameter.unit.is_equivalent("deg"):
        # The core's angles are degrees.
        to_degrees = parameter.unit.to("deg")
        low, high = (v if v is None else v * to_degrees for v in (low, high))
    low = -math.inf if low is None else float(low)
    high = math.inf if high is None else float(high)
    if not low <= high:
        msg = (
            f"bounds of psf_model parameters must be (lower, upper): {parameter.name} "
            f"has the bounds {parameter.bounds}"
        )
        raise ValueError(msg)
    return low, high


def apart(data: Any, mask: Any, error: Any) -> tuple[Any, Any, Any]:
    """Take NDData apart into values, mask and error; leave other data alone.

    Raises
    ------
    ValueError
        If a mask or an error is given beside NDData.
    """
    if not isinstance(data, NDData):
        return data, mask, error
    if mask is not None or error is not None:
        msg = (
            "The mask and error keywords must be None when data is an NDData "
            "instance. Define the mask and uncertainty in the NDData object "
            "instead."
        )
        raise ValueError(msg)
    return unpack_nddata(data)


def frame_of(data: Any, mask: Any, error: Any, *, n_threads: int | None = 1) -> Frame:
    """Make the arguments of photometry an image on which all that is bad is masked.

    The caller of the calling function is warned of pixels that are not finite, and of
    errors that are the square roots of the data.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used; the message names it.
    """
    data, mask, error = apart(data, mask, error)
    if isinstance(error, NoiseModel):
        frame = as_frame(data, None, mask)
        noise = error.levels(frame.data.shape, frame.unit)
        frame = frame._replace(noise=noise)
    else:
        frame = as_frame(data, error, mask)
    if is_root_of_data(frame):
        warnings.warn(OF_DATA, DataErrorWarning, stacklevel=3)
    if _core.is_finite(frame.data, frame.mask, n_threads=n_threads):
        return frame
    warnings.warn(_NON_FINITE, AstropyUserWarning, stacklevel=3)
    bad = ~np.isfinite(frame.data)
    return frame._replace(mask=bad if frame.mask is None else bad | frame.mask)


def fit_box(
    x: float, y: float, fit_shape: tuple[int, int], image_shape: tuple[int, ...]
) -> tuple[slice, slice]:
    """Return the rows and columns of a source's fit box that are on the image.

    They are those of the core, and of astropy's
    `~astropy.nddata.overlap_slices`; empty where there is no overlap.
    """
    rows, columns = (
        _pixels(float(centre), size, n)
        for centre, size, n in zip((y, x), fit_shape, image_shape, strict=True)
    )
    return rows, columns


def _pixels(centre: float, size: int, n: int) -> slice:
    first = math.ceil(centre - size / 2)
    start = min(max(first, 0), n)
    return slice(start, max(min(first + size, n), start))


def fit_with_core(
    setup: FitSetup,
    frame: Frame,
    init: QTable,
    bkg_variance: NDArray[np.float64] | None,
) -> dict[str, Any]:
    """Fit the sources with our own fitter.

    Parameters
    ----------
    setup : FitSetup
        What to do.
    frame : Frame
        The image.
    init : `~astropy.table.QTable`
        The starting values, complete.
    bkg_variance : (n,) array or None
        The variances of the local backgrounds, where they were measured.

    Returns
    -------
    dict of ndarray
        One element (of ``parameters`` and ``errors``: one row) per source, and the
        ``covariances`` of all.
    """
    with progress_callback(
        len(init), "Fit source", enabled=setup.progress_bar
    ) as progress:
        return _core.fit_sources(
            core_call(setup, frame, init, bkg_variance),
            n_threads=setup.n_threads,
            progress=progress,
        )


def warn_of_fits(
    fit: dict[str, NDArray[Any]], no_convergence: str = NO_CONVERGENCE
) -> None:
    """Warn the caller of the calling function of what the fits met with."""
    flags = fit["flags"]
    # A source that could not be fitted has no convergence to speak of.
    if np.any(flags & PSF_FLAGS.NO_CONVERGENCE):
        warnings.warn(no_convergence, AstropyUserWarning, stacklevel=3)
    n_bad = int(fit["n_bad_errors"].sum())
    if n_bad:
        msg = (
            f"{n_bad} pixel(s) within the fit boxes have an error that is not "
            "positive and finite; they were left out of the fits (counted once "
            "for each box; see n_pixels_fit and flag 1)."
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)
