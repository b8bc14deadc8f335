"""All images of one call of ``psfphot fit``: checked, measured, reported."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from psfphot._defaults import RETRIES, TIMEOUT
from psfphot._progress import progress_callback, write_above_bars
from psfphot._workers import Outcome, run_tasks, threads_of_worker
from psfphot.cli._batch import make_batch, make_teller
from psfphot.cli._cluster import connect, named_from_root
from psfphot.cli._errors import usage
from psfphot.cli._jobs import NAME, check_templates, make_jobs, outputs_of, read_lists
from psfphot.cli._ledger import Ledger
from psfphot.cli._merging import check_merge, merge
from psfphot.cli._report import describe_all, describe_psf
from psfphot.cli._summary import as_json, summarize_failure
from psfphot.io import (
    Detector,
    check_bits,
    check_error,
    parse_mask,
    read_detector,
    split_extension,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from psfphot.cli._batch import Batch
    from psfphot.cli._jobs import Job
    from psfphot.cli._outputs import Outputs
    from psfphot.cli._words import FitWords

#: Options that name files to write, and what `Outputs` calls them.
_TEMPLATES = {
    "--output": "catalog",
    "--residual": "residual",
    "--model": "model",
    "--plot": "plot",
    "--report": "report",
    "--region": "region",
}


def run_batch(images: Sequence[str], words: FitWords) -> int:
    """Measure all images of a call.

    Parameters
    ----------
    images : sequence of str
        What was typed for images.
    words : `FitWords`
        What else was typed.

    Returns
    -------
    status : int
        The exit status: 1 if an image could not be measured.

    Raises
    ------
    UsageFault
        If the words do not go together.
    OSError, ValueError
        If the PSF or the catalogue cannot be read, or an output not written.
    """
    check_words(words)
    jobs = make_jobs(read_lists(images), words.ext, all_extensions=words.all_ext)
    work = _with_outputs(jobs, words)
    batch = make_batch(words)
    batch.sources.read_common()
    first = next((job for job, _ in work if not job.fault), jobs[0])
    with usage():
        psf = batch.psf(
            Detector() if first.fault else read_detector(first.path, first.ext)
        )
    say = make_teller(quiet=words.quiet, err=words.as_json)
    write = write_above_bars if batch.progress else partial(click.echo, err=True)
    say(describe_psf(psf))
    with Ledger(work, words) as ledger:
        say(ledger.told)
        for index, outcome in _outcomes(batch, work, ledger.again, words):
            entry = _entry(work[index][0], outcome, write, several=len(work) > 1)
            ledger.add(index, entry, outcome)
    entries = ledger.entries
    if len(work) > 1:
        say(describe_all(entries))
    if words.merge is not None:
        say(
            merge([(entries[i], outputs) for i, (_, outputs) in enumerate(work)], words)
        )
    if words.as_json:
        click.echo(as_json(psf, entries))
    return 1 if any(entry["status"] == "failed" for entry in entries) else 0


def check_words(words: FitWords) -> None:
    """Check what was typed, before anything is read.

    Raises
    ------
    UsageFault
        If it cannot be understood, or does not go together.
    """
    words.check()
    with usage():
        if words.dq_bits is not None:
            check_bits(words.dq_bits)
        if words.error is not None:
            check_error(words.error)
        if words.mask is not None:
            parse_mask(words.mask)


def _outcomes(
    batch: Batch,
    work: list[tuple[Job, Outputs]],
    again: list[int],
    words: FitWords,
) -> Iterator[tuple[int, Outcome]]:
    """Measure the images of some numbers, here or by workers."""
    if words.workers is None and words.scheduler is None:
        for n, outcome in _outcomes_here(batch, [work[i] for i in again]):
            yield again[n], outcome
        return
    how: dict[str, Any] = {
        "retries": RETRIES if words.retries is None else words.retries,
        "timeout": TIMEOUT if words.timeout is None else words.timeout,
    }
    with connect(words.scheduler) as client:
        how |= {"n_workers": words.workers, "client": client}
        tasks = [work[i] for i in again]
        if batch.has_tiles(tasks):
            done = _outcomes_here(replace(batch, tile_workers=how), tasks)
        else:
            done = _outcomes_of_workers(batch, tasks, how)
        for n, outcome in done:
            yield again[n], outcome


def _outcomes_of_workers(
    batch: Batch, tasks: list[tuple[Job, Outputs]], how: dict[str, Any]
) -> Iterator[tuple[int, Outcome]]:
    """Have workers measure images; ``how`` are arguments of `run_tasks`."""
    client = how["client"]
    n_threads = threads_of_worker(batch.n_threads, how["n_workers"], client)
    sent = batch.for_workers(n_threads)
    with progress_callback(len(tasks), "frames", enabled=batch.progress) as progress:
        if client is not None:
            sent, tasks = named_from_root(sent, tasks)
        for n, outcome in enumerate(run_tasks(sent, tasks, **how), 1):
            yield outcome.index, outcome
            if progress is not None:
                progress(n)


def _outcomes_here(
    batch: Batch, tasks: list[tuple[Job, Outputs]]
) -> Iterator[tuple[int, Outcome]]:
    """Measure one image after another; what each comes to is told as it goes."""
    if len(tasks) == 1:
        # A fault of the program itself keeps its traceback.
        begin = time.perf_counter()
        measured = batch(tasks[0])
        yield 0, Outcome(0, measured, seconds=time.perf_counter() - begin)
        return
    n_begun = 0

    def measure(task: tuple[Job, Outputs]) -> Any:
        nonlocal n_begun
        n_begun += 1
        if batch.say is not None:
            batch.say(["", f"frame       {n_begun} of {len(tasks)}"])
        return batch(task)

    for outcome in run_tasks(measure, tasks, retries=0):
        yield outcome.index, outcome


def _entry(
    job: Job, outcome: Outcome, write: Callable[[str], None], *, several: bool
) -> dict[str, Any]:
    """Make an image's part of the summary; say what went wrong on stderr."""
    if outcome.error:
        said = outcome.error
        if outcome.traceback:
            said = f"a fault of psfphot itself: {said}"
        entry, warned = summarize_failure(job, said), []
    else:
        entry, warned = outcome.value
    for text in warned:
        write(f"Warning: {job.label}: {text}")
    if entry["status"] == "failed":
        message = entry["error"]
        if several and job.path.name not in message:
            message = f"{job.label}: {message}"
        write(f"Error: {message}")
        entry["error"] = message
    return entry


