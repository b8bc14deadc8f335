"""What of a run that was broken off need not be done again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from psfphot.pipeline._frames.records import FrameRecord


def file_state(path: Path) -> list[int] | None:
    """Tell a file's size in bytes and when it was changed (ns); `None` without it."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def why_again(
    record: FrameRecord | None, now: FrameRecord, outputs: Iterable[Path]
) -> str:
    """Tell why a frame is to be measured again.

    Parameters
    ----------
    record : `FrameRecord` or `None`
        What became of it; `None` if nothing has yet.
    now : `FrameRecord`
        What is known of it before it is measured.
    outputs : iterable of `~pathlib.Path`
        The files that its measuring writes.

    Returns
    -------
    reason : str
        Empty if it is done, and would be the same again.
    """
    if record is None:
        return "not done yet"
    if record.status != "measured":
        return "failed before"
    reasons = {
        "the file has changed": [record.size, record.mtime] != [now.size, now.mtime],
        "other settings": record.settings != now.settings,
        "a file that is read with it has changed": record.others != now.others,
        f"measured by version {record.version}": record.version != now.version,
        "an output is not there": not all(path.is_file() for path in outputs),
    }
    return next((reason for reason, applies in reasons.items() if applies), "")
