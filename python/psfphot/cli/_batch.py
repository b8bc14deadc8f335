"""All images of one call of ``psfphot fit``: checked, measured, reported."""

from __future__ import annotations

import contextlib
import math
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from psfphot.cli._errors import one_line_messages, usage
from psfphot.cli._jobs import NAME, check_templates, make_jobs, outputs_of
from psfphot.cli._report import (
    describe_all,
    describe_image,
    describe_psf,
    describe_run,
)
from psfphot.cli._summary import as_json, summarize, summarize_failure
from psfphot.io import (
    Detector,
    FileFormatError,
    check_bits,
    check_error,
    parse_mask,
    read_detector,
    read_image,
    read_psf,
    read_sources,
    split_extension,
)
from psfphot.pipeline import NoStarsError, Settings, SourceList, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psfphot.cli._jobs import Job
    from psfphot.cli._outputs import Outputs
    from psfphot.cli._words import FitWords
    from psfphot.io import Psf

T = TypeVar("T")

#: Options that name files to write, and what `Outputs` calls them.
_TEMPLATES = {
    "--output": "catalog",
    "--residual": "residual",
    "--model": "model",
    "--plot": "plot",
    "--report": "report",
    "--region": "region",
}


@dataclass(frozen=True)
class Batch:
    """What is the same for all images of a call.

    Attributes
    ----------
    psf : callable
        Gives the PSF of a detector.
    settings : `~psfphot.pipeline.Settings`
        How to measure.
    reading : dict
        Arguments of `psfphot.io.read_image`; strings may hold ``{name}``.
    sources : callable
        Gives the catalogue to measure at for a job, or `None`.
    say : callable
        Writes lines for people.
    progress : bool
        Whether to show a progress bar.
    several : bool
        Whether there is more than one image, so that messages must name it.
    """

    psf: Callable[[Detector], Psf]
    settings: Settings
    reading: dict[str, str | None]
    sources: Callable[[Job], SourceList | None]
    say: Callable[[list[str]], None]
    progress: bool
    several: bool

    def measure(self, job: Job, outputs: Outputs) -> dict[str, Any]:
        """Measure an image and write its files.

        Returns
        -------
        entry : dict
            Its part of the summary; where it could not be measured that is
            said on stderr too.
        """
        try:
            with one_line_messages():
                return self._measure(job, outputs)
        except click.ClickException as exc:
            message = exc.format_message()
            if self.several and job.path.name not in message:
                message = f"{job.label}: {message}"
            click.echo(f"Error: {message}", err=True)
            return summarize_failure(job, message)

    def _measure(self, job: Job, outputs: Outputs) -> dict[str, Any]:
        if job.fault:
            raise FileFormatError(job.fault)
        reading = {
            option: None if text is None else job.named(text)
            for option, text in self.reading.items()
        }
        image = read_image(job.path, job.ext, **reading)
        self.say(describe_image(image))
        sources = self.sources(job)
        try:
            run = measure(
                image,
                self.psf(image.detector),
                self.settings,
                sources=sources,
                progress_bar=self.progress,
            )
        except NoStarsError as exc:
            msg = f"{exc.finding}; lower --threshold, or check --fwhm and --psf"
            raise FileFormatError(msg) from exc
        written = outputs.write(run, radius=run.settings.fwhm)
        self.say(describe_run(run))
        names = ", ".join(str(path) for path in written.values())
        self.say([f"wrote       {names}"])
        return summarize(job, run, written)


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
    words.check()
    with usage():
        if words.dq_bits is not None:
            check_bits(words.dq_bits)
        if words.error is not None:
            check_error(words.error)
        if words.mask is not None:
            parse_mask(words.mask)
    jobs = make_jobs(images, words.ext, all_extensions=words.all_ext)
    work = _with_outputs(jobs, words)
    several = len(work) > 1
    batch = _batch(words, several=several)
    first = next((job for job, _ in work if not job.fault), jobs[0])
    with usage():
        psf = batch.psf(
            Detector() if first.fault else read_detector(first.path, first.ext)
        )
    batch.say(describe_psf(psf))
    entries = []
    for job, outputs in work:
        if several:
            batch.say([""])
        entries.append(batch.measure(job, outputs))
    failed = [entry for entry in entries if entry["status"] == "failed"]
    if several:
        n_stars = sum(entry.get("n_sources", 0) for entry in entries)
        names = [entry["image"] for entry in failed]
        batch.say(describe_all(len(work) - len(failed), n_stars, names))
    if words.as_json:
        click.echo(as_json(psf, entries))
    return 1 if failed else 0


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
    checked = []
    for job, outputs in work:
        fault = job.fault
        try:
            outputs.check(taken, overwrite=words.overwrite)
        except OSError as exc:
            if len(work) == 1:
                raise
            fault = fault or str(exc)
        checked.append((replace(job, fault=fault), outputs))
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


