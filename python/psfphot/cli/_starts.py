"""Where the fits start: from the finder, or from a catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable
from astropy.utils.masked import Masked

from psfphot.io import place_sources, start_column
from psfphot.psf import SourceGrouper
from psfphot.psf._photometry.init_params import find_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.cli._settings import Settings
    from psfphot.io import FitsImage

#: The columns of a run's catalogue, whose names others cannot have.
_OWN_COLUMNS = (
    *("id", "group_id", "group_size", "local_bkg", "x_init", "y_init", "flux_init"),
    *("x_fit", "y_fit", "ra", "dec", "flux_fit", "x_err", "y_err", "flux_err"),
    *("ra_err", "dec_err", "snr", "pixel_area"),
    *("mag", "mag_err", "n_pixels_fit", "qfit", "cfit", "reduced_chi2", "flags"),
)

#: What a catalogue's column is called where a run has one of its name.
_ENDING = "_catalog"


@dataclass(frozen=True)
class SourceList:
    """The sources of a catalogue that an image is measured at.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        The catalogue, as it was read.
    name : str
        Its file, for messages.
    coordinates : str
        ``"auto"``, ``"sky"`` or ``"pixel"``: which columns to take.
    """

    table: QTable
    name: str
    coordinates: str = "auto"


def from_finder(stars: QTable, settings: Settings) -> QTable:
    """Make PSFPhotometry's ``init_params``: positions and groups.

    Returns
    -------
    start : `~astropy.table.QTable`
        Its ``meta["group_separation"]`` is the distance that was used.
    """
    start = QTable()
    start["x"] = np.asarray(stars["x_centroid"], dtype=float)
    start["y"] = np.asarray(stars["y_centroid"], dtype=float)
    _add_groups(start, "x", "y", settings)
    return start


def from_catalog(sources: SourceList, image: FitsImage, settings: Settings) -> QTable:
    """Make PSFPhotometry's ``init_params`` of a catalogue.

    Returns
    -------
    start : `~astropy.table.QTable`
        Positions, groups, fluxes where the catalogue has some in the image's
        unit, and the catalogue's other columns; one whose name is a run's
        own has ``_catalog`` at its end. ``meta["positions"]`` says which
        columns they are from, ``meta["n_off"]`` how many are off the image.

    Raises
    ------
    FileFormatError
        If the catalogue has no positions for this image.
    """
    table = sources.table
    placed = place_sources(
        table, image, coordinates=sources.coordinates, name=sources.name
    )
    start = QTable({"x_init": placed.x, "y_init": placed.y})
    start["id"] = _labels(table)
    flux = None if settings.forced else _fluxes(table, image)
    if flux is not None:
        start["flux_init"] = flux
    for name in table.colnames:
        _keep(start, name, table[name])
    _add_groups(start, "x_init", "y_init", settings)
    ny, nx = image.shape
    on = (np.abs(placed.x - (nx - 1) / 2) <= nx / 2) & (
        np.abs(placed.y - (ny - 1) / 2) <= ny / 2
    )
    start.meta |= {
        "positions": f"{sources.name}: {placed.source}",
        "n_off": int(np.count_nonzero(~on)),
    }
    return start


def _add_groups(start: QTable, x: str, y: str, settings: Settings) -> None:
    """Add ``group_id``, and the distance to the meta."""
    separation = settings.group
    if separation is not None:
        known = np.isfinite(start[x]) & np.isfinite(start[y])
        at = [np.asarray(start[name][known]) for name in (x, y)]
        labels, separation = _grouped(at[0], at[1], separation, settings)
        group_id = np.zeros(len(start), dtype=np.int64)
        group_id[known] = labels
        # Sources without a position belong to nobody.
        group_id[~known] = labels.max(initial=0) + 1 + np.arange(np.sum(~known))
        start["group_id"] = group_id
    start.meta["group_separation"] = separation


def _grouped(
    x: Any, y: Any, separation: float, settings: Settings
) -> tuple[NDArray[np.int64], float]:
    """Group, within less than asked where groups would grow too large."""
    if len(x) == 0:
        return np.zeros(0, dtype=np.int64), separation
    labels = np.asarray(SourceGrouper(separation)(x, y))
    while (
        settings.largest_group is not None
        and np.bincount(labels).max() > settings.largest_group
        and separation > settings.fwhm
    ):
        separation *= 0.9
        labels = np.asarray(SourceGrouper(separation)(x, y))
    return labels, separation


def _labels(table: QTable) -> Any:
    """Take the catalogue's ids where they can be ours, else count from 1."""
    if "id" in table.colnames:
        ids = table["id"]
        masked = np.any(getattr(ids, "mask", False))
        array = np.asarray(ids)
        if array.dtype.kind in "iu" and array.ndim == 1 and not masked:
            array = array.astype(np.int64)
            if len(np.unique(array)) == len(array):
                return array
    return np.arange(1, len(table) + 1)


def _fluxes(table: QTable, image: FitsImage) -> NDArray[np.float64] | None:
    """Take the catalogue's fluxes, if each is one in the image's unit."""
    name = start_column(table, "flux")
    if name is None:
        return None
    column, own = table[name], getattr(table[name], "unit", None)
    if (own is None) != (image.unit is None) or np.any(getattr(column, "mask", False)):
        return None
    if own is not None and not own.is_equivalent(image.unit):
        return None
    factor = 1.0 if own is None else own.to(image.unit)
    values = np.asarray(getattr(column, "value", column))
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        return None
    return values.astype(float) * factor


def _keep(start: QTable, name: str, column: Any) -> None:
    """Add a column of the catalogue under a name that is free."""
    if isinstance(column, SkyCoord):
        for part, angle in (("ra", column.icrs.ra), ("dec", column.icrs.dec)):
            _keep(start, f"{name}.{part}", u.Quantity(angle, u.deg))
        return
    if not isinstance(column, Column | MaskedColumn | u.Quantity | Masked):
        column = [str(value) for value in column]  # times, objects
    is_start = name in {find_column([name], axis) for axis in ("x", "y", "flux")}
    kept = name
    while kept in start.colnames or kept in _OWN_COLUMNS or (is_start and kept == name):
        kept += _ENDING
    start[kept] = column
