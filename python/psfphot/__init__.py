"""PSF photometry of astronomical images: photutils' interface, a Rust core.

The sub-packages have photutils' names and hold the classes that a
PSF-photometry user touches: `psfphot.psf`, `psfphot.detection`,
`psfphot.datasets` and `psfphot.background`.
"""

from psfphot._core import __version__

__all__ = ["__version__"]
