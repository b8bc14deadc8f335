"""How a grid of PSFs meets astropy's unified input and output."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.io.registry import IORegistryError, UnifiedReadWrite

from psfphot.psf._files.grid_file import (
    FITS_START,
    file_path,
    read_content,
    refuse_pipe,
)
from psfphot.psf._files.stpsf import read_stpsf
from psfphot.psf._models.gridded import ReadImages

if TYPE_CHECKING:
    from astropy.table import Table

_OWN_FORMATS = ("stpsf", "webbpsf", "stdpsf")


class GridFormatError(IORegistryError, ValueError):  # type: ignore[misc]
    """A format that nobody has registered."""


class GriddedPSFModelRead(UnifiedReadWrite):  # type: ignore[misc]
    """Read a grid of PSFs from a file.

    What a format's reader does: ``GriddedPSFModel.read.help('stpsf')``. The
    formats: ``GriddedPSFModel.read.list_formats()``. Further ones can be added
    with `astropy.io.registry.register_reader`.

    Parameters
    ----------
    path : path-like, file object or `~astropy.io.fits.HDUList`
        The file or its URL; it may be compressed (``.gz``). photutils' name of
        this argument, ``filename``, can be used too.
    format : {None, 'stpsf', 'webbpsf', 'stdpsf'} or str, optional
        `None` recognises it by the file's header. The first two are one format.
    detector_id : int or None, optional
        Which detector of an STDPSF file that holds several: WFPC2 1 PC, 2 WF2,
        3 WF3, 4 WF4; ACS/WFC and WFC3/UVIS 1 chip 2, which is extension
        (SCI, 1), and 2 chip 1; NIRCam SW (NRCSW) 1 to 4 A1 to A4, 5 to 8 B1 to
        B4. Other files ignore it.
    grid_order : {'auto', 'header', 'sorted'}, optional
        For STPSF files, which detector position belongs to which image.
        ``'header'``: image i lies at the keyword ``DET_YXi``. ``'sorted'``: the
        images are in the order of y, then x, whatever that of the keywords.
        ``'auto'`` decides by the file's writer: see the notes.

    Returns
    -------
    GriddedPSFModel
        The model. Of an STPSF file, ``meta`` holds the header in lower case,
        and as ``grid_order`` the order that was used; of an STDPSF file, what
        the file's name tells: ``STDPSF``, ``instrument``, ``detector``,
        ``filter``.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If the file is not such a grid, or not of one detector and
        ``detector_id`` is none of its; the message names the file and the
        keyword. If nobody has registered ``format``: this is then an
        `~astropy.io.registry.IORegistryError` too.

    Notes
    -----
    Since 2023-12-11 (WebbPSF 1.3.0 and all of STPSF) STPSF's writer stores the
    images sorted but writes the ``DET_YX`` keywords in the order of x, then y.
    Files of older writers are to be read by their keywords, as photutils 3.1
    reads all files; for newer files that puts each image at the transposed
    position. ``'auto'`` goes by the keyword ``VERSION``, and for a development
    version by ``DATE``; it warns when neither decides. Where the keywords are
    sorted themselves, as in files of `GriddedPSFModel.write`, there is nothing
    to decide.
    """

    def __init__(self, instance: Any, cls: type) -> None:
        super().__init__(instance, cls, "read", registry=None)

    def __call__(
        self,
        path: Any = None,
        format: str | None = None,  # noqa: A002  (astropy's name)
        detector_id: int | None = None,
        grid_order: str = "auto",
        *,
        filename: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Read a file; see the class."""
        if (path is None) == (filename is None):
            msg = "read() takes one file, as path (or filename), got " + (
                "none" if path is None else "both"
            )
            raise TypeError(msg)
        source = _as_source(filename if path is None else path)
        refuse_pipe(source)
        # Readers that users registered need not know these.
        if detector_id is not None:
            kwargs["detector_id"] = detector_id
        if grid_order != "auto":
            kwargs["grid_order"] = grid_order
        # Readers return the class that has `read`, whatever was derived from it.
        base = next(cls for cls in self._cls.__mro__ if "read" in vars(cls))
        if format is None:
            found = self._format_of(base, source, kwargs)
        else:
            _check_format(self.registry.get_formats(base, "Read"), format)
            found = format
        try:
            model = self.registry.read(base, source, format=found, **kwargs)
        except IORegistryError:
            if format is not None:
                raise
            # Nobody recognised it: say what is missing, not just that.
            read_stpsf(_as_source(source))
            raise
        if isinstance(model, self._cls):
            return model
        return self._cls(ReadImages(model.data, meta=dict(model.meta)))

    def _format_of(self, base: type, source: Any, kwargs: dict[str, Any]) -> str | None:
        """Tell which of our formats a plain FITS file on disk has.

        Our readers then open it by its path, in a third of the time that it takes
        after the registry has read it into memory. All else is left to that.
        """
        if not isinstance(source, str | os.PathLike):
            return None
        path = Path(source).expanduser()
        if not path.is_file():
            return None
        with path.open("rb") as file:
            if file.read(len(FITS_START)) != FITS_START:
                return None
            file.seek(0)
            found = self.registry.identify_format(
                "read", base, source, file, [file], kwargs
            )
        return found[0] if len(found) == 1 and found[0] in _OWN_FORMATS else None


