"""The local background of each source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.stats import mad_std

from psfphot import _core
from psfphot._deprecated import by_keyword
from psfphot._repr import make_repr
from psfphot._validate import (
    Frame,
    as_frame,
    as_n_threads,
    as_points,
    as_positive,
    as_scalar,
)
from psfphot.aperture import CircularAnnulus
from psfphot.background._estimators import (
    MedianBackground,
    as_own_estimator,
    core_estimator,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from astropy.nddata import NDData
    from astropy.units import Quantity
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LocalBackground", "as_local_background"]


class LocalBackground:
    """Measure the background in a circular annulus around each source.

    A pixel belongs to the annulus if its centre is at least ``inner_radius``
    and less than ``outer_radius`` away.

    Parameters
    ----------
    inner_radius, outer_radius : float
        The radii of the annulus, pixels.
    bkg_estimator : callable, optional
        Makes one number of the 1D array of an annulus' values; called only
        where there are any. `None` for the median after clipping at 3 standard
        deviations, in up to 10 rounds (`MedianBackground`). The estimators of
        this package (and photutils' of the same names) are computed in the
        compiled core, on many threads; any other is called for one position
        after the other.
    n_threads : int or None, optional
        How many threads to use; `None` for all processors. The result does not
        depend on it.

    Raises
    ------
    TypeError
        If a radius is not a number, or ``bkg_estimator`` cannot be called.
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

    @by_keyword
    def __init__(
        self,
        inner_radius: float,
        outer_radius: float,
        bkg_estimator: Callable[[NDArray[np.float64]], Any] | None = None,
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
        if bkg_estimator is not None and not callable(bkg_estimator):
            msg = f"bkg_estimator must be callable or None, got {bkg_estimator!r}"
            raise TypeError(msg)
        self.inner_radius = inner_radius
        self.outer_radius = outer_radius
        self.bkg_estimator = (
            MedianBackground() if bkg_estimator is None else bkg_estimator
        )
        self.n_threads = as_n_threads(n_threads)

    def __repr__(self) -> str:
        names = ("inner_radius", "outer_radius", "bkg_estimator", "n_threads")
        return make_repr(self, names)

    @by_keyword
    def __call__(
        self,
        data: ArrayLike | Quantity | NDData,
        x: ArrayLike,
        y: ArrayLike,
        mask: ArrayLike | None = None,
    ) -> float | NDArray[np.float64] | Quantity:
        """Measure the local backgrounds.

        Parameters
        ----------
        data : 2D array_like, masked array, Quantity or NDData
            The image. Pixels that are masked or not finite do not take part.
        x, y : float or 1D array_like of float
            The positions, pixels; masked ones count as NaN.
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
            If an argument is not numeric, or the estimator's result no number.
        ValueError
            If shapes do not go together, or positions have a unit that is not
            pixels.
        """
        frame = as_frame(data, mask=mask, needs_error=False)
        levels: Any
        levels, _ = self._measure(frame, *as_points(x, y))
        if levels.size == 1:
            levels = levels[0]
        return levels if frame.unit is None else levels << frame.unit

    def _measure(
        self, frame: Frame, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Measure the levels and their variances."""
        known = core_estimator(as_own_estimator(self.bkg_estimator))
        if known is None:
            return self._call_estimator(frame, x, y)
        return _core.local_background(
            frame.data,
            frame.mask,
            x,
            y,
            self._radii,
            *known,
            n_threads=self.n_threads,
        )

    @property
    def _radii(self) -> tuple[float, float]:
        return float(self.inner_radius), float(self.outer_radius)

    def _call_estimator(
        self, frame: Frame, x: Any, y: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Call an estimator that the core does not know for each position.

        Its variance is taken for that of a median.
        """
        levels, variances = np.full((2, len(x)), np.nan)
        for i, position in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
            values = _core.annulus_values(frame.data, frame.mask, position, self._radii)
            if values.size > 0:
                level = self.bkg_estimator(values)
                levels[i] = as_scalar(level, "the result of bkg_estimator")
                scatter = mad_std(values)
                variances[i] = np.pi / 2 * scatter**2 / values.size
        return levels, variances

    def to_aperture(self, x: ArrayLike, y: ArrayLike) -> CircularAnnulus:
        """Make the annuli around positions, to plot them.

        Parameters
        ----------
        x, y : float or 1D array_like of float
            The positions, pixels.

        Returns
        -------
        `~psfphot.aperture.CircularAnnulus`
            With a list of positions, also of one.

        Raises
        ------
        TypeError
            If the positions are not numbers.
        ValueError
            If their shapes differ, or one is not finite.
        """
        return CircularAnnulus(np.column_stack(as_points(x, y)), *self._radii)


def levels_and_variances(
    estimator: Any, data: NDArray[Any], x: Any, y: Any, mask: Any
) -> tuple[Any, NDArray[np.float64] | None]:
    """Measure local backgrounds and, where that is possible, their variances.

    Parameters
    ----------
    estimator : callable
        A `LocalBackground`, or what is called like one.
    data, x, y, mask
        See `LocalBackground`.

    Returns
    -------
    levels : array
        What the estimator returns.
    variances : (n,) array or None
        The variances of the levels, were the pixels independent and normally
        distributed; `None` where the estimator is another's.
    """
    is_own = type(estimator).__call__ is LocalBackground.__call__
    if isinstance(estimator, LocalBackground) and is_own:
        return estimator._measure(as_frame(data, mask=mask), *as_points(x, y))
    return estimator(data, x, y, mask=mask), None


def as_local_background(estimator: Any) -> Any:
    """Make a LocalBackground of photutils' into ours.

    Anything else, also of a derived class, is returned as it is. photutils is
    not imported.

    Parameters
    ----------
    estimator : object
        Anything.

    Returns
    -------
    object
        A `LocalBackground` with the same radii and estimator, or ``estimator``.
    """
    kind = type(estimator)
    if (
        kind.__name__ != "LocalBackground"
        or kind.__module__.split(".")[0] != "photutils"
    ):
        return estimator
    return LocalBackground(
        float(estimator.inner_radius),
        float(estimator.outer_radius),
        bkg_estimator=as_own_estimator(estimator.bkg_estimator),
    )
