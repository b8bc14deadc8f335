"""Measuring an image of a call of ``psfphot fit``: what workers are sent, and do."""

from __future__ import annotations

import contextlib
import math
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import click

from psfphot._defaults import MOST_WHOLE, TILE
from psfphot._workers import raise_if_passing
from psfphot.cli._errors import one_line_messages
from psfphot.cli._jobs import NAME
from psfphot.cli._report import (
    describe_image,
    describe_run,
    describe_tiles,
    describe_written,
)
from psfphot.cli._summary import summarize, summarize_failure
from psfphot.cli._words import number_or_text
from psfphot.io import (
    FileFormatError,
    read_detector,
    read_image,
    read_psf,
    read_sources,
)
from psfphot.io._found import PlaneWords
from psfphot.io._images import LargeImageError, read_image_up_to, read_shape
from psfphot.pipeline import NoStarsError, Settings, SourceList, measure_tiled
from psfphot.pipeline._frames.mapping import measure_in_threads
from psfphot.pipeline._frames.source_ids import add_source_ids
from psfphot.psf import PolynomialPSFModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psfphot.cli._jobs import Job
    from psfphot.cli._outputs import Outputs
    from psfphot.cli._words import FitWords
    from psfphot.io import Detector, FitsImage, Psf
    from psfphot.pipeline import PhotometryRun

T = TypeVar("T")


class Measured(NamedTuple):
    """What came of an image.

    Attributes
    ----------
    entry : dict
        Its part of the summary.
    warnings : list of str
        What was warned of, if that has not been said yet.
    """

    entry: dict[str, Any]
    warnings: list[str]


@dataclass(frozen=True)
class Batch:
    """What is the same for all images of a call, and measures each.

    Attributes
    ----------
    psf : `PsfReader`
        Gives the PSF of a detector.
    settings : `~psfphot.pipeline.Settings`
        How to measure.
    reading : dict
        Arguments of `psfphot.io.read_image`; strings may hold ``{name}``.
    sources : `SourcesReader`
        Gives the catalogue to measure at for a job.
    has_source_ids : bool
        Whether sources are told apart from those of other images.
    say : callable or `None`
        Writes lines for people; `None` where nobody listens, as in workers.
    progress : bool
        Whether to show a progress bar.
    n_threads : int or `None`
        Threads to use; `None` takes all CPUs.
    tile : int or `None`
        The side of the tiles that all images are measured in, if any.
    may_tile : bool
        Whether large images are measured in tiles where that is not told.
    tile_workers : dict
        Arguments of `psfphot.pipeline.measure_tiled` for who measures tiles.
    """

    psf: PsfReader
    settings: Settings
    reading: dict[str, str | None]
    sources: SourcesReader
    has_source_ids: bool
    say: Callable[[list[str]], None] | None
    progress: bool
    n_threads: int | None
    tile: int | None = None
    may_tile: bool = False
    tile_workers: dict[str, Any] = field(default_factory=dict)

    def for_workers(self, n_threads: int | None) -> Batch:
        """Make the batch that workers are sent, who say nothing themselves."""
        return replace(self, n_threads=n_threads, say=None, progress=False)

    def __call__(self, work: tuple[Job, Outputs]) -> Measured:
        """Measure an image and write its files.

        What is wrong with them is told in the entry.
        """
        job, outputs = work
        warned: list[str] = []
        try:
            with one_line_messages(warned.append if self.say is None else None):
                return Measured(self._measure(job, outputs), warned)
        except click.ClickException as exc:
            raise_if_passing(exc.__cause__)
            return Measured(summarize_failure(job, exc.format_message()), warned)

    def _measure(self, job: Job, outputs: Outputs) -> dict[str, Any]:
        if job.fault:
            raise FileFormatError(job.fault)
        say = _say_nothing if self.say is None else self.say
        with no_stars_in_words(), self._runs(job, say) as run:
            if self.has_source_ids:
                add_source_ids(run.catalog, job.name)
            written = outputs.write(run, radius=run.settings.fwhm)
            say(describe_run(run))
            say(describe_written(written.values()))
            return summarize(job, run, written)

    def reading_of(self, job: Job) -> dict[str, str | None]:
        """Give the arguments of `psfphot.io.read_image` for an image."""
        return {
            option: None if text is None else job.named(text)
            for option, text in self.reading.items()
        }

    @contextlib.contextmanager
    def _runs(
        self, job: Job, say: Callable[[list[str]], None]
    ) -> Iterator[PhotometryRun]:
        """Measure an image, whole or by tiles, whose arrays go afterwards."""
        reading, tile = self.reading_of(job), self.tile
        image = None
        if tile is None:
            image, tile = self._read_whole(job, say), TILE
        if image is not None:
            say(describe_image(image))
            yield measure_in_threads(
                image,
                self.psf(image.detector),
                self.settings,
                self.n_threads,
                sources=self.sources(job),
                progress_bar=self.progress,
            )
            return
        psf = self.psf(read_detector(job.path, job.ext))
        settings = replace(self.settings, n_threads=self.n_threads)
        how: dict[str, Any] = {"ext": job.ext, "tile": tile, **reading}
        with measure_tiled(job.path, psf, settings, **how, **self.tile_workers) as run:
            run.catalog.meta["n_threads"] = self.settings.n_threads
            say(describe_image(run.image))
            yield run

    def has_tiles(self, work: list[tuple[Job, Outputs]]) -> bool:
        """Tell whether it is tiles that workers are to be given, not whole images.

        One large image alone is divided, too.
        """
        if self.tile is not None or len(work) != 1 or work[0][0].fault:
            return self.tile is not None
        job, _ = work[0]
        shape = read_shape(job.path, job.ext) if self.may_tile else None
        is_large = shape is not None and math.prod(shape) > MOST_WHOLE
        return is_large and self._knows_tiles(job)

    def _knows_tiles(self, job: Job) -> bool:
        """Tell whether the PSF of an image is known in tiles of it."""
        psf = self.psf(read_detector(job.path, job.ext))
        return not isinstance(psf.model, PolynomialPSFModel)

    def _read_whole(
        self, job: Job, say: Callable[[list[str]], None]
    ) -> FitsImage | None:
        """Read an image; `None` if it is so large that it is measured by tiles.

        Whoever has not asked for tiles is told.
        """
        reading = self.reading_of(job)
        if self.may_tile:
            try:
                words = PlaneWords(**reading)
                return read_image_up_to(MOST_WHOLE, job.path, job.ext, words)
            except LargeImageError as exc:
                if self._knows_tiles(job):
                    say(describe_tiles(exc.shape, TILE))
                    return None
        return read_image(job.path, job.ext, **reading)


