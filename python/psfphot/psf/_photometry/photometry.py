"""PSF photometry of an image."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, Table

from psfphot._deprecated import old_arguments
from psfphot._output import put_columns_into_docstring
from psfphot._warnings import PhotutilsDeprecationWarning
from psfphot.psf._models.convert import parameter_names, to_core
from psfphot.psf._photometry.arguments import robust_sigmas
from psfphot.psf._photometry.astropy_fit import fit_with_astropy
from psfphot.psf._photometry.confusion import with_confusion
from psfphot.psf._photometry.fit_results import FitResult
from psfphot.psf._photometry.fitted import FittedSources
from psfphot.psf._photometry.fitter import LevenbergMarquardt
from psfphot.psf._photometry.fitting import (
    NO_CONVERGENCE,
    FitSetup,
    check_constraints,
    check_errors,
    fit_with_core,
    frame_of,
    warn_of_fits,
)
from psfphot.psf._photometry.init_params import extra_columns, from_finder, from_user
from psfphot.psf._photometry.results import metadata
from psfphot.psf._photometry.settings import PhotometrySettings
from psfphot.psf._photometry.starts import (
    add_background,
    add_flux,
    add_groups,
    add_shape,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy import units as u
    from numpy.typing import NDArray

    from psfphot._validate import Frame
    from psfphot.background import LocalBackground
    from psfphot.psf._photometry.arguments import CovarianceKind


class PSFPhotometry(PhotometrySettings, FittedSources):
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
        without. The noise of that level goes into ``flux_err``.
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
    robust : bool or float, optional
        Whether pixels that a settled model does not explain lose their weight, as
        those that cosmic rays have hit: by 1 / (1 + (r / (c sigma))\ :sup:`6`)
        with the residual r (Stetson 1987, PASP 99, 191). `True` stands for c = 3.
        Sigma has the noise of the pixel and 5 % of the light of the stars nearby (or
        the ``profile_error`` of a `~psfphot.utils.NoiseModel` if that is more), so
        that no star loses its core because the PSF does not match. The results then
        have the column ``n_rejected``: pixels of the fit box with less than half of
        their weight.
    covariance : {'formal', 'sandwich', 'unit'}, optional
        Where the errors come from:

        * ``'formal'``: from ``error`` alone; the default where it is given
        * ``'sandwich'``: from each pixel's own residual (HC3 of MacKinnon & White
          1985, J. Econometrics 29, 305, after White 1980, Econometrica 48, 817); the
          default without ``error``. Where a pixel's residual tells nothing, because
          too few pixels are fitted, errors are as of ``'unit'`` and flag 16 is set.
        * ``'unit'``: from the scatter of all residuals of a group, as if its pixels
          were equally noisy. It is what photutils does without ``error``; of a bright
          star, whose own light is the noise, errors come out several times too small.
          Not with ``error``.
    fit_background : bool, optional
        Whether a constant is fitted to the pixels of each source, or of each group,
        with it: the sky under it, which nobody has to know. It comes on top of what
        ``local_bkg_estimator`` measures, its uncertainty is in the errors, and the
        columns ``bkg_fit`` and ``bkg_err`` are in the results. A fit box should reach
        beyond the star: in boxes of 2 FWHM the errors of fluxes grow to some 1.5 times.
        Groups may have up to 200 sources: the sky of a whole crowded frame is no
        constant, see `~psfphot.background.Background2D` of the residual.
    confusion : bool, optional
        Whether errors hold the light of sources that were not found. They are
        multiplied by ``confusion_factor``, a column: the robust width of the score of
        new sources in the residual, in blocks of about 100 pixels, and at least 1;
        nearer to 1 for sources brighter than the rest. Where nothing is left to find
        it is 1. ``blend_significance``, another column, is the largest score of a
        source within half of a full width at half maximum; above 3 the row has the
        flag ``unmodelled_companion``. ``meta["confusion_factor"]`` is that of the
        median block.

    Attributes
    ----------
    results : `~astropy.table.QTable` or `None`
        What the last call returned.
    finder_results : `~astropy.table.Table` or `None`
        What the finder returned in the last call.
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
    covariance of a group. Without ``error`` all weights are 1, and the noise of
    each pixel is taken from its residual, see ``covariance``.

    A call returns a table with one row for each source, sorted by id. Its columns:

    {columns}

    The bits of ``flags`` are told by `decode_psf_flags`.
    """

    # What the user is told of fits that did not converge.
    _no_convergence = NO_CONVERGENCE

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
        robust: bool | float = False,
        covariance: CovarianceKind | None = None,
        fit_background: bool = False,
        confusion: bool = False,
    ) -> None:
        self.psf_model = psf_model
        self.fit_shape = fit_shape
        self.finder = finder
        self.grouper = grouper
        self.fitter = fitter
        self.fitter_maxiters = fitter_maxiters
        self.xy_bounds = xy_bounds
        self.aperture_radius = aperture_radius
        self.local_bkg_estimator = local_bkg_estimator
        self.group_warning_threshold = group_warning_threshold
        self.n_threads = n_threads
        self.progress_bar = progress_bar
        self.keep_columns = keep_columns
        self.robust = robust
        self.covariance = covariance
        self.fit_background = fit_background
        self.confusion = bool(confusion)
        self.forget()
        check_constraints(self._setup())

    def forget(self) -> None:
        """Forget the last call: its results, and its image."""
        self.results: QTable | None = None
        self.finder_results: Any = None
        self._starts: QTable | None = None
        vars(self).pop("init_params", None)
        self.data_unit: u.UnitBase | None = None
        self._fit_result: FitResult | None = None

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
        error : (ny, nx) array_like or `~psfphot.utils.NoiseModel`, optional
            1-sigma errors, in the unit of the data. Pixels whose error is not
            positive and finite are left out. A model of the noise makes the weights
            from the fitted stars, so that they do not follow the noise of the data.
        init_params : `~astropy.table.Table`, optional
            Starting values: columns of positions (``x_init``, ``x``,
            ``x_fit``, ``xcentroid``, ... and y alike), and optionally
            of fluxes (``flux_init``, ``flux``, ...), ``local_bkg``,
            ``group_id``, ``id`` and parameters of the shape (``fwhm_init``, ...),
            fixed ones included. Of a table of results, which has both, the
            fitted values are taken (where they are finite). A flux that is not
            finite is measured; a shape is that of ``psf_model``.

        Returns
        -------
        `~astropy.table.QTable` or `None`
            One row per source, sorted by id; `None` if the finder finds none.

        Raises
        ------
        TypeError, ValueError
            If an argument cannot be used; the message names it.
        """
        self.forget()
        # The model may have been changed since the last call.
        setup = self._setup()
        check_constraints(setup)
        frame = frame_of(data, mask, error, n_threads=self.n_threads)
        check_errors(setup, has_error=frame.error is not None)
        self.data_unit = frame.unit
        started = self._starting_values(setup, frame, init_params)
        if started is None:
            return None
        init, bkg_variance = started
        self._starts = init
        is_ours = isinstance(setup.fitter, LevenbergMarquardt)
        if not is_ours and frame.noise is not None:
            raise ValueError("error can be a NoiseModel for LevenbergMarquardt only")
        fit = (fit_with_core if is_ours else fit_with_astropy)(
            setup, frame, init, bkg_variance
        )
        warn_of_fits(fit, self._no_convergence)
        self._fit_result = FitResult(setup, frame, init, fit)
        typical = None
        if self.confusion:
            has_sky = self.local_bkg_estimator is not None
            self._fit_result, typical = with_confusion(
                self._fit_result, frame, has_sky=has_sky
            )
        table = self._fit_result.table()
        table.meta["psf_class"] = type(self).__name__
        table.meta.update(metadata(self.settings()))
        if typical is not None:
            table.meta["confusion_factor"] = typical
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
            compiled=to_core(self.psf_model),
            names=parameter_names(self.psf_model),
            fit_shape=self.fit_shape,
            fitter=self.fitter,
            max_iterations=self.fitter_maxiters,
            xy_bounds=self.xy_bounds or (None, None),
            robust=robust_sigmas(self.robust),
            covariance=self.covariance,
            fit_background=self.fit_background,
            n_threads=self.n_threads,
            progress_bar=self.progress_bar,
        )

    def _starting_values(
        self, setup: FitSetup, frame: Frame, init_params: Any
    ) -> tuple[QTable, NDArray[np.float64] | None] | None:
        """Make the starting values, and the variances of measured backgrounds."""
        if init_params is not None:
            init = from_user(init_params, frame.unit, setup.shape_of_model())
        elif self.finder is None:
            raise ValueError("finder must be defined if init_params is not input")
        else:
            image = frame.data if frame.unit is None else frame.data << frame.unit
            self.finder_results = self.finder(image, mask=frame.mask)
            found = self.finder_results
            if found is None or (isinstance(found, Table) and len(found) == 0):
                return None
            init = from_finder(found)
        variance = add_background(init, frame, self.local_bkg_estimator)
        add_flux(init, frame, self.aperture_radius, self.fit_shape, self.n_threads)
        add_shape(init, setup)
        add_groups(init, self.grouper, self.fit_shape)
        return init, variance

    @cached_property
    def init_params(self) -> QTable | None:
        """The starting values of the last call."""
        # What is done to the table does not change the fit.
        return None if self._starts is None else self._starts.copy()

    @property
    def fit_info(self) -> list[dict[str, Any]]:
        """How the fit of each source ended, in the order of the table.

        Each dictionary has ``status`` (1 converged, 0 out of iterations,
        negative otherwise), ``message`` and ``n_iterations``; with an astropy
        fitter what that one tells. ``param_cov`` is the covariance of the
        source's own free parameters, in the order of the model.

        Raises
        ------
        ValueError
            If the ids of the table have been changed.
        """
        fit = self._fit_result
        if fit is None or self.results is None:
            return []
        of_id = dict(zip(fit.ids, fit.fit_info(), strict=True))
        # The user may have sorted the table, or taken rows out.
        shown = np.asarray(self.results["id"]).tolist()
        unknown = [k for k in shown if k not in of_id]
        if unknown:
            msg = f"results has ids that are none of the fit's: {unknown}"
            raise ValueError(msg)
        return [of_id[k] for k in shown]

    @property
    def fit_params(self) -> QTable | None:
        """The fitted parameters and errors; deprecated, read `results`."""
        warnings.warn(
            "The fit_params attribute was deprecated in photutils 3.0. Use the "
            "'results' attribute instead.",
            PhotutilsDeprecationWarning,
            stacklevel=2,
        )
        if self.results is None:
            return None
        names = [n for n in self.results.colnames if n.endswith(("_fit", "_err"))]
        return QTable(self.results["id", *(n for n in names if n != "n_pixels_fit")])


put_columns_into_docstring(PSFPhotometry)
