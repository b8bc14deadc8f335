"""Reader of STDPSF files, the ePSF libraries of J. Anderson and others.

The header says little: how many PSFs there are along x and y and where (counted
from 1). That the PSFs are oversampled 4 times is the same in all files, and what
they are PSFs of is said by the file's name only, ``STDPSF_NRCA1_F150W.fits``.
"""

from __future__ import annotations

import operator
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot.psf._files.grid_file import file_path, read_grid_file
from psfphot.psf._models.grid import check_rectangular
from psfphot.psf._models.gridded import ReadImages

if TYPE_CHECKING:
    from astropy.io import fits
    from numpy.typing import NDArray

OVERSAMPLING = 4

_SHORT_WAVE = ("A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4")

# The second field of a file's name: instrument, and detector where it is one.
_DETECTORS = {
    "WFPC2": ("HST/WFPC2", "WFPC2"),
    "ACSHRC": ("HST/ACS", "HRC"),
    "ACSWFC": ("HST/ACS", "WFC"),
    "WFC3UV": ("HST/WFC3", "UVIS"),
    "WFC3IR": ("HST/WFC3", "IR"),
    "NRCSW": ("JWST/NIRCam", "NRCSW"),
    **{f"NRC{name}": ("JWST/NIRCam", name) for name in _SHORT_WAVE},
    "NRCAL": ("JWST/NIRCam", "A5"),
    "NRCBL": ("JWST/NIRCam", "B5"),
    "NIRISS": ("JWST/NIRISS", "NIRISS"),
    "MIRI": ("JWST/MIRI", "MIRIM"),
}


class Grid(NamedTuple):
    """A file's images, in rows from below, and where its columns and rows are."""

    name: str
    images: NDArray[Any]
    x: NDArray[Any]
    y: NDArray[Any]

    @property
    def positions(self) -> NDArray[Any]:
        """The positions (x, y) of the images, shape (N, 2)."""
        x, y = np.meshgrid(self.x, self.y)
        return np.column_stack([x.ravel(), y.ravel()])


class Mosaic(NamedTuple):
    """How the detectors of one file lie side by side.

    ``ids`` are rows of detectors from below; ``names`` tells how a detector is
    called in place of the file's; ``size`` is that of a detector in pixels.
    """

    what: str
    ids: tuple[tuple[int, ...], ...]
    names: dict[int, str]
    size: int

    def part(self, grid: Grid, row: int, column: int) -> Grid:
        """Cut one detector out, with positions counted on it."""
        ny, nx = len(grid.y) // len(self.ids), len(grid.x) // len(self.ids[0])
        rows = slice(row * ny, (row + 1) * ny)
        columns = slice(column * nx, (column + 1) * nx)
        images = grid.images.reshape(len(grid.y), len(grid.x), *grid.images.shape[1:])
        return Grid(
            grid.name,
            images[rows, columns].reshape(-1, *grid.images.shape[1:]),
            grid.x[columns] - column * self.size,
            grid.y[rows] - row * self.size,
        )

    def fits(self, grid: Grid) -> bool:
        """Tell whether each part's positions lie on a detector, about.

        A grid of one detector may have as many positions.
        """
        slack = self.size // 20
        last = self.part(grid, len(self.ids) - 1, len(self.ids[0]) - 1)
        axes = [last.y] if len(self.ids[0]) == 1 else [last.y, last.x]
        return all(
            -slack <= axis.min() and axis.max() <= self.size + slack for axis in axes
        )


_CHIPS = Mosaic("ACS/WFC and WFC3/UVIS", ((1,), (2,)), {1: "2", 2: "1"}, 2048)
_WFPC2 = Mosaic("WFPC2", ((3, 4), (2, 1)), {1: "PC", 2: "WF2", 3: "WF3", 4: "WF4"}, 800)
_NRCSW = Mosaic(
    "NRCSW",
    ((1, 3, 8, 6), (2, 4, 7, 5)),
    dict(enumerate(_SHORT_WAVE, 1)),
    2048,
)

# By the number of columns and rows in the file.
_MOSAICS = {(9, 10): _CHIPS, (7, 8): _CHIPS, (6, 6): _WFPC2, (20, 10): _NRCSW}


def read_stdpsf(source: Any, detector_id: int | None = None) -> ReadImages:
    """Read the images of one detector of an STDPSF file with their positions.

    Parameters
    ----------
    source : path-like, file object or `~astropy.io.fits.HDUList`
        The file.
    detector_id : int or None, optional
        Which detector of a file of several; see
        `psfphot.psf.GriddedPSFModel.read`.

    Returns
    -------
    ReadImages
        As `psfphot.psf.GriddedPSFModel` takes it.

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError
        If ``detector_id`` is not an integer.
    ValueError
        If the file is not such a grid, or ``detector_id`` not one of its
        detectors; the message names the file.
    """
    grid = read_stdpsf_grid(source)
    mosaic = find_mosaic(grid)
    if mosaic is not None:
        detector_id = _checked_id(detector_id, mosaic, grid.name)
        row, column = next(
            (row, ids.index(detector_id))
            for row, ids in enumerate(mosaic.ids)
            if detector_id in ids
        )
        grid = mosaic.part(grid, row, column)
    positions = grid.positions
    check_rectangular(positions, f"{grid.name}: IPSFX, JPSFY")
    meta: dict[str, Any] = {"grid_xypos": positions, "oversampling": OVERSAMPLING}
    meta |= meta_from_name(source)
    if mosaic is not None and detector_id is not None and "instrument" in meta:
        name = mosaic.names[detector_id]
        meta["detector"] = meta["detector"] + name if mosaic is _CHIPS else name
    # A view would keep the whole file in memory.
    images = grid.images if mosaic is None else grid.images.copy()
    return ReadImages(images, meta=meta)


