"""The settings of PSF photometry, checked where they are set."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from psfphot._repr import make_repr
from psfphot._validate import as_n_threads, as_positive_int
from psfphot.background import LocalBackground, as_local_background
from psfphot.psf._models.convert import as_psf_model
from psfphot.psf._photometry.arguments import (
    as_callable,
    as_covariance,
    as_fit_shape,
    as_keep_columns,
    as_radius,
    as_robust,
    as_xy_bounds,
)
from psfphot.psf._photometry.fitter import as_fitter

if TYPE_CHECKING:
    from collections.abc import Callable


class Checked:
    """An attribute that is what a check makes of the value that is set.

    Parameters
    ----------
    check : callable
        Takes the value; raises where it cannot be used.
    """

    def __init__(self, check: Callable[[Any], Any]) -> None:
        self._check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else instance.__dict__[self._name]

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self._name] = self._check(value)


def as_estimator(estimator: Any) -> Any:
    """Refuse what cannot be called as a LocalBackground is.

    Raises
    ------
    ValueError
        If it is neither `None` nor called with data, x, y and ``mask``.
    """
    ours = as_local_background(estimator)
    if ours is None or isinstance(ours, LocalBackground):
        return estimator
    try:
        inspect.signature(ours).bind(None, None, None, mask=None)
    except (TypeError, ValueError) as exc:
        msg = (
            "local_bkg_estimator must be a LocalBackground instance, "
            f"got {type(estimator).__name__}"
        )
        raise ValueError(msg) from exc
    return estimator


def _as_maxiters(value: Any) -> int:
    return 100 if value is None else as_positive_int(value, "fitter_maxiters")


class PhotometrySettings:
    """The arguments of `PSFPhotometry`, each under its own name."""

    psf_model = Checked(as_psf_model)
    fit_shape = Checked(as_fit_shape)
    finder = Checked(partial(as_callable, name="finder"))
    grouper = Checked(partial(as_callable, name="grouper"))
    fitter = Checked(as_fitter)
    fitter_maxiters = Checked(_as_maxiters)
    xy_bounds = Checked(as_xy_bounds)
    aperture_radius = Checked(as_radius)
    local_bkg_estimator = Checked(as_estimator)
    group_warning_threshold = Checked(
        partial(as_positive_int, name="group_warning_threshold")
    )
    covariance = Checked(as_covariance)
    fit_background = Checked(bool)
    n_threads = Checked(as_n_threads)
    progress_bar = Checked(bool)
    keep_columns = Checked(as_keep_columns)
    robust = Checked(as_robust)

    def settings(self) -> dict[str, Any]:
        """Give all settings by their names."""
        names = (n for n, v in vars(PhotometrySettings).items() if _is_setting(v))
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        """Show the class with its arguments."""
        return make_repr(self, tuple(self.settings()))


def _is_setting(value: Any) -> bool:
    return isinstance(value, Checked)
