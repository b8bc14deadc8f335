"""What a call of ``psfphot fit`` writes down of each image, and need not do again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Self

from psfphot._core import __version__
from psfphot.cli._jobs import NAME
from psfphot.cli._report import describe_again
from psfphot.cli._summary import summarize_skipped
from psfphot.io import split_extension
from psfphot.pipeline._frames.records import FrameRecord, RunLog
from psfphot.pipeline._frames.resuming import file_state, why_again

if TYPE_CHECKING:
    from pathlib import Path

    from psfphot._workers import Outcome
    from psfphot.cli._jobs import Job
    from psfphot.cli._outputs import Outputs
    from psfphot.cli._words import FitWords

#: The file of the records, in the directory of the outputs.
RECORDS = "run.jsonl"

#: What the last lines tell of an image.
_SHORT = frozenset({"image", "status", "n_sources"})

#: Words that change nothing in a catalogue.
_HARMLESS = frozenset(
    {
        "output",
        "output_dir",
        "residual",
        "model",
        "plot",
        "report",
        "region",
        "ext",
        "all_ext",
        "overwrite",
        "threads",
        "as_json",
        "quiet",
        "workers",
        "scheduler",
        "resume",
        "retries",
        "timeout",
        "merge",
    }
)

#: Words that may name files; those with ``{name}`` are each image's own.
_FILES = ("psf", "error", "mask", "weight", "catalog", "aperture_correction")


class Ledger:
    """The summary's entries of all images, and their records in a file.

    Parameters
    ----------
    work : list of tuple
        The jobs and their outputs.
    words : `FitWords`
        What was typed. Without ``--output-dir`` there are no records.

    Attributes
    ----------
    again : list of int
        The numbers of the images to measure; with ``--resume`` not all.
    told : list of str
        What is done again and why, for people.
    """

    def __init__(self, work: list[tuple[Job, Outputs]], words: FitWords) -> None:
        self._work = work
        self._is_reported = words.as_json
        self._entries: dict[int, dict[str, Any]] = {}
        self.again = list(range(len(work)))
        self.told: list[str] = []
        self._log: RunLog | None = None
        if words.output_dir is None:
            return
        self._log = RunLog(words.output_dir / RECORDS)
        known = settings_hash(words)
        self._before = [_before(job, words, known) for job, _ in work]
        if words.resume:
            self._resume()
        refused = {i for i, (job, _) in enumerate(work) if job.is_refused}
        self._written = set(self.again) - refused

    def __enter__(self) -> Self:
        if self._log is not None:
            self._log.begin(self._before[i].path for i in self._written)
        return self

    def __exit__(self, *_: object) -> None:
        if self._log is not None:
            self._log.close()

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The entries, in the order of the images."""
        return [self._entries[index] for index in sorted(self._entries)]

    def add(self, index: int, entry: dict[str, Any], outcome: Outcome) -> None:
        """Take an image's entry, and write its record."""
        # All reports of a hundred thousand images would be a gigabyte.
        self._entries[index] = entry if self._is_reported else _shortened(entry)
        if self._log is None or index not in self._written:
            return
        record = replace(
            self._before[index],
            status=entry["status"],
            message=entry.get("error", ""),
            traceback=outcome.traceback,
            seconds=round(outcome.seconds, 4),
            tries=outcome.tries,
            rows=entry.get("n_sources", 0),
            output=entry.get("outputs", {}).get("catalog", ""),
        )
        self._log.add(record)

    def _resume(self) -> None:
        """Leave out what is done and unchanged."""
        if self._log is None:
            return
        reasons: dict[str, list[str]] = {}
        again = []
        for index, (job, outputs) in enumerate(self._work):
            now = self._before[index]
            record = self._log.records.get(now.path)
            files = outputs.paths()
            reason = why_again(record, now, files.values())
            if reason or record is None:
                again.append(index)
                reasons.setdefault(reason, []).append(job.name)
            else:
                self._entries[index] = summarize_skipped(job, record.rows, files)
        self.again = again
        self.told = describe_again(len(self._work) - len(again), reasons)


def _shortened(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: entry[key] for key in _SHORT & entry.keys()}


def settings_hash(words: FitWords) -> str:
    """Sum up what the words say of how to measure, and the files that they name.

    Parameters
    ----------
    words : `FitWords`
        What was typed. Files count by what they hold; those of each image alone do
        not (see `FrameRecord.others`).

    Returns
    -------
    digest : str
        16 hexadecimal digits.
    """
    typed = {key: value for key, value in asdict(words).items() if key not in _HARMLESS}
    digest = hashlib.sha256(json.dumps(typed, sort_keys=True, default=str).encode())
    for name in _FILES:
        text = getattr(words, name)
        if text is None or NAME in text:
            continue
        path, _ = split_extension(text)
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _before(job: Job, words: FitWords, settings: str) -> FrameRecord:
    """Tell what is known of an image before it is measured."""
    size, mtime = file_state(job.path) or (None, None)
    path = str(job.path.absolute())
    return FrameRecord(
        path=path if job.ext is None else f"{path}[{job.ext}]",
        size=size,
        mtime=mtime,
        others=_others(job, words),
        settings=settings,
        version=__version__,
        status="",
    )


def _others(job: Job, words: FitWords) -> dict[str, list[int] | None]:
    others = {}
    for name in _FILES:
        text = getattr(words, name)
        if text is not None and NAME in text:
            path: Path = split_extension(job.named(text))[0]
            others[str(path.absolute())] = file_state(path)
    return others
