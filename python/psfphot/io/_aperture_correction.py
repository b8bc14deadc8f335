"""Fluxes made total where a PSF is normalised within a radius."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.nddata import NDData
from astropy.table import Table

from psfphot.io._errors import FileFormatError
from psfphot.io._tables import read_sources
from psfphot.psf import GriddedPSFModel, ImagePSF

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Within how many pixels the PSFs of STDPSF files hold a flux of 1, measured in
#: the files: their sums are 1.000 there and more on the whole stamp (1.031 in
#: F110W). By instrument and, where it matters, detector.
_STDPSF_RADII = {
    ("HST/WFC3", "IR"): 5.5,
    ("HST/WFC3", "UVIS"): 5.0,
    ("HST/ACS", "WFC"): 5.0,
}

#: What all planes hold within one of these radii is 1 to this part in such files,
#: and a whole stamp's flux is more: so they are known by whatever name.
_RADII, _EXACT, _WHOLE = (5.0, 5.5), 5e-4, 1.005

#: Names of the columns of a table of encircled energies.
_RADIUS_NAMES = ("radius", "r", "radius_px", "radius_pix", "aperture_radius")
_ENERGY_NAMES = ("encircled_energy", "ee", "eefraction", "ee_fraction", "fraction")


@dataclass(frozen=True)
class ApertureCorrection:
    """The fraction of a star's light that a PSF counts as its flux.

    Attributes
    ----------
    fraction : float
        In (0, 1]; total fluxes are fitted ones divided by it.
    description : str
        Where it is from, for people.
    """

    fraction: float
    description: str

    def apply(self, model: Any) -> ImagePSF | GriddedPSFModel:
        """Multiply a PSF by the fraction, so that its fluxes are total.

        Raises
        ------
        ValueError
            If the PSF is not sampled: a formula's flux is total as it is.
        """
        # Not `A | B`: between astropy's models that makes a compound model.
        if isinstance(model, GriddedPSFModel):
            data = NDData(model.data * self.fraction, meta=dict(model.meta))
            return GriddedPSFModel(data, fill_value=model.fill_value)
        if isinstance(model, ImagePSF):
            return ImagePSF(
                model.data * self.fraction,
                origin=model.origin,
                oversampling=model.oversampling,
                fill_value=model.fill_value,
            )
        msg = "aperture_correction needs a PSF from a file; a formula's flux is total"
        raise ValueError(msg)


def normalisation_radius(model: Any) -> float | None:
    """Tell the radius in pixels within which a grid's PSFs hold a flux of 1.

    Parameters
    ----------
    model : `~psfphot.psf.GriddedPSFModel`
        A grid; what it is of is in its ``meta``.

    Returns
    -------
    radius : float or `None`
        `None` where it is not known: for all but STDPSF files of HST's ACS/WFC
        and WFC3, and grids whose planes are as exactly normalised as theirs.
    """
    meta = model.meta
    if "STDPSF" in meta:
        # Those of two chips have the chip's number behind.
        detector = str(meta.get("detector", "")).rstrip("12")
        known = _STDPSF_RADII.get((str(meta.get("instrument", "")), detector))
        if known is not None:
            return known
    return _measured_radius(model) if isinstance(model, GriddedPSFModel) else None


def _measured_radius(model: GriddedPSFModel) -> float | None:
    """Find the radius within which all planes of a grid hold a flux of 1."""
    planes = np.asarray(model.data, dtype=float)
    planes = planes[planes.any(axis=(1, 2))]
    if not len(planes):
        return None
    ny, nx = planes.shape[1:]
    over_y, over_x = (int(side) for side in model.oversampling)
    y, x = (np.arange(n) - (n - 1) / 2 for n in (ny, nx))
    distance = np.hypot(x / over_x, y[:, None] / over_y)
    area = over_y * over_x
    is_more = np.median(planes.sum(axis=(1, 2))) > _WHOLE * area
    if not is_more:
        return None
    for radius in _RADII:
        within = planes[:, distance <= radius].sum(axis=1) / area
        if np.all(np.abs(within - 1) < _EXACT):
            return radius
    return None


def find_aperture_correction(given: Any, model: Any) -> ApertureCorrection:
    """Find what fraction of the light a PSF's own normalisation holds.

    Parameters
    ----------
    given : float, `~astropy.table.Table` or path-like
        The fraction; or a table of encircled energies, of the columns
        ``radius`` in pixels and ``encircled_energy`` (or ``ee``), taken by linear
        interpolation at the radius within which the PSF is normalised.
    model : `~psfphot.psf.GriddedPSFModel` or `~psfphot.psf.ImagePSF`
        The PSF.

    Returns
    -------
    correction : `ApertureCorrection`

    Raises
    ------
    ValueError
        If the fraction is not in (0, 1], or the radius of the PSF is not known
        or not in the table.
    FileFormatError
        If the table has no such columns.
    """
    if isinstance(given, int | float | np.number) and not isinstance(given, bool):
        fraction, said = float(given), f"times the encircled energy {given:g}"
    else:
        fraction, said = _of_table(given, model)
    if not 0 < fraction <= 1:
        msg = f"aperture_correction must be a fraction in (0, 1], got {fraction:g}"
        raise ValueError(msg)
    return ApertureCorrection(fraction, said)


def _of_table(given: Any, model: Any) -> tuple[float, str]:
    if isinstance(given, str | os.PathLike):
        name, table = os.fspath(given), read_sources(given)
    elif isinstance(given, Table):
        name, table = "the table", given
    else:
        msg = (
            "aperture_correction must be a number, a table or a file of one, "
            f"got {type(given).__name__}"
        )
        raise TypeError(msg)
    radius = normalisation_radius(model) if hasattr(model, "meta") else None
    if radius is None:
        msg = (
            "aperture_correction: the radius within which the PSF is normalised is "
            "not known, so no table can be used; give the encircled energy, a number"
        )
        raise ValueError(msg)
    radii, energies = (
        _column(table, names, name) for names in (_RADIUS_NAMES, _ENERGY_NAMES)
    )
    order = np.argsort(radii)
    radii, energies = radii[order], energies[order]
    if not radii[0] <= radius <= radii[-1]:
        msg = (
            f"{name}: the radii must reach to that of the PSF, {radius:g} px, "
            f"got {radii[0]:g} to {radii[-1]:g}"
        )
        raise ValueError(msg)
    fraction = float(np.interp(radius, radii, energies))
    return fraction, f"times the encircled energy {fraction:.4f} within {radius:g} px"


def _column(table: Table, names: Iterable[str], name: str) -> Any:
    lower = {column.lower(): column for column in reversed(table.colnames)}
    found = next((lower[known] for known in names if known in lower), None)
    if found is None:
        msg = f"{name}: has no column {' or '.join(names)}"
        raise FileFormatError(msg)
    unit = table[found].unit
    if unit is not None and unit not in (u.pix, u.dimensionless_unscaled):
        msg = f"{name}: {found} must be in pixels, got the unit {unit}"
        raise FileFormatError(msg)
    return np.asarray(getattr(table[found], "value", table[found]), dtype=float)