def _with_outputs(jobs: list[Job], words: FitWords) -> list[tuple[Job, Outputs]]:
    """Name each job's outputs, and find out whether they can be written.

    Of several images one whose files cannot be written fails alone.
    """
    directory = words.output_dir
    given = {
        "--output": f"{NAME}.ecsv" if words.output is None else words.output,
        "--residual": words.residual,
        "--model": words.model,
        "--plot": words.plot,
        "--report": words.report,
        "--region": words.region,
    }
    wanted = {option: text for option, text in given.items() if text is not None}
    check_templates(wanted, len(jobs))
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
    templates = {_TEMPLATES[option]: text for option, text in wanted.items()}
    work = [(job, outputs_of(job, templates, directory)) for job in jobs]
    taken = _inputs(jobs, words)
    # What is measured again replaces what it has written before.
    may_replace = words.overwrite or words.resume
    checked = []
    for job, outputs in work:
        try:
            outputs.check(taken, overwrite=may_replace)
        except OSError as exc:
            if len(work) == 1:
                raise
            refused = replace(job, fault=job.fault or str(exc), is_refused=True)
            checked.append((refused, outputs))
        else:
            checked.append((job, outputs))
    check_merge(words, taken)
    return checked


def _inputs(jobs: list[Job], words: FitWords) -> dict[Path, str]:
    """List the files that are read, which no output may replace."""
    inputs = {split_extension(words.psf)[0].resolve(): "the input"}
    for job in jobs:
        inputs[job.path.resolve()] = "the input"
        for text in (words.error, words.mask, words.weight, words.catalog):
            if text is not None:
                path, _ = split_extension(job.named(text))
                inputs[path.resolve()] = "the input"
    return inputs
