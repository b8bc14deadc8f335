"""Estimators of the scatter of a background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.stats import biweight_scale, mad_std

from psfphot._deprecated import by_keyword
from psfphot.background._estimators import (
    DEFAULT_CLIP,
    Biweight,
    Estimator,
    as_own_estimator,
    core_level,
)

if TYPE_CHECKING:
    from astropy.stats import SigmaClip
    from astropy.units import Quantity
    from numpy.typing import ArrayLike, NDArray

    from psfphot.background._estimators import Axis, Level


class BackgroundRMSBase(Estimator):
    """Base of the estimators of a scatter: clip, then reduce.

    Parameters
    ----------
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        How outliers are left out; `None` for not at all. By default at 3
        standard deviations from the median, in up to 10 rounds.

    Raises
    ------
    TypeError
        If ``sigma_clip`` is neither.
    """

    @by_keyword
    def __call__(
        self, data: ArrayLike | Quantity, axis: Axis = None, masked: bool = False
    ) -> Any:
        """Estimate the scatter; see `calc_background_rms`."""
        return self.calc_background_rms(data, axis=axis, masked=masked)

    @by_keyword
    def calc_background_rms(
        self, data: ArrayLike | Quantity, axis: Axis = None, masked: bool = False
    ) -> Any:
        """Estimate the scatter of an array.

        Parameters
        ----------
        data : array_like, masked array or Quantity
            The values. Masked ones and NaN do not take part.
        axis : int or tuple of int, optional
            The axis along which to estimate; `None` for all.
        masked : bool, optional
            Whether to return a masked array, with what is NaN masked.

        Returns
        -------
        float, ndarray, masked array or Quantity
            The scatter, in the unit of ``data``; NaN where no value is left.

        Raises
        ------
        TypeError
            If the values are complex or not numeric.
        """
        return self._estimate(data, axis, masked)


class StdBackgroundRMS(BackgroundRMSBase):
    """The standard deviation, divided by n, after clipping.

    Parameters
    ----------
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        How outliers are left out; see `BackgroundRMSBase`.

    Examples
    --------
    >>> from psfphot.background import StdBackgroundRMS
    >>> float(StdBackgroundRMS()([1.0, 1.0, 3.0, 3.0]))
    1.0
    """

    def _reduce(self, values: NDArray[np.float64], axis: Axis) -> Any:
        return np.nanstd(values, axis=axis)

    def _core_name(self) -> Level:
        return "std", []


class MADStdBackgroundRMS(BackgroundRMSBase):
    """The median absolute deviation, as a standard deviation, after clipping.

    Parameters
    ----------
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        How outliers are left out; see `BackgroundRMSBase`.

    Examples
    --------
    >>> from psfphot.background import MADStdBackgroundRMS
    >>> round(float(MADStdBackgroundRMS()([1, 2, 3])), 4)
    1.4826
    """

    def _reduce(self, values: NDArray[np.float64], axis: Axis) -> Any:
        return mad_std(values, axis=axis, ignore_nan=True)

    def _core_name(self) -> Level:
        return "mad_std", []


class BiweightScaleBackgroundRMS(Biweight, BackgroundRMSBase):
    """Tukey's biweight scale, after clipping.

    Beers, Flynn & Gebhardt 1990, AJ 100, 32, equation 9.

    Parameters
    ----------
    c : float, optional
        Values farther than so many median absolute deviations have no weight.
    M : float or array_like, optional
        Where deviations are measured from; `None` for the median.
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        How outliers are left out; see `BackgroundRMSBase`.

    Examples
    --------
    >>> from psfphot.background import BiweightScaleBackgroundRMS
    >>> round(float(BiweightScaleBackgroundRMS()([1, 2, 3, 4, 90])), 3)
    1.424
    """

    _statistic = staticmethod(biweight_scale)

    @by_keyword
    def __init__(
        self,
        c: float = 9.0,
        M: Any = None,  # noqa: N803  (photutils' name)
        sigma_clip: SigmaClip | None = DEFAULT_CLIP,
    ) -> None:
        super().__init__(c, M, sigma_clip)


_KNOWN: dict[str, type[Estimator]] = {
    each.__name__: each
    for each in (StdBackgroundRMS, MADStdBackgroundRMS, BiweightScaleBackgroundRMS)
}


def as_own_scatter(estimator: Any) -> Any:
    """Make an estimator of photutils' into ours; leave others as they are."""
    return as_own_estimator(estimator, _KNOWN)


def core_scatter(estimator: Any) -> Level | None:
    """Say an estimator of a scatter to the core, see `core_level`."""
    return core_level(estimator, _KNOWN)
