"""Images of stars, each as far as its light is above the noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.psf._models.convert import to_core
from psfphot.psf._rendering.rendering import render_model_image, rendering_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A star's wings end where they are this part of the noise.
FAINT = 0.1

# The smallest box of a star, pixels.
SMALLEST = 5

# Each box is larger than the one before by this factor.
GROWTH = 1.5

# For the median noise of an image every so many rows and columns do.
SPARSE = 8


class LightImages:
    """Renders stars in boxes beyond which their light is below the noise.

    Parameters
    ----------
    psf_model : PSF model
        The PSF.
    noise : 2D ndarray
        The noise of the sky (1 sigma) of the image, whose shape it has.
    n_threads : int or None, optional
        How many threads to use; the result does not depend on it.
    is_wide : bool, optional
        Whether boxes may be wider than the PSF's own, which formulas have light
        beyond.
    """

    def __init__(
        self,
        psf_model: Any,
        noise: NDArray[Any],
        n_threads: int | None = None,
        *,
        is_wide: bool = False,
    ) -> None:
        self.core_psf = to_core(psf_model)
        self.shape = noise.shape
        self.n_threads = n_threads
        self._noise = float(np.nanmedian(noise[::SPARSE, ::SPARSE]))
        self._boxes, self._edges = self._supports(rendering_box(psf_model), is_wide)

    @property
    def reach(self) -> float:
        """How many pixels from its centre a star may have light."""
        return float(self._boxes[-1].max()) / 2 + 1

    def __call__(self, x: Any, y: Any, flux: Any, boxes: Any = None) -> NDArray[Any]:
        """Render stars, each in its own box if boxes (ny, nx) are given.

        Stars whose position or flux is not finite are left out.
        """
        x, y, flux = (np.asarray(values, float) for values in (x, y, flux))
        some = np.isfinite(x) & np.isfinite(y) & np.isfinite(flux)
        if not some.any():
            return np.zeros(self.shape)
        boxes = self._boxes_of(flux[some]) if boxes is None else boxes[some]
        return render_model_image(
            self.shape,
            self.core_psf,
            x[some],
            y[some],
            flux[some],
            box_shape=boxes,
            n_threads=self.n_threads,
        )

    def _supports(
        self, own: tuple[int, int], is_wide: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return boxes, and the light at their edges for a flux of 1."""
        most = np.array([side + 1 - side % 2 for side in own])
        ny, nx = self.shape
        # Of a PSF that varies, the one in the middle.
        x, y = float(nx // 2), float(ny // 2)
        boxes = [np.minimum(SMALLEST, most)]
        while (boxes[-1] < most).any():
            boxes.append(np.minimum(_grown(boxes[-1]), most))
        while is_wide and boxes[-1].max() <= 2 * max(ny, nx):
            boxes.append(_grown(boxes[-1]))
        reach = np.array(boxes) // 2 + 1.0
        edges = [
            self.core_psf.evaluate(x + i * reach[:, 1], y + j * reach[:, 0], 1.0, x, y)
            for j in (-1, 0, 1)
            for i in (-1, 0, 1)
            if (j, i) != (0, 0)
        ]
        return np.array(boxes), np.max(edges, axis=0)

    def _boxes_of(self, flux: NDArray[np.float64]) -> NDArray[np.int64]:
        bright = np.abs(flux)[:, None] * self._edges > FAINT * self._noise
        # The first box that is large enough, also where light grows again.
        number = bright.shape[1] - np.argmax(bright[:, ::-1], axis=1)
        number = np.where(bright.any(axis=1), number, 0)
        return np.asarray(self._boxes[np.minimum(number, len(self._boxes) - 1)])


def _grown(box: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(2 * (GROWTH * box / 2).astype(int) + 1)
