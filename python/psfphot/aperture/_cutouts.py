"""The pixels of each aperture, as `ApertureStats` uses them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.aperture._pixel import PixelAperture
    from psfphot.aperture._scene import Scene


class Cutout(NamedTuple):
    """The rectangle of an aperture that is on the image."""

    values: NDArray[np.float64]
    error: NDArray[np.float64] | None
    weights: NDArray[np.float64]
    # The pixels that count, and those that did before the clipping.
    used: NDArray[np.bool_]
    usable: NDArray[np.bool_]

    @property
    def used_values(self) -> NDArray[np.float64]:
        """The values that count."""
        return self.values[self.used]

    def masked(self, array: NDArray[np.float64]) -> Any:
        """Mask what does not count; the weights multiply the rest."""
        return np.ma.array(array * self.weights, mask=~self.used)


# Of an aperture off the image.
NOTHING = Cutout(
    np.full((1, 1), np.nan),
    np.full((1, 1), np.nan),
    np.zeros((1, 1)),
    np.zeros((1, 1), dtype=bool),
    np.zeros((1, 1), dtype=bool),
)


def cut_out(
    scene: Scene,
    aperture: PixelAperture,
    how: tuple[Any, int],
    *,
    local_bkg: NDArray[np.float64],
    sigma_clip: Any,
) -> list[Cutout]:
    """Cut the apertures out of an image, less a background each.

    ``how`` are the method and the ``subpixels`` of the weights.
    """
    masks: Any = aperture.to_mask(method=how[0], subpixels=how[1])
    masks = [masks] if aperture.isscalar else masks
    cutouts = []
    for mask, level in zip(masks, local_bkg, strict=True):
        large, small = mask.get_overlap_slices(scene.frame.data.shape)
        if large is None:
            cutouts.append(NOTHING)
            continue
        values = scene.frame.data[large].astype(np.float64) - level
        error = scene.frame.error
        weights = mask.data[small]
        usable = scene.usable[large] & (weights > 0)
        used = usable
        if sigma_clip is not None and usable.any():
            used = usable.copy()
            # A copy, for a call leaves its traces in it.
            clipped = copy.copy(sigma_clip)(values[usable], masked=True)
            used[usable] = ~np.ma.getmaskarray(clipped)
        cutouts.append(
            Cutout(
                values,
                None if error is None else error[large].astype(np.float64),
                weights,
                used,
                usable,
            )
        )
    return cutouts
