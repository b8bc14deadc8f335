"""How to fit: the settings of our own fitter, and the choice of it."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass
from typing import Any

from astropy.utils.exceptions import AstropyUserWarning

from psfphot._validate import as_positive, as_positive_int
from psfphot.psf._photometry.arguments import as_callable

__all__ = ["LevenbergMarquardt"]


@dataclass(frozen=True, kw_only=True)
class LevenbergMarquardt:
    r"""Settings of the compiled fit: Levenberg-Marquardt with bounds.

    It minimises chi\ :sup:`2` with analytic derivatives (Marquardt 1963; More
    1978), going along bounds by projection (Bertsekas 1982).

    Parameters
    ----------
    max_iterations : int or None, optional
        Most evaluations of the model in a fit; `None` takes the
        ``fitter_maxiters`` of the photometry.
    step_tolerance : float, optional
        A fit has converged when the undamped step is shorter than this, in
        units of the errors. With the default, no parameter is further than
        about 0.001 of its error from the minimum, also where the PSF does not
        match and the steps shrink slowly. A small change of chi\ :sup:`2`
        alone never ends a fit.

    Raises
    ------
    TypeError, ValueError
        If a setting is not positive.

    Examples
    --------
    >>> from psfphot.psf import CircularGaussianPRF, LevenbergMarquardt, PSFPhotometry
    >>> fitter = LevenbergMarquardt(max_iterations=20)
    >>> phot = PSFPhotometry(CircularGaussianPRF(fwhm=2), 5, fitter=fitter)
    """

    max_iterations: int | None = None
    step_tolerance: float = 1e-4

    def __post_init__(self) -> None:
        if self.max_iterations is not None:
            as_positive_int(self.max_iterations, "max_iterations")
        as_positive(self.step_tolerance, "step_tolerance")


def as_fitter(fitter: Any) -> Any:
    """Make `None` our own fitter; other fitters must be callable.

    Raises
    ------
    TypeError
        If the fitter is neither ours nor callable.
    """
    if fitter is None:
        return LevenbergMarquardt()
    if isinstance(fitter, LevenbergMarquardt):
        return fitter
    fitter = as_callable(fitter, "fitter")
    if not takes_maxiter(fitter):
        msg = (
            "'maxiters' will be ignored because it is not accepted by the input "
            "fitter __call__ method."
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)
    return fitter


def takes_maxiter(fitter: Any) -> bool:
    """Tell whether one can limit the iterations of a fitter of astropy's kind."""
    return "maxiter" in inspect.signature(fitter.__call__).parameters
