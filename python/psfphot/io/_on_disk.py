"""Images on disk as arrays: read in bands and looked at in windows."""

from __future__ import annotations

import mmap
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.io._errors import FileFormatError
from psfphot.io._fits import (
    Band,
    as_path,
    choose_image,
    name_of_image,
    open_fits,
    read_plane,
    refuse_time_series,
    split_extension,
)
from psfphot.io._fits_image import FitsImage
from psfphot.io._found import PlaneWords, find_facts, find_planes, find_unit
from psfphot.io._levels import find_saturation
from psfphot.io._planes import Owner, find_variances
from psfphot.io._weights import error_of_weight

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

#: About so many pixels are read at a time.
_BAND = 2**21

#: Seconds in which some ten million pixels are read.
_OFTEN = 0.1


def bands_of(shape: tuple[int, ...], multiple: int = 1) -> Iterator[slice]:
    """Yield slices of rows of an image, each of a few million pixels at most.

    All but the last have a multiple of so many rows.
    """
    ny, nx = shape
    step = multiple * max(1, _BAND // max(nx * multiple, 1))
    for first in range(0, ny, step):
        yield slice(first, min(first + step, ny))


def new_plane(
    directory: Path, name: str, shape: tuple[int, ...], dtype: Any
) -> NDArray[Any]:
    """Make an array in a new file, filled with zeros."""
    return np.memmap(directory / name, dtype=dtype, mode="w+", shape=shape)


def release(array: NDArray[Any] | None) -> None:
    """Give back the memory of an array that is on disk; its values stay there."""
    mapping = getattr(array, "_mmap", None)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


@contextmanager
def releasing(*arrays: NDArray[Any]) -> Iterator[None]:
    """Give back the memory of arrays on disk time and again while they are read.

    What is read once more comes from the system's cache.
    """
    is_done = threading.Event()

    def release_all() -> None:
        while not is_done.wait(_OFTEN):
            for array in arrays:
                release(array)

    thread = threading.Thread(target=release_all, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_done.set()
        thread.join()
        for array in arrays:
            release(array)


def read_image_to_disk(
    path: str | os.PathLike[str],
    directory: Path,
    ext: str | None = None,
    words: PlaneWords | None = None,
) -> FitsImage:
    """Read an image as `read_image` does, into files instead of memory.

    Parameters
    ----------
    path, ext
        As for `read_image`; no ASDF.
    directory : `~pathlib.Path`
        Where the arrays' files are made. Whoever gives it removes them.
    words : `PlaneWords`, optional
        The other arguments of `read_image`.

    Returns
    -------
    image : `FitsImage`
        Its arrays are on disk; it has no ``masks`` and no ``weight``.

    Raises
    ------
    OSError, FileFormatError, ValueError
        As `read_image`; and if errors are to be made of relative weights.
    """
    words = PlaneWords() if words is None else words
    words.check()
    path = as_path(path)
    if ext is None:
        path, ext = split_extension(path)
    if path.suffix.lower() == ".asdf":
        msg = f"{path}: an ASDF file is not read by tiles; measure it whole"
        raise FileFormatError(msg)
    with open_fits(path) as hdus:
        hdu, plane = choose_image(hdus, ext, path)
        name = name_of_image(hdus, hdu, plane, path)
        refuse_time_series(hdus, hdu, plane, name)
        header, primary = hdu.header.copy(), hdus[0].header.copy()
        unit = find_unit(header, name)
        shape = tuple(hdu.shape[-2:])
        owner = Owner(hdus, hdu, path, name, shape, unit, plane)
        facts = find_facts(owner, header, primary)
        arrays = _Arrays(directory, shape)
        for rows in bands_of(shape):
            arrays.read(owner, rows, words)
    data, mask = arrays["data"], arrays["mask"]
    saturation = find_saturation(facts.keyword, data)
    if arrays.n_masked["not finite"] == data.size:
        msg = f"{name}: has no pixel with a finite value"
        raise FileFormatError(msg)
    if mask.all():
        counts = ", ".join(f"{what}: {n}" for what, n in arrays.n_masked.items())
        msg = f"{name}: every pixel is masked ({counts})"
        raise FileFormatError(msg)
    arrays.release()
    return FitsImage(
        data,
        arrays.get("error"),
        mask,
        unit,
        facts.coordinates.wcs,
        header,
        name,
        error_source=arrays.error_source,
        n_masked=arrays.n_masked,
        primary=primary,
        saturated=arrays.get("saturated"),
        saturation=saturation,
        var_poisson=arrays.get("var_poisson"),
        var_rnoise=arrays.get("var_rnoise"),
        **facts.fields(),
    )


class _Arrays(dict[str, "NDArray[Any]"]):
    """The planes of an image, each in a file, filled band by band."""

    def __init__(self, directory: Path, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._directory, self._shape = directory, shape
        self.n_masked: dict[str, int] = {}
        self.error_source = ""

    def read(self, owner: Owner, rows: slice, words: PlaneWords) -> None:
        """Read some rows of all planes."""
        here = (rows.stop - rows.start, self._shape[1])
        part = owner._replace(shape=here, band=Band(rows, self._shape))
        data = read_plane(part.hdu, part.name, part.plane, part.band)
        planes = find_planes(part, words)
        bad = {"not finite": ~np.isfinite(data)}
        bad |= {plane.source: plane.pixels for plane in planes.bad}
        error = planes.error
        if words.weight is not None and planes.weight is not None:
            if words.weight_type != "ivar":
                msg = (
                    "weights are relative, and are not scaled to the noise of an image "
                    "that is measured by tiles: give weight_type 'ivar', or measure it "
                    "whole"
                )
                raise ValueError(msg)
            error = error_of_weight(data, planes.weight, "ivar", bad["not finite"])
        if error is not None:
            usable = np.isfinite(error.pixels) & (error.pixels > 0)
            bad["no usable error"] = ~usable
            self._fill("error", rows, error.pixels)
            self.error_source = error.source
        if planes.quality is not None and planes.quality.saturated is not None:
            self._fill("saturated", rows, planes.quality.saturated.pixels)
        if planes.error is not None and words.error is None:
            for name, pixels in find_variances(part).items():
                self._fill(name, rows, pixels)
        self._fill("data", rows, data)
        self._fill("mask", rows, np.logical_or.reduce(list(bad.values())))
        for what, pixels in bad.items():
            n = int(np.count_nonzero(pixels))
            self.n_masked[what] = self.n_masked.get(what, 0) + n

    def release(self) -> None:
        """Give back the memory that the arrays take."""
        for array in self.values():
            release(array)

    def _fill(self, name: str, rows: slice, values: NDArray[Any]) -> None:
        if name not in self:
            self[name] = new_plane(self._directory, name, self._shape, values.dtype)
        self[name][rows] = values
        release(self[name])
