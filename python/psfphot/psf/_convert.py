"""Models of Python made into those of the compiled core."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from astropy.modeling import Model
from astropy.nddata import NDData

from psfphot import _core
from psfphot.psf._base import PSFModel
from psfphot.psf._callable import callable_psf
from psfphot.psf._gaussian import CircularGaussianPRF
from psfphot.psf._gridded import GriddedPSFModel
from psfphot.psf._image import ImagePSF

_OURS = (CircularGaussianPRF, GriddedPSFModel, ImagePSF)


class ParameterNames(NamedTuple):
    """Which parameter of a model is which."""

    x: str
    y: str
    flux: str
    # In the model's order.
    shape: tuple[str, ...]

    def in_core_order(self) -> tuple[str, ...]:
        """Return the names in the order of the core's parameters."""
        return (self.flux, self.x, self.y, *self.shape)


def to_core(model: Any) -> _core.Psf:
    """Make the compiled form of a PSF model.

    Parameters
    ----------
    model : `~astropy.modeling.Model`
        A model of `psfphot.psf`, or photutils' `~photutils.psf.ImagePSF`,
        `~photutils.psf.GriddedPSFModel` or
        `~photutils.psf.CircularGaussianPRF`. Its shape parameters are the
        compiled form's own; flux and position do not matter. Any other model
        is evaluated by calls back into Python, which is slow.

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
        If the model's data or shape cannot be used.
    """
    check_model(model)
    kind = _kind(model)
    if kind is CircularGaussianPRF:
        return _core.Psf.gaussian_prf(_one(model.fwhm, "fwhm"))
    if kind is not None:
        ours = model if isinstance(model, PSFModel) else _from_photutils(model, kind)
        return ours._core
    return callable_psf(model, parameter_names(model))


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
    for ours in _OURS:
        if isinstance(model, ours):
            # A subclass with a formula of its own is another model.
            same = type(model).evaluate is ours.evaluate
            return ours if same else None
        theirs = type(model)
        is_photutils = theirs.__module__.startswith("photutils.psf.")
        if is_photutils and theirs.__name__ == ours.__name__:
            return ours
    return None


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


def _one(parameter: Any, name: str) -> float:
    if np.size(parameter.value) != 1:
        msg = f"psf_model must have one value of {name}, got {parameter.value}"
        raise ValueError(msg)
    return float(np.ravel(parameter.value)[0])
