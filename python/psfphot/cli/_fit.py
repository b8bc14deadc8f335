"""``psfphot fit``."""

from __future__ import annotations

import sys
from typing import Any

import click

from psfphot.cli._command import SectionedCommand
from psfphot.cli._errors import one_line_messages
from psfphot.cli._options import fit_options
from psfphot.cli._words import FitWords

_EPILOG = """\b
Examples:
  psfphot fit jw_i2d.fits --psf grid.fits -o stars.ecsv --plot stars.png
  psfphot fit irac.fits --psf epsf.fits --oversampling 4 -o stars.fits
  psfphot fit field.fits --psf gaussian:2.8 -o stars.ecsv --region stars.reg
\b
At the positions of another image's stars, and many images at once:
  psfphot fit f444w.fits --psf g444.fits -o f444w.ecsv \\
      --catalog f200w.ecsv --forced
  psfphot fit *_nrca1_cal.fits --psf nrca1.fits --output-dir out \\
      -o '{name}.parquet' --residual '{name}_res.fits'

Ten thousand frames, eight at a time, gone on with after a break:
  psfphot fit @frames.txt --psf nrca1.fits --output-dir out --workers 8 --resume

With several images each has its own files: {name} in the name of a file
stands for the image's name, with the extension if a file has several. One
that cannot be measured is reported, and the others are.

Exit status: 0 if all is well, 1 if a file or an image could not be used, 2 if
the command line is wrong.
"""


@click.command(
    cls=SectionedCommand, short_help="Measure the stars of FITS images.", epilog=_EPILOG
)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@fit_options
def fit(images: tuple[str, ...], **options: Any) -> None:
    """Measure the stars of each FITS IMAGE and write a catalogue of each.

    Finds stars, groups those that overlap, and fits position and flux of each
    with the PSF. Errors come from the ERR extension where there is one,
    otherwise from each fit's own residuals. Pixels that are NaN or flagged in
    DQ are left out. Where the header allows, the catalogue has RA and Dec
    (ICRS) and magnitudes (AB).

    An IMAGE is a file, or an extension of one: image.fits[SCI,2].
    """
    # Imported here, so that --help does not wait for astropy.
    from psfphot.cli._run import run_batch  # noqa: PLC0415

    with one_line_messages():
        status = run_batch(images, FitWords(**options))
    sys.exit(status)
