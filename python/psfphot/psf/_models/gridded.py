"""A grid of effective PSFs that varies over the detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy.nddata import NDData

from psfphot import _core
from psfphot.psf._models.base import PSFModel
from psfphot.psf._models.grid import (
    check_rectangular,
    grid_shape,
    meta_names,
    sorted_order,
)
from psfphot.psf._models.plot_grid import Picture, PlotsGrid
from psfphot.psf._models.sampled import (
    SampledPSFModel,
    as_oversampling,
    as_samples,
    as_unmasked_pixels,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot._validate import Image

__all__ = ["GriddedPSFModel"]

# Of more positions than this some are left out where a model shows itself.
MOST_SHOWN = 10


class ReadImages(NDData):  # type: ignore[misc]
    """Images that a reader made: finite, and nobody's but the model's of them."""


class GriddedPSFModel(PlotsGrid, SampledPSFModel):
    """Effective PSFs at the nodes of a rectangular grid of detector positions.

    Each image is interpolated by a bicubic spline; between the nodes the four
    around (x_0, y_0) are blended bilinearly. Outside the grid the position is
    clamped to it. The images are used as they are, never normalised: their sum
    over an infinite plane should be the product of the two oversamplings.

    Parameters
    ----------
    nddata : `~astropy.nddata.NDData`
        ``data`` of shape (N, ny, nx), N not 2 or 3, ny and nx at least 4, all
        finite; ``meta['grid_xypos']``, the N detector positions (x, y) of the
        images, in pixels, in any order; ``meta['oversampling']``, samples per
        pixel, int or (y, x).
    flux : float, optional
        The total flux.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    fill_value : float or None, optional
        The value off the images, whatever the flux. With `None` the model
        continues the value of the nearest edge. `PSFPhotometry` and
        `make_psf_model_image` take 0 there.

    Raises
    ------
    TypeError
        If ``nddata`` is not an NDData.
    ValueError
        If its data or meta data are not as told above.

    Notes
    -----
    The images are sorted by y, then by x, of their positions; `data`,
    `grid_xypos` and ``meta['grid_xypos']`` are in this order.
    """

    # Files are a floor above: `psfphot.psf._files.formats` puts these in.
    read: ClassVar[Any]
    write: ClassVar[Any]

    _part_of: tuple[tuple[int, int], tuple[int, int]] | None = None

    def __init__(
        self,
        nddata: NDData,
        *,
        flux: Any = PSFModel.flux.default,
        x_0: Any = PSFModel.x_0.default,
        y_0: Any = PSFModel.y_0.default,
        fill_value: float | None = 0.0,
    ) -> None:
        positions, oversampling = _checked(nddata)
        order = sorted_order(positions)
        super().__init__(flux=flux, x_0=x_0, y_0=y_0)
        self._data = _sorted_samples(nddata, order)
        self._grid_xypos = positions[order]
        self._grid_xypos.flags.writeable = False
        self.meta = dict(nddata.meta)
        self.meta["grid_xypos"] = self._grid_xypos
        # Another's word on what is counted here.
        self.meta.pop("grid_shape", None)
        self.oversampling = oversampling
        self.origin = None
        self.fill_value = fill_value

    @property
    def grid_xypos(self) -> NDArray[Any]:
        """Detector positions (x, y) of the images, shape (N, 2); read-only."""
        return self._grid_xypos

    @property
    def grid_shape(self) -> tuple[int, int]:
        """Number of nodes of the grid, (ny, nx)."""
        return grid_shape(self._grid_xypos)

    @property
    def oversampling(self) -> NDArray[np.int_]:
        """Samples per pixel, (y, x)."""
        return self._oversampling

    @oversampling.setter
    def oversampling(self, value: Any) -> None:
        self._oversampling = as_oversampling(value)
        self.meta["oversampling"] = tuple(self._oversampling.tolist())
        self._forget_compiled()

    def _see_in(self, origin: tuple[int, int], shape: tuple[int, int]) -> None:
        """Say of which image the one that this PSF is of is a part; for tiles.

        Stars are looked for with one PSF for each block of the whole.

        Parameters
        ----------
        origin : (x, y)
            The part's first pixel in the whole.
        shape : (ny, nx)
            Of the whole.
        """
        self._part_of = origin, shape
        self._forget_compiled()

    def _sampling(self) -> dict[str, Any]:
        sampling = super()._sampling()
        return sampling | ({"part_of": self._part_of} if self._part_of else {})

    def _splines(self) -> _core.Psf:
        positions = np.ascontiguousarray(self._grid_xypos, dtype=np.float64)
        return _core.Psf.gridded(self._data, positions, **self._sampling())

    def _picture(self) -> Picture:
        x, y = (np.unique(column) for column in self._grid_xypos.T)
        return Picture(self._data, x, y, self.meta)

    def _shared(self) -> list[Any]:
        return [self._data, self._grid_xypos]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._grid_xypos.flags.writeable = False

    def __repr__(self) -> str:
        kwargs = {
            "oversampling": self.oversampling.tolist(),
            "fill_value": self.fill_value,
        }
        return str(self._format_repr(kwargs=kwargs))

    def __str__(self) -> str:
        keywords: list[tuple[str, Any]] = [*meta_names(self.meta).items()]
        keywords += [
            ("Number of PSFs", len(self._data)),
            ("Grid shape", self.grid_shape),
            ("Grid positions", _shortened(self._grid_xypos)),
            ("PSF shape (oversampled pixels)", self._data.shape[1:]),
            ("Oversampling", tuple(self.oversampling.tolist())),
            ("Fill Value", self.fill_value),
        ]
        return str(self._format_str(keywords=keywords))


def _shortened(positions: NDArray[Any]) -> str:
    """Show positions, all of them only if they are few."""
    return np.array2string(
        positions, threshold=2 * MOST_SHOWN, edgeitems=MOST_SHOWN // 2
    )


def _sorted_samples(nddata: NDData, order: NDArray[np.int_]) -> Image:
    is_read = isinstance(nddata, ReadImages)
    images, is_own = nddata.data, is_read
    if not np.array_equal(order, np.arange(len(order))):
        images, is_own = images[order], True
    return as_samples(images, "PSF ", is_own=is_own, is_finite=is_read)


def _checked(nddata: Any) -> tuple[NDArray[Any], NDArray[np.int_]]:
    """Check what is given but the samples; make positions and oversampling."""
    if not isinstance(nddata, NDData):
        msg = "data must be an NDData instance"
        raise TypeError(msg)
    if not isinstance(nddata.data, np.ndarray) or nddata.data.ndim != 3:  # noqa: PLR2004
        msg = "The NDData data attribute must be a 3D numpy ndarray"
        raise ValueError(msg)
    if nddata.mask is not None and np.any(nddata.mask):
        msg = "The NDData must not have masked values"
        raise ValueError(msg)
    if len(nddata.data) in (0, 2, 3):
        msg = "The number of ePSFs must not be 2 or 3"
        if len(nddata.data) == 0:
            msg = "The number of ePSFs must not be 0"
        raise ValueError(msg)
    for key in ("oversampling", "grid_xypos"):
        if key not in nddata.meta:
            msg = f"'{key}' must be in the nddata meta dictionary"
            raise ValueError(msg)
    positions = as_unmasked_pixels(nddata.meta["grid_xypos"], "grid_xypos")
    if positions.ndim != 2 or positions.shape[1] != 2:  # noqa: PLR2004
        msg = f"grid_xypos must be N pairs (x, y), got the shape {positions.shape}"
        raise ValueError(msg)
    if len(positions) != len(nddata.data):
        msg = "The length of grid_xypos must match the number of input ePSFs"
        raise ValueError(msg)
    check_rectangular(positions)
    return positions, as_oversampling(nddata.meta["oversampling"])
