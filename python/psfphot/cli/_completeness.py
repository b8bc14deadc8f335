"""``psfphot completeness``."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psfphot._defaults import POSITIONS
from psfphot.cli._command import (
    ABOVE_0,
    COUNT,
    COUNT_FROM_1,
    SectionedCommand,
    SectionedOption,
    ValueRange,
)
from psfphot.cli._errors import one_line_messages
from psfphot.cli._fit import fit
from psfphot.cli._words import CompletenessWords, FitWords

if TYPE_CHECKING:
    from collections.abc import Iterator

_EPILOG = """\b
Examples:
  psfphot completeness jw_i2d.fits --psf grid.fits --mag 22:29 -o ast.ecsv
  psfphot completeness field.fits --psf gaussian:2.8 --flux 10:1e4 \\
      -n 50000 -o ast.parquet --plot ast.png --resume parts --workers 4 \\
      --cut 'qfit < 0.3' --cut 'flags & 4 == 0'

All options that say how the image is measured are those of psfphot fit: give
what the catalogue was made with.
"""

#: Options of ``psfphot fit`` that say how an image is measured.
_SECTIONS = ("The PSF", "The image", "Which stars", "The fit")
_OTHERS = ("catalog", "forced", "catalog_coords", "all_ext")
_COMMON = ("psf", "overwrite", "threads", "quiet", "workers", "scheduler")


def _option(section: str, *names: str, **kwargs: Any) -> SectionedOption:
    return SectionedOption(names, section=section, **kwargs)


_needed = partial(_option, "Needed")
_stars = partial(_option, "The artificial stars")
_recovered = partial(_option, "Which are recovered")
_output = partial(_option, "Output")


def _of_fit(
    names: tuple[str, ...] = (), sections: tuple[str, ...] = ()
) -> Iterator[Any]:
    """Yield options of ``psfphot fit``, by name or by section."""
    for option in fit.params:
        section = getattr(option, "section", "")
        if option.name in names or (section in sections and option.name not in _OTHERS):
            yield option


_PARAMETERS = [
    click.Argument(["image"], metavar="IMAGE"),
    *_of_fit(("psf",)),
    _needed(
        "--mag",
        type=ValueRange(),
        metavar="BRIGHT:FAINT",
        help="Magnitudes of the artificial stars, uniform between; the zero point is "
        "the header's, or --zeropoint.",
    ),
    _needed(
        "--flux",
        type=ValueRange(least=0),
        metavar="FAINT:BRIGHT",
        help="Their fluxes instead, in the image's unit, uniform in magnitude.",
    ),
    _needed(
        "-o",
        "--output",
        required=True,
        type=click.Path(path_type=Path),
        metavar="TABLE",
        help="The table of the stars to write: .ecsv, .fits or .parquet. What images "
        "of noise hold goes into TABLE_noise.",
    ),
    _stars(
        "-n",
        "--n-stars",
        type=COUNT_FROM_1,
        metavar="N",
        show_default="10000, or all of a table",
        help="How many.",
    ),
    _stars(
        "--positions",
        default=POSITIONS[0],
        show_default=True,
        metavar="|".join([*POSITIONS, "FILE"]),
        help="Where: on jittered lattices; anywhere; as the stars lie; or a table of "
        "x and y, and flux if each has its own.",
    ),
    _stars(
        "--spacing",
        type=ABOVE_0,
        metavar="PX",
        show_default="10 FWHM",
        help="How far they stay from each other in one image.",
    ),
    _stars(
        "--per-image",
        type=COUNT_FROM_1,
        metavar="N",
        show_default="as many as go",
        help="Most stars in one image.",
    ),
    _stars(
        "--pilot",
        type=COUNT,
        default=300,
        show_default=True,
        metavar="N",
        help="Stars over the whole range that tell first where the completeness "
        "changes; most others go there. 0 for none.",
    ),
    _stars(
        "--noise-images",
        type=COUNT,
        default=1,
        show_default=True,
        metavar="N",
        help="Images of the fitted stars and noise, for the rate of false rows.",
    ),
    _stars(
        "--seed",
        type=COUNT,
        default=0,
        show_default=True,
        metavar="N",
        help="Of all that is random.",
    ),
    _recovered(
        "--match-radius",
        type=ABOVE_0,
        metavar="PX",
        show_default="FWHM / 2",
        help="The largest distance of a star from its row.",
    ),
    _recovered(
        "--flux-tolerance",
        type=ABOVE_0,
        default=0.75,
        show_default=True,
        metavar="MAG",
        help="The largest difference of its flux.",
    ),
    _recovered(
        "--cut",
        multiple=True,
        metavar="'COLUMN OP NUMBER'",
        help="A cut that your catalogue has: 'qfit < 0.3', 'flags & 4 == 0'. Give it "
        "again for more.",
    ),
    *_of_fit(sections=_SECTIONS),
    _output(
        "--plot",
        type=click.Path(path_type=Path),
        metavar="PNG|PDF|SVG",
        help="Draw completeness, fluxes, errors and the map.",
    ),
    _output(
        "--resume",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Keep the stars of each image in this directory as soon as it is "
        "measured; those that are there are not measured again.",
    ),
    *_of_fit(_COMMON[1:]),
]


@click.command(
    cls=SectionedCommand,
    short_help="Test the completeness of a catalogue with artificial stars.",
    epilog=_EPILOG,
    params=_PARAMETERS,
)
def completeness(**options: Any) -> None:
    """Put artificial stars into a FITS IMAGE, measure it again, and look for them.

    Says how complete a catalogue is that psfphot fit makes of the image, how far its
    fluxes are off, how right its errors are, and how many of its rows are no stars.
    """
    # Imported here, so that --help does not wait for astropy.
    from psfphot.cli._artificial import run_completeness  # noqa: PLC0415

    own = {name: options.pop(name) for name in CompletenessWords.__annotations__}
    with one_line_messages():
        run_completeness(CompletenessWords(**own), words_of_fit(options))
    sys.exit(0)


def words_of_fit(typed: dict[str, Any]) -> FitWords:
    """Complete what was typed of how an image is measured.

    Parameters
    ----------
    typed : dict
        Options of ``psfphot fit``, as click names them.

    Returns
    -------
    words : `FitWords`
        Options of ``psfphot fit`` that are not here are as it has them by default.
    """
    # Without -o it would ask where the catalogue goes; here is none.
    defaults = fit.make_context("fit", ["IMAGE", "-o", ""]).params
    del defaults["images"]
    return FitWords(**defaults | typed)
