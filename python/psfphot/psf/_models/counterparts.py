"""astropy's own two-dimensional models made into PSF models."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.modeling.functional_models import Gaussian2D, Moffat2D

from psfphot.psf._models.analytic import number_of
from psfphot.psf._models.elliptical import GaussianPSF
from psfphot.psf._models.gaussian import FWHM_PER_SIGMA
from psfphot.psf._models.moffat import MoffatPSF

if TYPE_CHECKING:
    from psfphot.psf._models.base import PSFModel


class _Counterpart(NamedTuple):
    """What parameter of theirs one of ours is, and how many times as large."""

    theirs: str
    factor: Any


def from_astropy(model: Any) -> Any:
    """Make our model of a bare Gaussian2D or Moffat2D; see `as_psf_model`.

    Raises
    ------
    ValueError
        If its shape is not that of a PSF, or a parameter is tied.
    """
    if any(hasattr(model, name) for name in ("x_name", "y_name", "flux_name")):
        return model
    # A subclass may have a formula of its own.
    if type(model) is Gaussian2D:
        return _converted(model, GaussianPSF, _gaussian(model))
    if type(model) is Moffat2D:
        return _converted(model, MoffatPSF, _moffat(model))
    return model


def _gaussian(model: Gaussian2D) -> dict[str, _Counterpart]:
    area = number_of(_value(model.x_stddev)) * number_of(_value(model.y_stddev))
    # A plain theta is in radians.
    per_theta = np.rad2deg(1.0) if model.theta.unit is None else 1.0
    return {
        "flux": _Counterpart("amplitude", 2 * np.pi * area),
        "x_0": _Counterpart("x_mean", 1.0),
        "y_0": _Counterpart("y_mean", 1.0),
        "x_fwhm": _Counterpart("x_stddev", FWHM_PER_SIGMA),
        "y_fwhm": _Counterpart("y_stddev", FWHM_PER_SIGMA),
        "theta": _Counterpart("theta", per_theta),
    }


def _moffat(model: Moffat2D) -> dict[str, _Counterpart]:
    exponent = model.alpha.value
    if not np.all(exponent > 1):
        msg = f"alpha of Moffat2D must be greater than 1 in a PSF, got {exponent}"
        raise ValueError(msg)
    area = np.pi * number_of(_value(model.gamma)) ** 2
    return {
        "flux": _Counterpart("amplitude", area / (exponent - 1)),
        "x_0": _Counterpart("x_0", 1.0),
        "y_0": _Counterpart("y_0", 1.0),
        "alpha": _Counterpart("gamma", 1.0),
        "beta": _Counterpart("alpha", 1.0),
    }


def _converted(
    model: Any, kind: type[PSFModel], counterparts: dict[str, _Counterpart]
) -> PSFModel:
    values, fixed, bounds = {}, {}, {}
    default = type(model)()
    for name, (theirs, factor) in counterparts.items():
        parameter = getattr(model, theirs)
        if parameter.tied:
            msg = f"a tied {theirs} of {type(model).__name__} cannot be converted"
            raise ValueError(msg)
        values[name] = _value(parameter) * factor
        fixed[name] = parameter.fixed
        # By default theirs say, as ours do, that widths are positive.
        if parameter.bounds != getattr(default, theirs).bounds:
            scaled = (None if v is None else v * factor for v in parameter.bounds)
            bounds[name] = tuple(scaled)
    return kind(
        **values,
        fixed=fixed,
        bounds=bounds,
        name=model.name,
        meta=copy.deepcopy(model.meta),
    )


def _value(parameter: Any) -> Any:
    return parameter.value if parameter.unit is None else parameter.quantity
