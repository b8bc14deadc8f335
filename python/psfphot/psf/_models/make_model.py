"""PSF models of astropy's models, and grids of image PSFs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.modeling import CompoundModel, Fittable1DModel, Model, Parameter
from astropy.modeling.models import Const2D, Identity
from astropy.nddata import NDData

from psfphot._deprecated import by_keyword
from psfphot._validate import as_count, check_instance
from psfphot._warnings import PhotutilsDeprecationWarning
from psfphot.psf._models.gridded import GriddedPSFModel
from psfphot.psf._models.image import ImagePSF

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["grid_from_epsfs", "make_psf_model"]

#: The widest field, pixels, that a model is integrated over.
_WIDEST = 10_000


class _FromOrigin(Fittable1DModel):  # type: ignore[misc]
    """The distance from a position, which is the parameter."""

    offset = Parameter(default=0)

    # Any: else astropy takes the annotations of ``evaluate`` for units.
    input_units = None
    return_units = None

    @staticmethod
    def evaluate(x: Any, offset: Any) -> Any:
        return x - offset

    @staticmethod
    def fit_deriv(x: Any, offset: Any) -> list[Any]:
        return [-np.ones_like(x - offset)]


def make_psf_model(
    model: Model,
    *,
    x_name: str | None = None,
    y_name: str | None = None,
    flux_name: str | None = None,
    normalize: bool = True,
    dx: int = 50,
    dy: int = 50,
    subsample: int = 100,
    use_dblquad: bool = False,
) -> CompoundModel:
    """Make a PSF model of an astropy model; deprecated.

    `PSFPhotometry` takes astropy's Gaussian2D and Moffat2D, and any model with
    ``x_0``, ``y_0`` and ``flux``, or with the attributes ``x_name``, ``y_name`` and
    ``flux_name`` that name them: this function is not needed.

    Parameters
    ----------
    model : `~astropy.modeling.Fittable2DModel`
        The model; it is copied.
    x_name, y_name : str or None, optional
        Which of its parameters are the position. `None` adds one, for a model around
        the origin.
    flux_name : str or None, optional
        Which is the flux. `None` adds one.
    normalize : bool, optional
        Whether to scale the model so that its integral is 1.
    dx, dy : int, optional
        Over how many pixels it is integrated, around its position.
    subsample : int, optional
        Points of the integral per pixel and axis.
    use_dblquad : bool, optional
        Whether to integrate over the plane by `scipy.integrate.dblquad` instead.

    Returns
    -------
    `~astropy.modeling.CompoundModel`
        The model, with the attributes ``x_name``, ``y_name`` and ``flux_name``; all
        its other parameters are fixed.

    Raises
    ------
    ValueError
        If the model has no such parameter, its position is not finite, its integral
        is 0, or a size is not above 0.
    """
    msg = (
        "make_psf_model was deprecated in photutils 3.1. Give the model itself to "
        "PSFPhotometry, with the attributes x_name, y_name and flux_name if its "
        "parameters have other names than x_0, y_0 and flux."
    )
    warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=2)
    check_instance(model, Model, "model")
    own = model.copy()
    for name in (x_name, y_name, flux_name):
        if name is not None and name not in own.param_names:
            msg = f"{name!r} parameter name not found in the input model"
            raise ValueError(msg)
    axes = [
        Identity(1) if name else _FromOrigin(name=f"{axis}_position")
        for axis, name in (("x", x_name), ("y", y_name))
    ]
    made = (axes[0] & axes[1]) | own
    names = [
        _in_compound(own, x_name) if x_name else "offset_0",
        _in_compound(own, y_name) if y_name else "offset_1",
    ]
    if flux_name:
        names.append(_in_compound(own, flux_name))
    else:
        made = made * Const2D(1.0, name="flux")
        names.append(made.param_names[-1])
    if normalize:
        total = (
            _by_scipy(made)
            if use_dblquad
            else _integral(made, names, dx, dy, subsample)
        )
        if total == 0:
            msg = "the model cannot be normalised: its integral is 0"
            raise ValueError(msg)
        made = made * Const2D(1.0 / total, name="normalization_scaling")
    for name in made.param_names:
        made.fixed[name] = name not in names
    made.x_name, made.y_name, made.flux_name = names
    made.x_0, made.y_0, made.flux = (getattr(made, name) for name in names)
    return made


def _in_compound(model: Model, name: str) -> str:
    """Tell what a parameter is called behind the two models of the axes."""
    if not isinstance(model, CompoundModel):
        return f"{name}_2"
    stem, _, number = name.rpartition("_")
    return f"{stem}_{int(number) + 2}"


def _integral(
    model: Model, names: list[str], dx: float, dy: float, subsample: int
) -> float:
    """Integrate around the position by trapezoids."""
    if not (0 < dx <= _WIDEST and 0 < dy <= _WIDEST):
        msg = f"dx and dy must be > 0 and at most {_WIDEST}, got {dx} and {dy}"
        raise ValueError(msg)
    as_count(subsample, "subsample", least=1)
    centre = np.array([getattr(model, name).value for name in names[:2]], dtype=float)
    if not np.isfinite(centre).all():
        raise ValueError("the position of the model must be finite")
    x, y = (
        np.linspace(
            middle - (size - 1) / 2, middle + (size - 1) / 2, int(size * subsample)
        )
        for middle, size in zip(centre.ravel(), (dx, dy), strict=True)
    )
    unit = getattr(getattr(model, names[0]), "unit", None)
    grid = (x[:, np.newaxis], y[np.newaxis, :])
    values = model(*(each if unit is None else each << unit for each in grid))
    values = np.asarray(getattr(values, "value", values))
    return float(np.trapezoid(np.trapezoid(values, y, axis=1), x))


def _by_scipy(model: Model) -> float:
    from scipy.integrate import dblquad  # noqa: PLC0415  (optional)

    return float(dblquad(model, -np.inf, np.inf, -np.inf, np.inf)[0])


@by_keyword
def grid_from_epsfs(
    epsfs: Sequence[ImagePSF],
    grid_xypos: Any = None,
    meta: dict[str, Any] | None = None,
) -> GriddedPSFModel:
    """Make a grid of image PSFs; deprecated, make a `GriddedPSFModel` itself.

    Parameters
    ----------
    epsfs : sequence of ImagePSF
        The PSFs, which must agree in all but their images and positions.
    grid_xypos : sequence of (x, y), optional
        Their detector positions; `None` stands for their ``x_0`` and ``y_0``.
    meta : dict, optional
        Meta data of the grid; ``grid_xypos``, ``oversampling`` and ``fill_value``
        are put into it.

    Returns
    -------
    GriddedPSFModel
        The grid.

    Raises
    ------
    TypeError
        If a PSF is of another class.
    ValueError
        If they do not go together, or the positions form no grid.
    """
    msg = (
        "grid_from_epsfs was deprecated in photutils 3.0. "
        "Make a GriddedPSFModel of an NDData instead."
    )
    # by_keyword stands between.
    warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=3)
    if grid_xypos is not None and len(grid_xypos) != len(epsfs):
        msg = f"grid_xypos must have {len(epsfs)} positions, got {len(grid_xypos)}"
        raise ValueError(msg)
    for epsf in epsfs:
        if not isinstance(epsf, ImagePSF):
            raise TypeError(f"epsfs must be ImagePSF, got {type(epsf).__name__}")
    alike = ["oversampling", "fill_value", "flux", "shape"]
    alike += ["origin"] if grid_xypos is None else []
    for name in alike:
        first = getattr(epsfs[0], name)
        if any(np.any(getattr(epsf, name) != first) for epsf in epsfs):
            raise ValueError(f"all epsfs must have the same {name}")
    if meta is not None and not isinstance(meta, Mapping):
        raise TypeError(f"meta must be a dict, got {type(meta).__name__}")
    if grid_xypos is None:
        grid_xypos = [(epsf.x_0.value, epsf.y_0.value) for epsf in epsfs]
    meta = {} if meta is None else dict(meta)
    meta["grid_xypos"] = grid_xypos
    meta["oversampling"] = epsfs[0].oversampling
    meta["fill_value"] = epsfs[0].fill_value
    images = NDData(np.stack([epsf.data for epsf in epsfs]), meta=meta)
    return GriddedPSFModel(images, fill_value=epsfs[0].fill_value)
