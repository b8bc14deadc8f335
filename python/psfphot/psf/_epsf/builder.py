"""ePSFs of stars, with photutils' interface and the joint solver."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.modeling.fitting import TRFLSQFitter
from astropy.stats import SigmaClip
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._progress import progress_callback
from psfphot._repr import make_repr
from psfphot._validate import is_auto
from psfphot._warnings import PhotutilsDeprecationWarning
from psfphot.centroids import centroid_symmetry
from psfphot.psf._epsf import builder_checks as check
from psfphot.psf._epsf.centering import find_center, measure_asymmetry, shift_epsf
from psfphot.psf._epsf.coordinates import Coordinates
from psfphot.psf._epsf.cutouts import make_cutouts
from psfphot.psf._epsf.history import make_history
from psfphot.psf._epsf.report import make_report
from psfphot.psf._epsf.results import EPSFBuildResults
from psfphot.psf._epsf.solver import solve
from psfphot.psf._epsf.star_fit import EPSFFitter, copy_stars, place_stars
from psfphot.psf._epsf.star_list import EPSFStars, LinkedEPSFStar
from psfphot.psf._models.image import ImagePSF

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot.psf._epsf.solver import Solution
    from psfphot.psf._epsf.star import EPSFStar

_DEFAULT_CLIP = SigmaClip(sigma=3.0, maxiters=10)

#: The box that the solver places stars by, pixels.
_FIT_SHAPE = (7, 7)

#: What is wrong with a star's fit, by photutils' numbers.
_REASONS = {
    1: "its fitting region extends beyond the star cutout image",
    2: "the fit did not converge",
    3: "its fitted position is outside the data cutout",
    4: "its fitting region contains no unmasked pixels",
}


class EPSFBuilder:
    """Builds an effective PSF (ePSF) of stars.

    The arguments are photutils'. The ePSF is a spline whose coefficients are solved
    for by regularised least squares, together with position and flux of every star;
    see docs/algorithms.md. Stars' weights, 1/error, count in it. Of the arguments
    some have no meaning for it; values that are not their defaults are passed over,
    with one warning.

    Parameters
    ----------
    oversampling : int or (y, x), optional
        Samples of the ePSF per pixel.
    shape : int or (ny, nx), optional
        Samples of the ePSF, odd; by default the largest cutout times the
        oversampling, made odd.
    smoothing_kernel, alias_passband, sigma_clip, converged_fraction, fitter, \
