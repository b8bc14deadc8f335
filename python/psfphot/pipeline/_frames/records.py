"""What is written down of each frame: a line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from psfphot._files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import TextIO


@dataclass(frozen=True, kw_only=True)
class FrameRecord:
    """What became of a frame.

    Attributes
    ----------
    path : str
        The frame's file, absolute, and its extension in brackets if one was named.
    size, mtime : int or `None`
        Bytes of the file and when it was changed (nanoseconds of the epoch), before it
        was measured; `None` where it was not there.
    others : dict
        ``[size, mtime]`` of the other files that were read for this frame alone, by
        their absolute paths.
    settings : str
        A hash of how it was measured.
    version : str
        Of psfphot.
    status : {"measured", "failed"}
        Whether there is a catalogue.
    message : str
        Why there is none.
    traceback : str
        Where in the program it failed, if it is the program's fault.
    seconds : float
        How long it took.
    tries : int
        How often it was tried.
    rows : int
        Of the catalogue.
    output : str
        The catalogue.
    """

    path: str
    size: int | None
    mtime: int | None
    others: dict[str, list[int] | None] = field(default_factory=dict)
    settings: str
    version: str
    status: str
    message: str = ""
    traceback: str = ""
    seconds: float = 0.0
    tries: int = 1
    rows: int = 0
    output: str = ""


class RunLog:
    """The records of a directory's frames, in its file ``run.jsonl``.

    Whoever is killed leaves a file that can be read: a line is written at once when
    its frame is done, and a line that was cut off is as none.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file; it need not be there.

    Attributes
    ----------
    records : dict
        The last record of each frame, by its ``path``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records = _read(path)
        self._file: TextIO | None = None

    def begin(self, again: Iterable[str]) -> None:
        """Open the file to write to, with a line for each frame but those to be done.

        Parameters
        ----------
        again : iterable of str
            The ``path`` of each frame that will be measured now.
        """
        for path in again:
            self.records.pop(path, None)
        with replacing(self.path) as part:
            lines = [_line(record) for record in self.records.values()]
            part.write_text("".join(lines), encoding="utf-8")
        self._file = self.path.open("a", encoding="utf-8")

    def add(self, record: FrameRecord) -> None:
        """Write a frame's line."""
        self.records[record.path] = record
        if self._file is None:
            raise ValueError("the log is not open: begin() opens it")
        self._file.write(_line(record))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(record: FrameRecord) -> str:
    return json.dumps(asdict(record)) + "\n"


def _read(path: Path) -> dict[str, FrameRecord]:
    if not path.exists():
        return {}
    records = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        record = _parse(line)
        if record is not None:
            records[record.path] = record
    return records


def _parse(line: str) -> FrameRecord | None:
    """Read a line; `None` if it was cut off, or is of something else."""
    known = {one.name for one in fields(FrameRecord)}
    try:
        entries: dict[str, Any] = json.loads(line)
        return FrameRecord(**{key: entries[key] for key in known & entries.keys()})
    except (ValueError, TypeError, AttributeError):
        return None
