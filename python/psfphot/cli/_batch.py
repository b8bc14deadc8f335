"""All images of one call of ``psfphot fit``: checked, measured, reported."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psfphot.cli._errors import UsageFault, one_line_messages, usage
from psfphot.cli._jobs import NAME, check_templates, make_jobs, outputs_of
from psfphot.cli._photometry import photometer
from psfphot.cli._report import (
    describe_all,
    describe_image,
    describe_psf,
    describe_run,
)
from psfphot.cli._settings import default_settings
from psfphot.cli._starts import SourceList
from psfphot.cli._summary import as_json, summarize, summarize_failure
from psfphot.io import (
    FileFormatError,
    check_bits,
    check_error,
    read_image,
    read_psf,
    read_sources,
    split_extension,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psfphot.cli._jobs import Job
    from psfphot.cli._outputs import Outputs
    from psfphot.cli._settings import Settings
    from psfphot.io import Psf

#: Options that name files to write, and what `Outputs` calls them.
_TEMPLATES = {
    "--output": "catalog",
    "--residual": "residual",
    "--model": "model",
    "--plot": "plot",
    "--region": "region",
}

#: Options that name files to read besides the image.
_READ = ("error", "mask", "catalog")


@dataclass(frozen=True)
class Batch:
    """What is the same for all images of a call.

    Attributes
    ----------
    psf : `~psfphot.io.Psf`
        The PSF.
    settings : `Settings`
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

    psf: Psf
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
        run = photometer(
            image,
            self.psf,
            self.settings,
            sources=self.sources(job),
            progress=self.progress,
            want_model=outputs.want_model,
        )
        written = outputs.write(run, image, radius=self.settings.fwhm)
        self.say(describe_run(run, image, self.settings))
        names = ", ".join(str(path) for path in written.values())
        self.say([f"wrote       {names}"])
        return summarize(job, run, image, self.settings, written)


def run_batch(images: Sequence[str], options: dict[str, Any]) -> int:
    """Measure all images of a call.

    Parameters
    ----------
    images : sequence of str
        What was typed for images.
    options : dict
        All options of ``psfphot fit`` by their names.

    Returns
    -------
    status : int
        The exit status: 1 if an image could not be measured.

    Raises
    ------
    UsageFault
        If the options do not go together.
    OSError, ValueError
        If the PSF or the catalogue cannot be read, or an output not written.
    """
    _check(options)
    jobs = make_jobs(images, options["ext"], all_extensions=options["all_ext"])
    work = _with_outputs(jobs, options)
    several = len(work) > 1
    batch = _batch(options, several=several)
    batch.say(describe_psf(batch.psf))
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
    if options["as_json"]:
        click.echo(as_json(batch.psf, entries))
    return 1 if failed else 0


def _check(options: dict[str, Any]) -> None:
    """Check what click cannot: options that do not go together."""
    annulus = options["local_bkg"]
    if annulus is not None and annulus[0] >= annulus[1]:
        msg = f"--local-bkg needs INNER below OUTER, got {annulus[0]:g} {annulus[1]:g}"
        raise UsageFault(msg)
    for name in ("group", "local_bkg"):
        if options[name] is not None and options[f"no_{name}"]:
            option = name.replace("_", "-")
            msg = f"--{option} and --no-{option} exclude each other; give one"
            raise UsageFault(msg)
    if options["forced"] and options["catalog"] is None:
        msg = "--forced needs the positions: give --catalog FILE"
        raise UsageFault(msg)
    if options["output"] is None and options["output_dir"] is None:
        msg = "nothing says where the catalogue goes: give -o CATALOG or --output-dir"
        raise UsageFault(msg)
    with usage():
        if options["dq_bits"] is not None:
            check_bits(options["dq_bits"])
        if options["error"] is not None:
            check_error(options["error"])


def _with_outputs(
    jobs: list[Job], options: dict[str, Any]
) -> list[tuple[Job, Outputs]]:
    """Name each job's outputs, and find out whether they can be written."""
    directory = options["output_dir"]
    given = {option: options[option.removeprefix("--")] for option in _TEMPLATES}
    if given["--output"] is None:
        given["--output"] = f"{NAME}.ecsv"
    given = {option: text for option, text in given.items() if text is not None}
    check_templates(given, len(jobs))
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
    templates = {_TEMPLATES[option]: text for option, text in given.items()}
    work = [(job, outputs_of(job, templates, directory)) for job in jobs]
    taken = _inputs(jobs, options)
    for _, outputs in work:
        outputs.check(taken, overwrite=options["overwrite"])
    return work


def _inputs(jobs: list[Job], options: dict[str, Any]) -> dict[Path, str]:
    """List the files that are read, which no output may replace."""
    inputs = {Path(options["psf"]).resolve(): "the input"}
    for job in jobs:
        inputs[job.path.resolve()] = "the input"
        for option in _READ:
            if options[option] is not None:
                path, _ = split_extension(job.named(options[option]))
                inputs[path.resolve()] = "the input"
    return inputs


def _batch(options: dict[str, Any], *, several: bool) -> Batch:
    quiet, to_stderr = options["quiet"], options["as_json"]
    with usage():
        psf = _read_psf(options)
    settings = default_settings(
        psf,
        grouped=not options["no_group"],
        local=not options["no_local_bkg"],
        n_threads=options["threads"],
        **{name: options[name] for name in _SETTINGS},
    )
    return Batch(
        psf,
        settings,
        {name: options[name] for name in ("error", "mask", "dq", "dq_bits")},
        _sources(options["catalog"], options["catalog_coords"]),
        partial(_say, quiet=quiet, err=to_stderr),
        progress=not quiet and sys.stderr.isatty(),
        several=several,
    )


#: Options that are settings of the same name.
_SETTINGS = (
    "threshold",
    "fwhm",
    "roundness",
    "min_separation",
    "fit_shape",
    "aperture_radius",
    "group",
    "local_bkg",
    "max_shift",
    "forced",
    "zero_point",
)


def _read_psf(options: dict[str, Any]) -> Psf:
    try:
        return read_psf(
            options["psf"],
            oversampling=options["oversampling"],
            grid_order=options["grid_order"],
            detector_id=options["detector_id"],
            blur_sigma=options["psf_blur"],
        )
    except FileFormatError as exc:
        # What an argument is called in Python is an option here.
        raise FileFormatError(
            str(exc)
            .replace("detector_id", "--detector-id")
            .replace("grid_order", "--grid-order")
        ) from exc


def _sources(
    template: str | None, coordinates: str
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
