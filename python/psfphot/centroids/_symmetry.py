"""The point about which a source is most symmetric."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._validate import as_image, split_mask
from psfphot.centroids._pixels import split_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

# A bicubic spline needs so many pixels along an axis.
_SMALLEST = 4

# Of smaller circles half pixels are compared: whole ones are too few.
_FEW_PAIRS = 6.0

# The circle has lost the source if its mean falls to less than this on the way: as
# in photutils, for which sources in reach measured 0.79 or more, others 0.4 or less.
_LOST = 0.5

# How well the centre is found, pixels.
_ACCURACY = 1.0e-5


def centroid_symmetry(
    data: Any, *, mask: Any = None, radius: float | None = None
) -> NDArray[np.float64]:
    """Find the point about which the image is most symmetric.

    Parameters
    ----------
    data : (ny, nx) array_like
        The image, without background, of one positive source near its centre; at
        least 4 pixels along each axis.
    mask : (ny, nx) bool array, optional
        `True` where a pixel is to be ignored. What is not finite always is, with
        a warning.
    radius : float, optional
        The radius of the circle that is compared with itself turned by 180
        degrees, pixels: at least 1, and less than half of the smaller side less
        one half. `None` stands for 0.3 of the smaller side.

    Returns
    -------
    (2,) float64 array
        The centre (x, y), pixels; NaN if all pixels have one value or no pair of
        opposite ones can be used. It is no farther from the middle than the
        circle can go; if the source is farther, it is the nearest such point.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used.

    Notes
    -----
    The mean of ``|I(c + u) - I(c - u)|`` over the offsets ``u`` of a lattice in
    the circle is minimised, where ``I`` is the image's bicubic spline; the lattice
    has half a pixel, one for circles of 6 pixels and more. Masked pixels are
    filled with a mean of their neighbours, since the spline needs them; an offset
    counts less the nearer it is to one, and nothing from half way on.

    References
    ----------
    The centre of effective PSFs of Anderson 2016, WFC3 ISR 2016-12.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.centroids import centroid_symmetry
    >>> y, x = np.mgrid[:21, :21]
    >>> data = np.exp(-((x - 9.3) ** 2 + (y - 10.6) ** 2) / 8)
    >>> x, y = centroid_symmetry(data)
    >>> print(f"{x:.3f} {y:.3f}")
    9.300 10.600
    """
    as_image(split_mask(data)[0])
    image, bad = split_pixels(data, mask)
    shortest = min(image.shape)
    if shortest < _SMALLEST:
        msg = f"data must have at least 4 pixels along each axis, got {image.shape}"
        raise ValueError(msg)
    reach = _as_radius(radius, shortest)
    good = image[~bad]
    if good.size == 0 or np.ptp(good) == 0:
        return np.full(2, np.nan)
    return _Circle(image, bad, reach).find_centre()


def _as_radius(radius: Any, side: int) -> float:
    if radius is None:
        return 0.3 * side
    if not isinstance(radius, numbers.Real):
        msg = f"radius must be a real number or None, got {radius!r}"
        raise TypeError(msg)
    reach = float(radius)
    if not 1 <= reach < (side - 1) / 2:
        msg = (
            "radius must be at least 1 and less than half of the smaller dimension of "
            f"data minus one half, got {radius!r}"
        )
        raise ValueError(msg)
    return reach


class _Circle:
    """A circle that moves over an image, all of it on the image."""

    def __init__(self, image: Vector, bad: NDArray[np.bool_], radius: float) -> None:
        from scipy.interpolate import RectBivariateSpline  # noqa: PLC0415  (slow to import)

        self.bad = bad
        self.image = _fill(image, bad) if bad.any() else image
        self.good = (~bad).astype(np.float64) if bad.any() else None
        rows, columns = (np.arange(side) for side in image.shape)
        self.spline = RectBivariateSpline(rows, columns, self.image)
        self.offsets = _half_lattice(radius)
        # In the order (x, y), as all positions here.
        self.middle = (np.array(image.shape[::-1]) - 1) / 2
        self.room = self.middle - radius
        self.bounds = np.column_stack(
            [self.middle - self.room, self.middle + self.room]
        )

    def find_centre(self) -> Vector:
        """Find the least asymmetric point near the brightest pixel."""
        peak = self._find_peak()
        if peak is None:
            return np.full(2, np.nan)
        nearby = [
            np.unique(np.clip(at + np.linspace(-1, 1, 5), *ends))
            for at, ends in zip(peak, self.bounds, strict=True)
        ]
        trials = [np.array([x, y]) for y in nearby[1] for x in nearby[0]]
        values = [self.asymmetry(trial) for trial in trials]
        if not np.isfinite(values).any():
            return np.full(2, np.nan)
        centre = self._descend(trials[int(np.argmin(values))])
        start = np.clip(peak, *self.bounds.T)
        return self._climb(start) if self._is_lost(start, centre) else centre

    def asymmetry(self, centre: Vector) -> float:
        """Tell how much the circle differs from itself when turned by 180 degrees."""
        here, there = centre + self.offsets, centre - self.offsets
        differences = np.abs(self._look(here) - self._look(there))
        if self.good is None:
            return float(differences.mean())
        weights = self._trust(here) * self._trust(there)
        total = weights.sum()
        return float(weights @ differences / total) if total > 0 else math.inf

    def _look(self, at: Vector, **derivative: int) -> Vector:
        values: Vector = self.spline.ev(at[:, 1], at[:, 0], **derivative)
        return values

    def _trust(self, at: Vector) -> Vector:
        from scipy.ndimage import map_coordinates  # noqa: PLC0415  (slow to import)

        share = map_coordinates(self.good, at.T[::-1], order=1, mode="nearest")
        weights: Vector = np.clip(2.0 * share - 1.0, 0.0, 1.0)
        return weights

    def _find_peak(self) -> Vector | None:
        """Tell the brightest pixel where the centre may be, or next to it."""
        low = np.floor(self.bounds[:, 0]).astype(int)
        high = np.ceil(self.bounds[:, 1]).astype(int) + 1
        box = slice(low[1], high[1]), slice(low[0], high[0])
        light = np.where(self.bad[box], -np.inf, self.image[box])
        if not np.isfinite(light).any():
            return None
        row, column = np.unravel_index(np.argmax(light), light.shape)
        return np.array([low[0] + column, low[1] + row], dtype=np.float64)

    def _descend(self, start: Vector) -> Vector:
        """Walk a simplex down to the minimum next to a point."""
        from scipy.optimize import minimize  # noqa: PLC0415  (slow to import)

        centre, step = start, 0.25
        while True:
            inward = np.where(centre <= self.middle, 1.0, -1.0)
            steps = np.minimum(step, self.room) * inward
            simplex = centre + np.vstack([[0.0, 0.0], np.diag(steps)])
            found = minimize(
                self.asymmetry,
                centre,
                method="Nelder-Mead",
                bounds=self.bounds,
                options={
                    "initial_simplex": simplex,
                    "xatol": _ACCURACY,
                    "fatol": np.inf,
                },
            )
            centre = np.array(found.x)
            step /= 4
            # A simplex that is pressed flat against an edge never comes off it.
            if step < _ACCURACY or not self._falls_inward(centre, float(found.fun)):
                return centre

    def _falls_inward(self, centre: Vector, value: float) -> bool:
        """Tell whether the asymmetry is less right inside of the edge."""
        step = 10 * _ACCURACY
        lower, upper = (np.abs(centre - ends) <= step / 10 for ends in self.bounds.T)
        inward = lower.astype(float) - upper
        ways = [inward * [1, 0], inward * [0, 1], inward]
        return any(
            self.asymmetry(centre + step * way) < value for way in ways if way.any()
        )

    def _is_lost(self, start: Vector, centre: Vector) -> bool:
        """Tell whether the circle has left the source: nothing is symmetric, too."""
        before, after = (self._brightness(at)[0] for at in (start, centre))
        return before > 0 and after < _LOST * before

    def _brightness(self, centre: Vector) -> tuple[float, Vector]:
        """Tell the mean in the circle and its gradient."""
        at = centre + np.vstack([self.offsets, -self.offsets, [0.0, 0.0]])
        slopes = [self._look(at, dy=1).mean(), self._look(at, dx=1).mean()]
        return float(self._look(at).mean()), np.array(slopes)

    def _climb(self, start: Vector) -> Vector:
        """Find where the circle holds the most light."""
        from scipy.optimize import minimize  # noqa: PLC0415  (slow to import)

        scale = np.ptp(self.image)

        def darkness(centre: Vector) -> tuple[float, Vector]:
            mean, slopes = self._brightness(centre)
            return -mean / scale, -slopes / scale

        found = minimize(
            darkness,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=self.bounds,
            options={"ftol": 0.0, "gtol": 1.0e-10},
        )
        return np.array(found.x)


def _half_lattice(radius: float) -> Vector:
    """Make the (x, y) of a lattice in a circle, one of each two opposite ones."""
    spacing = 0.5 if radius < _FEW_PAIRS else 1.0
    most = int(radius / spacing)
    y, x = np.mgrid[-most : most + 1, -most : most + 1] * spacing
    half = (np.hypot(x, y) <= radius) & ((y > 0) | ((y == 0) & (x > 0)))
    return np.column_stack([x[half], y[half]])


def _fill(image: Vector, bad: NDArray[np.bool_]) -> Vector:
    """Put means of the neighbours, weighted by a Gaussian of 1 pixel, into holes."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415  (slow to import)

    light, weight = (
        gaussian_filter(values, 1.0, mode="constant")
        for values in (np.where(bad, 0.0, image), (~bad).astype(np.float64))
    )
    means = np.divide(light, weight, out=np.zeros_like(light), where=weight > 0)
    return np.where(bad, means, image)
