"""``psfphot fit``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from psfphot.cli._defaults import (
    ANNULUS,
    GROUPING,
    LARGEST_GROUP,
    ROUNDNESS,
    SEPARATION,
    THRESHOLD,
)
from psfphot.cli._errors import one_line_messages

_PATH = click.Path(path_type=Path)
_ABOVE_0 = click.FloatRange(min=0, min_open=True)
_FROM_0 = click.FloatRange(min=0)
_FROM_1 = click.IntRange(min=1)


@click.command(short_help="Measure the stars of a FITS image.")
@click.argument("image", type=_PATH)
@click.option(
    "--psf",
    required=True,
    metavar="FILE|gaussian:FWHM",
    help="A grid of ePSFs (3D FITS, as STPSF writes it), one ePSF image (2D FITS, "
    "with the pixel's response in it), or a Gaussian of this FWHM in pixels.",
)
@click.option(
    "-o",
    "--output",
    "catalog",
    type=_PATH,
    required=True,
    metavar="CATALOG",
    help="The catalogue to write: .ecsv, .fits or .fits.gz.",
)
@click.option(
    "--ext",
    metavar="NAME|NUMBER",
    help="The image's extension; NAME,VERSION works too.  "
    "[default: SCI, else the first image]",
)
@click.option(
    "--oversampling",
    type=_FROM_1,
    metavar="N",
    help="PSF pixels per image pixel, for a PSF image whose header does not say.",
)
@click.option(
    "--grid-order",
    type=click.Choice(["auto", "header", "sorted"]),
    default="auto",
    show_default=True,
    help="The order of the ePSFs in a grid's file, which changed in December 2023.",
)
@click.option(
    "--psf-blur",
    type=_ABOVE_0,
    metavar="SIGMA",
    help="Widen the PSF of a file by a Gaussian of this sigma in pixels, for an "
    "image whose resampling widened the stars.",
)
@click.option(
    "--threshold",
    type=_ABOVE_0,
    default=THRESHOLD,
    show_default=True,
    metavar="SIGMA",
    help="How far a star must stand out of the noise of a background pixel.",
)
@click.option(
    "--fwhm",
    type=_ABOVE_0,
    metavar="PX",
    help="Width of the stars to find.  [default: the PSF's]",
)
@click.option(
    "--roundness",
    type=_FROM_0,
    default=ROUNDNESS,
    show_default=True,
    metavar="MAX",
    help="Leave out detections above it; 0 is round, blends have 0.2 and more.",
)
@click.option(
    "--min-separation",
    type=_FROM_0,
    metavar="PX",
    help="A detection has no brighter pixel nearer than this.  "
    f"[default: {SEPARATION:g} FWHM]",
)
@click.option(
    "--fit-shape",
    type=_FROM_1,
    metavar="PX",
    help="Side of the square fitted around each star, odd.  "
    "[default: 2 FWHM + 1, at least 5]",
)
@click.option(
    "--aperture-radius",
    type=_ABOVE_0,
    metavar="PX",
    help="Aperture of the first guess of the flux.  [default: half of --fit-shape]",
)
@click.option(
    "--group",
    type=_ABOVE_0,
    metavar="PX",
    help="Fit stars nearer than this together.  [default: "
    f"{GROUPING:g} times --fit-shape, less if groups exceed {LARGEST_GROUP} stars]",
)
@click.option("--no-group", is_flag=True, help="Fit every star alone.")
@click.option(
    "--local-bkg",
    type=_ABOVE_0,
    nargs=2,
    metavar="INNER OUTER",
    help="Radii of the annulus around each star whose median is its background.  "
    f"[default: {ANNULUS[0]:g} and {ANNULUS[1]:g} times --fit-shape]",
)
@click.option(
    "--no-local-bkg", is_flag=True, help="Subtract one level from the whole image."
)
@click.option(
    "--threads", type=_FROM_1, metavar="N", help="Threads.  [default: all CPUs]"
)
@click.option(
    "--residual", type=_PATH, metavar="FITS", help="Write the image without its stars."
)
@click.option(
    "--model", type=_PATH, metavar="FITS", help="Write the fitted stars, without sky."
)
@click.option(
    "--plot",
    type=_PATH,
    metavar="PNG|PDF|SVG",
    help="Draw image, model and residual.",
)
@click.option(
    "--region",
    type=_PATH,
    metavar="REG",
    help="Write a DS9 region file; flagged stars are red.",
)
@click.option("--overwrite", is_flag=True, help="Replace outputs that are there.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what is wrong.")
def fit(image: Path, catalog: Path, **options: Any) -> None:
    """Measure the stars of the FITS file IMAGE and write a catalogue.

    Finds stars, groups those that overlap, and fits position and flux of each
    with the PSF. Errors come from the ERR extension where there is one,
    otherwise from each fit's own residuals. Pixels that are NaN are left out.
    With a WCS the catalogue has RA and Dec (ICRS).

    \b
    Examples:
      psfphot fit jw_i2d.fits --psf grid.fits -o stars.ecsv --plot stars.png
      psfphot fit irac.fits --psf epsf.fits --oversampling 4 -o stars.fits
      psfphot fit field.fits --psf gaussian:2.8 -o stars.ecsv --region stars.reg
    """  # noqa: D301  (click wants the very character \b)
    # Imported here, so that --help does not wait for astropy.
    from psfphot.cli._outputs import Outputs  # noqa: PLC0415

    kinds = ("residual", "model", "plot", "region")
    outputs = Outputs(catalog, **{kind: options.pop(kind) for kind in kinds})
    with one_line_messages():
        _fit(image, outputs, **options)


def _fit(path: Path, outputs: Any, **options: Any) -> None:
    from psfphot.cli._photometry import default_settings, photometer  # noqa: PLC0415
    from psfphot.cli._report import describe_input, describe_run  # noqa: PLC0415
    from psfphot.io import read_image, read_psf  # noqa: PLC0415

    _check(options)
    quiet = options.pop("quiet")
    outputs.check(path, overwrite=options.pop("overwrite"))
    image = read_image(path, options.pop("ext"))
    psf = read_psf(
        options.pop("psf"),
        oversampling=options.pop("oversampling"),
        grid_order=options.pop("grid_order"),
        blur_sigma=options.pop("psf_blur"),
    )
    _say(describe_input(image, psf), quiet=quiet)
    settings = default_settings(
        psf,
        grouped=not options.pop("no_group"),
        local=not options.pop("no_local_bkg"),
        n_threads=options.pop("threads"),
        **options,
    )
    run = photometer(
        image,
        psf,
        settings,
        progress=not quiet and sys.stderr.isatty(),
        want_model=outputs.want_model,
    )
    written = outputs.write(run, image, radius=settings.fwhm)
    _say(describe_run(run, image, settings), quiet=quiet)
    _say([f"wrote       {', '.join(str(name) for name in written)}"], quiet=quiet)


def _check(options: dict[str, Any]) -> None:
    """Check what click cannot: options that do not go together."""
    side, annulus = options["fit_shape"], options["local_bkg"]
    if side is not None and side % 2 == 0:
        msg = f"--fit-shape must be odd, got {side}; use {side + 1}"
        raise ValueError(msg)
    if annulus is not None and annulus[0] >= annulus[1]:
        msg = f"--local-bkg needs INNER below OUTER, got {annulus[0]:g} {annulus[1]:g}"
        raise ValueError(msg)
    for name in ("group", "local_bkg"):
        if options[name] is not None and options[f"no_{name}"]:
            option = name.replace("_", "-")
            msg = f"--{option} and --no-{option} exclude each other; give one"
            raise ValueError(msg)


def _say(lines: list[str], *, quiet: bool) -> None:
    if not quiet:
        click.echo("\n".join(lines))
