"""The options of ``psfphot fit``, in the order and the sections of its help."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from psfphot._defaults import (
    GROUPING,
    ITERATIONS,
    MOST_WHOLE,
    RETRIES,
    SEPARATION,
    SMALLEST_TILE,
    THRESHOLD,
    TILE,
    TIMEOUT,
)
from psfphot.cli._command import (
    ABOVE_0,
    COUNT,
    COUNT_FROM_1,
    FROM_0,
    Box,
    Finite,
    Shift,
    add_options,
    option,
)

_needed = partial(option, "Needed")
_psf = partial(option, "The PSF")
_input = partial(option, "The image")
_stars = partial(option, "Which stars")
_fitting = partial(option, "The fit")
_output = partial(option, "Output")
_many = partial(option, "Many images")
_running = partial(option, "The run")

#: Options of several commands.
overwrite_option = _output(
    "--overwrite", is_flag=True, help="Replace files that are there."
)
threads_option = _running(
    "--threads",
    type=COUNT_FROM_1,
    metavar="N",
    show_default="all CPUs",
    help="Threads; no result depends on them.",
)
quiet_option = _running(
    "-q", "--quiet", is_flag=True, help="Say nothing but what is wrong."
)

_OPTIONS = (
    _needed(
        "--psf",
        default="image",
        show_default="image",
        metavar="FILE|FORMULA|image",
        help="A grid of ePSFs (STPSF or STDPSF), a PSF of PSFEx, one ePSF image (2D "
        "FITS, with the pixel's response in it), or gaussian:FWHM, moffat:FWHM[,BETA] "
        "or airy:FWHM in pixels; gaussian or moffat alone measures the width. image "
        "builds the PSF of the image's own stars; of fewer than 25 it measures a "
        "Moffat.",
    ),
    _needed(
        "-o",
        "--output",
        metavar="CATALOG",
        help="The catalogue to write: .ecsv, .fits, .fits.gz, .csv, .vot, .xml or "
        ".parquet.",
    ),
    _needed(
        "--output-dir",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Where the files go; made if need be. Without -o the catalogue is "
        "{name}.ecsv there.",
    ),
    _psf(
        "--oversampling",
        type=COUNT_FROM_1,
        metavar="N",
        help="PSF pixels per image pixel, for a PSF image whose header does not say.",
    ),
    _psf(
        "--detector-id",
        type=COUNT,
        metavar="N",
        help="The detector, in an STDPSF file that holds several.",
    ),
    _psf(
        "--grid-order",
        type=click.Choice(["auto", "header", "sorted"]),
        default="auto",
        show_default=True,
        help="The order of the ePSFs in an STPSF file, which changed in December 2023.",
    ),
    _psf(
        "--psf-center",
        type=click.Choice(["core", "image"]),
        show_default="core",
        help="Where in a PSF image the star is: at the centroid of its core, or at the "
        "image's centre.",
    ),
    _psf(
        "--psf-blur",
        type=ABOVE_0,
        metavar="SIGMA",
        help="Widen the PSF of a file by a Gaussian of this sigma in pixels, for an "
        "image whose resampling widened the stars.",
    ),
    _psf(
        "--aperture-correction",
        metavar="FRACTION|FILE",
        help="Make fluxes total with a PSF normalised within a radius (STDPSF): the "
        "fraction of the light within it, or a table of radius and ee.",
    ),
    _input(
        "--ext",
        multiple=True,
        metavar="NAME|NUMBER",
        show_default="SCI, else the first image",
        help="The image's extension; NAME,VERSION works too. Give it again for more.",
    ),
    _input(
        "--all-ext",
        is_flag=True,
        help="Measure every SCI extension, each with this PSF.",
    ),
    _input(
        "--error",
        metavar="FILE|[EXT]|VALUE|none",
        show_default="the ERR extension",
        help="1-sigma errors of the pixels: a file, FILE[EXT], [EXT] of the image's "
        "file, or one number for all.",
    ),
    _input(
        "--mask",
        metavar="FILE|[EXT]|'EXT OP NUMBER'",
        help="Leave out the pixels where this image is not 0, or where a comparison is "
        "true: 'WHT==0'.",
    ),
    _input(
        "--weight",
        metavar="EXT|FILE|none",
        show_default="WHT, if there is one, for what was exposed",
        help="Weights of the pixels, of which errors are made; 0, negative and NaN: no "
        "data.",
    ),
    _input(
        "--weight-type",
        type=click.Choice(["exposure", "ivar"]),
        show_default="exposure",
        help="What --weight is: relative, scaled to the measured noise, or the inverse "
        "variance.",
    ),
    _input(
        "--dq",
        metavar="NAME|NUMBER|none",
        show_default="DQ, if there is one",
        help="The extension that flags bad pixels.",
    ),
    _input(
        "--dq-bits",
        metavar="all|LIST|~LIST",
        show_default="JWST 1 (DO_NOT_USE), others all",
        help="Leave out pixels that have one of these bits: 4,16. With ~, one of the "
        "others: ~4,16.",
    ),
    _stars(
        "--catalog",
        metavar="FILE",
        help="Measure at these positions (x and y, or ra and dec) instead of finding "
        "stars.",
    ),
    _stars("--forced", is_flag=True, help="Keep the catalogue's positions fixed."),
    _stars(
        "--catalog-coords",
        type=click.Choice(["auto", "sky", "pixel"]),
        default="auto",
        show_default=True,
        help="Which columns to take; auto takes ra and dec if the image has a WCS.",
    ),
    _stars(
        "--finder",
        type=click.Choice(["matched", "dao", "iraf"]),
        default="matched",
        show_default=True,
        help="Who finds stars: the PSF's matched filter, or a finder of photutils'.",
    ),
    _stars(
        "--threshold",
        type=ABOVE_0,
        default=THRESHOLD,
        show_default=True,
        metavar="SIGMA",
        help="The least S/N of a star in the image filtered with the PSF (with dao and "
        "iraf: of its pixel in the image filtered by them).",
    ),
    _stars(
        "--fwhm",
        type=ABOVE_0,
        metavar="PX",
        show_default="the PSF's",
        help="Width of the stars to find.",
    ),
    _stars(
        "--min-separation",
        type=FROM_0,
        metavar="PX",
        show_default=f"{SEPARATION['matched']:g} FWHM",
        help="A detection has no brighter pixel nearer than this.",
    ),
    _stars(
        "--iterations",
        type=COUNT_FROM_1,
        metavar="N",
        show_default=f"{ITERATIONS}, 1 with --catalog",
        help="Most rounds: stars that show in what is left are fitted with the others. "
        "With --catalog they have no rows.",
    ),
    _stars(
        "--keep-all",
        is_flag=True,
        help="Keep detections that the fit shows to be no stars, flagged low_snr.",
    ),
    _fitting(
        "--box",
        "--fit-shape",
        "fit_shape",
        type=Box(),
        metavar="N|NY,NX",
        show_default="2 FWHM + 1, at least 5",
        help="Sides of the box of pixels fitted around each star, odd.",
    ),
    _fitting(
        "--max-shift",
        type=Shift(),
        metavar="PX|none",
        show_default="half the box",
        help="How far a star may go from its start, along x and along y.",
    ),
    _fitting(
        "--aperture-radius",
        type=ABOVE_0,
        metavar="PX",
        show_default="half the box",
        help="Aperture of the first guess of the flux.",
    ),
    _fitting(
        "--group",
        type=ABOVE_0,
        metavar="PX",
        show_default=f"{GROUPING} boxes, along x and y",
        help="Fit stars nearer than this together.",
    ),
    _fitting("--no-group", is_flag=True, help="Fit every star alone."),
    _fitting(
        "--local-bkg",
        type=ABOVE_0,
        nargs=2,
        metavar="INNER OUTER",
        show_default="none",
        help="Radii of an annulus around each star whose median is subtracted too, "
        "beyond the map of the sky.",
    ),
    _fitting(
        "--confusion/--no-confusion",
        default=None,
        show_default="with more than one round",
        help="Make errors larger for stars that are too faint or too close to be found "
        "and for what the PSF does not match.",
    ),
    _fitting(
        "--zeropoint",
        "zero_point",
        type=Finite(),
        metavar="MAG",
        show_default="AB, from the header",
        help="Magnitude of a flux of 1 in the image's unit.",
    ),
    _fitting(
        "--robust/--no-robust",
        default=None,
        show_default="where nothing tells cosmic rays: no DQ, none looked for",
        help="Let pixels that no star explains lose their weight.",
    ),
    _fitting(
        "--gain",
        type=ABOVE_0,
        metavar="E",
        show_default="the header's",
        help="Electrons in one unit of the image.",
    ),
    _fitting(
        "--read-noise",
        type=FROM_0,
        metavar="E",
        show_default="measured, with the sky's noise",
        help="Read noise, electrons, for images without ERR; needs a gain.",
    ),
    _output("--residual", metavar="FITS", help="Write the image without its stars."),
    _output("--model", metavar="FITS", help="Write the fitted stars, without sky."),
    _output(
        "--plot",
        metavar="PNG|PDF|SVG",
        help="Draw image, model and the residual in sigma.",
    ),
    _output(
        "--report",
        metavar="HTML",
        help="Write a page to look at: what was done, images, diagrams, flags.",
    ),
    _output(
        "--region",
        metavar="REG",
        help="Write a DS9 region file; flagged stars are red.",
    ),
    _output(
        "--extra-columns",
        is_flag=True,
        help="Add crowding, sharpness, chi, n_merged and blend_significance.",
    ),
    overwrite_option,
    _many(
        "--workers",
        type=COUNT_FROM_1,
        metavar="N",
        show_default="none",
        help="Measure images, or the tiles of large ones, in so many processes at "
        "a time.",
    ),
    _many(
        "--scheduler",
        metavar="ADDRESS",
        help="Measure them on the workers of this scheduler of Dask, as "
        "tcp://host:8786; they read and write the files.",
    ),
    _many(
        "--resume",
        is_flag=True,
        help="Leave out what --output-dir's run.jsonl says is done, if nothing has "
        "changed since; what else is there may be replaced.",
    ),
    _many(
        "--retries",
        type=COUNT,
        metavar="N",
        show_default=str(RETRIES),
        help="How often an image or tile is tried again whose worker was lost.",
    ),
    _many(
        "--timeout",
        type=ABOVE_0,
        metavar="S",
        show_default=f"{TIMEOUT:g}",
        help="Seconds after which an image or tile is given up, and its worker ended.",
    ),
    _many(
        "--merge",
        metavar="CATALOG",
        help="Write one catalogue of all images too; rows without a position on the "
        "sky go into CATALOG_without_sky.",
    ),
    _running(
        "--tile",
        type=click.IntRange(min=SMALLEST_TILE),
        metavar="N",
        show_default=f"{TILE} for more than {MOST_WHOLE // 10**6} million pixels",
        help="Measure images larger than memory in tiles of N pixels on a side.",
    ),
    _running("--no-tile", is_flag=True, help="Measure images of any size whole."),
    threads_option,
    _running(
        "--json",
        "as_json",
        is_flag=True,
        help="Write a summary as JSON on stdout; all else goes to stderr.",
    ),
    quiet_option,
)

#: Decorates a function with all options.
fit_options = add_options(_OPTIONS)