@contextlib.contextmanager
def no_stars_in_words() -> Iterator[None]:
    """Say which options find more stars, where there are none."""
    try:
        yield
    except NoStarsError as exc:
        msg = f"{exc.finding}; lower --threshold, or check --fwhm and --psf"
        raise FileFormatError(msg) from exc


def make_batch(words: FitWords) -> Batch:
    """Translate what was typed."""
    return Batch(
        PsfReader(words),
        _settings(words),
        {
            "error": words.error,
            "mask": words.mask,
            "dq": words.dq,
            "dq_bits": words.dq_bits,
            "weight": words.weight,
            "weight_type": words.weight_type,
        },
        SourcesReader(words.catalog, words.catalog_coords),
        has_source_ids=words.output_dir is not None,
        say=make_teller(quiet=words.quiet, err=words.as_json),
        progress=not words.quiet and sys.stderr.isatty(),
        n_threads=words.threads,
        tile=words.tile,
        may_tile=words.may_tile,
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
        confusion="auto" if words.confusion is None else words.confusion,
        extra_columns=words.extra_columns,
        min_separation=_or_auto(words.min_separation),
        fit_shape=_or_auto(words.fit_shape),
        aperture_radius=_or_auto(words.aperture_radius),
        group_separation=None if words.no_group else _or_auto(words.group),
        local_bkg=words.local_bkg,
        max_shift=max_shift,
        forced=words.forced,
        zero_point=words.zero_point,
        robust=_or_auto(words.robust),
        gain=words.gain,
        read_noise=words.read_noise,
        n_threads=words.threads,
    )


def _or_auto(given: T | None) -> T | Literal["auto"]:
    return "auto" if given is None else given


@dataclass(frozen=True)
class PsfReader:
    """Reads the PSF once for each detector that the images are of.

    Parameters
    ----------
    words : `FitWords`
        What was typed of the PSF.
    known : dict
        What was read, by the detectors' numbers.
    """

    words: FitWords
    known: dict[int | None, Psf] = field(default_factory=dict, repr=False)

    def __call__(self, detector: Detector) -> Psf:
        """Give the PSF of a detector."""
        words = self.words
        key = None if words.detector_id is not None else detector.detector_id
        if key not in self.known:
            self.known[key] = _read_psf(words, detector)
        return self.known[key]


def _read_psf(words: FitWords, detector: Detector) -> Psf:
    try:
        psf = read_psf(
            words.psf,
            oversampling=words.oversampling,
            grid_order=words.grid_order,
            detector_id=words.detector_id,
            blur_sigma=words.psf_blur,
            psf_center=words.psf_center,
            aperture_correction=number_or_text(words.aperture_correction),
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


@dataclass(frozen=True)
class SourcesReader:
    """Reads a catalogue that is the same for all images once, others for each.

    Parameters
    ----------
    template : str or `None`
        The file, with ``{name}`` or without; `None` where stars are found.
    coordinates : str
        Which of its columns to take.
    known : list of `~psfphot.pipeline.SourceList`
        The catalogue that is the same for all, once it is read.
    """

    template: str | None
    coordinates: Literal["auto", "sky", "pixel"]
    known: list[SourceList] = field(default_factory=list, repr=False)

    def __call__(self, job: Job) -> SourceList | None:
        """Give the catalogue to measure an image at, or `None`."""
        if self.template is None:
            return None
        if NAME in self.template:
            return self._read(job.named(self.template))
        self.read_common()
        return self.known[0]

    def read_common(self) -> None:
        """Read now the catalogue that is the same for all, if there is one."""
        if self.template is not None and NAME not in self.template and not self.known:
            self.known.append(self._read(self.template))

    def _read(self, text: str) -> SourceList:
        path = Path(text)
        return SourceList(read_sources(path), path.name, self.coordinates)


def _say_nothing(_: list[str]) -> None:
    pass


def make_teller(*, quiet: bool, err: bool = False) -> Callable[[list[str]], None]:
    """Make what writes lines for people, unless they want none."""
    return partial(_say, quiet=quiet, err=err)


def _say(lines: list[str], *, quiet: bool, err: bool) -> None:
    if lines and not quiet:
        click.echo("\n".join(lines), err=err)
