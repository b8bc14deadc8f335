"""Images of any two-dimensional models."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from astropy.convolution import discretize_model
from astropy.modeling import Model

from psfphot import _core
from psfphot._progress import progress_callback
from psfphot._validate import as_pair, as_positive, as_positive_int
from psfphot.psf._models.base import PSFModel
from psfphot.psf._models.convert import is_compiled, to_core
from psfphot.psf._rendering.rendering import render_model_image
from psfphot.psf._rendering.source_rows import box_shapes, read_rows

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.table import Table
    from numpy.typing import NDArray

    from psfphot.psf._rendering.source_rows import Rows

__all__ = ["make_model_image"]

# Our names (photutils') of astropy's ways to discretize a model.
_MODES: dict[str, str] = {
    "center": "center",
    "interp": "linear_interp",
    "oversample": "oversample",
    "integrate": "integrate",
}

# The first pixel along an axis, and the one behind the last.
Pixels: TypeAlias = tuple[int, int]
# Makes the values of the i-th source in the pixels (y, x).
Discretize: TypeAlias = Callable[[int, Pixels, Pixels], "NDArray[np.float64]"]

# Parameters of a PSF on which its bounding box's size does not depend.
_NOT_SHAPE = ("x_0", "y_0", "flux")


def make_model_image(
    shape: int | tuple[int, int],
    model: Any,
    params_table: Table,
    *,
    model_shape: int | tuple[int, int] | None = None,
    bbox_factor: float | None = None,
    x_name: str = "x_0",
    y_name: str = "y_0",
    params_map: dict[str, str] | None = None,
    discretize_method: Literal[
        "center", "interp", "oversample", "integrate"
    ] = "center",
    discretize_oversample: int = 10,
    progress_bar: bool = False,
    n_threads: int | None = None,
) -> NDArray[np.float64] | u.Quantity:
    """Make an image of the sources of a table.

    Parameters
    ----------
    shape : int or (int, int)
        The image's (ny, nx).
    model : `~astropy.modeling.Model`
        Any model with two inputs, x and y, and one output.
    params_table : `~astropy.table.Table`
        One row for each source. A column with the name of a parameter of the
        model holds its values; parameters without one keep the model's. Units
        are taken of a `~astropy.table.QTable`. A column ``model_shape`` holds
        the size of each source's box, int or (ny, nx), and a column
        ``local_bkg`` a level that is added over that box (where boxes overlap,
        more than once). Other columns are ignored.
    model_shape : int or (int, int), optional
        Rows and columns of the box around each source in which the model is
        evaluated; `None` takes the bounding box, that of each source's own
        parameters. Ignored if the table has that column.
    bbox_factor : float, optional
        Passed as ``factor`` to the model's bounding box, if that takes it.
    x_name, y_name : str, optional
        The parameters of the position.
    params_map : dict, optional
        Names of columns by the names of parameters, where they differ.
    discretize_method : {'center', 'interp', 'oversample', 'integrate'}, optional
        The value of a pixel: of the model at its centre; interpolated
        bilinearly between its corners; averaged over
        ``discretize_oversample``² points; or integrated over the pixel by
        scipy's ``dblquad``, which is very slow and needs scipy. Effective PSFs
        and those whose names end in ``PRF`` are integrated already: they take
        ``'center'``.
    discretize_oversample : int, optional
        Points in each direction, for ``'oversample'``.
    progress_bar : bool, optional
        Whether to show a progress bar.
    n_threads : int or None, optional
        How many threads to use; `None` for all processors. The result does not
        depend on it. Only PSF models with ``'center'`` use more than one.

    Returns
    -------
    2D ndarray of float64 or `~astropy.units.Quantity`
        The image; a quantity if the model's values have a unit.

    Warns
    -----
    AstropyUserWarning
        If sources are left out because a parameter, or ``local_bkg``, is not
        finite or is masked; it says how many. Sources off the image are no
        reason to warn.

    Raises
    ------
    TypeError
        If an argument is not of its type.
    ValueError
        If an argument is out of its range, a name is not that of a parameter
        or column, a unit is wrong, or ``model_shape`` is missing and the model
        has no bounding box.
    ImportError
        If ``'integrate'`` finds no scipy.

    Notes
    -----
    The PSF models of `psfphot.psf`, and photutils' models of the same kinds,
    are rendered by the compiled core with ``'center'``; analytic ones also with
    ``'interp'`` and ``'oversample'``, on one thread. All else is evaluated
    source by source in Python.

    Examples
    --------
    >>> from astropy.modeling.models import Moffat2D
    >>> from psfphot.datasets import make_model_image, make_random_models_table
    >>> ranges = {"amplitude": (100, 200), "x_0": (0, 90), "y_0": (0, 80)}
    >>> params = make_random_models_table(25, ranges, seed=0)
    >>> data = make_model_image((80, 90), Moffat2D(), params, model_shape=(15, 15))
    >>> data.shape
    (80, 90)
    """
    shape = as_pair(shape, "shape", lower=1)
    _check_model(model)
    factor = _check_method(discretize_method, discretize_oversample)
    rows = read_rows(
        model, params_table, x_name=x_name, y_name=y_name, params_map=params_map
    )
    boxes = _boxes(rows, model, model_shape, bbox_factor)
    unit = rows.unit(model)
    levels = _levels(rows, unit)
    if unit is not None and discretize_method == "integrate":
        # scipy's quadrature takes no quantities.
        msg = f"discretize_method='integrate' takes no units, got an image in {unit}"
        raise ValueError(msg)
    core_psf = _compiled(model, rows)
    if core_psf is not None and discretize_method == "center":
        image = render_model_image(
            shape,
            core_psf,
            rows.x,
            rows.y,
            _values(rows, model, "flux"),
            box_shape=boxes,
            local_bkg=levels,
            psf_shapes=_psf_shapes(rows, model),
            progress_bar=progress_bar,
            n_threads=n_threads,
        )
    else:
        mean = _mean_of_points(core_psf, rows, model, discretize_method, factor)
        image = _add_one_by_one(
            shape,
            rows,
            mean or _by_astropy(rows, model, discretize_method, factor),
            boxes=boxes,
            levels=levels,
            progress_bar=progress_bar,
        )
    return image if unit is None else image << unit


def _check_model(model: Any) -> None:
    if not isinstance(model, Model):
        msg = f"model must be a Model instance, got {model!r}"
        raise TypeError(msg)
    if model.n_inputs != 2 or model.n_outputs != 1:  # noqa: PLR2004
        msg = (
            "model must be a 2D model, of two inputs and one output, "
            f"got {model.n_inputs} and {model.n_outputs}"
        )
        raise ValueError(msg)
    for name in model.param_names:
        if np.size(getattr(model, name).value) != 1:
            msg = f"model must have one value of {name}, got {getattr(model, name)}"
            raise ValueError(msg)


def _check_method(method: Any, oversample: Any) -> int:
    """Check the way to discretize; return the points of 'oversample'."""
    if method not in _MODES:
        msg = (
            f"Invalid discretize_method: {method!r}. discretize_method must be "
            f"one of {tuple(_MODES)}"
        )
        raise ValueError(msg)
    if method != "oversample":
        return 1
    return as_positive_int(oversample, "discretize_oversample")


def _is_psf(model: Model) -> bool:
    """Tell whether the model is one of ours, or one of photutils'."""
    theirs = type(model).__module__.startswith("photutils.psf.")
    return (isinstance(model, PSFModel) or theirs) and {*_NOT_SHAPE} <= {
        *model.param_names
    }


