"""What the models that are formulas share."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy import units as u
from astropy.utils.codegen import make_function_with_signature

from psfphot import _core
from psfphot._validate import as_positive, as_positive_int
from psfphot.psf._models.base import PSFModel

if TYPE_CHECKING:
    from collections.abc import Callable

# The smallest normal float32: a fitter that is bounded by it never divides by 0.
TINY = float(np.finfo(np.float32).tiny)

# photutils' number of Gauss-Legendre nodes along each axis of a pixel.
DEFAULT_NODES = 9


class AnalyticPSF(PSFModel):
    """A PSF given as a formula with shape parameters.

    A subclass that has new parameters is given ``evaluate`` and ``fit_deriv``
    with their names as arguments.
    """

    # How the core calls it.
    _kind: ClassVar[str]

    # What the parameters of widths and exponents must be greater than.
    _above: ClassVar[dict[str, float]] = {}

    # The unit of parameters that are no lengths; they come last.
    _no_lengths: ClassVar[dict[str, u.UnitBase | None]] = {}

    # The attribute that is the unit of the bounding box.
    _width: ClassVar[str] = "fwhm"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # astropy's: the parameters that each class has in its own body.
        own, *inherited = (vars(base).get("_parameters_", ()) for base in cls.__mro__)
        known = [name for names in reversed(inherited) for name in names]
        # A formula in the class's own body stays.
        if set(own) <= set(known) or "evaluate" in vars(cls):
            return
        for method in (AnalyticPSF.evaluate, AnalyticPSF.fit_deriv):
            named: Any = _with_names(cls, method, [*known, *own])
            if method is AnalyticPSF.fit_deriv:
                named = _OnTheClassToo(named)
            setattr(cls, method.__name__, named)

    def __init__(self, *, bbox_factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bbox_factor = bbox_factor
        self._check_shape()

    def _check_shape(self) -> None:
        """Refuse shape parameters that make no PSF."""
        for name in self.param_names[3:]:
            values = np.asarray(getattr(self, name).value)
            low = self._above.get(name, -np.inf)
            if np.isfinite(values).all() and (values > low).all():
                continue
            must = {0: "positive and finite", -np.inf: "finite"}.get(
                low, f"greater than {low:g} and finite"
            )
            raise ValueError(f"{name} must be {must}, got {getattr(self, name).value}")

    @property
    def bbox_factor(self) -> float:
        """Half the size of the bounding box, in units of a width.

        Raises
        ------
        TypeError
            If what is set is not a number.
        ValueError
            If it is not positive and finite.
        """
        return self._bbox_factor

    @bbox_factor.setter
    def bbox_factor(self, value: float) -> None:
        self._bbox_factor = as_positive(value, "bbox_factor")

    def _compile(self) -> _core.Psf:
        return _compiled(self._kind, len(self.param_names) - 3, self._nodes())

    def _nodes(self) -> int:
        return DEFAULT_NODES

    def evaluate(
        self, x: Any, y: Any, flux: Any, x_0: Any, y_0: Any, *shape: Any
    ) -> Any:
        """Evaluate the model; everything broadcasts.

        Parameters
        ----------
        x, y : array_like
            Where, pixels.
        {parameters} : array_like
            The parameters.

        Returns
        -------
        ndarray or Quantity
            The values, in the unit of ``flux``; NaN where
            {bad}.
        """
        lengths, numbers = self._lengths_and_numbers(shape)
        return self._evaluate(x, y, flux, x_0, y_0, *lengths, numbers=numbers)

    def fit_deriv(
        self, x: Any, y: Any, flux: Any, x_0: Any, y_0: Any, *shape: Any
    ) -> list[Any]:
        """Differentiate the model by its parameters; see `evaluate`.

        Returns
        -------
        list of ndarray
            The derivatives by {parameters}{angle}.
        """
        lengths, numbers = self._lengths_and_numbers(shape)
        planes = self._derivatives(x, y, flux, x_0, y_0, *lengths, numbers=numbers)
        for i, unit in enumerate(self._no_lengths.values(), -len(numbers)):
            # Plain numbers stay plain: then theta may be in degrees and say so.
            has_units = hasattr(shape[i], "unit") and hasattr(planes[i], "unit")
            if unit is not None and has_units:
                planes[i] = planes[i] * (1 / unit)
        return planes

    def _lengths_and_numbers(
        self, shape: tuple[Any, ...]
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Part the shape parameters, and take units off those that are no lengths."""
        if not self._no_lengths:
            return shape, ()
        first = len(shape) - len(self._no_lengths)
        pairs = zip(shape[first:], self._no_lengths.values(), strict=True)
        return shape[:first], tuple([in_unit(*pair) for pair in pairs])

    def _parameter_units_for_data_units(
        self, inputs_unit: dict[str, u.UnitBase], outputs_unit: dict[str, u.UnitBase]
    ) -> dict[str, u.UnitBase]:
        units = super()._parameter_units_for_data_units(inputs_unit, outputs_unit)
        units |= self._no_lengths
        return {name: unit for name, unit in units.items() if unit is not None}

    def _half_sizes(self) -> tuple[Any, Any]:
        """Half the size of the bounding box in x and in y."""
        half = self.bbox_factor * getattr(self, self._width)
        return half, half

    def bounding_box(self) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Limits in y and x: ``bbox_factor`` widths around the centre."""
        half_x, half_y = self._half_sizes()
        return (
            (self.y_0 - half_y, self.y_0 + half_y),
            (self.x_0 - half_x, self.x_0 + half_x),
        )


class PixelNodes:
    """The part of a model that is integrated by nodes in each pixel."""

    # That of PSFModel.
    _forget_compiled: Callable[[], None]

    def _nodes(self) -> int:
        return self.n_nodes

    @property
    def n_nodes(self) -> int:
        """Number of Gauss-Legendre nodes along each axis of a pixel.

        Raises
        ------
        ValueError
            If what is set is not an integer from 1 to 200.
        """
        return self._n_nodes

    @n_nodes.setter
    def n_nodes(self, value: int) -> None:
        n_nodes = as_positive_int(value, "n_nodes")
        # The core says which numbers are too many.
        _compiled("AiryDiskPRF", 1, n_nodes)
        self._n_nodes = n_nodes
        self._forget_compiled()


@functools.lru_cache(maxsize=32)
def _compiled(kind: str, n_shape: int, n_nodes: int) -> _core.Psf:
    """Make the compiled form, whose own shape does not matter.

    Evaluation is given the shape each time, so that one object does for all.
    """
    return _core.Psf.analytic(kind, [2.0] * n_shape, n_nodes)


def number_of(values: Any) -> Any:
    """Take off the unit, if there is one."""
    return getattr(values, "value", values)


def in_unit(value: Any, unit: u.UnitBase | None) -> Any:
    """Make a plain number of one with a unit; others are in ``unit``, if that is."""
    if unit is None or not hasattr(value, "unit"):
        return value
    return u.Quantity(value).to_value(unit)


class _OnTheClassToo:
    """A method that can also be called on the class, as a static method can.

    The class then means its model of default parameters: the method must not
    depend on them.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self.__doc__ = method.__doc__
        self._method = method

    def __get__(self, model: Any, kind: type[Any]) -> Callable[..., Any]:
        return types.MethodType(self._method, kind() if model is None else model)


def _with_names(
    cls: type[AnalyticPSF], method: Callable[..., Any], names: list[str]
) -> Callable[..., Any]:
    """Give a method the model's parameters as arguments, and tell of them."""
    named: Callable[..., Any] = make_function_with_signature(
        method, ("self", "x", "y", *names)
    )
    named.__module__ = cls.__module__
    named.__qualname__ = f"{cls.__qualname__}.{method.__name__}"
    bad = (
        f"``{name}`` is not {f'greater than {low:g}' if low else 'positive'}"
        for name, low in cls._above.items()
    )
    told = {"parameters": ", ".join(names), "bad": " or ".join(bad)}
    told["angle"] = "; by theta per degree" if "theta" in names else ""
    named.__doc__ = (method.__doc__ or "").format(**told)
    return named
