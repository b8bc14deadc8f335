"""The command line: ``psfphot fit``, ``psf``, ``completeness`` and ``demo``."""

import click

from psfphot._core import __version__
from psfphot.cli._command import OneLineGroup
from psfphot.cli._completeness import completeness
from psfphot.cli._demo import demo
from psfphot.cli._fit import fit
from psfphot.cli._psf import psf

__all__ = ["main"]


@click.group(
    cls=OneLineGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="psfphot")
def main() -> None:
    """Measure the stars of an image with a model of the point spread function.

    \b
    psfphot demo                                        a simulated field
    psfphot fit m31.fits --psf grid.fits -o m31.ecsv    an image of yours
    psfphot psf build m31.fits -o grid.fits             the PSF of its stars
    psfphot completeness m31.fits --psf grid.fits --mag 20:27 -o ast.ecsv

    Each command explains itself: psfphot fit --help.
    """  # noqa: D301  (click wants the very character \b)


main.add_command(fit)
main.add_command(completeness)
main.add_command(demo)
main.add_command(psf)