def _compiled(model: Model, rows: Rows) -> _core.Psf | None:
    """Make the compiled form; `None` if the model itself has to be asked."""
    if not _is_psf(model) or (rows.x_name, rows.y_name) != ("x_0", "y_0"):
        return None
    # The core's PSF is 0 off its samples, and its lengths are pixels.
    if getattr(model, "fill_value", 0.0) != 0.0:
        return None
    for name in model.param_names:
        value = rows.parameters.get(name, getattr(model, name))
        if name != "flux" and getattr(value, "unit", None) is not None:
            return None
    return to_core(model) if is_compiled(model) else None


def _values(rows: Rows, model: Model, name: str) -> NDArray[np.float64]:
    """Return the sources' values of a parameter, else the model's for each."""
    if name in rows.parameters:
        column = rows.parameters[name]
        return np.asarray(getattr(column, "value", column))
    return np.full(len(rows), float(np.ravel(getattr(model, name).value)[0]))


def _psf_shapes(rows: Rows, model: Model) -> NDArray[np.float64] | None:
    """Return each source's own shape; `None` where all have the model's."""
    names = [name for name in model.param_names if name not in _NOT_SHAPE]
    if not any(name in rows.parameters for name in names):
        return None
    return np.column_stack([_values(rows, model, name) for name in names])


def _boxes(
    rows: Rows, model: Model, model_shape: Any, bbox_factor: float | None
) -> tuple[int, int] | NDArray[np.int64]:
    """Find the size of each source's box, or one for all."""
    if bbox_factor is not None:
        bbox_factor = as_positive(bbox_factor, "bbox_factor")
    if not _is_psf(model):
        return box_shapes(rows, model, model_shape, bbox_factor, ())
    _check_psf_shapes(rows, model)
    return box_shapes(rows, model, model_shape, bbox_factor, _NOT_SHAPE)


