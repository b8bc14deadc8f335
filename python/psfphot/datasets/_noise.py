"""Random noise, on the random stream of photutils."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from astropy.units import Quantity

from psfphot._deprecated import by_keyword
from psfphot._validate import split_mask

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["apply_poisson_noise", "make_noise_image"]


@by_keyword
def apply_poisson_noise(data: ArrayLike, seed: Any = None) -> NDArray[Any]:
    """Draw each pixel of the Poisson distribution whose mean it is.

    The same seed gives the same image as photutils does.

    Parameters
    ----------
    data : array_like
        Expected counts, without a unit, finite and not negative; where masked,
        anything.
    seed : int or None or any seed of `numpy.random.default_rng`, optional
        The seed of the random numbers; `None` draws one.

    Returns
    -------
    ndarray
        Counts, of the shape and dtype of ``data``; masked if that is.

    Raises
    ------
    TypeError
        If the data are not real numbers without a unit.
    ValueError
        If there are values that are negative, not finite or too large, or
        counts that the dtype cannot hold.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.datasets import apply_poisson_noise
    >>> apply_poisson_noise(np.full((2, 3), 100.0), seed=0).shape
    (2, 3)
    """
    values, mask = split_mask(data)
    if isinstance(values, Quantity):
        msg = f"data must be counts without a unit, got {values.unit}"
        raise TypeError(msg)
    values = np.asarray(values)
    if values.dtype.kind not in "fiub":
        msg = f"data must be an array of real numbers, got dtype {values.dtype}"
        raise TypeError(msg)
    expected = values
    if mask is not None:
        # Others are kept for the sake of the random stream.
        expected = np.where(mask & ~((values >= 0) & np.isfinite(values)), 0, values)
    if not np.isfinite(expected).all():
        msg = "data must not contain any nonfinite values"
        raise ValueError(msg)
    if (expected < 0).any():
        msg = "data must not contain any negative values"
        raise ValueError(msg)
    counts = np.asarray(np.random.default_rng(seed).poisson(expected))
    if values.dtype.kind in "iu" and counts.max(initial=0) > np.iinfo(values.dtype).max:
        msg = (
            f"data of dtype {values.dtype} cannot hold the count {counts.max()}: "
            "give data of a wider dtype"
        )
        raise ValueError(msg)
    noisy = counts.astype(values.dtype)
    return noisy if mask is None else np.ma.MaskedArray(noisy, mask)


@by_keyword
def make_noise_image(
    shape: int | tuple[int, ...],
    distribution: Literal["gaussian", "poisson"] = "gaussian",
    mean: float | None = None,
    stddev: float | None = None,
    seed: Any = None,
) -> NDArray[Any]:
    """Draw an image of noise.

    The same seed gives the same image as photutils does.

    Parameters
    ----------
    shape : (int, int)
        The image's (ny, nx).
    distribution : {'gaussian', 'poisson'}, optional
        How the noise is distributed.
    mean : float
        The mean of the distribution. It has to be given.
    stddev : float, optional
        The standard deviation of Gaussian noise, for which it has to be given.
    seed : int or None or any seed of `numpy.random.default_rng`, optional
        The seed of the random numbers; `None` draws one.

    Returns
    -------
    2D ndarray
        The noise: float64 if Gaussian, int64 if Poisson.

    Raises
    ------
    TypeError
        If ``mean`` or ``stddev`` has a unit.
    ValueError
        If ``mean`` or ``stddev`` is missing or out of its range, or the
        distribution is another.

    Examples
    --------
    >>> from psfphot.datasets import make_noise_image
    >>> noise = make_noise_image((100, 100), mean=0, stddev=0.5, seed=0)
    >>> noise.shape
    (100, 100)
    """
    if distribution not in {"gaussian", "poisson"}:
        msg = (
            f"Invalid distribution: {distribution}. "
            "distribution must be 'gaussian' or 'poisson'"
        )
        raise ValueError(msg)
    if mean is None:
        msg = "'mean' must be input"
        raise ValueError(msg)
    for name, value in (("mean", mean), ("stddev", stddev)):
        if isinstance(value, Quantity):
            msg = f"{name} must be a number without a unit, got {value}"
            raise TypeError(msg)
    rng = np.random.default_rng(seed)
    if distribution == "poisson":
        if not mean >= 0:
            msg = f"mean must be >= 0 for Poisson noise, got {mean}"
            raise ValueError(msg)
        return rng.poisson(mean, shape)
    if stddev is None:
        msg = "'stddev' must be input for Gaussian noise"
        raise ValueError(msg)
    if not stddev >= 0:
        msg = f"stddev must be >= 0, got {stddev}"
        raise ValueError(msg)
    return rng.normal(mean, stddev, shape)
