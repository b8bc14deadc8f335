"""Models of Python made into those of the compiled core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.modeling import Model
from astropy.nddata import NDData

from psfphot import _core
from psfphot.psf._models.airy import AiryDiskPRF, AiryDiskPSF
from psfphot.psf._models.analytic import DEFAULT_NODES, AnalyticPSF, in_unit
from psfphot.psf._models.base import ParameterNames, PSFModel
from psfphot.psf._models.callback import callback_psf
from psfphot.psf._models.counterparts import from_astropy
from psfphot.psf._models.elliptical import GaussianPRF, GaussianPSF
from psfphot.psf._models.gaussian import (
    CircularGaussianPRF,
    CircularGaussianPSF,
    CircularGaussianSigmaPRF,
)
from psfphot.psf._models.gridded import GriddedPSFModel
from psfphot.psf._models.image import ImagePSF
from psfphot.psf._models.moffat import MoffatPRF, MoffatPSF
from psfphot.psf._models.polynomial import PolynomialPSFModel

if TYPE_CHECKING:
    from collections.abc import Sequence

_OURS: tuple[type[PSFModel], ...] = (
    AiryDiskPRF,
    AiryDiskPSF,
    CircularGaussianPRF,
    CircularGaussianPSF,
    CircularGaussianSigmaPRF,
    GaussianPRF,
    GaussianPSF,
    GriddedPSFModel,
    ImagePSF,
    MoffatPRF,
    MoffatPSF,
    PolynomialPSFModel,
)


def to_core(model: Any) -> _core.Psf:
    """Make the compiled form of a PSF model.

    Parameters
    ----------
    model : `~astropy.modeling.Model`
        A model of `psfphot.psf`, or photutils' of the same name, or one that
        `as_psf_model` converts. Its shape parameters are the compiled form's
        own; flux and position do not matter. Any other model is evaluated by
        calls back into Python, which is slow.

    Returns
    -------
    _core.Psf
        The compiled form. Our models keep theirs, so that only the first call
        computes splines.

    Raises
    ------
    TypeError
        If the model is not an astropy model.
    ValueError
        If the model's data or shape cannot be used, or its lengths are in
        another unit than pixels.
    """
    model = as_psf_model(model)
    kind = _kind(model)
    if kind is None:
        return callback_psf(model, parameter_names(model))
    _check_lengths(model, kind)
    if issubclass(kind, AnalyticPSF):
        shape = [parameter_value(model, name) for name in kind.param_names[3:]]
        n_nodes = getattr(model, "n_nodes", DEFAULT_NODES)
        return _core.Psf.analytic(kind._kind, shape, n_nodes)
    ours = model if isinstance(model, PSFModel) else _from_photutils(model, kind)
    return ours._core


def as_psf_model(model: Any) -> Any:
    """Make a PSF model of astropy's that is of the shape of one of ours.

    `~astropy.modeling.functional_models.Gaussian2D` becomes a `GaussianPSF`,
    `~astropy.modeling.functional_models.Moffat2D` a `MoffatPSF`, unless they
    say by attributes ``x_name``, ``y_name`` and ``flux_name`` that they are to
    be taken as they are.

    Parameters
    ----------
    model : `~astropy.modeling.Model`
        Any model.

    Returns
    -------
    `~astropy.modeling.Model`
        The new model, with the position, total flux, shape, fixed flags and
        bounds of the old; any other model itself.

    Raises
    ------
    TypeError
        If it is not an astropy model.
    ValueError
        If it is not a function of x and y with one value, or its shape cannot
        be one of a PSF.
    """
    check_model(model)
    return from_astropy(model)


def parameter_value(model: Any, name: str) -> float:
    """Tell the value of a parameter without its unit, angles in degrees.

    Raises
    ------
    ValueError
        If the model has several values of it.
    """
    parameter = getattr(model, name)
    if np.size(parameter.value) != 1:
        msg = f"psf_model must have one value of {name}, got {parameter.value}"
        raise ValueError(msg)
    value = parameter.value
    if parameter.unit is not None and parameter.unit.is_equivalent("deg"):
        value = in_unit(parameter.quantity, u.deg)
    return float(np.ravel(value)[0])


def set_parameters(model: Any, names: Sequence[str], values: Sequence[float]) -> None:
    """Set parameters of a model to the core's values; angles there are degrees."""
    for name, value in zip(names, values, strict=True):
        parameter = getattr(model, name)
        if parameter.unit is not None and parameter.unit.is_equivalent("deg"):
            parameter.value = (value * u.deg).to_value(parameter.unit)
        else:
            parameter.value = value


