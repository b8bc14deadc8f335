"""Which artificial stars were recovered, and why others were not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from psfphot._core import match_points, near_pairs
from psfphot.completeness._columns import Reason
from psfphot.matching._positions import nearest_within
from psfphot.psf._models.gaussian import SIGMA_PER_FWHM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.completeness._sources import Sources

#: Real stars farther than so many FWHM claim nothing: with that of the PSF their
#: light is less than 1e-10 of what it is at their places.
_REACH = 3.0


@dataclass(frozen=True)
class MatchingRules:
    """When a row of a catalogue is an artificial star.

    Attributes
    ----------
    radius : float
        The largest distance, pixels.
    flux_tolerance : float
        The largest difference, magnitudes; infinity for any.
    fwhm : float
        The PSF's, pixels.
    """

    radius: float
    flux_tolerance: float
    fwhm: float


@dataclass(frozen=True)
class Matches:
    """What became of each artificial star.

    Attributes
    ----------
    row : (n,) int array
        Its row in the catalogue; -1 without.
    reason : (n,) str array
        A `Reason`.
    claimed_by : (n,) int array
        The id of the real star that the row belongs to; 0 without.
    """

    row: NDArray[np.int64]
    reason: NDArray[np.str_]
    claimed_by: NDArray[np.int64]


def match_artificial(
    stars: Sources,
    rows: Sources,
    real: Sources,
    rules: MatchingRules,
    passes: NDArray[np.bool_],
) -> Matches:
    """Find the artificial stars in a catalogue.

    A star is recovered if it and a row are each other's nearest within the radius,
    no real star claims the row, the fluxes agree, and the row passes the cuts.

    Parameters
    ----------
    stars : `Sources`
        The artificial stars.
    rows : `Sources`
        The catalogue of the image that holds them.
    real : `Sources`
        The catalogue of the image without them.
    rules : `MatchingRules`
        Radius and window of flux.
    passes : (n_rows,) bool array
        Which rows pass the user's cuts.

    Returns
    -------
    matches : `Matches`
    """
    n = len(stars)
    row = np.full(n, -1)
    claimed_by = np.zeros(n, dtype=np.int64)
    reason = np.full(n, Reason.UNMATCHED, dtype=Reason.dtype())
    usable = np.flatnonzero(rows.is_placed)
    found, at = match_points(stars.points, rows.points[usable], rules.radius)
    at = usable[at]
    row[found] = at
    claims = find_claims(stars.take(found), rows, at, real, rules.fwhm)
    claimed_by[found] = claims
    is_off = _differs(stars.flux[found], rows.flux[at], rules.flux_tolerance)
    reason[found] = np.select(
        [claims > 0, is_off, ~passes[at]],
        [Reason.CLAIMED, Reason.FLUX, Reason.CUT],
        Reason.RECOVERED,
    )
    return Matches(row, reason, claimed_by)


def find_claims(
    stars: Sources,
    rows: Sources,
    at: NDArray[np.int64],
    real: Sources,
    fwhm: float,
) -> NDArray[np.int64]:
    r"""Tell which real star each matched row belongs to; 0 where to none.

    A real star j claims the row that is its nearest where its light there is more
    than the artificial star's: :math:`f_j e^{-d_j^2 / 2 s^2} > f e^{-d^2 / 2 s^2}`
    with the distances from the row and the s of the PSF. That is DOLPHOT's rule
    with fluxes for its S/N.

    Parameters
    ----------
    stars : `Sources`
        The artificial stars that have a row.
    rows : `Sources`
        The catalogue.
    at : (n,) int array
        The row of each star.
    real : `Sources`
        The real stars.
    fwhm : float
        The PSF's, pixels.

    Returns
    -------
    claimed_by : (n,) int array
        Of several the id of the one with the most light.
    """
    claimed_by = np.zeros(len(stars), dtype=np.int64)
    known = np.flatnonzero(real.is_placed & (real.flux > 0))
    if not len(known) or not len(stars):
        return claimed_by
    reach = _REACH * fwhm
    place = rows.points[at]
    which, other = near_pairs(place, real.points[known], reach)
    other = known[other]
    light = _log_light(stars.flux, stars.points, place, fwhm)[which]
    theirs = _log_light(real.flux[other], real.points[other], place[which], fwhm)
    wins = theirs > light
    which, other, theirs = which[wins], other[wins], theirs[wins]
    rivals, index = np.unique(other, return_inverse=True)
    placed = np.flatnonzero(rows.is_placed)
    nearest = placed[nearest_within(real.points[rivals], rows.points[placed], reach)]
    own = nearest[index] == at[which]
    which, other, theirs = which[own], other[own], theirs[own]
    # The brightest comes last, and stays.
    order = np.argsort(theirs, kind="stable")
    claimed_by[which[order]] = real.ids[other[order]]
    return claimed_by


def find_false(
    rows: Sources, real: Sources, radius: float, passes: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Tell which rows are no real star, and yet pass the cuts.

    Parameters
    ----------
    rows : `Sources`
        A catalogue of an image that holds the real stars and noise.
    real : `Sources`
        Those stars.
    radius : float
        The largest distance of a star from its place, pixels.
    passes : (n_rows,) bool array
        Which rows pass the cuts.
    """
    is_false = passes.copy()
    placed, known = np.flatnonzero(rows.is_placed), np.flatnonzero(real.is_placed)
    _, at = match_points(real.points[known], rows.points[placed], radius)
    is_false[placed[at]] = False
    return is_false


def _log_light(
    flux: NDArray[np.float64],
    points: NDArray[np.float64],
    place: NDArray[np.float64],
    fwhm: float,
) -> NDArray[np.float64]:
    """Compute the logarithm of a star's light at a place, as of a Gaussian."""
    square = np.sum((points - place) ** 2, axis=1)
    return np.asarray(np.log(flux) - square / (2 * (SIGMA_PER_FWHM * fwhm) ** 2))


def _differs(
    flux: NDArray[np.float64], measured: NDArray[np.float64], tolerance: float
) -> NDArray[np.bool_]:
    """Tell where fluxes differ by more magnitudes than the tolerance."""
    ratio = measured / flux
    most = 10 ** (0.4 * tolerance) if np.isfinite(tolerance) else np.inf
    return ~((ratio <= most) & (ratio >= 1 / most))
