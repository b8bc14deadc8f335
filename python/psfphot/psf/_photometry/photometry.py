"""PSF photometry of an image."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import NDData
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._deprecated import old_arguments
from psfphot._validate import Frame, as_frame, as_n_threads, unpack_nddata
from psfphot.psf._models.convert import (
    as_psf_model,
    parameter_names,
    parameter_value,
    to_core,
)
from psfphot.psf._photometry.arguments import (
    as_callable,
    as_fit_shape,
    as_keep_columns,
    as_positive_int,
    as_radius,
    as_xy_bounds,
)
from psfphot.psf._photometry.astropy_fit import fit_with_astropy
from psfphot.psf._photometry.fit_results import FitResults, Run
from psfphot.psf._photometry.fitter import LevenbergMarquardt, as_fitter
from psfphot.psf._photometry.fitting import FitSetup, check_constraints, fit_with_core
from psfphot.psf._photometry.flags import PSF_FLAGS
from psfphot.psf._photometry.init_params import extra_columns, from_finder, from_user
from psfphot.psf._photometry.model_images import ModelImages
from psfphot.psf._photometry.results import metadata, results_table
from psfphot.psf._photometry.starts import add_background, add_flux, add_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

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


class PSFPhotometry(FitResults, ModelImages):
    r"""Measure positions and fluxes of sources by fitting a PSF model.

    The interface is that of `photutils.psf.PSFPhotometry`; the fit itself runs
    in Rust, in parallel, and differs from it where photutils errs: in a group
    every pixel counts once, and a pixel with an unusable error is left out
    instead of ending the run.

    Parameters
    ----------
    psf_model : `~astropy.modeling.Fittable2DModel`
        The PSF. Fixed parameters (``psf_model.x_0.fixed = True``) stay at
        their starting values, bounded ones (``psf_model.flux.bounds``) within
        their bounds, in groups too. astropy's Gaussian2D and Moffat2D are taken
        as the `GaussianPSF` and `MoffatPSF` of the same shape, which is then the
        attribute ``psf_model``; their shape is free unless it is fixed. Models
        that are none of ours (nor photutils' of the same names) are evaluated
        by calls back into Python, one source after another.
    fit_shape : int or (ny, nx)
        Shape of the box of pixels around each starting position that is
        fitted, odd.
    finder : callable, optional
        Called as ``finder(data, mask=mask)``; returns a table with columns of
        positions, or `None`. Its fluxes are not used.
    grouper : callable, optional
        Called as ``grouper(x, y)``; returns group labels. Sources of a group
        are fitted jointly.
    fitter : `LevenbergMarquardt` or an astropy fitter, optional
        Settings of our own fitter, which `None` stands for. A fitter of
        `astropy.modeling.fitting` is used through Python, a thousand times
        slower; its covariance gives the errors.
    fitter_maxiters : int, optional
        Most evaluations of the model in a fit; `None` means 100.
    xy_bounds : float or (float or `None`, float or `None`), optional
        How far, in pixels, x and y may go from where they start, instead of
        the bounds of the model's parameters; `None` for any distance.
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
    keep_columns : bool or list of str, optional
        Columns of ``init_params`` that the results are to have too, as their
        last: names, or `True` for all that are no starting values and whose
        name is not one of the results'.

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

    @old_arguments(renamed={"localbkg_estimator": "local_bkg_estimator"})
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
        keep_columns: bool | Sequence[str] = False,
    ) -> None:
        psf_model = as_psf_model(psf_model)
        self.psf_model = psf_model
        self.fit_shape = as_fit_shape(fit_shape)
        self.finder = as_callable(finder, "finder")
        self.grouper = as_callable(grouper, "grouper")
        self.fitter = as_fitter(fitter)
        if fitter_maxiters is None:
            fitter_maxiters = 100
        self.fitter_maxiters = as_positive_int(fitter_maxiters, "fitter_maxiters")
        self.xy_bounds = as_xy_bounds(xy_bounds)
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
        self.keep_columns = as_keep_columns(keep_columns)
        self._reset()
        check_constraints(self._setup())

    def _reset(self) -> None:
        self.results: QTable | None = None
        self.finder_results: Any = None
        self.init_params: QTable | None = None
        self.data_unit: u.UnitBase | None = None
        self._run: Run | None = None

    def __repr__(self) -> str:
        """Show the class with its arguments."""
        body = ", ".join(f"{k}={v!r}" for k, v in self._settings().items())
        return f"{type(self).__name__}({body})"

    def _settings(self) -> dict[str, Any]:
        names = (
            "psf_model fit_shape finder grouper fitter fitter_maxiters xy_bounds "
            "aperture_radius local_bkg_estimator group_warning_threshold n_threads "
            "progress_bar keep_columns"
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
        setup = self._setup()
        check_constraints(setup)
        frame = self._frame(data, mask, error)
        self.data_unit = frame.unit
        init = self._starting_values(setup, frame, init_params)
        if init is None:
            return None
        self.init_params = init
        is_ours = isinstance(setup.fitter, LevenbergMarquardt)
        fit = (fit_with_core if is_ours else fit_with_astropy)(setup, frame, init)
        self._warn(fit)
        # The user may change the model later; what was fitted stays.
        setup = setup._replace(psf_model=self.psf_model.copy())
        self._run = Run(setup, frame, init, fit)
        table = results_table(
            init, fit, setup.names.shape, setup.free_shape(), frame.unit
        )
        table.meta["psf_class"] = type(self).__name__
        table.meta.update(metadata(self._settings()))
        if init_params is not None:
            extra = extra_columns(init_params, self.keep_columns, table.colnames)
            for name in extra.colnames:
                table[name] = extra[name]
        self.results = table
        return table

    def _setup(self) -> FitSetup:
        """Look at the model and the settings as they are now."""
        return FitSetup(
            psf_model=self.psf_model,
            core_psf=to_core(self.psf_model),
            names=parameter_names(self.psf_model),
            fit_shape=self.fit_shape,
            fitter=self.fitter,
            max_iterations=self.fitter_maxiters,
            xy_bounds=self.xy_bounds or (None, None),
            n_threads=self.n_threads,
            progress_bar=self.progress_bar,
        )

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

    def _starting_values(
        self, setup: FitSetup, frame: Frame, init_params: Any
    ) -> QTable | None:
        free_shape = setup.free_shape()
        if init_params is not None:
            init = from_user(init_params, frame.unit, free_shape)
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
        for name in free_shape:
            if f"{name}_init" not in init.colnames:
                value = parameter_value(self.psf_model, name)
                init[f"{name}_init"] = np.full(len(init), value)
        add_groups(init, self.grouper)
        return init

    def _warn(self, fit: dict[str, NDArray[Any]]) -> None:
        flags = fit["flags"]
        # A source that could not be fitted has no convergence to speak of.
        if np.any(flags & PSF_FLAGS.NO_CONVERGENCE):
            warnings.warn(_NO_CONVERGENCE, AstropyUserWarning, stacklevel=3)
        n_bad = int(fit["n_bad_errors"].sum())
        if n_bad:
            msg = (
                f"{n_bad} pixel(s) within the fit boxes have an error that is not "
                "positive and finite; they were left out of the fits (counted once "
                "for each box; see n_pixels_fit and flag 1)."
            )
            warnings.warn(msg, AstropyUserWarning, stacklevel=3)
