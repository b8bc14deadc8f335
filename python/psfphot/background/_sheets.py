"""The background of an image as splines, which tell it in any window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core
from psfphot.background._estimators import (
    MedianBackground,
    as_own_estimator,
    core_estimator,
)
from psfphot.background._residual import (
    HIGHEST_DEGREE,
    ROUNDS,
    SOURCE_THRESHOLD,
    box_of_fwhm,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class BackgroundSheets:
    """The maps of `ResidualBackground2D`, without images of them.

    Attributes
    ----------
    shape : (ny, nx)
        Of the image.
    dtype : `numpy.dtype`
        Of the image.
    box_size : (ny, nx)
        About the size of a box, pixels.
    limits : (float, float)
        The lowest and the highest noise.
    n_threads : int or `None`
        The threads that tell a window.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    box_size: tuple[int, int]
    limits: tuple[float, float]
    n_threads: int | None
    _level: NDArray[np.float64]
    _noise: NDArray[np.float64]

    def background(self, window: tuple[slice, slice]) -> NDArray[Any]:
        """Tell the background in a window, 2D, of the image's type."""
        return self._in(self._level, window, (-np.inf, np.inf))

    def background_rms(self, window: tuple[slice, slice]) -> NDArray[Any]:
        """Tell the noise (1 sigma) in a window, 2D, of the image's type."""
        return self._in(self._noise, window, self.limits)

    def _in(
        self,
        sheet: NDArray[np.float64],
        window: tuple[slice, slice],
        limits: tuple[float, float],
    ) -> NDArray[Any]:
        rows, columns = ((part.start, part.stop) for part in window)
        values = _core.sheet_window(
            sheet, self.shape, rows, columns, limits, n_threads=self.n_threads
        )
        return values.astype(self.dtype, copy=False)


def measure_sheets(
    data: NDArray[Any],
    mask: NDArray[np.bool_],
    fwhm: float,
    n_threads: int | None = None,
) -> BackgroundSheets:
    """Measure a background as ``ResidualBackground2D(data, mask=mask, fwhm=fwhm)``.

    Parameters
    ----------
    data : 2D float array
        The image; it may be an array on disk.
    mask : 2D bool array
        `True` for pixels that take no part, and for all that are not finite.
    fwhm : float
        The full width at half maximum of stars, pixels.
    n_threads : int, optional
        Number of threads.
    """
    known = core_estimator(as_own_estimator(MedianBackground()))
    assert known is not None  # noqa: S101  (it is of this package)
    estimator, clip = known
    box = box_of_fwhm(fwhm)
    level, noise, limits, _ = _core.residual_sheets(
        data,
        mask,
        {
            "box_shape": box,
            "level": estimator,
            "scatter": ("mad_std", []),
            "clip": clip,
            "highest_degree": HIGHEST_DEGREE,
            "rounds": ROUNDS,
            "fwhm": fwhm,
            "threshold": SOURCE_THRESHOLD,
        },
        n_threads=n_threads,
    )
    ny, nx = data.shape
    return BackgroundSheets((ny, nx), data.dtype, box, limits, n_threads, level, noise)