def is_compiled(model: Any) -> bool:
    """Tell whether the compiled core knows the model, or has to ask it back."""
    return _kind(as_psf_model(model)) is not None


def check_model(model: Any) -> None:
    """Refuse what cannot be a PSF model.

    Raises
    ------
    TypeError
        If it is not an astropy model.
    ValueError
        If it is not a function of x and y with one value.
    """
    if not isinstance(model, Model):
        msg = f"psf_model must be an Astropy Model subclass, got {type(model).__name__}"
        raise TypeError(msg)
    if model.n_inputs != 2 or model.n_outputs != 1:  # noqa: PLR2004
        msg = "psf_model must be two-dimensional with n_inputs=2 and n_outputs=1"
        raise ValueError(msg)


def parameter_names(model: Any) -> ParameterNames:
    """Find the parameters of position and flux.

    A model tells them by its attributes ``x_name``, ``y_name`` and
    ``flux_name``; else they are ``x_0``, ``y_0`` and ``flux``.

    Of a model that the compiled core does not know, the parameters of the
    shape are those that are not fixed.

    Raises
    ------
    ValueError
        If the model has no such parameters.
    """
    x, y, flux = (
        getattr(model, attribute, default)
        for attribute, default in (
            ("x_name", "x_0"),
            ("y_name", "y_0"),
            ("flux_name", "flux"),
        )
    )
    for name in (x, y, flux):
        if name not in model.param_names:
            msg = (
                "Invalid PSF model - could not find PSF parameter names. "
                f"{type(model).__name__} has no parameter {name!r}; name those "
                "that it has by its attributes x_name, y_name and flux_name"
            )
            raise ValueError(msg)
    others = (name for name in model.param_names if name not in {x, y, flux})
    if _kind(model) is None:
        others = (name for name in others if not getattr(model, name).fixed)
    shape = tuple(others)
    return ParameterNames(x, y, flux, shape)


def _kind(model: Any) -> type[PSFModel] | None:
    """Tell which of our models it is, or is photutils' twin of."""
    for base in type(model).__mro__:
        ours = next((ours for ours in _OURS if ours.__name__ == base.__name__), None)
        is_photutils = base.__module__.startswith("photutils.psf.")
        if ours is not None and (base is ours or is_photutils):
            # A subclass with a formula of its own is another model.
            same = type(model).evaluate is getattr(base, "evaluate", None)
            return ours if same else None
    return None


def _check_lengths(model: Any, kind: type[PSFModel]) -> None:
    """Refuse lengths that are not in pixels, in which images count."""
    for name in kind.param_names:
        unit = getattr(model, name).unit
        no_length = name in {"flux", "theta"}
        if not no_length and unit not in (None, u.pixel, u.dimensionless_unscaled):
            msg = f"psf_model must have {name} in pixels, got the unit {unit}"
            raise ValueError(msg)


def _from_photutils(model: Any, kind: type[PSFModel]) -> PSFModel:
    """Make our model of photutils' by its public attributes."""
    if kind is ImagePSF:
        return ImagePSF(
            np.asarray(model.data),
            origin=model.origin,
            oversampling=model.oversampling,
        )
    meta = {"grid_xypos": model.grid_xypos, "oversampling": model.oversampling}
    grid = GriddedPSFModel(NDData(np.asarray(model.data), meta=meta))
    grid.origin = model.origin[:2]  # photutils 3.0 has one more, of the stack
    return grid
