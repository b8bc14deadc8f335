"""Stars whose neighbours have been fitted and taken away."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, Table

from psfphot.matching._positions import nearest_within
from psfphot.psf._epsf.sample import cut_out
from psfphot.psf._epsf.selection import read_column
from psfphot.psf._photometry.grouping import OverlapGrouper
from psfphot.psf._photometry.photometry import PSFPhotometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot._validate import Frame
    from psfphot.psf._epsf.sample import Sample
    from psfphot.psf._epsf.solver import Cutout

    Vector = NDArray[np.float64]

# A star of the sample is the catalogue's if it is no farther, pixels.
_SAME = 1.0


def free_of_neighbours(
    sample: Sample,
    catalog: Table,
    model: Any,
    *,
    fit_shape: int,
    n_threads: int | None,
) -> Sample:
    """Make the cutouts anew, each without all stars of the catalogue but its own.

    The whole catalogue is fitted with the PSF, all stars that touch together; what
    is left of the image, with the star put back, is its new cutout.

    Parameters
    ----------
    sample : Sample
        The stars, with their image.
    catalog : `~astropy.table.Table`
        All stars of the image: x, y and flux.
    model : PSF model
        The PSF so far.
    fit_shape : int
        The box of pixels that is fitted around each star.
    n_threads : int or None
        Threads.

    Raises
    ------
    ValueError
        If there is no image, or the catalogue has no such columns.
    """
    frame = sample.frame
    if frame is None:
        raise ValueError("neighbours need the image: give data")
    table = _whole_table(sample, catalog)
    photometry = PSFPhotometry(
        model, fit_shape, grouper=OverlapGrouper(), n_threads=n_threads
    )
    data, error, mask = frame.arrays
    found = photometry(data, error=error, mask=mask, init_params=table)
    residual = photometry.make_residual_image(data, psf_shape=sample.size)
    x, y, flux, known = _read_stars(found)
    own = _match(sample.positions, x, y, known)
    bare = frame._replace(data=np.asarray(residual))
    cutouts = [
        _put_back(bare, one, (x[k], y[k], flux[k]), sample.size, model)
        if k >= 0
        else one
        for one, k in zip(sample.cutouts, own, strict=True)
    ]
    return sample._replace(cutouts=cutouts)


def _read_stars(table: Table) -> tuple[Vector, Vector, Vector, NDArray[np.bool_]]:
    """Read x, y and flux, and which rows have all three."""
    x, y, flux = (read_column(table, name) for name in ("x", "y", "flux"))
    return x, y, flux, np.isfinite(x) & np.isfinite(y) & np.isfinite(flux)


def _whole_table(sample: Sample, catalog: Table) -> QTable:
    """Make starting values of a catalogue, with those of the sample that it lacks."""
    x, y, flux, good = _read_stars(catalog)
    places = sample.positions
    lacking = _match(places, x, y, good) < 0
    fluxes = [one.flux or float(np.nansum(one.data)) for one in sample.cutouts]
    return QTable(
        {
            "x": np.concatenate([x[good], places[lacking, 0]]),
            "y": np.concatenate([y[good], places[lacking, 1]]),
            "flux": np.concatenate([flux[good], np.array(fluxes)[lacking]]),
        }
    )


def _match(
    places: Vector, x: Vector, y: Vector, good: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Tell which star is at each place; -1 where none is."""
    at = np.flatnonzero(good)
    nearest = nearest_within(places, np.column_stack([x[at], y[at]]), _SAME)
    # The last is for the places without a star.
    return np.append(at, -1)[nearest]


def _put_back(
    bare: Frame,
    cutout: Cutout,
    star: tuple[float, float, float],
    size: tuple[int, int],
    model: Any,
) -> Cutout:
    """Cut a star out of what is left of an image, and put it back."""
    x, y, flux = star
    places = np.array([x]), np.array([y]), np.array([flux])
    try:
        (fresh,) = cut_out(bare, places, size)
    except ValueError:  # the fit has left the image
        return cutout
    rows, columns = np.indices(np.shape(fresh.data), dtype=np.float64)
    corner_x, corner_y = fresh.origin
    own = model.evaluate(columns + corner_x, rows + corner_y, flux, x, y)
    return replace(fresh, data=np.asarray(fresh.data) + own)
