"""All PSFs of an STDPSF file, to be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.psf._files.stdpsf import OVERSAMPLING, meta_from_name, read_stdpsf_grid
from psfphot.psf._models.grid import meta_names
from psfphot.psf._models.plot_grid import Picture, PlotsGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["STDPSFGrid"]


class STDPSFGrid(PlotsGrid):
    """All PSFs of an STDPSF file, of several detectors too, to be plotted.

    For a model of one detector, see `psfphot.psf.GriddedPSFModel.read`.

    Parameters
    ----------
    filename : path-like, file object or `~astropy.io.fits.HDUList`
        The file or its URL; it may be compressed (``.gz``).

    Attributes
    ----------
    meta : dict
        What the file's name tells: ``STDPSF`` (the name), ``detector``,
        ``filter`` and, where it is known, ``instrument``.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not an STDPSF file; the message names the file and the keyword.

    Notes
    -----
    STDPSF files do not tell the oversampling; it is always 4.
    """

    def __init__(self, filename: Any) -> None:
        grid = read_stdpsf_grid(filename)
        self._data = grid.images
        self._x, self._y = grid.x, grid.y
        self._grid_xypos = grid.positions
        self.meta = meta_from_name(filename)

    @property
    def data(self) -> NDArray[Any]:
        """The images, shape (N, ny, nx)."""
        return self._data

    @property
    def grid_xypos(self) -> NDArray[Any]:
        """Positions (x, y) of the images, by y, then by x; shape (N, 2).

        They are counted over all detectors of the file.
        """
        return self._grid_xypos

    @property
    def grid_shape(self) -> tuple[int, int]:
        """Number of rows and columns of images, (ny, nx)."""
        return len(self._y), len(self._x)

    @property
    def oversampling(self) -> NDArray[np.int_]:
        """Samples per pixel, (y, x)."""
        return np.array([OVERSAMPLING, OVERSAMPLING])

    def _picture(self) -> Picture:
        return Picture(self._data, self._x, self._y, self.meta)

    def __str__(self) -> str:
        facts: dict[str, Any] = meta_names(self.meta)
        facts |= {
            "Number of PSFs": len(self._data),
            "Grid shape": self.grid_shape,
            "PSF shape (oversampled pixels)": self._data.shape[1:],
            "Oversampling": tuple(self.oversampling.tolist()),
        }
        name = f"<{type(self).__module__}.{type(self).__name__}>"
        return "\n".join([name, *(f"{key}: {value}" for key, value in facts.items())])

    def __repr__(self) -> str:
        return str(self)
