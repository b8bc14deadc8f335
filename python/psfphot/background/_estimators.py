"""Estimators of the level of a background, and their base."""

from __future__ import annotations

import math
import operator
import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy.stats import SigmaClip, biweight_location
from astropy.utils.exceptions import AstropyUserWarning

from psfphot import _core
from psfphot._deprecated import by_keyword
from psfphot._repr import make_repr
from psfphot._validate import as_float_array, as_scalar, split_mask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from astropy.units import Quantity
    from numpy.typing import ArrayLike, NDArray

    Axis = int | tuple[int, ...] | None
    Level = tuple[str, list[float]]
    Clip = tuple[float, float, int | None, str, str]

# Stands for a clip of its own for each estimator.
DEFAULT_CLIP = SigmaClip(sigma=3.0, maxiters=10)


class Estimator(ABC):
    """Base of what makes one number of many: clip, then reduce.

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

    _parameters: ClassVar[tuple[str, ...]] = ("sigma_clip",)

    @by_keyword
    def __init__(self, sigma_clip: SigmaClip | None = DEFAULT_CLIP) -> None:
        if sigma_clip is DEFAULT_CLIP:
            sigma_clip = SigmaClip(sigma=3.0, maxiters=10)
        if sigma_clip is not None and not isinstance(sigma_clip, SigmaClip):
            msg = (
                "sigma_clip must be an astropy SigmaClip instance or None, "
                f"got {sigma_clip!r}"
            )
            raise TypeError(msg)
        self.sigma_clip = sigma_clip

    def __repr__(self) -> str:
        return make_repr(self, self._parameters)

    def _estimate(self, data: ArrayLike | Quantity, axis: Axis, masked: bool) -> Any:
        """Clip and reduce an array with or without mask and unit."""
        data, mask = split_mask(data)
        unit = getattr(data, "unit", None)
        values = as_float_array(data, "data").astype(np.float64)
        values = values.reshape(np.shape(data))
        _check_axis(axis, values.ndim)
        if mask is not None:
            values[mask] = np.nan
        known = core_estimator(self) if axis is None else None
        if known is not None and (known[1] is not None or not np.isinf(values).any()):
            # Can be stopped, and is a few times as fast.
            level = np.float64(_core.estimate_level(np.ravel(values), *known))
            return level if unit is None else level << unit
        with warnings.catch_warnings():
            # Of slices without any value, and of NaN that the clip drops.
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", AstropyUserWarning)
            result = self._reduce(self._clipped(values, axis), axis)
        if masked and isinstance(result, np.ndarray):
            return np.ma.masked_where(np.isnan(result), result)
        return result if unit is None else result << unit

    def _clipped(self, values: Any, axis: Axis) -> Any:
        """Replace outliers by NaN, or drop them."""
        if self.sigma_clip is None:
            return values
        if axis is None and core_clip(self.sigma_clip) is not None:
            # Many times as fast as without an axis, and what photutils does: the few
            # values that differ are those that a later, wider round takes back.
            return self.sigma_clip(np.ravel(values), axis=0, masked=False)
        return self.sigma_clip(values, axis=axis, masked=False)

    @abstractmethod
    def _reduce(self, values: NDArray[np.float64], axis: Axis) -> Any:
        """Estimate the number of values; NaN do not take part."""

    def _core_name(self) -> Level | None:
        """Name and numbers by which the core knows the estimator, or `None`."""
        return None


class Biweight(Estimator):
    """Base of Tukey's biweight location and scale."""

    _parameters = ("c", "M", "sigma_clip")
    _statistic: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        c: float,
        M: Any,  # noqa: N803  (photutils' name)
        sigma_clip: SigmaClip | None,
    ) -> None:
        super().__init__(sigma_clip=sigma_clip)
        self.c = as_scalar(c, "c")
        self.M = None if M is None else as_float_array(M, "M").reshape(np.shape(M))[()]

    def _reduce(self, values: NDArray[np.float64], axis: Axis) -> Any:
        start = self.M
        if start is not None and axis is not None and np.ndim(start) == 0:
            start = np.full(np.sum(np.zeros(values.shape), axis=axis).shape, start)
        return self._statistic(values, c=self.c, M=start, axis=axis, ignore_nan=True)

    def _core_name(self) -> Level | None:
        if self.M is None:
            return "biweight", [float(self.c)]
        if np.ndim(self.M) == 0:
            return "biweight", [float(self.c), float(self.M)]
        return None


