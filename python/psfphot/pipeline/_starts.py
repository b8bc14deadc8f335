"""The step that says where the fits start: at detections, or at a catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

from psfphot._columns import find_column
from psfphot._validate import check_instance, check_table
from psfphot.io import place_sources, start_column
from psfphot.pipeline._exposure import Exposure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.io import FitsImage

Coordinates = Literal["auto", "sky", "pixel"]

#: The columns of a run's catalogue, whose names others cannot have.
_OWN_COLUMNS = (
    *(
        "id",
        "group_id",
        "group_size",
        "iter_detected",
        "local_bkg",
        "x_init",
        "y_init",
        "flux_init",
    ),
    *("x_fit", "y_fit", "ra", "dec", "flux_fit", "x_err", "y_err", "flux_err"),
    *("ra_err", "dec_err", "snr", "pixel_area"),
    *("mag", "mag_err", "n_pixels_fit", "qfit", "cfit", "reduced_chi2", "flags"),
)
_EXTRA_COLUMNS = ("crowding", "sharpness", "chi", "n_merged", "blend_significance")

_CONFUSION_COLUMNS = ("confusion_factor", "blend_significance")

#: What a catalogue's column is called where a run has one of its name.
_ENDING = "_catalog"


@dataclass(frozen=True)
class SourceList:
    """The sources of a catalogue that an image is measured at.

    Attributes
    ----------
    table : `~astropy.table.Table`
        The catalogue, as `psfphot.io.read_sources` reads it: positions in
        pixels under any name that PSFPhotometry takes, or sky coordinates.
    name : str
        Its file, for messages and the catalogue's meta.
    coordinates : str
        ``"auto"``, ``"sky"`` or ``"pixel"``: which columns to take.
    """

    table: Table
    name: str = "sources"
    coordinates: Coordinates = "auto"

    def __post_init__(self) -> None:
        if not isinstance(self.table, Table):
            msg = f"sources must be a table, got {type(self.table).__name__}"
            raise TypeError(msg)
        if self.coordinates not in get_args(Coordinates):
            msg = (
                "coordinates must be 'auto', 'sky' or 'pixel', "
                f"got {self.coordinates!r}"
            )
            raise ValueError(msg)


def start_from_detections(stars: QTable) -> QTable:
    """Start the fits where stars were found.

    Parameters
    ----------
    stars : `~astropy.table.QTable`
        What `find_stars` returns.

    Returns
    -------
    start : `~astropy.table.QTable`
        ``x_init`` and ``y_init`` in pixels: PSFPhotometry's ``init_params``.
    """
    check_table(stars, "stars", "x_centroid", "y_centroid")
    return QTable(
        {
            f"{axis}_init": np.asarray(stars[f"{axis}_centroid"], dtype=float)
            for axis in ("x", "y")
        }
    )


def start_from_catalog(sources: SourceList, exposure: Exposure) -> QTable:
    """Start the fits at the sources of a catalogue.

    Parameters
    ----------
    sources : `SourceList`
        The catalogue.
    exposure : `Exposure`
        The image; its settings tell whether the positions are fixed.

    Returns
    -------
    start : `~astropy.table.QTable`
        PSFPhotometry's ``init_params``: positions in pixels, fluxes where the
        catalogue has some in the image's unit and they are needed, and the
        catalogue's other columns; one whose name is a run's own has
        ``_catalog`` at its end. ``meta["positions"]`` says which columns the
        positions are from, ``meta["n_off"]`` how many are off the image.

    Raises
    ------
    FileFormatError
        If the catalogue has no positions for this image.
    """
    check_instance(sources, SourceList, "sources")
    check_instance(exposure, Exposure, "exposure")
    table, image = QTable(sources.table, copy=False), exposure.image
    placed = place_sources(
        table, image, coordinates=sources.coordinates, name=sources.name
    )
    start = QTable({"x_init": placed.x, "y_init": placed.y})
    start["id"] = _labels(table)
    flux = None if exposure.settings.forced else _fluxes(table, image)
    if flux is not None:
        start["flux_init"] = flux
    extra = _EXTRA_COLUMNS if exposure.settings.extra_columns else ()
    if exposure.settings.has_confusion(are_given=True):
        extra = (*extra, *_CONFUSION_COLUMNS)
    for name in table.colnames:
        _keep(start, name, table[name], (*_OWN_COLUMNS, *extra))
    ny, nx = image.shape
    on = (np.abs(placed.x - (nx - 1) / 2) <= nx / 2) & (
        np.abs(placed.y - (ny - 1) / 2) <= ny / 2
    )
    start.meta |= {
        "positions": f"{sources.name}: {placed.source}",
        "n_off": int(np.count_nonzero(~on)),
    }
    return start


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


def _keep(start: QTable, name: str, column: Any, own: tuple[str, ...]) -> None:
    """Add a column of the catalogue under a name that is free."""
    if isinstance(column, SkyCoord):
        for part, angle in (("ra", column.icrs.ra), ("dec", column.icrs.dec)):
            _keep(start, f"{name}.{part}", u.Quantity(angle, u.deg), own)
        return
    if not isinstance(column, Column | MaskedColumn | u.Quantity | Masked):
        column = [str(value) for value in column]  # times, objects
    is_start = name in {find_column([name], axis) for axis in ("x", "y", "flux")}
    kept = name
    while kept in start.colnames or kept in own or (is_start and kept == name):
        kept += _ENDING
    start[kept] = column
