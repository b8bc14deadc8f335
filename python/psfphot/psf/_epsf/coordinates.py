"""Coordinates of pixels and of samples, as photutils' builder has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def shape_of_epsf(star_shapes: Any, oversampling: Any) -> tuple[int, int]:
    """Tell the shape of an ePSF of the largest of cutouts, made odd."""
    ny, nx = np.max(np.atleast_2d(star_shapes), axis=0) * oversampling
    return int(ny + 1 - ny % 2), int(nx + 1 - nx % 2)


class Coordinates:
    """Pixels of stars and samples of ePSFs."""

    def __init__(self, oversampling: NDArray[np.int_]) -> None:
        self.oversampling = oversampling

    def star_to_epsf_coords(
        self, star_x: Any, star_y: Any, epsf_origin: Any
    ) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Tell the samples nearest to offsets from a star."""
        x, y = self.undersampled_to_oversampled(star_x, star_y)
        column, row = (
            np.floor(at + origin + 0.5).astype(int)
            for at, origin in zip((x, y), epsf_origin, strict=True)
        )
        return column, row

    def compute_epsf_shape(self, star_shapes: Any) -> tuple[int, int]:
        """Tell the shape of an ePSF of the largest of cutouts, odd."""
        return shape_of_epsf(star_shapes, self.oversampling)

    def compute_epsf_origin(self, epsf_shape: Any) -> NDArray[np.float64]:
        """Tell the (x, y) of an ePSF's centre."""
        ny, nx = epsf_shape
        return np.array([(nx - 1) / 2.0, (ny - 1) / 2.0])

    def oversampled_to_undersampled(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Make pixels of samples."""
        return x / self.oversampling[1], y / self.oversampling[0]

    def undersampled_to_oversampled(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Make samples of pixels."""
        return x * self.oversampling[1], y * self.oversampling[0]