class BackgroundBase(Estimator):
    """Base of the estimators of a level: clip, then reduce.

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
        """Estimate the background; see `calc_background`."""
        return self.calc_background(data, axis=axis, masked=masked)

    @by_keyword
    def calc_background(
        self, data: ArrayLike | Quantity, axis: Axis = None, masked: bool = False
    ) -> Any:
        """Estimate the background of an array.

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
            The background, in the unit of ``data``; NaN where no value is left.

        Raises
        ------
        TypeError
            If the values are complex or not numeric.
        """
        return self._estimate(data, axis, masked)


class MeanBackground(BackgroundBase):
    """The mean, after clipping.

    Parameters
    ----------
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        How outliers are left out; see `BackgroundBase`.

    Examples
    --------
    >>> from psfphot.background import MeanBackground
    >>> float(MeanBackground()([1.0, 2.0, 6.0]))
    3.0
    """

    def _reduce(self, values: NDArray[np.float64], axis: Axis) -> Any:
        return np.nanmean(values, axis=axis)

    def _core_name(self) -> Level:
        return "mean", []


class MedianBackground(BackgroundBase):
    """The median, after clipping.

    Parameters
    ----------
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        How outliers are left out; see `BackgroundBase`.

    Examples
    --------
    >>> from psfphot.background import MedianBackground
    >>> float(MedianBackground()([1.0, 2.0, 6.0]))
    2.0
    """

    def _reduce(self, values: NDArray[np.float64], axis: Axis) -> Any:
        return np.nanmedian(values, axis=axis)

    def _core_name(self) -> Level:
        return "median", []


class ModeEstimatorBackground(BackgroundBase):
    """A mode: ``median_factor`` · median - ``mean_factor`` · mean.

    Parameters
    ----------
    median_factor, mean_factor : float, optional
        The factors.
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        How outliers are left out; see `BackgroundBase`.

    Examples
    --------
    >>> from psfphot.background import ModeEstimatorBackground
    >>> float(ModeEstimatorBackground(median_factor=2, mean_factor=1)([1, 2, 6]))
    1.0
    """

    _parameters = ("median_factor", "mean_factor", "sigma_clip")

    @by_keyword
    def __init__(
        self,
        median_factor: float = 3.0,
        mean_factor: float = 2.0,
        sigma_clip: SigmaClip | None = DEFAULT_CLIP,
    ) -> None:
        super().__init__(sigma_clip=sigma_clip)
        self.median_factor = as_scalar(median_factor, "median_factor")
        self.mean_factor = as_scalar(mean_factor, "mean_factor")

    def _reduce(self, values: NDArray[np.float64], axis: Axis) -> Any:
        median, mean = np.nanmedian(values, axis=axis), np.nanmean(values, axis=axis)
        return self.median_factor * median - self.mean_factor * mean

    def _core_name(self) -> Level:
        return "mode", [float(self.median_factor), float(self.mean_factor)]


class MMMBackground(ModeEstimatorBackground):
    """The mode of DAOPHOT's MMM: 3 · median - 2 · mean (Stetson 1987).

    Parameters
    ----------
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        How outliers are left out; see `BackgroundBase`.

    Examples
    --------
    >>> from psfphot.background import MMMBackground
    >>> float(MMMBackground()([1.0, 2.0, 6.0]))
    0.0
    """

    @by_keyword
    def __init__(self, sigma_clip: SigmaClip | None = DEFAULT_CLIP) -> None:
        super().__init__(median_factor=3.0, mean_factor=2.0, sigma_clip=sigma_clip)


class SExtractorBackground(BackgroundBase):
    """SExtractor's mode: 2.5 · median - 1.5 · mean, with two exceptions.

    It is the median where median and mean are 0.3 standard deviations or more
    apart, and the mean where the standard deviation is 0 (Bertin & Arnouts
    1996, A&AS 117, 393).

    Parameters
    ----------
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        How outliers are left out; see `BackgroundBase`.

    Examples
    --------
    >>> from psfphot.background import SExtractorBackground
    >>> float(SExtractorBackground()([1.0, 2.0, 6.0]))
    2.0
    """

    def _reduce(self, values: NDArray[np.float64], axis: Axis) -> Any:
        median, mean = np.nanmedian(values, axis=axis), np.nanmean(values, axis=axis)
        std = np.nanstd(values, axis=axis)
        with np.errstate(divide="ignore", invalid="ignore"):
            is_skewed = np.abs(mean - median) / std >= 0.3  # noqa: PLR2004
        level = np.where(is_skewed, median, 2.5 * median - 1.5 * mean)
        return np.where(std == 0, mean, level)[()]

    def _core_name(self) -> Level:
        return "sextractor", []


class BiweightLocationBackground(Biweight, BackgroundBase):
    """Tukey's biweight location, after clipping.

    Beers, Flynn & Gebhardt 1990, AJ 100, 32, equation 5.

    Parameters
    ----------
    c : float, optional
        Values farther than so many median absolute deviations have no weight.
    M : float or array_like, optional
        Where deviations are measured from; `None` for the median.
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        How outliers are left out; see `BackgroundBase`.

    Examples
    --------
    >>> from psfphot.background import BiweightLocationBackground
    >>> round(float(BiweightLocationBackground()([1, 2, 3, 90])), 3)
    2.038
    """

    _statistic = staticmethod(biweight_location)

    @by_keyword
    def __init__(
        self,
        c: float = 6.0,
        M: Any = None,  # noqa: N803  (photutils' name)
        sigma_clip: SigmaClip | None = DEFAULT_CLIP,
    ) -> None:
        super().__init__(c, M, sigma_clip)


_KNOWN: dict[str, type[Estimator]] = {
    each.__name__: each
    for each in (
        MeanBackground,
        MedianBackground,
        ModeEstimatorBackground,
        MMMBackground,
        SExtractorBackground,
        BiweightLocationBackground,
    )
}


def core_level(
    estimator: Any, known: Mapping[str, type[Estimator]] = _KNOWN
) -> Level | None:
    """Say an estimator to the core without its clip; `None` if it knows it not.

    A subclass may do anything, and is not known.
    """
    return estimator._core_name() if type(estimator) in known.values() else None


def _check_axis(axis: Any, n_axes: int) -> None:
    """Refuse what is no axis of an array: numpy's own errors are of many kinds.

    Raises
    ------
    TypeError
        If it is neither `None` nor one or several integers.
    ValueError
        If there is no such axis.
    """
    if axis is None:
        return
    msg = f"axis must be None, an integer or a tuple of integers, got {axis!r}"
    try:
        given = [operator.index(one) for one in np.atleast_1d(np.array(axis, object))]
    except (TypeError, ValueError) as exc:
        raise TypeError(msg) from exc
    if not all(-n_axes <= one < n_axes for one in given):
        msg = f"axis must be an axis of an array of {n_axes} dimensions, got {axis!r}"
        raise ValueError(msg)


def core_estimator(estimator: Any) -> tuple[Level, Clip | None] | None:
    """Say an estimator to the core, with its clip; `None` if it knows it not."""
    level = core_level(estimator)
    if level is None:
        return None
    sigma_clip = estimator.sigma_clip
    clip = None if sigma_clip is None else core_clip(sigma_clip)
    if sigma_clip is not None and clip is None:
        return None
    return level, clip


def core_clip(clip: SigmaClip) -> Clip | None:
    """Say a clip to the core, or `None` if it knows it not.

    astropy has fast code for the same clips.
    """
    # A function may be equal to anything, and does not have to be hashable.
    centre, spread = (
        f if isinstance(f, str) else "" for f in (clip.cenfunc, clip.stdfunc)
    )
    if (
        clip.grow
        or centre not in ("median", "mean")
        or spread not in ("std", "mad_std")
    ):
        return None
    limits = float(clip.sigma_lower), float(clip.sigma_upper)
    if not np.isfinite(limits).all():
        return None
    # astropy's fast code takes a negative number for no limit, too.
    unlimited = clip.maxiters < 0 or math.isinf(clip.maxiters)
    return *limits, None if unlimited else math.ceil(clip.maxiters), centre, spread


def as_own_estimator(
    estimator: Any, known: Mapping[str, type[Estimator]] = _KNOWN
) -> Any:
    """Make an estimator of photutils' into ours; leave others as they are."""
    kind = type(estimator)
    own = known.get(kind.__name__)
    if own is None or kind.__module__.split(".")[0] != "photutils":
        return estimator
    # The factors of MMM are no arguments.
    names = ("sigma_clip",) if own is MMMBackground else own._parameters
    return own(**{name: getattr(estimator, name) for name in names})
