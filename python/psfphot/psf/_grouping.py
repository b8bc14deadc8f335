"""Groups of sources that are fitted together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core
from psfphot._repr import make_repr
from psfphot._validate import as_points, as_positive

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["SourceGrouper"]


class SourceGrouper:
    """Group sources that are linked by steps of at most a given distance.

    Friends of friends: two sources whose distance is not above
    ``min_separation`` belong to one group, and so do the friends of each.

    Parameters
    ----------
    min_separation : float
        The distance, in pixels, up to and including which sources are fitted together.

    Raises
    ------
    TypeError
        If ``min_separation`` is not a number.
    ValueError
        If it is not positive and finite.

    Examples
    --------
    >>> from psfphot.psf import SourceGrouper
    >>> grouper = SourceGrouper(min_separation=10)
    >>> grouper([0, 50, 8, 16], [0, 0, 0, 0])
    array([1, 2, 1, 1])
    """

    def __init__(self, min_separation: float) -> None:
        msg = f"min_separation must be a positive finite value, got {min_separation!r}"
        as_positive(min_separation, "min_separation", msg)
        self.min_separation = min_separation

    def __repr__(self) -> str:
        return make_repr(self, ("min_separation",))

    def __call__(
        self, x: ArrayLike, y: ArrayLike, return_groups_object: bool = False
    ) -> NDArray[np.int64]:
        """Group the sources.

        Parameters
        ----------
        x, y : 1D array_like of float
            The positions, pixels.
        return_groups_object : bool, optional
            Must be `False`.

        Returns
        -------
        1D ndarray of int
            Each source's group, numbered from 1 in the order in which the
            sources first name them.

        Raises
        ------
        NotImplementedError
            If ``return_groups_object`` is `True`.
        TypeError
            If the positions are not numbers.
        ValueError
            If there are no sources, or positions are not finite, not 1D or of
            different shapes.
        """
        if return_groups_object:
            msg = "return_groups_object=True is not supported yet"
            raise NotImplementedError(msg)
        xs, ys = as_points(x, y)
        if xs.size == 0:
            msg = "x and y must not be empty"
            raise ValueError(msg)
        _check_finite(xs, "x")
        _check_finite(ys, "y")
        return _core.group_sources(xs, ys, float(self.min_separation))


def _check_finite(values: Any, name: str) -> None:
    if not np.isfinite(values).all():
        msg = f"{name} coordinates must be finite (no NaN or inf values)"
        raise ValueError(msg)