def read_stdpsf_grid(source: Any) -> Grid:
    """Read all of an STDPSF file; see `read_stdpsf` for arguments and errors."""
    name, images, header = read_grid_file(source)
    nx, ny = (_count(header, key, name) for key in ("NXPSFS", "NYPSFS"))
    if nx * ny != len(images):
        msg = f"{name}: NXPSFS * NYPSFS is {nx} * {ny}, but NAXIS3 is {len(images)}"
        raise ValueError(msg)
    x, y = (
        _axis(header, prefix, n, name) for prefix, n in (("IPSFX", nx), ("JPSFY", ny))
    )
    return Grid(name, _without_border(images), x, y)


def _without_border(images: NDArray[Any]) -> NDArray[Any]:
    """Set border rows and columns that were never filled to 0, plane by plane.

    In planes of real files the outermost rows hold one negative value, -0.1, all
    along: of 100 samples it takes 10 of a sum of 16. A PSF's wings are not
    constant.
    """
    planes = images
    for axis in (1, 2):
        lines = np.moveaxis(images, axis, 1)
        first = lines[:, :, :1]
        is_unfilled = (lines == first).all(axis=2) & (first[:, :, 0] < 0)
        # Only those that nothing but others like them divides from the edge.
        from_low = np.logical_and.accumulate(is_unfilled, axis=1)
        from_high = np.logical_and.accumulate(is_unfilled[:, ::-1], axis=1)[:, ::-1]
        border = np.expand_dims(from_low | from_high, 3 - axis)
        if border.any():
            planes = np.where(border, np.zeros((), images.dtype), planes)
    return planes


def find_mosaic(grid: Grid) -> Mosaic | None:
    """Tell how the detectors of a file lie, where there are several."""
    mosaic = _MOSAICS.get((len(grid.x), len(grid.y)))
    return mosaic if mosaic is not None and mosaic.fits(grid) else None


def meta_from_name(source: Any) -> dict[str, Any]:
    """Take detector and filter, and the instrument if known, from the name."""
    path = file_path(source)
    if path is None:
        return {}
    fields = Path(path).name.split(".")[0].split("_")
    if len(fields) not in (3, 4):
        return {}
    detector, filter_name = fields[1:3]
    meta = {"STDPSF": path, "detector": detector, "filter": filter_name}
    if detector in _DETECTORS:
        meta["instrument"], meta["detector"] = _DETECTORS[detector]
    return meta


def _checked_id(detector_id: Any, mosaic: Mosaic, name: str) -> int:
    n = len(mosaic.names)
    listed = ", ".join(f"{key} {label}" for key, label in mosaic.names.items())
    if mosaic is _CHIPS:
        listed = "1 chip 2, 2 chip 1"
    if detector_id is None:
        msg = f"{name}: detector_id must be specified for {mosaic.what} ePSFs: {listed}"
        raise ValueError(msg)
    try:
        number = operator.index(detector_id)
    except TypeError as exc:
        msg = f"detector_id must be an integer, got {detector_id!r}"
        raise TypeError(msg) from exc
    if number not in mosaic.names or isinstance(detector_id, bool):
        wanted = "1 or 2" if mosaic is _CHIPS else f"between 1 and {n}, inclusive"
        msg = f"{name}: detector_id must be {wanted} ({listed}), got {detector_id!r}"
        raise ValueError(msg)
    return number


def _count(header: fits.Header, key: str, name: str) -> int:
    if key not in header:
        msg = f"{name}: not an STDPSF grid, which has the keyword {key}"
        raise ValueError(msg)
    value = header[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        msg = f"{name}: {key} must be a positive integer, got {value!r}"
        raise ValueError(msg)
    return value


def _axis(header: fits.Header, prefix: str, n: int, name: str) -> NDArray[Any]:
    """Read n positions from keywords for each, or of words for several.

    The first are ``IPSFX01``, ``IPSFX02``, ...; spare ones may follow. The
    others are ``IPSFXA5``, ``IPSFXB5``, ..., each of five numbers.
    """
    packed = sorted(key for key in header if re.fullmatch(rf"{prefix}[A-Z]\d", key))
    if f"{prefix}01" not in header and packed:
        values = [word for key in packed for word in str(header[key]).split()]
        if len(values) != n:
            msg = f"{name}: {packed[0]}... have {len(values)} positions instead of {n}"
            raise ValueError(msg)
        keys = [f"{packed[0]}..."] * n
    else:
        keys = [f"{prefix}{i:02d}" for i in range(1, n + 1)]
        missing = [key for key in keys if key not in header]
        if missing:
            msg = f"{name}: the keyword {missing[0]} is missing, for {n} positions"
            raise ValueError(msg)
        values = [header[key] for key in keys]
    numbers = np.array(
        [_number(value, key, name) for value, key in zip(values, keys, strict=True)]
    )
    whole = numbers.astype(np.int64)
    return (whole if (whole == numbers).all() else numbers) - 1


def _number(value: Any, key: str, name: str) -> float:
    try:
        number = np.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):  # no value, or a word
        number = np.nan
    # Larger than any detector, and still an integer of 64 bits.
    if not abs(number) < 2**53:
        msg = f"{name}: {key} must be a position in pixels, got {value!r}"
        raise ValueError(msg)
    return number
