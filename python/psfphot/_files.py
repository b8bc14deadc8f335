"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def file_suffix(path: Path) -> str:
    """Return the extension in lower case, with what stands before ``.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])


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
    ValueError
        If the extension is not one of ``suffixes``.
    OSError
        If the file is there and must stay, or cannot be made.
    """
    suffix = file_suffix(path)
    if suffix not in suffixes:
        known = ", ".join(suffixes)
        msg = f"{path}: unknown extension {suffix!r}; use one of {known}"
        raise ValueError(msg)
    if path.is_dir():
        msg = f"{path}: is a directory; give the name of a file"
        raise IsADirectoryError(msg)
    if path.exists() and not overwrite:
        msg = f"{path}: exists already; remove it or allow overwriting"
        raise FileExistsError(msg)
    if not path.parent.is_dir():
        msg = f"{path}: there is no directory {path.parent}; make it first"
        raise FileNotFoundError(msg)
    part = _part(path)
    try:
        # Permissions do not tell all (read-only and full disks): try it.
        part.touch(exist_ok=True)
        part.unlink()
    except OSError as exc:
        msg = f"{path}: cannot write into {path.parent}: {exc.strerror}"
        raise PermissionError(msg) from exc


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a name to write to; on success it becomes ``path``, else it goes.

    The name is in the same directory, because only there is the renaming one
    step, and has the same extension, by which writers choose the format.
    """
    part = _part(path)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    return path.with_name(f".{os.getpid()}-{path.name}")
