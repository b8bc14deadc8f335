"""The local background of each source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psfphot import _core
from psfphot._repr import make_repr
from psfphot._validate import as_frame, as_n_threads, as_points, as_positive

if TYPE_CHECKING:
    import numpy as np
    from astropy.units import Quantity
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LocalBackground"]


class LocalBackground:
    """Measure the background in a circular annulus around each source.

    It is the median of the annulus' pixels after clipping at 3 standard
    deviations, in up to 10 rounds. A pixel belongs to the annulus if its centre
    is at least ``inner_radius`` and less than ``outer_radius`` away.

    Parameters
    ----------
    inner_radius, outer_radius : float
        The radii of the annulus, pixels.
    bkg_estimator : None, optional
        Must be `None`, for the sigma-clipped median.
    n_threads : int or None, optional
        How many threads to use; `None` for all processors. The result does not
        depend on it.

    Raises
    ------
    NotImplementedError
        If ``bkg_estimator`` is not `None`.
    TypeError
        If a radius is not a number.
    ValueError
        Unless 0 < ``inner_radius`` < ``outer_radius`` < infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.background import LocalBackground
    >>> data = np.full((101, 101), 3.0)
    >>> local_bkg = LocalBackground(5, 10)
    >>> print(local_bkg(data, [30, 50], [40, 60]))
    [3. 3.]
    """

    def __init__(
        self,
        inner_radius: float,
        outer_radius: float,
        bkg_estimator: None = None,
        *,
        n_threads: int | None = None,
    ) -> None:
        as_positive(inner_radius, "inner_radius")
        as_positive(outer_radius, "outer_radius")
        if outer_radius <= inner_radius:
            msg = (
                "outer_radius must be greater than inner_radius, "
                f"got {outer_radius} and {inner_radius}"
            )
            raise ValueError(msg)
        if bkg_estimator is not None:
            msg = (
                "bkg_estimator must be None (the sigma-clipped median); "
                f"others are not supported yet, got {bkg_estimator!r}"
            )
            raise NotImplementedError(msg)
        self.inner_radius = inner_radius
        self.outer_radius = outer_radius
        self.bkg_estimator = bkg_estimator
        self.n_threads = as_n_threads(n_threads)

    def __repr__(self) -> str:
        names = ("inner_radius", "outer_radius", "bkg_estimator", "n_threads")
        return make_repr(self, names)

    def __call__(
        self,
        data: ArrayLike | Quantity,
        x: ArrayLike,
        y: ArrayLike,
        mask: ArrayLike | None = None,
    ) -> float | NDArray[np.float64] | Quantity:
        """Measure the local backgrounds.

        Parameters
        ----------
        data : 2D array_like or Quantity
            The image. Pixels that are not finite do not take part.
        x, y : float or 1D array_like of float
            The positions, pixels.
        mask : 2D array_like of bool, optional
            `True` for pixels that do not take part; of the shape of ``data``.

        Returns
        -------
        float, 1D ndarray or Quantity
            The backgrounds, in the unit of ``data``; a scalar if there is one
            position. NaN where the annulus has no pixel to be used or the
            position is not finite.

        Raises
        ------
        TypeError
            If an argument is not numeric.
        ValueError
            If shapes do not go together.
        """
        frame = as_frame(data, mask=mask)
        xs, ys = as_points(x, y)
        levels: Any = _core.local_background(
            frame.data,
            frame.mask,
            xs,
            ys,
            (float(self.inner_radius), float(self.outer_radius)),
            n_threads=self.n_threads,
        )
        if levels.size == 1:
            levels = levels[0]
        return levels if frame.unit is None else levels << frame.unit
