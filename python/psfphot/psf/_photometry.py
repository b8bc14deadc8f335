"""PSF photometry of an image."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import NDData
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.utils.masked import Masked

from psfphot import _core
from psfphot._progress import progress_callback
from psfphot._validate import (
    Frame,
    as_frame,
    as_image,
    as_n_threads,
    nddata_values,
    split_mask,
    unpack_nddata,
    values_of,
)
from psfphot.psf._arguments import (
    as_callable,
    as_fit_shape,
    as_positive_int,
    as_radius,
    refuse,
)
from psfphot.psf._convert import (
    as_psf_model,
    keeps_bounds,
    parameter_names,
    parameter_value,
    to_core,
)
from psfphot.psf._init_params import from_finder, from_user
from psfphot.psf._rendering import render_model_image, rendering_box
from psfphot.psf._results import metadata, results_table
from psfphot.psf._starts import add_background, add_flux, add_groups

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy import units as u
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.background import LocalBackground

_NON_FINITE = (
    "Input data contains unmasked non-finite values (NaN or inf), which were "
    "automatically ignored."
)
_NO_CONVERGENCE = (
    "One or more fit(s) may not have converged. Please check the "
    '"flags" column in the output table.'
)
_NO_RESULTS = "No results available. Please run the PSFPhotometry instance first."
_FLAGS = {name: bit for bit, name, _ in _core.flag_definitions()}
# A lower bound below this only says "positive".
_TINY = 1e-30


class PSFPhotometry:
    r"""Measure positions and fluxes of sources by fitting a PSF model.

    The interface is that of `photutils.psf.PSFPhotometry`; the fit itself runs
    in Rust, in parallel, and differs from it where photutils errs: in a group
    every pixel counts once, and a pixel with an unusable error is left out
    instead of ending the run.

    Parameters
    ----------
    psf_model : `~astropy.modeling.Fittable2DModel`
        The PSF. Fixed parameters (``psf_model.x_0.fixed = True``) stay at
        their starting values. astropy's Gaussian2D and Moffat2D are taken as
        the `GaussianPSF` and `MoffatPSF` of the same shape, which is then the
        attribute ``psf_model``; their shape is free unless it is fixed.
    fit_shape : int or (ny, nx)
        Shape of the box of pixels around each starting position that is
        fitted, odd.
    finder : callable, optional
        Called as ``finder(data, mask=mask)``; returns a table with columns of
        positions, or `None`. Its fluxes are not used.
    grouper : callable, optional
        Called as ``grouper(x, y)``; returns group labels. Sources of a group
        are fitted jointly.
    fitter : `None`
        Other fitters than our own are not supported yet.
    fitter_maxiters : int, optional
        Most evaluations of the model in a fit; `None` means 100.
    xy_bounds : `None`
        Bounds are not supported yet.
    aperture_radius : float, optional
        Radius (pixels) of the aperture that gives the starting flux; needed
        if no starting flux is given.
    local_bkg_estimator : `~psfphot.background.LocalBackground`, optional
        Measures the background around each source; none is subtracted
        without.
    group_warning_threshold : int, optional
        Accepted for photutils' sake. Nothing is warned about.
    n_threads : int, optional
        Number of threads; `None` means all processors that this process may
        use. The results do not depend on it.
    progress_bar : bool, optional
        Whether to show a progress bar over the sources.

    Attributes
    ----------
    results : `~astropy.table.QTable` or `None`
        What the last call returned.
    finder_results : `~astropy.table.Table` or `None`
        What the finder returned in the last call.
    init_params : `~astropy.table.QTable` or `None`
        The starting values of the last call.
    data_unit : unit or `None`
        The unit of the data of the last call.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used; the message names it.
    NotImplementedError
        If an argument of photutils' is not supported yet.

    Notes
    -----
    The fit is that of weighted least squares (weights 1/error\ :sup:`2`) by
    Levenberg-Marquardt with analytic derivatives. Errors come from the joint
    covariance of a group. Without ``error`` all weights are 1 and the
    covariance is scaled by chi\ :sup:`2` per degree of freedom.
    """

    def __init__(
        self,
        psf_model: Any,
        fit_shape: Any,
        *,
        finder: Any = None,
        grouper: Any = None,
        fitter: Any = None,
        fitter_maxiters: int | None = 100,
        xy_bounds: Any = None,
        aperture_radius: float | None = None,
        local_bkg_estimator: LocalBackground | None = None,
        group_warning_threshold: int = 25,
        n_threads: int | None = None,
        progress_bar: bool = False,
    ) -> None:
        psf_model = as_psf_model(psf_model)
        self._core_psf = to_core(psf_model)
        self._names = parameter_names(psf_model)
        self.psf_model = psf_model
        self.fit_shape = as_fit_shape(fit_shape)
        self.finder = as_callable(finder, "finder")
        self.grouper = as_callable(grouper, "grouper")
        self.fitter = refuse(fitter, None, "fitter", "the fit is always our own")
        if fitter_maxiters is None:
            fitter_maxiters = 100
        self.fitter_maxiters = as_positive_int(fitter_maxiters, "fitter_maxiters")
        self.xy_bounds = refuse(
            xy_bounds, None, "xy_bounds", "positions have no bounds"
        )
        _refuse_constraints(psf_model, self._all_names())
        self.aperture_radius = as_radius(aperture_radius)
        if local_bkg_estimator is not None and not callable(local_bkg_estimator):
            msg = (
                "local_bkg_estimator must be a LocalBackground instance, "
                f"got {type(local_bkg_estimator).__name__}"
            )
            raise ValueError(msg)
        self.local_bkg_estimator = local_bkg_estimator
        self.group_warning_threshold = as_positive_int(
            group_warning_threshold, "group_warning_threshold"
        )
        self.n_threads = as_n_threads(n_threads)
        self.progress_bar = progress_bar
        self._reset()

    def _reset(self) -> None:
        self.results: QTable | None = None
        self.finder_results: Any = None
        self.init_params: QTable | None = None
        self.data_unit: u.UnitBase | None = None
        self._fitted_shapes: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        """Show the class with its arguments."""
        body = ", ".join(f"{k}={v!r}" for k, v in self._settings().items())
        return f"{type(self).__name__}({body})"

    def _settings(self) -> dict[str, Any]:
        names = (
            "psf_model fit_shape finder grouper fitter fitter_maxiters xy_bounds "
            "aperture_radius local_bkg_estimator group_warning_threshold n_threads "
            "progress_bar"
        )
        return {name: getattr(self, name) for name in names.split()}

    def __call__(
        self,
        data: Any,
        *,
        mask: Any = None,
        error: Any = None,
        init_params: Any = None,
    ) -> QTable | None:
        """Fit the sources of an image.

        Parameters
        ----------
        data : (ny, nx) array_like or `~astropy.nddata.NDData`
            The image, with or without a unit, background-subtracted unless there is a
            ``local_bkg_estimator``. NDData brings its own unit, mask and
            uncertainty.
        mask : (ny, nx) bool array, optional
            `True` where a pixel is to be ignored. Pixels that are not finite
            always are.
        error : (ny, nx) array_like, optional
            1-sigma errors, in the unit of the data. Pixels whose error is not
            positive and finite are left out.
        init_params : `~astropy.table.Table`, optional
            Starting values: columns of positions (``x_init``, ``x``,
            ``x_fit``, ``xcentroid``, ... and y alike), and optionally
            of fluxes (``flux_init``, ``flux``, ...), ``local_bkg``,
            ``group_id`` and ``id``.

        Returns
        -------
        `~astropy.table.QTable` or `None`
            One row per source, sorted by id; `None` if the finder finds none.

        Raises
        ------
        TypeError, ValueError
            If an argument cannot be used; the message names it.
        """
        self._reset()
        # The model may have been changed since the last call.
        self._core_psf = to_core(self.psf_model)
        _refuse_constraints(self.psf_model, self._all_names())
        if all(getattr(self.psf_model, name).fixed for name in self._all_names()):
            msg = (
                "psf_model has no free parameters to fit. At least one model "
                "parameter must not be fixed."
            )
            raise ValueError(msg)
        frame = self._frame(data, mask, error)
        self.data_unit = frame.unit
        init = self._starting_values(frame, init_params)
        if init is None:
            return None
        self.init_params = init
        fit = self._fit(frame, init)
        self._warn(fit)
        free_shape = self._free_shape()
        if self._names.shape:
            self._fitted_shapes = np.ascontiguousarray(fit["parameters"][:, 3:])
        table = results_table(init, fit, self._names.shape, free_shape, frame.unit)
        table.meta.update(metadata(self._settings()))
        table.meta["psf_class"] = type(self.psf_model).__name__
        self.results = table
        return table

    def _all_names(self) -> tuple[str, ...]:
        """Names of the model's parameters in the core's order."""
        names = self._names
        return (names.flux, names.x, names.y, *names.shape)

    def _free_shape(self) -> list[str]:
        shape = self._names.shape
        return [name for name in shape if not getattr(self.psf_model, name).fixed]

    def _frame(self, data: Any, mask: Any, error: Any) -> Frame:
        if isinstance(data, NDData):
            if mask is not None or error is not None:
                msg = (
                    "The mask and error keywords must be None when data is an NDData "
                    "instance. Define the mask and uncertainty in the NDData object "
                    "instead."
                )
                raise ValueError(msg)
            data, mask, error = unpack_nddata(data)
        frame = as_frame(data, error, mask)
        bad = ~np.isfinite(frame.data)
        if frame.mask is not None:
            bad &= ~frame.mask
        if not bad.any():
            return frame
        warnings.warn(_NON_FINITE, AstropyUserWarning, stacklevel=3)
        return frame._replace(mask=bad if frame.mask is None else bad | frame.mask)

    def _starting_values(self, frame: Frame, init_params: Any) -> QTable | None:
        if init_params is not None:
            init = from_user(init_params, frame.unit, self._free_shape())
        elif self.finder is None:
            raise ValueError("finder must be defined if init_params is not input")
        else:
            image = frame.data if frame.unit is None else frame.data << frame.unit
            self.finder_results = self.finder(image, mask=frame.mask)
            found = self.finder_results
            if found is None or (isinstance(found, Table) and len(found) == 0):
                return None
            init = from_finder(found)
        add_background(init, frame, self.local_bkg_estimator)
        add_flux(init, frame, self.aperture_radius, self.n_threads)
        for name in self._free_shape():
            if f"{name}_init" not in init.colnames:
                value = parameter_value(self.psf_model, name)
                init[f"{name}_init"] = np.full(len(init), value)
        add_groups(init, self.grouper)
        return init

    def _fit(self, frame: Frame, init: QTable) -> dict[str, NDArray[Any]]:
        n = len(init)
        shape = np.empty((n, len(self._names.shape)))
        for k, name in enumerate(self._names.shape):
            is_free = f"{name}_init" in init.colnames
            shape[:, k] = (
                init[f"{name}_init"]
                if is_free
                else parameter_value(self.psf_model, name)
            )
        starts = {
            "x": np.ascontiguousarray(init["x_init"], dtype=float),
            "y": np.ascontiguousarray(init["y_init"], dtype=float),
            "flux": values_of(init["flux_init"]),
            "local_bkg": values_of(init["local_bkg"]),
            "group_id": np.ascontiguousarray(init["group_id"]),
            "shape": shape,
        }
        settings = {
            "fit_shape": self.fit_shape,
            "is_fixed": [
                bool(getattr(self.psf_model, name).fixed) for name in self._all_names()
            ],
            "max_iterations": self.fitter_maxiters,
        }
        with progress_callback(n, "Fit source", enabled=self.progress_bar) as progress:
            return _core.fit_sources(
                *frame.arrays,
                self._core_psf,
                starts,
                settings,
                n_threads=self.n_threads,
                progress=progress,
            )

    def _warn(self, fit: dict[str, NDArray[Any]]) -> None:
        flags = fit["flags"]
        # A source that could not be fitted has no convergence to speak of.
        if np.any(flags & _FLAGS["no_convergence"]):
            warnings.warn(_NO_CONVERGENCE, AstropyUserWarning, stacklevel=3)
        n_bad = int(fit["n_bad_errors"].sum())
        if n_bad:
            msg = (
                f"{n_bad} pixel(s) within the fit boxes have an error that is not "
                "positive and finite; they were left out of the fits (counted once "
                "for each box; see n_pixels_fit and flag 1)."
            )
            warnings.warn(msg, AstropyUserWarning, stacklevel=3)

    def make_model_image(
        self, shape: Any, *, psf_shape: Any = None, include_local_bkg: bool = False
    ) -> Any:
        """Render the fitted sources.

        Parameters
        ----------
        shape : (ny, nx)
            The image's shape.
        psf_shape : int or (ny, nx), optional
            The box in which each source is rendered; the model's bounding box
            by default.
        include_local_bkg : bool, optional
            Whether to add each source's local background over its box (where
            boxes overlap, backgrounds add up).

        Returns
        -------
        (ny, nx) array or `~astropy.units.Quantity`
            The image, in the unit of the data. Sources that could not be
            fitted are not in it.

        Raises
        ------
        ValueError
            If there are no results yet, or the model has no bounding box and
            ``psf_shape`` is not given.
        """
        if self.results is None or self.init_params is None:
            raise ValueError(_NO_RESULTS)
        table = self.results
        background = None
        if include_local_bkg:
            # What was not subtracted for not being finite is not added either.
            level = values_of(table["local_bkg"])
            background = np.where(np.isfinite(level), level, 0.0)
        image = render_model_image(
            shape,
            self._core_psf,
            np.ascontiguousarray(table["x_fit"]),
            np.ascontiguousarray(table["y_fit"]),
            values_of(table["flux_fit"]),
            box_shape=rendering_box(self.psf_model, psf_shape),
            local_bkg=background,
            psf_shapes=self._fitted_shapes,
            progress_bar=self.progress_bar,
            n_threads=self.n_threads,
        )
        return image if self.data_unit is None else image << self.data_unit

    def make_residual_image(
        self, data: Any, *, psf_shape: Any = None, include_local_bkg: bool = False
    ) -> Any:
        """Subtract the fitted sources from an image.

        Parameters
        ----------
        data : (ny, nx) array_like or `~astropy.nddata.NDData`
            The image.
        psf_shape, include_local_bkg
            See `make_model_image`.

        Returns
        -------
        The same kind as ``data``; that of masked data is
        `~astropy.utils.masked.Masked`.

        Raises
        ------
        ValueError
            See `make_model_image`; or if units do not go together.
        """
        if isinstance(data, NDData):
            residual = self.make_residual_image(
                nddata_values(data),
                psf_shape=psf_shape,
                include_local_bkg=include_local_bkg,
            )
            return data.__class__(
                values_of(residual),
                unit=data.unit,
                mask=data.mask,
                wcs=data.wcs,
                meta=data.meta,
                uncertainty=data.uncertainty,
            )
        data, mask = split_mask(data)
        values = as_image(data)
        unit = getattr(data, "unit", None)
        if (unit is None) != (self.data_unit is None) and self.results is not None:
            msg = (
                f"data must have the unit of the fitted data ({self.data_unit}), "
                f"got {unit}"
            )
            raise ValueError(msg)
        model = self.make_model_image(
            values.shape, psf_shape=psf_shape, include_local_bkg=include_local_bkg
        )
        residual = (values if unit is None else values << unit) - model
        return residual if mask is None else Masked(residual, mask=mask)


def _refuse_constraints(model: Any, names: Iterable[str]) -> None:
    """Refuse bounds and ties of free parameters: the fit does not know them yet.

    Those that only say what the fit keeps anyway are no matter.
    """
    for name in names:
        parameter = getattr(model, name)
        if parameter.fixed:
            continue
        low, high = parameter.bounds
        is_default = high is None and (low is None or 0 < low < _TINY)
        if not (is_default or keeps_bounds(model, name)):
            msg = (
                f"bounds of psf_model parameters are not supported yet: {name} has "
                f"the bounds {parameter.bounds}"
            )
            raise NotImplementedError(msg)
        if parameter.tied:
            msg = f"tied psf_model parameters are not supported yet: {name} is tied"
            raise NotImplementedError(msg)
