"""What the models that are formulas share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy import units as u

from psfphot import _core
from psfphot._validate import as_positive
from psfphot.psf._models.base import PSFModel
from psfphot.psf._photometry.arguments import as_positive_int

if TYPE_CHECKING:
    from collections.abc import Callable

# The smallest normal float32: a fitter that is bounded by it never divides by 0.
TINY = float(np.finfo(np.float32).tiny)

# photutils' number of Gauss-Legendre nodes along each axis of a pixel.
DEFAULT_NODES = 9


class AnalyticPSF(PSFModel):
    """A PSF given as a formula with shape parameters.

    Subclasses have the parameters, ``evaluate`` and ``fit_deriv`` with
    astropy's arguments, and `_half_sizes`.
    """

    # How the core calls it.
    _kind: ClassVar[str]

    # What the parameters of widths and exponents must be greater than.
    _above: ClassVar[dict[str, float]] = {}

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

    def _half_sizes(self) -> tuple[Any, Any]:
        """Half the size of the bounding box in x and in y."""
        raise NotImplementedError

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


def as_degrees(angle: Any) -> Any:
    """Make plain degrees of an angle with a unit; others are degrees."""
    return u.Quantity(angle).to_value(u.deg) if hasattr(angle, "unit") else angle
