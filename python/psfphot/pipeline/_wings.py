"""Fits of a few stars to the pixels around a saturated blob."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from psfphot.psf._models.convert import to_core

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Starts are looked for in a raster of so many whole pixels to each side.
RASTER = (1, 3)

# Steps of a fit.
STEPS = 12

# A fit that fails to improve by a smaller step, in pixels, is done.
SMALL_STEP = 1e-3

# Rows and columns of an image.
Window: TypeAlias = tuple[slice, slice]


@dataclass(frozen=True)
class WingFit:
    """Stars fitted to wings.

    Attributes
    ----------
    x, y, flux : 1D ndarray
        The stars.
    chi2 : float
        The sum of squared residuals in units of the errors; infinite if the fit
        failed.
    n_pixels : int
        The pixels in it.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    chi2: float
    n_pixels: int

    @property
    def reduced_chi2(self) -> float:
        """Chi-squared per degree of freedom."""
        return self.chi2 / max(self.n_pixels - 3 * self.x.size - 1, 1)


class Wings:
    """The pixels of an image by which saturated stars are measured.

    Parameters
    ----------
    data, error : 2D ndarray of float
        The image without sky and its errors (1 sigma), finite where it counts.
    excluded : 2D ndarray of bool
        The pixels that do not count.
    psf_model : PSF model
        The PSF.
    fwhm : float
        Its full width at half maximum, pixels.
    mismatch : float
        By which part of its value the PSF may be wrong.
    """

    def __init__(
        self,
        data: NDArray[Any],
        error: NDArray[Any],
        excluded: NDArray[np.bool_],
        psf_model: Any,
        *,
        fwhm: float,
        mismatch: float,
    ) -> None:
        self.data = data
        self.error = error
        self.excluded = excluded
        self.psf_model = psf_model
        self.fwhm = fwhm
        self.mismatch = mismatch
        self.core_psf = to_core(psf_model)

    def window(self, x: Any, y: Any, reach: float) -> Window:
        """Return the part of the image around pixels."""
        ny, nx = self.data.shape
        rows = _clipped(np.min(y) - reach, np.max(y) + reach, ny)
        return rows, _clipped(np.min(x) - reach, np.max(x) + reach, nx)

    def errors_in(self, window: Window) -> NDArray[np.float64]:
        """Return the errors in a window, with those of the PSF."""
        light = np.maximum(np.asarray(self.data[window], float), 0)
        error = np.asarray(self.error[window], float)
        return np.asarray(np.hypot(error, self.mismatch * light))

    def stamp(self, x: float, y: float, window: Window) -> NDArray[np.float64]:
        """Return the light of a star of flux 1 in a window."""
        shape, points = _points(window)
        return self.core_psf.evaluate(*points, 1.0, float(x), float(y)).reshape(shape)

    def _slopes(self, x: float, y: float, window: Window) -> NDArray[np.float64]:
        """Return a star of flux 1 and its derivatives by x and y, one row each."""
        planes = self.core_psf.gradient(*_points(window)[1], 1.0, float(x), float(y))
        return np.asarray(planes[:3])

    def _shifted_stars(
        self, x: float, y: float, steps: NDArray[np.int64], window: Window
    ) -> NDArray[np.float64]:
        """Return a star of flux 1 moved by whole pixels (rows, columns), a row each."""
        rows, columns = window
        (up, right), (down, left) = steps.max(axis=0), steps.min(axis=0)
        wide = (
            slice(rows.start - int(up), rows.stop - int(down)),
            slice(columns.start - int(right), columns.stop - int(left)),
        )
        shape = rows.stop - rows.start, columns.stop - columns.start
        views = np.lib.stride_tricks.sliding_window_view(self.stamp(x, y, wide), shape)
        moved = views[up - steps[:, 0], right - steps[:, 1]]
        return np.asarray(moved.reshape(len(steps), -1))

    def place(
        self, image: NDArray[np.float64], x: float, y: float, radius: float
    ) -> tuple[float, float, float]:
        """Find where in a raster of whole pixels a star fits the wings best.

        Parameters
        ----------
        image : 2D ndarray
            The image without the other stars.
        x, y, radius : float
            The centroid of the core and half of its width.

        Returns
        -------
        x, y, flux : float
            The best position, and its flux; NaN if no flux is positive.
        """
        least, most = RASTER
        reach = int(np.clip(np.ceil(radius), least, most))
        window = self.window(x, y, radius + 2 * self.fwhm)
        side = np.arange(-reach, reach + 1)
        steps = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
        stars = self._shifted_stars(x, y, steps, window)
        flux, chi2 = self._amplitudes(np.asarray(image[window], float), window, stars)
        best = int(np.argmin(chi2))
        if not np.isfinite(chi2[best]):
            return x, y, np.nan
        j, i = steps[best]
        return float(x + i), float(y + j), float(flux[best])

    def best_of(
        self,
        values: NDArray[np.float64],
        x: NDArray[np.int64],
        y: NDArray[np.int64],
        window: Window,
    ) -> tuple[float, float, float]:
        """Find at which of some pixels a star fits a window's values best."""
        i, j = int(np.mean(x)), int(np.mean(y))
        stars = self._shifted_stars(i, j, np.stack([y - j, x - i], axis=1), window)
        flux, chi2 = self._amplitudes(values, window, stars)
        best = int(np.argmin(chi2))
        if not np.isfinite(chi2[best]):
            return float(x[0]), float(y[0]), np.nan
        return float(x[best]), float(y[best]), float(flux[best])

    def _amplitudes(
        self, values: NDArray[np.float64], window: Window, stars: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fit each of some stars and a constant: the fluxes and chi-squared."""
        weight = self._weight(window).ravel()
        values = values.ravel()
        total = weight.sum()
        chi2 = np.full(len(stars), np.inf)
        flux = np.full(len(stars), np.nan)
        if total == 0:
            return flux, chi2
        values = values - (weight * values).sum() / total
        stars = stars - (stars @ weight)[:, None] / total
        norm = (stars**2) @ weight
        product = stars @ (weight * values)
        good = (norm > 0) & (product > 0)
        flux[good] = product[good] / norm[good]
        chi2[good] = (weight * values**2).sum() - product[good] * flux[good]
        return flux, chi2

    def _weight(self, window: Window) -> NDArray[np.float64]:
        return np.where(self.excluded[window], 0.0, self.errors_in(window) ** -2)

    def reduced_chi2(
        self, rest: NDArray[np.float64], window: Window, n_stars: int
    ) -> float:
        """Return the chi-squared per degree of freedom of a window's residuals.

        A constant is taken off first.
        """
        weight = self._weight(window)
        total = weight.sum()
        if total == 0:
            return 0.0
        chi2 = (weight * (rest - (weight * rest).sum() / total) ** 2).sum()
        return float(chi2 / max((weight > 0).sum() - 3 * n_stars - 1, 1))

    def fit(
        self,
        values: NDArray[np.float64],
        window: Window,
        x: Any,
        y: Any,
        flux: Any,
    ) -> WingFit:
        """Fit stars and a constant to a window, by Levenberg-Marquardt.

        Parameters
        ----------
        values : 2D ndarray
            The window's pixels, without the light of other stars.
        window : (slice, slice)
            Where they are.
        x, y, flux : 1D array_like
            Where to start.

        Returns
        -------
        WingFit
            The stars.
        """
        root = np.sqrt(self._weight(window)).ravel()
        values = root * values.ravel()
        n_pixels = int((root > 0).sum())
        position = np.concatenate([np.asarray(x, float), np.asarray(y, float)])
        n = position.size // 2
        flux = np.array(flux, float)
        if n_pixels <= 3 * n + 1 or not np.isfinite(flux).all():
            return WingFit(position[:n], position[n:], flux, np.inf, n_pixels)

        def solved(position: NDArray[np.float64]) -> _Solved:
            stars = zip(position[:n], position[n:], strict=True)
            planes = root * np.array([self._slopes(a, b, window) for a, b in stars])
            return _solve(values, planes, root)

        now = solved(position)
        damping = 1e-3
        for _ in range(STEPS):
            normal = now.slope.T @ now.slope
            step = -np.linalg.lstsq(
                normal + damping * np.diag(np.diag(normal)),
                now.slope.T @ now.rest,
                rcond=None,
            )[0]
            step = np.clip(step, -1, 1)
            tried = solved(position + step)
            if tried.chi2 < now.chi2:
                gain = now.chi2 - tried.chi2
                position, now = position + step, tried
                damping /= 10
                if gain < 1e-3 * (1 + 1e-3 * now.chi2):
                    break
            else:
                damping *= 10
                if np.abs(step).max() < SMALL_STEP:
                    break
        return WingFit(position[:n], position[n:], now.flux, now.chi2, n_pixels)


class _Solved(NamedTuple):
    """Fluxes of stars at given positions, and how the rest varies with these."""

    flux: NDArray[np.float64]
    rest: NDArray[np.float64]
    #: One column for each x, then for each y.
    slope: NDArray[np.float64]

    @property
    def chi2(self) -> float:
        return float(self.rest @ self.rest)


def _solve(
    values: NDArray[np.float64], planes: NDArray[np.float64], root: NDArray[np.float64]
) -> _Solved:
    """Solve for the fluxes and a constant, which are linear.

    The derivatives are those of what the linear terms leave, to first order
    (Kaufman 1975, BIT 15, 49).
    """
    basis = np.array([*planes[:, 0], root]).T
    turned = np.concatenate([planes[:, 1], planes[:, 2]]).T
    both = np.column_stack([values, turned])
    linear = np.linalg.lstsq(basis, both, rcond=None)[0]
    left = both - basis @ linear
    flux = linear[:-1, 0]
    return _Solved(flux, left[:, 0], -np.concatenate([flux, flux]) * left[:, 1:])


def _points(
    window: Window,
) -> tuple[tuple[int, int], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the shape of a window, and x and y of its pixels row by row."""
    rows, columns = (np.arange(side.start, side.stop, dtype=float) for side in window)
    shape = rows.size, columns.size
    return shape, (np.tile(columns, rows.size), np.repeat(rows, columns.size))


def _clipped(low: float, high: float, size: int) -> slice:
    start = min(max(int(np.floor(low)), 0), size - 1)
    return slice(start, max(min(int(np.ceil(high)) + 1, size), start + 1))
