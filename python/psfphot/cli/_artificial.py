"""Running ``psfphot completeness``: checked, measured, reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._defaults import POSITIONS
from psfphot.cli._batch import make_batch, make_teller, no_stars_in_words
from psfphot.cli._cluster import connect
from psfphot.cli._errors import UsageFault, require_package, usage
from psfphot.cli._jobs import make_jobs
from psfphot.cli._outputs import PLOT_SUFFIXES, check_output
from psfphot.cli._report import (
    describe_image,
    describe_psf,
    describe_written,
    make_line,
)
from psfphot.cli._run import check_words
from psfphot.completeness import ArtificialStarTest, QualityCuts
from psfphot.completeness._storage import FORMATS
from psfphot.io import (
    FileFormatError,
    find_zero_point,
    read_image,
    read_sources,
    require_parquet,
)

if TYPE_CHECKING:
    from psfphot.cli._words import CompletenessWords, FitWords
    from psfphot.completeness import ArtificialStarResults
    from psfphot.io import FitsImage


def run_completeness(words: CompletenessWords, how: FitWords) -> None:
    """Test one image.

    Parameters
    ----------
    words : `CompletenessWords`
        What was typed of the artificial stars.
    how : `FitWords`
        What was typed of how the image is measured.

    Raises
    ------
    UsageFault
        If the words do not go together.
    OSError, ValueError
        If a file cannot be used, or there are no stars.
    """
    check_words(how)
    words.check()
    with usage():
        cuts = QualityCuts(words.cut) if words.cut else None
    (job, *others) = make_jobs([words.image], how.ext, all_extensions=False)
    if others:
        raise UsageFault("psfphot completeness tests one image; give one --ext")
    if job.fault:
        raise FileFormatError(job.fault)
    _check_outputs(words, overwrite=how.overwrite)
    batch, say = make_batch(how), make_teller(quiet=how.quiet)
    image = read_image(job.path, job.ext, **batch.reading_of(job))
    psf = batch.psf(image.detector)
    say([*describe_psf(psf), *describe_image(image)])
    positions: Any = words.positions
    if positions not in POSITIONS:
        positions = read_sources(positions)
    with no_stars_in_words(), connect(how.scheduler) as client:
        test = ArtificialStarTest(
            batch.settings,
            psf=psf,
            gain=how.gain,
            positions=positions,
            spacing=words.spacing,
            stars_per_image=words.per_image,
            flux=_fluxes(words, image, how.zero_point),
            pilot=words.pilot,
            match_radius=words.match_radius,
            flux_tolerance=words.flux_tolerance,
            selection=cuts,
            noise_images=words.noise_images,
            seed=words.seed,
            n_workers=how.workers or 1,
            client=client,
            progress_bar=batch.progress,
        )
        results = test(image, n_stars=words.n_stars, resume=words.resume)
    results.write(words.output, overwrite=how.overwrite)
    written = [words.output]
    if words.plot is not None:
        from psfphot.plotting import save_figure  # noqa: PLC0415  (matplotlib)

        save_figure(results.plot(), words.plot)
        written.append(words.plot)
    say([*describe_results(results), *describe_written(written)])


def _check_outputs(words: CompletenessWords, *, overwrite: bool) -> None:
    """Find out before the work whether the files can be written."""
    if words.plot is not None:
        require_package("--plot", "matplotlib", "plot")
    check_output(words.output, tuple(FORMATS), overwrite=overwrite)
    if words.plot is not None:
        check_output(words.plot, PLOT_SUFFIXES, overwrite=overwrite)
    if words.output.suffix == ".parquet":
        require_parquet(words.output)


def _fluxes(
    words: CompletenessWords, image: FitsImage, given: float | None
) -> tuple[float, float] | None:
    """Make the range of fluxes that is wanted, if one is."""
    if words.mag is None:
        return words.flux
    zero_point = find_zero_point(image, given)
    if zero_point.value is None:
        msg = f"--mag needs --zeropoint, or give --flux: {zero_point.source}"
        raise ValueError(msg)
    bright, faint = (10 ** (0.4 * (zero_point.value - mag)) for mag in words.mag)
    return faint, bright


def describe_results(results: ArtificialStarResults) -> list[str]:
    """Sum up what became of the stars."""
    table = results.table
    reasons, counts = np.unique(np.asarray(table["reason"]), return_counts=True)
    told = ", ".join(f"{n} {reason}" for reason, n in zip(reasons, counts, strict=True))
    n_images = results.settings["n_images"]
    lines = [
        make_line("stars", f"{len(table)} in {n_images} images: {told}"),
        make_line("chance", f"{100 * results.chance_rate:.2g} % without being there"),
        *_describe_curve(results),
    ]
    if np.count_nonzero(table["recovered"]):
        (errors,) = results.error_calibration(1)
        said = (
            f"scatter {errors['width']:.2f} times the quoted errors of flux, "
            f"95 % within {errors['width_95']:.2f} times 1.96 of them, "
            f"{100 * errors['beyond_5']:.2g} % beyond 5"
        )
        lines.append(make_line("errors", said))
    if results.noise_table is not None:
        n_rows = len(results.noise_table)
        n_false = int(np.count_nonzero(results.noise_table["false"]))
        said = f"{n_false} of {n_rows} rows of stars and noise are no stars"
        lines.append(make_line("false rows", said))
    return lines


def _describe_curve(results: ArtificialStarResults) -> list[str]:
    try:
        curve = results.fit_completeness()
    except ValueError as exc:
        return [make_line("curve", str(exc))]
    said = (
        f"{curve.m50:.3f} +- {curve.m50_err:.3f} mag, width {curve.width:.3f}; "
        f"{100 * curve.c_max:.1f} % of bright stars"
    )
    return [make_line("m50", said)]
