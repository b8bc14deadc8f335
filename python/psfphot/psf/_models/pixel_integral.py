"""PSFs integrated over the detector's pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.psf._models.sampled import as_oversampling, as_samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["make_epsf_from_psf"]


def make_epsf_from_psf(
    data: Any, *, oversampling: Any, midpoints: bool = False
) -> NDArray[np.float64]:
    """Make an effective PSF of samples of a PSF.

    A value of an effective PSF, which `ImagePSF` and `GriddedPSFModel` take, is the
    part of the flux that falls on a whole pixel centred there; optical models give
    the PSF at points. The bicubic spline through the samples is integrated exactly
    over pixels, and divided by the number of samples in one.

    Parameters
    ----------
    data : (ny, nx) or (N, ny, nx) array_like
        The samples, at least 4 x 4, all finite; 0 beyond them.
    oversampling : int or (y, x)
        Samples per pixel.
    midpoints : bool, optional
        Whether to integrate around the points midway between the samples, of which
        there is one fewer along each axis: then the centre of an even number of
        samples is a sample of the result.

    Returns
    -------
    ndarray
        The effective PSF, without unit. It has the sum of the samples, but for what
        falls off them: it is not normalised.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If there are too few samples or some that are masked or not finite, or the
        oversampling is not one or two integers.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.psf import ImagePSF, make_epsf_from_psf
    >>> y, x = np.mgrid[-37:38, -37:38] / 5
    >>> psf = np.exp(-(x**2 + y**2) / (2 * 0.42**2)) / (2 * np.pi * 0.42**2)
    >>> epsf = make_epsf_from_psf(psf, oversampling=5)
    >>> y, x = np.mgrid[-7:8, -7:8]
    >>> for samples in (psf, epsf):
    ...     model = ImagePSF(samples, oversampling=5, x_0=0.1)
    ...     print(f"{model(x, y).sum():.3f}")
    1.114
    1.000
    """
    values = getattr(data, "value", data)
    if np.ndim(values) not in {2, 3}:
        raise ValueError(f"data must be a 2D or 3D array, got {np.ndim(values)}D")
    samples = as_samples(values, "").astype(np.float64, copy=False)
    over_y, over_x = as_oversampling(oversampling).tolist()
    ny, nx = samples.shape[-2:]
    down = _integrals(ny, over_y, midpoints)
    across = _integrals(nx, over_x, midpoints)
    return np.asarray(down @ samples @ across.T)


def _integrals(n: int, width: int, midpoints: bool) -> NDArray[np.float64]:
    """Make the matrix of the means over a pixel of the spline through n values."""
    centres = np.arange(n - 1) + 0.5 if midpoints else np.arange(float(n))
    low, high = (
        _antiderivative(n, np.clip(centres + half, 0, n - 1))
        for half in (-width / 2, width / 2)
    )
    return (high - low) / width


def _antiderivative(n: int, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make the matrix of the integrals from 0 of the spline through n values.

    With the second derivatives M the spline between the samples i and i + 1 is
    y_i s + y_{i+1} t + ((s³ - s) M_i + (t³ - t) M_{i+1}) / 6, t the part of the way
    and s = 1 - t.
    """
    identity = np.eye(n)
    bends = _second_derivatives(n)
    i = np.minimum(points.astype(int), n - 2)
    t = (points - i)[:, np.newaxis]

    def primitive(
        t: Any, left: NDArray[np.intp], right: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        s = 1 - t
        part = identity[left] * (1 - s**2) / 2 + identity[right] * t**2 / 2
        part += bends[left] * ((1 - s**4) / 24 - (1 - s**2) / 12)
        part += bends[right] * (t**4 / 24 - t**2 / 12)
        return np.asarray(part)

    intervals = np.arange(n - 1)
    whole = np.zeros((n, n))
    whole[1:] = np.cumsum(primitive(1.0, intervals, intervals + 1), axis=0)
    return np.asarray(whole[i] + primitive(t, i, i + 1))


def _second_derivatives(n: int) -> NDArray[np.float64]:
    """Make the matrix of the second derivatives at the samples, not-a-knot ends.

    Of equally spaced samples: M_{i-1} + 4 M_i + M_{i+1} = 6 δ²y_i inside; at the
    ends the third derivative has no step at the last sample but one.
    """
    inside = np.arange(1, n - 1)
    equations, right = np.zeros((n, n)), np.zeros((n, n))
    for offset, of_bends, of_values in ((-1, 1, 6), (0, 4, -12), (1, 1, 6)):
        equations[inside, inside + offset] = of_bends
        right[inside, inside + offset] = of_values
    equations[0, :3] = equations[-1, -3:] = (1, -2, 1)
    return np.asarray(np.linalg.solve(equations, right), dtype=np.float64)
