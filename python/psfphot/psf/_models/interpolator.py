"""The spline of an `ImagePSF` as a function of sample coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from psfphot.psf._models.sampled import SampledPSFModel

__all__ = ["SplineInterpolator"]


class SplineInterpolator:
    """A bicubic spline through samples, called as scipy's bivariate splines are.

    Beyond the samples it continues the value of the nearest edge.

    Parameters
    ----------
    model : `ImagePSF`
        The samples, with an oversampling of 1, the origin (0, 0), the flux 1 and no
        fill value: its coordinates are those of the samples.
    dx, dy : int, optional
        The derivative that is evaluated: (0, 0), (1, 0) or (0, 1).

    Raises
    ------
    ValueError
        If the derivative is another.
    """

    def __init__(self, model: SampledPSFModel, dx: int = 0, dy: int = 0) -> None:
        if (dx, dy) not in ((0, 0), (1, 0), (0, 1)):
            msg = f"dx and dy must be (0, 0), (1, 0) or (0, 1), got {dx, dy}"
            raise ValueError(msg)
        self._model = model
        self._dx, self._dy = dx, dy

    def __call__(
        self, xi: ArrayLike, yi: ArrayLike, dx: int = 0, dy: int = 0, grid: bool = True
    ) -> NDArray[np.float64]:
        """Evaluate the spline or a derivative.

        Parameters
        ----------
        xi, yi : array_like
            Sample coordinates: the column and the row. They broadcast, or with
            ``grid`` are 1D and span a grid.
        dx, dy : int, optional
            The order of the derivative in x and in y.
        grid : bool, optional
            Whether to evaluate at all pairs of an x with a y.

        Returns
        -------
        ndarray
            The values; with ``grid`` of the shape (number of x, number of y).

        Raises
        ------
        ValueError
            If a derivative is above the first.
        """
        if dx or dy:
            return self.partial_derivative(dx, dy)(xi, yi, grid=grid)
        x, y = np.asarray(xi, dtype=float), np.asarray(yi, dtype=float)
        if grid:
            x, y = x.reshape(-1, 1), y.reshape(1, -1)
        if (self._dx, self._dy) == (0, 0):
            values: Any = self._model.evaluate(x, y, 1.0, 0.0, 0.0)
        else:
            # By the position of the source, which is minus that of the point.
            _, by_x, by_y = self._model.fit_deriv(x, y, 1.0, 0.0, 0.0)
            values = -by_x if self._dx else -by_y
        return np.asarray(values)

    def partial_derivative(self, dx: int, dy: int) -> SplineInterpolator:
        """Make the function that is a derivative of this one.

        Raises
        ------
        ValueError
            If it is above the first.
        """
        return SplineInterpolator(self._model, self._dx + dx, self._dy + dy)
