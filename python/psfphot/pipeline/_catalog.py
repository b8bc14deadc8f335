"""The step that makes a catalogue of the fits' table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from astropy.table import QTable

from psfphot._output import describe_columns
from psfphot._validate import check_instance, check_table
from psfphot.io import (
    ZeroPoint,
    add_magnitudes,
    add_sky_coordinates,
    add_snr,
    correct_pixel_area,
)
from psfphot.pipeline._exposure import Exposure
from psfphot.psf import SourceGrouper

if TYPE_CHECKING:
    from psfphot.pipeline._settings import ResolvedSettings

#: Columns in the image's unit.
_FLUXES = ("local_bkg", "flux_init", "flux_fit", "flux_err")


def make_catalog(
    table: QTable, exposure: Exposure, start: QTable, zero_point: ZeroPoint
) -> QTable:
    """Add units, RA and Dec, magnitudes, S/N, and how it was made.

    Fluxes are corrected for the pixels' areas where the image has them.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        What `fit_stars` returns.
    exposure : `Exposure`
        What was measured.
    start : `~astropy.table.QTable`
        Where the fits started; its ``meta`` says what gave the positions.
    zero_point : `~psfphot.io.ZeroPoint`
        Makes magnitudes, where it is known.

    Returns
    -------
    catalog : `~astropy.table.QTable`
        A new table. RA and Dec are there where the image has a WCS.
    """
    check_table(table, "table", *_FLUXES)
    check_instance(exposure, Exposure, "exposure")
    check_table(start, "start")
    check_instance(zero_point, ZeroPoint, "zero_point")
    catalog, image, sky = QTable(table, copy=False), exposure.image, exposure.sky
    _put_history(catalog, exposure.settings)
    settings, positions = exposure.settings, start.meta.get("positions")
    if image.unit is not None:
        for name in _FLUXES:
            catalog[name] = catalog[name] * image.unit
    if image.wcs is not None:
        add_sky_coordinates(catalog, image.wcs)
    if image.area is not None:
        correct_pixel_area(catalog, image.area)
    add_snr(catalog)
    catalog.meta |= {
        "image": image.name,
        "psf": exposure.psf.description,
        "sky_level": sky.level,
        "sky_noise": sky.noise,
        "sky_method": sky.method,
        "errors": exposure.error_source,
        "masked": exposure.masks.counts,
        "positions": positions or "from the finder",
        "positions_fixed": settings.forced,
        "grouper": _grouper(start.meta.get("group_separation")),
        "group_separation": start.meta.get("group_separation"),
        "local_bkg_radii": settings.local_bkg and list(settings.local_bkg),
        "max_shift": settings.max_shift and list(settings.max_shift),
    }
    if positions is None:
        catalog.meta |= {
            "finder": settings.finder,
            "threshold_sigma": settings.threshold,
            "finder_fwhm": settings.fwhm,
            "finder_min_separation": settings.min_separation,
        }
    if zero_point.value is not None:
        add_magnitudes(catalog, zero_point)
    describe_columns(catalog)
    return catalog


def _put_history(catalog: QTable, settings: ResolvedSettings) -> None:
    """Give the columns of the rounds their places, or leave them out."""
    if "iter_detected" in catalog.colnames:
        detected = catalog["iter_detected"]
        catalog.remove_column("iter_detected")
        after = catalog.colnames.index("group_size") + 1
        catalog.add_column(detected, name="iter_detected", index=after)
    if "n_merged" in catalog.colnames and not settings.extra_columns:
        catalog.remove_column("n_merged")


def _grouper(separation: float | None) -> str | None:
    """Name what grouped the stars as `~psfphot.psf.PSFPhotometry` does its own."""
    return None if separation is None else repr(SourceGrouper(separation))
