"""``psfphot demo``."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from psfphot.cli._command import COUNT, COUNT_FROM_1
from psfphot.cli._errors import one_line_messages

if TYPE_CHECKING:
    from astropy.table import QTable

    from psfphot.pipeline import PhotometryRun, Recovery


@click.command(short_help="Simulate a crowded field and measure it.")
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    metavar="DIR",
    help="Where the files go; it is made, and an earlier demo's are replaced.",
)
@click.option(
    "--size",
    type=click.IntRange(min=64),
    default=1024,
    show_default=True,
    metavar="PX",
    help="Side of the image.",
)
@click.option(
    "--n-stars",
    type=click.IntRange(min=100),
    default=6000,
    show_default=True,
    metavar="N",
    help="Stars in the field, from magnitude 18 to 26.",
)
@click.option(
    "--seed",
    type=COUNT,
    default=0,
    show_default=True,
    metavar="N",
    help="Of PSFs, stars and noise.",
)
@click.option(
    "--threads",
    type=COUNT_FROM_1,
    metavar="N",
    help="Threads.  [default: all CPUs]",
)
def demo(output_dir: Path, **options: Any) -> None:
    """Simulate a crowded field, measure it, and compare with the truth.

    The PSFs are those of a telescope like JWST with NIRCam, computed on the
    spot and different all over the detector. Writes the catalogue, the truth,
    the images, the grid of PSFs and a figure, and says which psfphot fit
    measures these files.
    """
    with one_line_messages():
        _demo(output_dir, **options)


def _demo(
    directory: Path, size: int, n_stars: int, seed: int, threads: int | None
) -> None:
    # Imported here, so that --help does not wait for astropy.
    from psfphot.cli._recovery import describe_recovery  # noqa: PLC0415
    from psfphot.cli._report import (  # noqa: PLC0415
        describe_image,
        describe_psf,
        describe_run,
    )
    from psfphot.datasets import make_nircam_psf_grid  # noqa: PLC0415
    from psfphot.io import Psf, measure_fwhm  # noqa: PLC0415
    from psfphot.pipeline import (  # noqa: PLC0415
        Settings,
        compare_with_truth,
        measure,
        simulate_star_field,
    )

    start = time.perf_counter()
    directory.mkdir(parents=True, exist_ok=True)
    click.echo(f"computing the PSFs and a field of {n_stars} stars ...")
    model = make_nircam_psf_grid(16, detector_size=size, seed=seed)
    description = f"simulated grid of {len(model.data)} ePSFs, 4x oversampled"
    psf = Psf(model, description, measure_fwhm(model))
    image, truth = simulate_star_field(model, size, n_stars, seed=seed)
    click.echo(f"ready after {time.perf_counter() - start:.1f} s\n")

    run = measure(image, psf, Settings(n_threads=threads))
    recovery = compare_with_truth(run.catalog, truth, radius=psf.fwhm / 2)
    names = _write(directory, run, truth, recovery)
    lines = [*describe_psf(psf), *describe_image(image)]
    lines += [*describe_run(run), ""]
    click.echo("\n".join(lines + describe_recovery(recovery)))
    click.echo(
        f"\nwrote {', '.join(names)} into {directory} "
        f"({time.perf_counter() - start:.1f} s in all)"
    )
    click.echo(f"\nmeasure these files yourself:\n  {_fit_line(directory)}")


def _fit_line(directory: Path) -> str:
    """Say what to type, for a shell, to measure the demo's image."""
    words = [directory / "image.fits", "--psf", directory / "psf.fits"]
    words += ["-o", directory / "fit.ecsv", "--overwrite"]
    return shlex.join(["psfphot", "fit", *map(str, words)])


def _write(
    directory: Path, run: PhotometryRun, truth: QTable, recovery: Recovery
) -> list[str]:
    """Write the demo's files and return their names."""
    from psfphot.io import write_catalog, write_image  # noqa: PLC0415

    write_catalog(directory / "catalog.ecsv", run.catalog)
    write_catalog(directory / "truth.ecsv", truth)
    image = run.image
    planes = {
        "image.fits": (image.data, "psfphot demo: simulated image, not data"),
        "model.fits": (run.model, "psfphot demo: fitted stars, without sky"),
        "residual.fits": (
            run.residual,
            "psfphot demo: the image without its fitted stars",
        ),
    }
    for name, (data, history) in planes.items():
        error = image.error if name == "image.fits" else None
        write_image(directory / name, data, image, history=history, error=error)
    run.exposure.psf.model.write(directory / "psf.fits", overwrite=True)
    names = ["catalog.ecsv", "truth.ecsv", *planes, "psf.fits"]
    if _draw(directory / "demo.png", run, recovery):
        names.append("demo.png")
    return names


def _draw(path: Path, run: PhotometryRun, recovery: Recovery) -> bool:
    """Draw the figure, or say why there is none."""
    from importlib.util import find_spec  # noqa: PLC0415

    if find_spec("matplotlib") is None:
        click.echo("no figure: matplotlib is not installed (psfphot[plot])", err=True)
        return False
    from psfphot.plotting import save_figure  # noqa: PLC0415
    from psfphot.plotting._recovery import plot_recovery  # noqa: PLC0415

    image = run.image
    figure = plot_recovery(
        np.where(run.exposure.mask, np.nan, image.data),
        run.model,
        run.sky,
        recovery,
        error=run.exposure.error,
        unit=image.unit,
    )
    save_figure(figure, path)
    return True
