"""PSF photometry of astronomical images: photutils' interface, a Rust core.

The sub-packages have photutils' names and hold the classes that a
PSF-photometry user touches: `psfphot.psf`, `psfphot.detection`,
`psfphot.datasets` and `psfphot.background`.
"""

from psfphot._absent import absent_names
from psfphot._core import __version__
from psfphot._future_columns import use_future_column_names

__all__ = ["__version__", "future_column_names", "use_future_column_names"]

future_column_names = False
"""If `True`, tables of results are plain `~astropy.table.QTable`, which do not
know the column names of before photutils 3.0. It holds for the whole process;
see `use_future_column_names` for a ``with`` block."""

__getattr__ = absent_names("")
