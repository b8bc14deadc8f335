"""New stars in what a fit has left of the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from psfphot import _core
from psfphot.psf._iterative.rounds import knows_errors, search
from psfphot.psf._photometry.init_params import from_finder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from psfphot._residual import Residual
    from psfphot.psf._iterative.management import StarListManagement
    from psfphot.psf._iterative.rounds import Observation
    from psfphot.psf._iterative.star_list import StarList

# Of the flux of a star that is near, what a new one starts with at most, and how
# near that is (full widths at half maximum): what a linear step says of a close
# pair is far too much.
_MOST_OF_NEIGHBOUR = 0.5
_IN_NEIGHBOUR = 0.67
# What a new star takes from the star it was in, at no distance.
_TAKEN = 0.8


class Finding(NamedTuple):
    """New stars: where, how bright, and beside which of the list (or -1)."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    nearest: NDArray[np.int64]
    distance: NDArray[np.float64]
    score: NDArray[np.float64]


class Barring(Protocol):
    """A list that knows of places that take no star again."""

    def is_barred(self, x: Any, y: Any, distance: float) -> NDArray[np.bool_]:
        """Tell which places these are."""


@dataclass(frozen=True)
class Knowledge:
    """What a host knows of an image beyond its errors and the rules.

    Parameters
    ----------
    errors : callable, optional
        Called with the light of the stars that were subtracted, tells the 1-sigma
        errors of the pixels in the search, instead of the image's errors and
        ``profile_error``.
    accepts : callable, optional
        Called with the residual and the columns of what was found in it, tells which
        rows may be stars.
    sky : callable, optional
        Called with what a fit has left of the image, before a search; tells by how much
        its sky is higher than what was subtracted.
    is_scaled : bool, optional
        Whether the least score of a new star is in units of the score's own width,
        for a finder that can search scores: noise that is correlated, and stars too
        faint to be found, widen it.
    """

    errors: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    accepts: Callable[[Residual, Mapping[str, Any]], NDArray[np.bool_]] | None = None
    sky: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    is_scaled: bool = False


def find_new(
    finder: Any,
    left: Observation,
    stars: Barring,
    rules: StarListManagement,
    known: Residual,
    *,
    accepts: Callable[[Residual, Mapping[str, Any]], NDArray[np.bool_]] | None = None,
    is_scaled: bool = False,
    width: _core.ScoreWidth | None = None,
) -> Finding | None:
    """Search a residual for stars that are not in the list.

    Parameters
    ----------
    finder : callable
        A finder that can search scores does so; the rows of another are tested
        at their places.
    left : Observation
        The residual, with the user's mask.
    stars : Barring
        The list of the stars that were subtracted.
    rules : StarListManagement
        Which new stars are accepted.
    known : Residual
        The residual, its errors and the stars, for the core.
    accepts, is_scaled
        See `Knowledge`.
    width : ScoreWidth, optional
        The width of the score, where more is known than the residual tells.

    Returns
    -------
    Finding or None
        `None` if there is nothing new.
    """
    if knows_errors(finder):
        found = _core.search_score(
            known,
            n_sigma=rules.n_sigma,
            min_q=rules.min_information,
            min_distance=rules.min_distance,
            min_separation=rules.min_separation,
            is_scaled=is_scaled,
            width=width,
        )
    else:
        rows = search(finder, left.data, left.mask)
        if rows is None:
            return None
        found = _accepted(from_finder(rows), known, rules)
    is_new = ~stars.is_barred(found["x"], found["y"], rules.bar_distance * known.fwhm)
    if accepts is not None:
        is_new &= accepts(known, found)
    if not is_new.any():
        return None
    return Finding(
        *(
            found[name][is_new]
            for name in ("x", "y", "flux", "nearest", "distance", "z")
        )
    )


def _accepted(rows: Any, known: Residual, rules: StarListManagement) -> dict[str, Any]:
    """Test the rows of a finder at their places."""
    x, y = (np.asarray(rows[f"{name}_init"], dtype=float) for name in ("x", "y"))
    places = list(zip(x.tolist(), y.tolist(), strict=True))
    found = _core.scores_at(known, places)
    fwhm = known.fwhm
    kept = found["z"] >= rules.n_sigma
    kept &= found["q"] >= rules.min_information
    kept &= found["distance"] >= rules.min_distance * fwhm
    found = {name: column[kept] for name, column in found.items()}
    order = np.argsort(-found["z"], kind="stable")
    found = {name: column[order] for name, column in found.items()}
    apart = _core.thin_sources(found["x"], found["y"], rules.min_separation * fwhm)
    return {name: column[apart] for name, column in found.items()}


def starting_flux(
    finding: Finding, stars: StarList, fwhm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tell the fluxes new stars start with, and what they take from others."""
    flux = finding.flux.copy()
    own = np.asarray(stars.starts["flux_init"], dtype=float)
    of_neighbour = np.where(finding.nearest >= 0, own[finding.nearest], np.inf)
    is_in = finding.distance < _IN_NEIGHBOUR * fwhm
    most = np.maximum(_MOST_OF_NEIGHBOUR * of_neighbour, 0)
    flux = np.where(is_in & (most > 0), np.minimum(flux, most), flux)
    taken = _TAKEN * np.exp(-((finding.distance / fwhm) ** 2)) * flux
    return flux, np.where(finding.nearest >= 0, taken, 0.0)