fit_shape, fitter_maxiters, refinement_iters, wing_smoothing : optional
        Without meaning here: the solver smooths by a prior whose strength stars that
        it holds out tell, and outliers lose weight.
    recentering_func : callable, optional
        What tells the ePSF's centre; the solver's own is
        `~psfphot.centroids.centroid_symmetry`. Another moves the ePSF, and the
        stars the other way, in the end.
    recentering_boxsize : int or (ny, nx), optional
        The box for that function, pixels: odd, at least 3.
    recentering_maxiters : int, optional
        Most steps of that.
    center_accuracy : float, optional
        The rounds end when no sample changes by more than this part of the peak,
        about a star's shift in pixels.
    constrain_fluxes : bool, optional
        Whether linked stars share one flux; without, the ratios of their fluxes are
        fitted in between.
    maxiters : int, optional
        Most rounds of the joint fit.
    progress_bar : bool, optional
        Whether to show a bar of the rounds.
    kappa : float, optional
        The factor of the roughness that is allowed, about 0.3 to 8; held-out stars
        tell it by default.
    cutoff : float, optional
        The highest spatial frequency that the optics pass (diameter times pixel
        scale over wavelength), cycles per pixel.
    n_threads : int, optional
        Threads; by default all. No result depends on it.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used.

    Notes
    -----
    ``kappa``, ``cutoff`` and ``n_threads`` are not photutils'.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from psfphot.psf import EPSFBuilder, extract_stars, make_psf_model_image
    >>> from psfphot.psf import CircularGaussianPRF
    >>> image, stars = make_psf_model_image(
    ...     (300, 300), CircularGaussianPRF(fwhm=3), 30, flux=(5e3, 5e4),
    ...     model_shape=(25, 25), min_separation=25, border_size=15)
    >>> image += np.random.default_rng(1).normal(0, 2, image.shape)
    >>> cutouts = extract_stars(image, Table({"x": stars["x_0"], "y": stars["y_0"]}),
    ...     size=15)
    >>> epsf, fitted = EPSFBuilder(oversampling=4, progress_bar=False)(cutouts)
    >>> epsf.data.shape
    (61, 61)
    """

    def __init__(
        self,
        *,
        oversampling: Any = 4,
        shape: Any = None,
        smoothing_kernel: Any = "auto",
        alias_passband: Any = "auto",
        sigma_clip: SigmaClip | None = _DEFAULT_CLIP,
        recentering_func: Callable[..., Any] = centroid_symmetry,
        recentering_boxsize: Any = (5, 5),
        recentering_maxiters: int = 20,
        center_accuracy: float = 1.0e-3,
        converged_fraction: float = 0.95,
        fitter: Any = None,
        fit_shape: Any = "auto",
        fitter_maxiters: int = 100,
        constrain_fluxes: bool = True,
        maxiters: int = 10,
        refinement_iters: int = 5,
        wing_smoothing: bool = True,
        progress_bar: bool = True,
        kappa: float | None = None,
        cutoff: float | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.oversampling = check.as_builder_oversampling(oversampling)
        self.shape = check.as_builder_shape(shape)
        check.check_smoothing(smoothing_kernel)
        check.check_passband(alias_passband)
        check.check_sigma_clip(sigma_clip)
        self.smoothing_kernel = smoothing_kernel
        self.alias_passband = alias_passband
        self.recentering_func = check.as_function(recentering_func)
        self.recentering_boxsize = check.as_box(
            recentering_boxsize, "recentering_boxsize"
        )
        self.recentering_maxiters = check.as_iterations(
            recentering_maxiters, "recentering_maxiters"
        )
        self.center_accuracy = check.as_center_accuracy(center_accuracy)
        self.converged_fraction = check.as_fraction(converged_fraction)
        has_fitter = fitter is not None
        if isinstance(fitter, EPSFFitter):
            msg = (
                "Passing an EPSFFitter instance to EPSFBuilder is deprecated. Use the "
                "fitter, fit_shape, and fitter_maxiters parameters instead."
            )
            warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=2)
            fitter, fit_shape = fitter.fitter, fitter.fit_boxsize
        self.fitter = TRFLSQFitter() if fitter is None else fitter
        check.check_fitter(self.fitter, fitter_maxiters)
        self.fit_shape = check.as_fit_box(fit_shape)
        self.fitter_maxiters = fitter_maxiters
        self.constrain_fluxes = check.as_flag(constrain_fluxes, "constrain_fluxes")
        self.maxiters = check.as_iterations(maxiters, "maxiters")
        self.refinement_iters = check.as_iterations(
            refinement_iters, "refinement_iters", least=0
        )
        self.wing_smoothing = check.as_flag(wing_smoothing, "wing_smoothing")
        self.progress_bar = progress_bar
        self.kappa = kappa
        self.cutoff = cutoff
        self.n_threads = n_threads
        unused = {
            "smoothing_kernel": not is_auto(smoothing_kernel),
            "alias_passband": not is_auto(alias_passband),
            "sigma_clip": sigma_clip is not _DEFAULT_CLIP,
            "converged_fraction": converged_fraction != 0.95,  # noqa: PLR2004
            "fitter": has_fitter,
            "fit_shape": not is_auto(fit_shape),
            "fitter_maxiters": fitter_maxiters != 100,  # noqa: PLR2004
            "refinement_iters": refinement_iters != 5,  # noqa: PLR2004
            "wing_smoothing": not wing_smoothing,
        }
        _warn_unused([name for name, is_given in unused.items() if is_given])

    def __repr__(self) -> str:
        names = ("oversampling", "shape", "center_accuracy", "maxiters", "kappa")
        return make_repr(self, names)

    @property
    def coord_transformer(self) -> Coordinates:
        """Coordinates of pixels and samples; deprecated."""
        msg = (
            "The coord_transformer attribute is deprecated and may be removed in a "
            "future version."
        )
        warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=2)
        return Coordinates(self.oversampling)

    def __call__(self, stars: EPSFStars) -> EPSFBuildResults:
        """Build an ePSF; see `build_epsf`."""
        return self.build_epsf(stars)

    def build_epsf(
        self, stars: EPSFStars, *, epsf: ImagePSF | None = None
    ) -> EPSFBuildResults:
        """Build an ePSF of stars.

        Parameters
        ----------
        stars : EPSFStars
            The stars, from `extract_stars`. They are not changed.
        epsf : ImagePSF, optional
            An ePSF that the stars are placed with to begin with, of the same
            oversampling.

        Returns
        -------
        EPSFBuildResults
            ``epsf, fitted_stars = ...`` unpacks it.

        Raises
        ------
        ValueError
            If there are no stars, some cannot be used, the shape has no room for
            them, ``epsf`` is of another oversampling, or no star can be fitted.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            With stars that are left out, and with what is wrong with the ePSF: the
            report's messages.
        """
        check.check_stars(stars)
        shape = check.find_shape(stars.all_stars, self.oversampling, self.shape)
        initial = None
        if epsf is not None:
            initial = self._check_start(epsf, stars)
            stars = place_stars(epsf, stars)
        fitted = copy_stars(stars)
        for star in fitted:
            if isinstance(star, LinkedEPSFStar) and not star.all_excluded:
                star.constrain_centers()
        solution = self._solve(fitted, shape)
        if not solution.is_used.any():
            raise ValueError("The ePSF fitting failed for all stars.")
        _take_over(fitted, solution)
        if not self.constrain_fluxes and fitted.n_all_stars > fitted.n_stars:
            _refit_fluxes(fitted, self._make_epsf(solution))
            solution = self._solve(fitted, shape, shares_flux=False)
            _take_over(fitted, solution)
            _refit_fluxes(fitted, self._make_epsf(solution))
        _warn_excluded(fitted)
        return self._make_results(fitted, solution, initial)

    def _check_start(self, epsf: ImagePSF, stars: EPSFStars) -> NDArray[np.float64]:
        if not np.array_equal(epsf.oversampling, self.oversampling):
            msg = (
                f"The input epsf oversampling {tuple(epsf.oversampling)} does not "
                f"match the builder oversampling {tuple(self.oversampling)}"
            )
            raise ValueError(msg)
        check.find_shape(stars.all_stars, self.oversampling, epsf.data.shape)
        return np.array(epsf.data, dtype=np.float64)

    def _solve(
        self, stars: EPSFStars, shape: tuple[int, int], *, shares_flux: bool = True
    ) -> Solution:
        over_y, over_x = self.oversampling.tolist()
        with progress_callback(
            self.maxiters, "EPSFBuilder", enabled=self.progress_bar
        ) as progress:
            return solve(
                make_cutouts(stars, shares_flux=shares_flux),
                oversampling=(over_y, over_x),
                shape=shape,
                kappa=self.kappa,
                cutoff=self.cutoff,
                max_rounds=self.maxiters,
                accuracy=self.center_accuracy,
                n_threads=self.n_threads,
                progress=progress,
            )

    def _make_epsf(self, solution: Solution) -> ImagePSF:
        return ImagePSF(solution.samples[0], oversampling=tuple(self.oversampling))

    def _make_results(
        self,
        stars: EPSFStars,
        solution: Solution,
        initial: NDArray[np.float64] | None,
    ) -> EPSFBuildResults:
        epsf = self._make_epsf(solution)
        history, info = make_history(solution, self.center_accuracy, initial)
        report = make_report(
            solution,
            order="single",
            asked="single",
            origins=np.array([star.origin for star in stars.all_stars], dtype=float),
            nodes=np.zeros((1, 2)),
            peak=float(np.max(epsf.data)),
        )
        if self.recentering_func is not centroid_symmetry:
            epsf = self._recenter(epsf, stars)
        report.warn(stacklevel=3)
        excluded = np.flatnonzero([star._excluded_from_fit for star in stars.all_stars])
        return EPSFBuildResults(
            epsf,
            stars,
            iterations=solution.n_rounds,
            converged=solution.converged,
            final_center_accuracy=float(info["max_center_shift"][-1]),
            n_excluded_stars=excluded.size,
            excluded_star_indices=excluded.tolist(),
            fit_shape=_FIT_SHAPE,
            final_converged_fraction=float(info["converged_fraction"][-1]),
            iteration_epsfs=history,
            iteration_info=info,
            initial_epsf=initial,
            center_asymmetry=measure_asymmetry(epsf),
            epsf_error=None if solution.error is None else solution.error[0],
            report=report,
        )

    def _recenter(self, epsf: ImagePSF, stars: EPSFStars) -> ImagePSF:
        """Move the ePSF to another centre, and the stars as much."""
        offset = find_center(
            epsf,
            self.recentering_func,
            self.recentering_boxsize,
            self.recentering_maxiters,
        )
        data = shift_epsf(epsf, offset)
        data *= np.prod(self.oversampling) / data.sum()
        for star in stars.all_good_stars:
            star.cutout_center += offset
        return ImagePSF(data, oversampling=tuple(self.oversampling))


def _warn_unused(names: list[str]) -> None:
    if names:
        msg = (
            f"EPSFBuilder has no use for {', '.join(names)}: the joint solver smooths "
            "by a prior, weighs outliers down and fits all stars together; the values "
            "are passed over"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)


def _take_over(stars: EPSFStars, solution: Solution) -> None:
    """Put the solution's positions and fluxes into the stars."""
    for k, star in enumerate(stars.all_stars):
        if star._excluded_from_fit:
            continue
        star._fit_error_status = _find_status(star, solution, k)
        star._excluded_from_fit = star._fit_error_status > 0
        if star._excluded_from_fit:
            continue
        star.cutout_center = solution.x[k], solution.y[k]
        star.flux = float(solution.flux[k])


