"""PSF photometry of astronomical images: photutils' interface, a Rust core.

The sub-packages have photutils' names and hold the classes that a
PSF-photometry user touches: `psfphot.psf`, `psfphot.detection`,
`psfphot.datasets` and `psfphot.background`.
"""

from typing import TYPE_CHECKING, Any

from psfphot._core import __version__

if TYPE_CHECKING:
    from psfphot._deprecated import use_future_column_names

__all__ = ["__version__", "future_column_names", "use_future_column_names"]

future_column_names = False
"""If `True`, tables of results are plain `~astropy.table.QTable`, which do not
know the column names of before photutils 3.0. It holds for the whole process;
see `use_future_column_names` for a ``with`` block."""


def __getattr__(name: str) -> Any:
    # Late: the command line's help is not to wait for astropy.
    if name == "use_future_column_names":
        from psfphot._deprecated import use_future_column_names  # noqa: PLC0415

        return use_future_column_names
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
