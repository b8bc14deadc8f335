"""``psfphot psf``: build, refine and show PSFs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from psfphot.cli._command import (
    ABOVE_0,
    COUNT_FROM_1,
    Box,
    OneLineGroup,
    SectionedCommand,
    add_options,
    option,
)
from psfphot.cli._errors import one_line_messages
from psfphot.cli._options import overwrite_option, quiet_option, threads_option

_needed = partial(option, "Needed")
_psf = partial(option, "The PSF")
_stars = partial(option, "Its stars")
_input = partial(option, "The image")
_output = partial(option, "Output")

_COMMON = (
    _needed(
        "-o",
        "--output",
        required=True,
        type=click.Path(path_type=Path),
        metavar="FITS",
        help="The PSF to write, in the layout of STPSF; --psf of psfphot fit reads it.",
    ),
    _psf(
        "--size",
        type=Box(),
        metavar="N|NY,NX",
        show_default="9 FWHM, at least 25",
        help="Sides of the PSF, and of the stars' cutouts, in pixels: odd.",
    ),
    _psf(
        "--cutoff",
        type=ABOVE_0,
        metavar="CYCLES",
        help="The highest spatial frequency that the optics pass, in cycles per pixel: "
        "diameter times pixel scale over wavelength.",
    ),
    _psf(
        "--kappa",
        type=ABOVE_0,
        metavar="FACTOR",
        show_default="by held-out stars",
        help="How rough the PSF may be; with psf refine how far from the library.",
    ),
    _psf(
        "--aperture-correction",
        metavar="FACTOR|measure",
        help="The light of a star over that within the PSF's size. Fluxes are total "
        "then; without they are those within it.",
    ),
    _stars(
        "--stars",
        "n_stars",
        type=COUNT_FROM_1,
        default=400,
        show_default=True,
        metavar="N",
        help="The most stars to take.",
    ),
    _stars(
        "--min-snr",
        type=ABOVE_0,
        default=50.0,
        show_default=True,
        metavar="SNR",
        help="The least S/N of a star.",
    ),
    _input("--ext", metavar="NAME|NUMBER", show_default="SCI, else the first image",
           help="The image's extension."),
    _input("--error", metavar="FILE|[EXT]|VALUE|none", show_default="the ERR extension",
           help="1-sigma errors of the pixels, as in psfphot fit."),
    _input("--mask", metavar="FILE|[EXT]|'EXT OP NUMBER'",
           help="Leave out pixels, as in psfphot fit."),
    _output("--plot", type=click.Path(path_type=Path), metavar="PNG|PDF|SVG",
            help="Draw the PSF, its errors and what it leaves of the stars."),
    overwrite_option,
    threads_option,
    quiet_option,
)  # fmt: skip

_common_options = add_options(_COMMON)


@click.group(cls=OneLineGroup, short_help="Build, refine and show PSFs.")
def psf() -> None:
    """Build the PSF of an image from its stars, refine a library's, and show it.

    \b
    psfphot psf build m31.fits -o grid.fits --grid 4x4
    psfphot psf refine m31.fits --psf library.fits -o refined.fits
    psfphot psf show grid.fits -o grid.png
    """  # noqa: D301  (click wants the very character \b)


@psf.command(cls=SectionedCommand, short_help="Build a PSF from an image's stars.")
@click.argument("image", metavar="IMAGE")
@_common_options
@_psf(
    "--grid",
    metavar="NXxNY",
    show_default="4x4",
    help="Nodes of the grid, along x and y. Stars that are held out choose whether the "
    "PSF varies so much, linearly or not at all.",
)
@_psf(
    "--order",
    type=click.Choice(["auto", "single", "linear", "quadratic", "nodes"]),
    default="auto",
    show_default=True,
    help="How the PSF varies over the image.",
)
@_psf(
    "--oversampling",
    type=COUNT_FROM_1,
    default=4,
    show_default=True,
    metavar="N",
    help="Samples per pixel.",
)
def build(image: str, **words: Any) -> None:
    """Build the PSF of a FITS IMAGE from its own stars.

    The sky is measured, stars are found, and bright, whole and lonely ones of all
    parts of the image and of the pixel are chosen; in a crowd their neighbours are
    fitted and taken away. What is wrong with the PSF is said.
    """
    from psfphot.cli._psf_run import run_build  # noqa: PLC0415  (slow to import)

    with one_line_messages():
        run_build(image, words)


@psf.command(cls=SectionedCommand, short_help="Fit a library's PSF to an image.")
@click.argument("image", metavar="IMAGE")
@_needed(
    "--psf",
    "library",
    required=True,
    metavar="FILE|FORMULA",
    help="The library: what psfphot fit takes.",
)
@_common_options
@_psf(
    "--order",
    type=click.Choice(["auto", "constant", "linear", "nodes"]),
    default="linear",
    show_default=True,
    help="How the deviation from the library varies over the image.",
)
def refine(image: str, **words: Any) -> None:
    """Make a library's PSF that of a FITS IMAGE.

    What the image's stars say about the deviation from the library is solved for;
    positions stay those of the library.
    """
    from psfphot.cli._psf_run import run_build  # noqa: PLC0415  (slow to import)

    with one_line_messages():
        run_build(image, words)


@psf.command(cls=SectionedCommand, short_help="Draw a PSF.")
@click.argument("path", metavar="PSF")
@_needed(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="PNG|PDF|SVG",
    help="The picture to write.",
)
@_input(
    "--image",
    metavar="IMAGE",
    help="The image that it was built from: what it leaves of its stars is drawn too.",
)
@overwrite_option
def show(path: str, **words: Any) -> None:
    """Draw the PSF of a file, and how well it is known if the file tells."""
    from psfphot.cli._psf_run import run_show  # noqa: PLC0415  (slow to import)

    with one_line_messages():
        run_show(path, words)