def _check_psf_shapes(rows: Rows, model: Model) -> None:
    for name in {*rows.parameters} - {*_NOT_SHAPE}:
        # The class's own bound; the model's may be a fit's.
        lower, _ = getattr(type(model), name).bounds
        values = _values(rows, model, name)
        if lower is not None and (values < lower).any():
            msg = f"{name} must be positive and finite, got {values.min()}"
            raise ValueError(msg)


def _levels(rows: Rows, unit: u.UnitBase | None) -> NDArray[np.float64] | None:
    """Return the local backgrounds in the image's unit."""
    if rows.local_bkg is None:
        return None
    own = getattr(rows.local_bkg, "unit", None)
    if (own is None) != (unit is None) or (
        own is not None and not own.is_equivalent(unit)
    ):
        msg = (
            "The local_bkg column must have the same flux units as the output "
            f"image: local_bkg has {own}, the image {unit}"
        )
        raise ValueError(msg)
    if unit is None:
        return np.asarray(rows.local_bkg)
    return np.asarray(rows.local_bkg.to_value(unit))


def _by_astropy(rows: Rows, model: Model, method: str, factor: int) -> Discretize:
    """Ask the model, for one source after another."""
    own = model.copy()

    def discretize(i: int, y: Pixels, x: Pixels) -> NDArray[np.float64]:
        rows.set(own, i)
        # A star's far wings are 0 to a float.
        with np.errstate(under="ignore"):
            values = discretize_model(own, x, y, mode=_MODES[method], factor=factor)
        return np.asarray(getattr(values, "value", values))

    return discretize


def _mean_of_points(
    core_psf: _core.Psf | None, rows: Rows, model: Model, method: str, factor: int
) -> Discretize | None:
    """Let the core evaluate all points of the pixels, if there is a way.

    The mean over points beside the pixels' centres is that of sources moved the
    other way, and for a source on a whole box the core is quick. It has to be
    the same PSF everywhere, and without edges, over which rounding might move it.
    """
    if core_psf is None or method == "integrate" or hasattr(model, "oversampling"):
        return None
    # The middle between the corners is the mean of the four.
    steps = np.array([-0.5, 0.5])
    if method == "oversample":
        steps = (np.arange(factor) + 0.5) / factor - 0.5
    dy, dx = (offsets.ravel() for offsets in np.meshgrid(steps, steps, indexing="ij"))
    flux = _values(rows, model, "flux") / dx.size
    shapes = _psf_shapes(rows, model)

    def discretize(i: int, y: Pixels, x: Pixels) -> NDArray[np.float64]:
        part = np.zeros((y[1] - y[0], x[1] - x[0]))
        _core.render_sources(
            part,
            core_psf,
            rows.x[i] - x[0] - dx,
            rows.y[i] - y[0] - dy,
            np.full(dx.size, flux[i]),
            window_shape=(_reach(rows.y[i], y), _reach(rows.x[i], x)),
            psf_shapes=None if shapes is None else np.tile(shapes[i], (dx.size, 1)),
            n_threads=1,
        )
        return part

    return discretize


def _reach(center: float, pixels: Pixels) -> int:
    """Return the size of a box about any point of a pixel that holds ``pixels``."""
    return 2 * math.ceil(max(center - pixels[0], pixels[1] - center)) + 3


def _add_one_by_one(
    shape: tuple[int, int],
    rows: Rows,
    discretize: Discretize,
    *,
    boxes: tuple[int, int] | NDArray[np.int64],
    levels: NDArray[np.float64] | None,
    progress_bar: bool,
) -> NDArray[np.float64]:
    """Add each source's box."""
    image = np.zeros(shape)
    sizes = np.broadcast_to(boxes, (len(rows), 2)).tolist()
    with progress_callback(
        len(rows), "Add model sources", enabled=progress_bar
    ) as progress:
        for i in range(len(rows)):
            y = _pixels(rows.y[i], sizes[i][0], shape[0])
            x = _pixels(rows.x[i], sizes[i][1], shape[1])
            if y[0] < y[1] and x[0] < x[1]:
                part = image[slice(*y), slice(*x)]
                part += discretize(i, y, x)
                if levels is not None:
                    part += levels[i]
            if progress is not None:
                progress(i + 1)
    return image


def _pixels(center: float, size: int, n_pixels: int) -> Pixels:
    """Return the range of ``size`` pixels about a centre, cut at the image."""
    first = math.ceil(center - size / 2)
    return max(first, 0), min(first + size, n_pixels)
