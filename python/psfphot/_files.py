"""Files that are written whole or not at all, and those that can be read."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from psfphot._validate import check_instance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: The extensions of FITS files that are written.
FITS_SUFFIXES = (".fits", ".fits.gz", ".fit", ".fts")


def file_suffix(path: Path) -> str:
    """Return the extension in lower case, with what stands before ``.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])


def known_suffix(path: Path, suffixes: Sequence[str]) -> str:
    """Return the extension, as `file_suffix` does, if it is one of those.

    Raises
    ------
    ValueError
        If it is another.
    """
    suffix = file_suffix(path)
    if suffix not in suffixes:
        known = ", ".join(suffixes)
        msg = f"{path}: unknown extension {suffix!r}; use one of {known}"
        raise ValueError(msg)
    return suffix


def check_readable(path: Path, what: str) -> None:
    """Refuse what is no file that can be read from its start to its end.

    A pipe or a device would be waited for, or never end.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    what : str
        What to give, for messages: "a FITS file".

    Raises
    ------
    OSError
        If it is not there, or no regular file.
    """
    if path.is_dir():
        msg = f"{path}: is a directory; give {what}"
        raise IsADirectoryError(msg)
    if not path.exists():
        msg = f"{path}: there is no such file"
        raise FileNotFoundError(msg)
    if not path.is_file():
        msg = f"{path}: is a pipe or a device; give {what}"
        raise OSError(msg)


def check_memory(n_bytes: int, name: str) -> None:
    """Refuse data that this machine cannot hold, before they are unpacked.

    A compressed file of a few megabytes can say that it holds terabytes.

    Parameters
    ----------
    n_bytes : int
        The size of the data.
    name : str
        The file, for messages.

    Raises
    ------
    ValueError
        If that is more than all of the machine's memory.
    """
    if n_bytes > memory_bytes():
        msg = (
            f"{name}: holds {n_bytes / 1e9:.3g} GB of data, more than the "
            f"{memory_bytes() / 1e9:.3g} GB of memory of this machine"
        )
        raise ValueError(msg)


def memory_bytes() -> int:
    """Tell the size of the machine's memory; very large where it is not known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**63


def check_writable(
    path: Path, suffixes: Sequence[str], *, overwrite: bool = False
) -> None:
    """Find out now, before the work, whether a file can be written later.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file to be written.
    suffixes : sequence of str
        The extensions that have a writer.
    overwrite : bool, optional
        Whether a file that is there may be replaced.

    Raises
    ------
    TypeError
        If the path is none.
    ValueError
        If the extension is not one of ``suffixes``.
    OSError
        If the file is there and must stay, is none that can be replaced, or
        cannot be made.
    """
    check_instance(path, Path, "path")
    known_suffix(path, suffixes)
    if path.is_dir():
        msg = f"{path}: is a directory; give the name of a file"
        raise IsADirectoryError(msg)
    if path.exists() and not overwrite:
        msg = f"{path}: exists already; remove it or allow overwriting"
        raise FileExistsError(msg)
    target = _target(path)
    if not target.parent.is_dir():
        msg = f"{path}: there is no directory {target.parent}; make it first"
        raise FileNotFoundError(msg)
    try:
        # Permissions do not tell all (read-only and full disks): try it.
        with _place_beside(target):
            pass
    except OSError as exc:
        msg = f"{path}: cannot write into {target.parent}: {exc.strerror}"
        raise PermissionError(msg) from exc


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a name to write to; on success it becomes ``path``, else it goes.

    The name is in a directory that nobody else can enter, beside the file,
    because only there is the renaming one step, and has the same extension, by
    which writers choose the format. A file that is replaced leaves its mode to
    the new one; a link stays, and the file that it leads to is replaced.

    Raises
    ------
    OSError
        If ``path`` is none that can be replaced, or writing fails, as on a full
        disk; the message names the file.
    """
    target = _target(path)
    try:
        with _place_beside(target) as place:
            part = place / target.name
            yield part
            if target.exists():
                part.chmod(stat.S_IMODE(target.stat().st_mode) & 0o777)
            part.replace(target)
    except OSError as exc:
        if exc.strerror is None:
            # A library's own words.
            raise type(exc)(f"{path}: {exc}") from exc
        raise type(exc)(exc.errno, exc.strerror, str(path)) from exc


@contextmanager
def _place_beside(target: Path) -> Iterator[Path]:
    """Make a directory of a random name, for this user alone, for a while."""
    with tempfile.TemporaryDirectory(
        prefix=".psfphot-", dir=target.parent, ignore_cleanup_errors=True
    ) as place:
        yield Path(place)


def _target(path: Path) -> Path:
    """Follow links to the file that is to be replaced, or made."""
    if path.is_symlink() and not path.exists():
        msg = f"{path}: is a link that leads nowhere; remove it"
        raise FileNotFoundError(msg)
    if path.exists() and not path.is_file():
        msg = f"{path}: is no regular file, and is not replaced"
        raise OSError(msg)
    return path.resolve()
