"""The rows of a table of sources, checked and ready to be rendered."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._validate import as_pair, as_vector, check_table, split_mask
from psfphot.psf._rendering.rendering import rendering_box

if TYPE_CHECKING:
    from astropy.modeling import Model
    from numpy.typing import NDArray


class Rows(NamedTuple):
    """The sources of which every parameter is finite."""

    # By the model's parameter names; arrays, or quantities.
    parameters: dict[str, Any]
    x_name: str
    y_name: str
    local_bkg: Any
    model_shape: list[Any] | None

    def __len__(self) -> int:
        return len(self.parameters[self.x_name])

    @property
    def x(self) -> NDArray[np.float64]:
        """Columns of the centres, pixels."""
        column: NDArray[np.float64] = self.parameters[self.x_name]
        return column

    @property
    def y(self) -> NDArray[np.float64]:
        """Rows of the centres, pixels."""
        column: NDArray[np.float64] = self.parameters[self.y_name]
        return column

    def set(self, model: Model, i: int) -> None:
        """Give a model the parameters of the i-th source."""
        for name, column in self.parameters.items():
            setattr(model, name, column[i])

    def unit(self, model: Model) -> u.UnitBase | None:
        """Return the unit of the image; `None` if it has none."""
        own = model.copy()
        for name, column in self.parameters.items():
            # For its unit alone: there may be no row.
            one = getattr(model, name).value
            setattr(own, name, one << column.unit if hasattr(column, "unit") else one)
        value = own(0.0, 0.0)
        return value.unit if isinstance(value, u.Quantity) else None


def read_rows(
    model: Model,
    table: Any,
    *,
    x_name: str,
    y_name: str,
    params_map: dict[str, str] | None,
) -> Rows:
    """Take out of a table what `make_model_image` needs.

    Rows with something that is not finite, or masked, are left out, with one
    warning that counts them.

    Raises
    ------
    TypeError
        If the table is none, or a column is not of real numbers.
    ValueError
        If names are not those of the model or the table, or units are wrong.
    """
    check_table(table, "params_table")
    names = _column_names(model, table, x_name, y_name, params_map)
    used = [*names.values(), *({"local_bkg"} & {*table.colnames})]
    with_units = [name for name in used if table[name].unit is not None]
    if with_units and not isinstance(table, QTable):
        msg = (
            "params_table must be a QTable when its columns have units, got "
            f"{type(table).__name__} with units of {', '.join(with_units)}"
        )
        raise ValueError(msg)
    columns = {}
    for name, column in names.items():
        columns[name] = _without_pixels(_numbers(table[column], column))
        if name in (x_name, y_name) and hasattr(columns[name], "unit"):
            msg = (
                f"the column {column} must be in pixels or without a unit, "
                f"got {columns[name].unit}"
            )
            raise ValueError(msg)
    local_bkg = None
    if "local_bkg" in table.colnames:
        local_bkg = _numbers(table["local_bkg"], "local_bkg")

    good = _finite_rows(model, columns, local_bkg, len(table))
    shapes = None
    if "model_shape" in table.colnames:
        column = table["model_shape"]
        shapes = [column[i] for i in np.flatnonzero(good)]
    return Rows(
        {name: column[good] for name, column in columns.items()},
        x_name,
        y_name,
        None if local_bkg is None else local_bkg[good],
        shapes,
    )


def _column_names(
    model: Model,
    table: Table,
    x_name: str,
    y_name: str,
    params_map: dict[str, str] | None,
) -> dict[str, str]:
    """Tell which column is which parameter."""
    names = {name: name for name in model.param_names if name in table.colnames}
    wanted = {x_name: x_name, y_name: y_name} | dict(params_map or {})
    for parameter, column in wanted.items():
        if parameter not in model.param_names:
            msg = (
                f'key "{parameter}" not in model parameter names, '
                f"{', '.join(model.param_names)}"
            )
            raise ValueError(msg)
        if column not in table.colnames:
            msg = (
                f'value "{column}" not in params_table column names, '
                f"{', '.join(table.colnames)}"
            )
            raise ValueError(msg)
    return names | wanted


def _numbers(column: Any, name: str) -> Any:
    """Make a float vector, with its unit if it is a quantity; masked is NaN."""
    values, mask = split_mask(column)
    unit = values.unit if isinstance(values, u.Quantity) else None
    array = as_vector(values, name)
    if mask is not None and mask.any():
        array = np.where(mask, np.nan, array)
    return array if unit is None else array << unit


def _without_pixels(values: Any) -> Any:
    """Take the unit off lengths in pixels, in which models count without one."""
    return values.value if getattr(values, "unit", None) == u.pix else values


def _finite_rows(
    model: Model, columns: dict[str, Any], local_bkg: Any, n_rows: int
) -> NDArray[np.bool_]:
    """Tell which rows can be rendered; warn of the others."""
    good = np.ones(n_rows, dtype=bool)
    for column in [*columns.values(), *([] if local_bkg is None else [local_bkg])]:
        good &= np.isfinite(column)
    for name in model.param_names:
        if name not in columns:
            good &= np.isfinite(getattr(model, name).value).all()
    if not good.all():
        msg = (
            f"{np.sum(~good)} of {n_rows} sources are left out of the image: "
            "a parameter is not finite or is masked"
        )
        # At the caller of make_model_image.
        warnings.warn(msg, AstropyUserWarning, stacklevel=4)
    return good


def box_shapes(
    rows: Rows,
    model: Model,
    model_shape: Any,
    bbox_factor: float | None,
    ignored: tuple[str, ...],
) -> tuple[int, int] | NDArray[np.int64]:
    """Find the size (ny, nx) of each source's box, or one for all.

    Parameters
    ----------
    rows : Rows
        The sources.
    model : `~astropy.modeling.Model`
        The model.
    model_shape : int or (int, int) or None
        The size, unless the table tells one for each source; `None` takes the
        bounding box of each source's model.
    bbox_factor : float or None
        See `rendering_box`.
    ignored : tuple of str
        Parameters on which the bounding box does not depend.

    Raises
    ------
    ValueError
        If a size is no positive integer, or there is neither a size nor a
        bounding box.
    """
    if rows.model_shape is not None:
        sizes = [as_pair(size, "model_shape", lower=1) for size in rows.model_shape]
        return np.array(sizes, dtype=np.int64).reshape(-1, 2)
    if model_shape is not None or (ignored and {*rows.parameters} <= {*ignored}):
        return rendering_box(
            model, model_shape, name="model_shape", bbox_factor=bbox_factor
        )
    own = model.copy()
    sizes = []
    for i in range(len(rows)):
        rows.set(own, i)
        sizes.append(
            rendering_box(own, None, name="model_shape", bbox_factor=bbox_factor)
        )
    return np.array(sizes, dtype=np.int64).reshape(-1, 2)