def _find_status(star: EPSFStar, solution: Solution, k: int) -> int:
    """Tell photutils' number for what is wrong with a star's fit; 0 is nothing."""
    x, y = solution.x[k], solution.y[k]
    ny, nx = star.shape
    if star.mask.all():
        return 4
    if not (0 <= x < nx and 0 <= y < ny):
        return 3
    has_flux = np.isfinite(solution.flux[k])
    return 0 if solution.is_used[k] and has_flux else 2


def _warn_excluded(stars: EPSFStars) -> None:
    for k, star in enumerate(stars.all_stars):
        if star._excluded_from_fit and star._fit_error_status:
            label = "" if star.id_label is None else f" (id={star.id_label})"
            x, y = star._center_original
            msg = (
                f"The star at ({x:.2f}, {y:.2f}) (index={k}){label} has been excluded "
                f"from ePSF fitting because {_REASONS[star._fit_error_status]}."
            )
            warnings.warn(msg, AstropyUserWarning, stacklevel=4)


def _refit_fluxes(stars: EPSFStars, epsf: ImagePSF) -> None:
    """Give each cutout its own flux."""
    for star in stars.all_good_stars:
        shape = star.register_epsf(epsf) / star.flux
        weighted = shape * star.weights**2
        total = float((weighted * shape).sum())
        flux = float((weighted * np.where(star.mask, 0.0, star.data)).sum())
        if total > 0 and flux > 0:
            star.flux = flux / total
