"""Fits of a few stars to the pixels around a saturated blob."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Starts are looked for in a raster of so many whole pixels to each side.
RASTER = (1, 3)

# Steps of a fit, and the step for derivatives in pixels.
STEPS = 12
DELTA = 0.05

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
        The image without sky and its errors (1 sigma), finite everywhere.
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
        data: NDArray[np.float64],
        error: NDArray[np.float64],
        excluded: NDArray[np.bool_],
        psf_model: Any,
        *,
        fwhm: float,
        mismatch: float,
    ) -> None:
        self.data = data
        self.excluded = excluded
        self.psf_model = psf_model
        self.fwhm = fwhm
        self.mismatch = mismatch
        self.error = np.sqrt(error**2 + (mismatch * np.maximum(data, 0)) ** 2)
        self._unit_star = psf_model.copy()
        self._unit_star.flux = 1.0

    def window(self, x: Any, y: Any, reach: float) -> Window:
        """Return the part of the image around pixels."""
        ny, nx = self.data.shape
        rows = _clipped(np.min(y) - reach, np.max(y) + reach, ny)
        return rows, _clipped(np.min(x) - reach, np.max(x) + reach, nx)

    def stamp(self, x: float, y: float, window: Window) -> NDArray[np.float64]:
        """Return the light of a star of flux 1 in a window."""
        rows, columns = window
        yy, xx = np.mgrid[rows, columns].astype(float)
        star = self._unit_star
        star.x_0, star.y_0 = x, y
        return np.asarray(star(xx, yy), float)

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
        rows, columns = window = self.window(x, y, radius + 2 * self.fwhm)
        wide = (
            slice(rows.start - reach, rows.stop + reach),
            slice(columns.start - reach, columns.stop + reach),
        )
        star = self.stamp(x, y, wide)
        ny, nx = rows.stop - rows.start, columns.stop - columns.start
        steps = [
            (j, i) for j in range(-reach, reach + 1) for i in range(-reach, reach + 1)
        ]
        stars = np.array(
            [
                star[reach - j : reach - j + ny, reach - i : reach - i + nx].ravel()
                for j, i in steps
            ]
        )
        flux, chi2 = self._amplitudes(image[window], window, stars)
        best = int(np.argmin(chi2))
        if not np.isfinite(chi2[best]):
            return x, y, np.nan
        j, i = steps[best]
        return x + i, y + j, float(flux[best])

    def best_of(
        self, values: NDArray[np.float64], x: Any, y: Any, window: Window
    ) -> tuple[float, float, float]:
        """Find at which of some positions a star fits a window's values best."""
        stars = np.array(
            [self.stamp(a, b, window).ravel() for a, b in zip(x, y, strict=True)]
        )
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
        return np.where(self.excluded[window], 0.0, self.error[window] ** -2)

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
        flux = np.asarray(flux, float)
        position, flux = position.copy(), flux.copy()
        if n_pixels <= 3 * n + 1 or not np.isfinite(flux).all():
            return WingFit(position[:n], position[n:], flux, np.inf, n_pixels)

        def residual(
            position: NDArray[np.float64],
        ) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
            """Solve for the fluxes and the constant, which are linear."""
            stars = [
                root * self.stamp(a, b, window).ravel()
                for a, b in zip(position[:n], position[n:], strict=True)
            ]
            basis = np.array([*stars, root]).T
            solved, *_ = np.linalg.lstsq(basis, values, rcond=None)
            rest = values - basis @ solved
            return rest, solved[:n], float(rest @ rest)

        rest, flux, chi2 = residual(position)
        damping = 1e-3
        for _ in range(STEPS):
            slope = np.empty((rest.size, 2 * n))
            for k in range(2 * n):
                moved = position.copy()
                moved[k] += DELTA
                slope[:, k] = (residual(moved)[0] - rest) / DELTA
            normal = slope.T @ slope
            step = -np.linalg.lstsq(
                normal + damping * np.diag(np.diag(normal)), slope.T @ rest, rcond=None
            )[0]
            step = np.clip(step, -1, 1)
            tried = residual(position + step)
            if tried[2] < chi2:
                gain = chi2 - tried[2]
                position = position + step
                rest, flux, chi2 = tried
                damping /= 10
                if gain < 1e-3 * (1 + 1e-3 * chi2):
                    break
            else:
                damping *= 10
                if np.abs(step).max() < SMALL_STEP:
                    break
        return WingFit(position[:n], position[n:], flux, chi2, n_pixels)


def _clipped(low: float, high: float, size: int) -> slice:
    start = min(max(int(np.floor(low)), 0), size - 1)
    return slice(start, max(min(int(np.ceil(high)) + 1, size), start + 1))
