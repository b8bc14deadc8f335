"""``--scheduler``: a cluster of Dask, whose workers are in other directories."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psfphot.cli._batch import PsfReader, SourcesReader
from psfphot.io import MissingPackageError, split_extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psfphot.cli._batch import Batch
    from psfphot.cli._jobs import Job
    from psfphot.cli._outputs import Outputs


@contextmanager
def connect(address: str | None) -> Iterator[Any]:
    """Connect to a scheduler; `None` gives `None`.

    Raises
    ------
    MissingPackageError
        If Dask is not installed.
    OSError
        If nobody answers there.
    """
    if address is None:
        yield None
        return
    if find_spec("distributed") is None:
        msg = "--scheduler needs dask and distributed: pip install 'psfphot[dask]'"
        raise MissingPackageError(msg)
    from distributed import Client  # noqa: PLC0415  (an extra, slow to import)

    with Client(address, set_as_default=False) as client:
        yield client


def named_from_root(
    batch: Batch, work: list[tuple[Job, Outputs]]
) -> tuple[Batch, list[tuple[Job, Outputs]]]:
    """Name all files by absolute paths."""
    first = work[0][0] if work else None
    words = batch.psf.words
    psf = PsfReader(replace(words, psf=_absolute(words.psf, first)), batch.psf.known)
    sources = batch.sources
    if sources.template is not None:
        template = _absolute(sources.template, first)
        sources = SourcesReader(template, sources.coordinates, sources.known)
    reading = {
        name: None if text is None else _absolute(text, first)
        for name, text in batch.reading.items()
    }
    named = [
        (replace(job, path=job.path.absolute()), outputs.from_root())
        for job, outputs in work
    ]
    return replace(batch, psf=psf, sources=sources, reading=reading), named


def _absolute(text: str, job: Job | None) -> str:
    """Name a file by its absolute path; leave what is no file as it is."""
    path, _ = split_extension(text)
    named = path if job is None else Path(job.named(str(path)))
    return str(Path.cwd() / text) if named.is_file() else text