def _batch(words: FitWords, *, several: bool) -> Batch:
    return Batch(
        _psf_reader(words),
        _settings(words),
        {
            "error": words.error,
            "mask": words.mask,
            "dq": words.dq,
            "dq_bits": words.dq_bits,
            "weight": words.weight,
            "weight_type": words.weight_type,
        },
        _sources(words.catalog, words.catalog_coords),
        partial(_say, quiet=words.quiet, err=words.as_json),
        progress=not words.quiet and sys.stderr.isatty(),
        several=several,
    )


def _settings(words: FitWords) -> Settings:
    """Translate the words: where nothing was typed the PSF's width decides."""
    if words.max_shift is None:
        max_shift: float | Literal["auto"] | None = "auto"
    else:
        max_shift = words.max_shift if math.isfinite(words.max_shift) else None
    return Settings(
        finder=words.finder,
        threshold=words.threshold,
        fwhm=_or_auto(words.fwhm),
        iterations=_or_auto(words.iterations),
        keep_all=words.keep_all,
        extra_columns=words.extra_columns,
        min_separation=_or_auto(words.min_separation),
        fit_shape=_or_auto(words.fit_shape),
        aperture_radius=_or_auto(words.aperture_radius),
        group_separation=None if words.no_group else _or_auto(words.group),
        local_bkg=words.local_bkg,
        max_shift=max_shift,
        forced=words.forced,
        zero_point=words.zero_point,
        n_threads=words.threads,
    )


def _or_auto(given: T | None) -> T | Literal["auto"]:
    return "auto" if given is None else given


def _psf_reader(words: FitWords) -> Callable[[Detector], Psf]:
    """Read a PSF once for each detector that the images are of."""
    known: dict[int | None, Psf] = {}
    correction: str | float | None = words.aperture_correction
    if correction is not None:
        with contextlib.suppress(ValueError):
            correction = float(correction)

    def read(detector: Detector) -> Psf:
        key = None if words.detector_id is not None else detector.detector_id
        if key not in known:
            known[key] = _read_psf(words, detector, correction)
        return known[key]

    return read


def _read_psf(
    words: FitWords, detector: Detector, correction: str | float | None
) -> Psf:
    try:
        psf = read_psf(
            words.psf,
            oversampling=words.oversampling,
            grid_order=words.grid_order,
            detector_id=words.detector_id,
            blur_sigma=words.psf_blur,
            psf_center=words.psf_center,
            aperture_correction=correction,
            detector=detector,
        )
    except ValueError as exc:
        raise type(exc)(_with_options(str(exc))) from exc
    return replace(psf, description=_with_options(psf.description))


def _with_options(text: str) -> str:
    """Call options what they are called here, not in Python."""
    for name in ("detector_id", "grid_order", "aperture_correction"):
        text = text.replace(name, "--" + name.replace("_", "-"))
    return text


def _sources(
    template: str | None, coordinates: Literal["auto", "sky", "pixel"]
) -> Callable[[Job], SourceList | None]:
    """Read a catalogue that is the same for all images now, others later."""

    def read(text: str) -> SourceList:
        path = Path(text)
        return SourceList(read_sources(path), path.name, coordinates)

    if template is None:
        return lambda _: None
    if NAME in template:
        return lambda job: read(job.named(template))
    sources = read(template)
    return lambda _: sources


def _say(lines: list[str], *, quiet: bool, err: bool) -> None:
    if not quiet:
        click.echo("\n".join(lines), err=err)
