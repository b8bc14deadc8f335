"""What all PSF models share: evaluation by the compiled core, copies, units."""

from __future__ import annotations

import copy
import operator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy import units as u
from astropy.modeling import Fittable2DModel, Parameter

from psfphot.psf._models.compiled import Compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot import _core


class Points(NamedTuple):
    """What a call of ``evaluate`` comes to, without units."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    # Flux, x_0, y_0 and the shape: numbers, or one value for each point.
    parameters: list[Any]
    shape: tuple[int, ...]
    flux_unit: u.UnitBase | None
    length_unit: u.UnitBase | None


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


class PSFModel(Fittable2DModel):  # type: ignore[misc]
    """A PSF with the parameters flux, x_0, y_0 and those of its shape.

    Subclasses say how they are compiled (`_compile`).
    """

    flux = Parameter(default=1, description="Total flux of the source.")
    x_0 = Parameter(default=0, description="Column of the source's centre, pixels.")
    y_0 = Parameter(default=0, description="Row of the source's centre, pixels.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._compiled = Compiled()
        super().__init__(*args, **kwargs)

    def _compile(self) -> _core.Psf:
        raise NotImplementedError

    @property
    def _core(self) -> _core.Psf:
        """The compiled model, made at first use and shared with copies."""
        # No lock: of two threads that come at once both compile the same.
        if self._compiled.psf is None:
            self._compiled.psf = self._compile()
        return self._compiled.psf

    def _forget_compiled(self) -> None:
        """Part from the copies: an attribute that is compiled in changes."""
        self._compiled = Compiled()

    def _evaluate(
        self, x: Any, y: Any, flux: Any, *lengths: Any, numbers: tuple[Any, ...] = ()
    ) -> Any:
        """Flux times the PSF, for inputs and parameters that broadcast.

        The parameters are lengths, x_0 and y_0 first, then plain numbers.
        """
        points = self._points(x, y, flux, lengths, numbers)
        values = self._values(points).reshape(points.shape)
        unit = points.flux_unit
        if unit is None and points.length_unit is not None:
            unit = u.dimensionless_unscaled
        return values if unit is None else values << unit

    def _derivatives(
        self, x: Any, y: Any, flux: Any, *lengths: Any, numbers: tuple[Any, ...] = ()
    ) -> list[Any]:
        """Differentiate by each parameter; see `_evaluate`."""
        points = self._points(x, y, flux, lengths, numbers)
        planes = self._gradient(points)
        by_flux, *others = planes.reshape(len(planes), *points.shape)
        if points.length_unit is None and points.flux_unit is None:
            return [by_flux, *others]
        unit = points.flux_unit or u.dimensionless_unscaled
        by_length = unit if points.length_unit is None else unit / points.length_unit
        units = [by_length] * len(lengths) + [unit] * len(numbers)
        return [by_flux, *map(operator.lshift, others, units)]

    def _values(self, points: Points) -> NDArray[np.float64]:
        return self._core.evaluate(points.x, points.y, *points.parameters)

    def _gradient(self, points: Points) -> NDArray[np.float64]:
        return self._core.gradient(points.x, points.y, *points.parameters)

    def _points(
        self,
        x: Any,
        y: Any,
        flux: Any,
        lengths: tuple[Any, ...],
        numbers: tuple[Any, ...],
    ) -> Points:
        """Take off the units and broadcast.

        Parameters of one element (all but always) stay single numbers.
        """
        flux_unit = getattr(flux, "unit", None)
        length_unit = next((v.unit for v in lengths if hasattr(v, "unit")), None)
        values = [_number(flux, flux_unit)]
        values += [_number(length, length_unit) for length in lengths]
        values += [_number(number, None) for number in numbers]
        x, y = _number(x, length_unit), _number(y, length_unit)
        shape = _shape([x, y, *values])
        parameters = [v.item() if v.size == 1 else _flat(v, shape) for v in values]
        return Points(
            _flat(x, shape), _flat(y, shape), parameters, shape, flux_unit, length_unit
        )

    @property
    def input_units(self) -> dict[str, u.UnitBase] | None:
        """Units that the inputs must have; `None` while x_0 has none."""
        unit = self.x_0.input_unit
        return None if unit is None else dict.fromkeys(self.inputs, unit)

    @property
    def return_units(self) -> None:
        """Any unit will do: the values have that of the flux.

        Else astropy takes the annotations of ``evaluate`` for units.
        """
        return

    def _parameter_units_for_data_units(
        self, inputs_unit: dict[str, u.UnitBase], outputs_unit: dict[str, u.UnitBase]
    ) -> dict[str, u.UnitBase]:
        """Units that the parameters take in a fit; astropy's hook."""
        length = inputs_unit[self.inputs[0]]
        if length != inputs_unit[self.inputs[1]]:
            msg = "Units of 'x' and 'y' inputs should match"
            raise u.UnitsError(msg)
        units = dict.fromkeys(self.param_names, length)
        units["flux"] = outputs_unit[self.outputs[0]]
        return units

    def _shared(self) -> list[Any]:
        """Objects that a copy has in common with its original."""
        return []

    def copy(self) -> Any:
        """Copy the model; parameters are its own, image data are shared.

        Returns
        -------
        PSFModel
            A model of the same class.
        """
        return copy.deepcopy(self, {id(shared): shared for shared in self._shared()})

    def deepcopy(self) -> Any:
        """Copy the model and all its data.

        Returns
        -------
        PSFModel
            A model of the same class.
        """
        return copy.deepcopy(self)

    # A shallow copy would share the parameters, whose value one then could not
    # set without the other's changing.
    __copy__ = copy


def _number(values: Any, unit: u.UnitBase | None) -> NDArray[np.float64]:
    """Make a float64 array of any shape, without its unit.

    Plain parameters are in pixels: so are inputs that say so, and no others.

    Raises
    ------
    `~astropy.units.UnitsError`
        If the values are not in that unit, or in one where there is none.
    """
    own = getattr(values, "unit", None)
    if unit is not None:
        values = u.Quantity(values).to_value(unit)
    elif own not in (None, u.pixel, u.dimensionless_unscaled):
        msg = f"the model's parameters have no unit, but an input is in {own}"
        raise u.UnitsError(msg)
    return np.asarray(values, dtype=np.float64)


def _shape(arrays: list[NDArray[np.float64]]) -> tuple[int, ...]:
    """Tell the shape that arrays broadcast to.

    As `numpy.broadcast_shapes`, which takes as long as the core on few pixels.
    """
    shapes = {array.shape for array in arrays} - {(), (1,)}
    if len(shapes) == 1:
        return shapes.pop()
    return np.broadcast_shapes(*(array.shape for array in arrays))


def _flat(values: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Make a contiguous vector of the values broadcast to ``shape``."""
    if values.shape != shape:
        values = np.broadcast_to(values, shape)
    return np.ascontiguousarray(values).reshape(-1)
