"""Any other astropy model as a PSF: evaluated by calls back into Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.psf._models.base import ParameterNames

# Step of central differences, pixels or relative: the cube root of the
# precision, where the errors of rounding and of the third derivative meet.
_STEP = 6e-6


def callback_psf(model: Any, names: ParameterNames) -> _core.Psf:
    """Make a PSF of a model that the compiled core does not know.

    It is slow: each evaluation calls the model, on the calling thread.

    Parameters
    ----------
    model : `~astropy.modeling.Model`
        A model of two inputs that is proportional to its flux. It is copied.
    names : ParameterNames
        Which parameter is which. Those of the shape that are not fixed are
        the PSF's.

    Returns
    -------
    _core.Psf
        The PSF.

    Raises
    ------
    ValueError
        If the model is not proportional to its flux, has units of length, or
        has more than three free parameters besides flux and position.
    """
    psf = _CallablePSF(model, names)
    return _core.Psf.callback_model(psf, [psf.default(name) for name in names.shape])


class _CallablePSF:
    """The model of unit flux, and its derivatives."""

    def __init__(self, model: Any, names: ParameterNames) -> None:
        self._model = model.copy()
        self._names = names
        for name in self._model.param_names:
            if getattr(self._model, name).unit is not None and name != names.flux:
                msg = (
                    f"psf_model must have no units besides that of its flux: {name} "
                    f"is in {getattr(self._model, name).unit}"
                )
                raise ValueError(msg)
        self._check_linear()

    def default(self, name: str) -> float:
        """Return the model's own value of a parameter."""
        value = np.ravel(getattr(self._model, name).value)
        if value.size != 1:
            msg = f"psf_model must have one value of {name}, got {value}"
            raise ValueError(msg)
        return float(value[0])

    def _check_linear(self) -> None:
        kind = type(self._model).__name__
        msg = f"psf_model must be proportional to its parameter {self._names.flux!r}: "
        if not self._is_linear({}):
            raise ValueError(f"{msg}{kind} is not")
        # What is added to the star may be nothing at first.
        for name in self._names.shape:
            value = self._another_value(name)
            if not self._is_linear({name: value}):
                msg += (
                    f"{kind} with {name} = {value:g} is not. What is added to the "
                    f"star cannot be fitted with it: fix {name} where it adds "
                    "nothing, and measure a sky by local_bkg_estimator"
                )
                raise ValueError(msg)

    def _is_linear(self, changes: dict[str, float]) -> bool:
        x, y = (self.default(name) for name in (self._names.x, self._names.y))
        before = {name: self.default(name) for name in changes}
        offsets = np.array([-1.5, -0.5, 0.0, 0.25, 1.0])
        points = (x + offsets, y + offsets[::-1])
        one, two = (
            self._call(*points, {**changes, self._names.flux: f}) for f in (1.0, 2.0)
        )
        self._call(*points, before)
        # Where there is no value there is nothing to compare.
        at = np.isfinite(one) & np.isfinite(two)
        largest = np.max(np.abs(two), initial=0.0, where=at)
        return np.allclose(two[at], 2 * one[at], rtol=1e-6, atol=1e-12 * largest)

    def _another_value(self, name: str) -> float:
        """Return a value near the parameter's own, within its bounds."""
        value = self.default(name)
        step = 0.1 * abs(value) or 1.0
        low, high = (getattr(v, "value", v) for v in getattr(self._model, name).bounds)
        if high is not None and value + step > high:
            return value - step if low is None else max(low, value - step)
        return value + step

    def _call(self, x: Any, y: Any, changes: dict[str, float]) -> NDArray[np.float64]:
        for name, value in changes.items():
            getattr(self._model, name).value = value
        values = self._model(x, y)
        values = np.asarray(getattr(values, "value", values), dtype=np.float64)
        return np.ascontiguousarray(np.broadcast_to(values, np.shape(x)))

    def values(
        self, x: Any, y: Any, x_0: float, y_0: float, shape: list[float]
    ) -> NDArray[np.float64]:
        """Evaluate at points; called by the core."""
        return self._call(x, y, self._parameters(x_0, y_0, shape))

    def gradient(
        self, x: Any, y: Any, x_0: float, y_0: float, shape: list[float]
    ) -> NDArray[np.float64]:
        """Evaluate, and differentiate by central differences; called by the core."""
        parameters = self._parameters(x_0, y_0, shape)
        rows = [self._call(x, y, parameters)]
        for name in (self._names.x, self._names.y, *self._names.shape):
            value = parameters[name]
            step = _STEP if name in self._names[:2] else _STEP * (abs(value) or 1.0)
            high, low = (
                self._call(x, y, {**parameters, name: end})
                for end in (value + step, value - step)
            )
            rows.append((high - low) / (2 * step))
        return np.array(rows)

    def _parameters(
        self, x_0: float, y_0: float, shape: list[float]
    ) -> dict[str, float]:
        names = self._names
        return {
            names.flux: 1.0,
            names.x: x_0,
            names.y: y_0,
            **dict(zip(names.shape, shape, strict=True)),
        }