class GriddedPSFModelWrite(UnifiedReadWrite):  # type: ignore[misc]
    """Write a grid of PSFs into a file, in the layout of STPSF.

    Images and ``DET_YX`` keywords are both in the order of y, then x, and the
    dtype stays, so that reading gives the same bits at the same positions.
    The file appears whole or not at all.

    Parameters
    ----------
    path : path-like or file object
        The file: ``.fits``, ``.fits.gz``, ``.fit`` or ``.fts``; or a binary
        file object.
    overwrite : bool, optional
        Whether a file that is there may be replaced.
    format : {None, 'stpsf', 'webbpsf'} or str, optional
        `None` and the first two write the one layout.

    Raises
    ------
    OSError
        If the file is there and must stay, or cannot be made.
    ValueError
        If the layout cannot hold the model: oversamplings that differ in y and
        x, or an origin off the images' centre. If the extension is unknown.

    Warns
    -----
    AstropyUserWarning
        If entries of ``meta`` have no place in a FITS header, or
        ``fill_value`` is not 0. The parameters (``flux``, ``x_0``, ``y_0``)
        belong to a star and are never written.

    Notes
    -----
    photutils 3.1 and `GriddedPSFModel.read` find the same grid in the file.
    photutils before 3.1 takes the keywords' (y, x) for (x, y), in the order in
    which they stand; they stand so that it finds the same grid too, if that
    has the same positions along x and y.
    """

    def __init__(self, instance: Any, cls: type) -> None:
        super().__init__(instance, cls, "write", registry=None)

    def __call__(
        self,
        path: Any,
        overwrite: bool = False,
        format: str | None = None,  # noqa: A002  (astropy's name)
        **kwargs: Any,
    ) -> None:
        """Write a file; see the class."""
        if self._instance is None:
            msg = "write() writes a model: call it on one, not on the class"
            raise TypeError(msg)
        _check_format(self.registry.get_formats(self._cls, "Write"), format)
        self.registry.write(
            self._instance, path, format=format, overwrite=overwrite, **kwargs
        )


def _check_format(formats: Table, name: Any) -> None:
    known = set(formats["Format"].tolist())
    if name is None or name in known:
        return
    listed = [key for key in _OWN_FORMATS if key in known]
    listed += sorted(known - {*listed})
    *most, last = ["None", *map(repr, listed)]
    msg = f"format must be {', '.join(most)} or {last}, got {name!r}"
    raise GridFormatError(msg)


class _Content(io.BytesIO):
    """What was in a file object, with its name."""

    def __init__(self, content: bytes, name: Any) -> None:
        super().__init__(content)
        self.name = name


def _as_source(source: Any) -> Any:
    """Make what the registry can look into and read twice."""
    if hasattr(source, "read"):
        name = file_path(source) or f"<{type(source).__name__}>"
        return _Content(read_content(source), name)
    return os.fsdecode(source) if isinstance(source, bytes) else source
