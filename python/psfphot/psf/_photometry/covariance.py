"""The joint covariances of fitted sources, in the terms of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.psf._photometry.fitting import FitSetup

__all__ = ["GroupCovariance"]


class GroupCovariance(NamedTuple):
    """The joint covariance of sources that were fitted together.

    Attributes
    ----------
    ids : list of int
        The sources.
    parameters : list of str
        The free parameters of each: of x, y, flux and those of the shape.
    covariance : ndarray
        Of shape (n, n) with n = len(ids) * len(parameters), source by source;
        pixels and the unit of the data, squared. NaN where there is none.
    """

    ids: list[int]
    parameters: list[str]
    covariance: NDArray[np.float64]

    def correlation(self) -> NDArray[np.float64]:
        """Divide the covariance by the errors."""
        error = np.sqrt(np.diag(self.covariance))
        return np.asarray(self.covariance / np.outer(error, error))


def in_table_order(
    covariance: NDArray[np.float64], ids: list[int], setup: FitSetup
) -> GroupCovariance:
    """Go from the core's flux, x, y to the table's x, y, flux."""
    own = ["flux", "x", "y", *setup.names.shape]
    fixed = [parameter.fixed for parameter in setup.parameters()]
    free = [name for name, is_fixed in zip(own, fixed, strict=True) if not is_fixed]
    shown = [name for name in ("x", "y", "flux", *setup.names.shape) if name in free]
    order = [free.index(name) for name in shown]
    index = [k * len(free) + i for k in range(len(ids)) for i in order]
    return GroupCovariance(ids, shown, covariance[np.ix_(index, index)])
