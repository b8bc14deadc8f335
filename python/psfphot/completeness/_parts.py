"""The directory of a test that can be resumed: what was measured, and of what."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._files import replacing
from psfphot.completeness._rows import read_rows, write_rows

if TYPE_CHECKING:
    import os

    from astropy.table import Table

_MANIFEST = "test.json"


class Parts:
    """The parts of a test in a directory, one for each image.

    Parts are written whole or not at all, so that whatever is there counts.

    Parameters
    ----------
    directory : path-like
        Made if need be.
    fingerprint : dict of str
        What the test is, by name; texts or hashes.

    Raises
    ------
    ValueError
        If the directory has the parts of another test; the message says in what
        that differs.
    OSError
        If it cannot be read or written.
    """

    def __init__(
        self, directory: str | os.PathLike[str], fingerprint: dict[str, str]
    ) -> None:
        self._place = Path(directory)
        self._place.mkdir(parents=True, exist_ok=True)
        manifest = self._place / _MANIFEST
        if not manifest.exists():
            if any(self._place.glob("*.npy")):
                msg = f"{self._place}: has parts of a test, but no {_MANIFEST}"
                raise ValueError(msg)
            with replacing(manifest) as part:
                part.write_text(json.dumps(fingerprint, indent=1), encoding="utf-8")
            return
        known = json.loads(manifest.read_text(encoding="utf-8"))
        other = [name for name in fingerprint if known.get(name) != fingerprint[name]]
        if other:
            msg = (
                f"resume={str(self._place)!r} holds another test: different are "
                f"{', '.join(other)}; give another directory"
            )
            raise ValueError(msg)

    def read(self, name: str) -> Table | None:
        """Read a part; `None` if it is not there."""
        path = self._place / f"{name}.npy"
        return read_rows(path) if path.exists() else None

    def write(self, name: str, rows: Table) -> None:
        """Keep a part."""
        with replacing(self._place / f"{name}.npy") as path:
            write_rows(path, rows)


def digest(*values: Any) -> str:
    """Make one hash of arrays, tables and texts, `None` among them."""
    made = hashlib.sha256()
    for value in values:
        if value is None or isinstance(value, str | int | float):
            made.update(repr(value).encode())
        elif hasattr(value, "colnames"):
            for name in value.colnames:
                made.update(name.encode())
                column = value[name]
                _add(made, np.asarray(getattr(column, "value", column)))
        else:
            _add(made, np.asarray(value))
    return made.hexdigest()


def _add(made: Any, array: np.ndarray[Any, Any]) -> None:
    made.update(f"{array.dtype.str}{array.shape}".encode())
    if array.dtype.kind == "O":
        made.update(repr(array.tolist()).encode())
    else:
        made.update(np.ascontiguousarray(array).view(np.uint8).data)
