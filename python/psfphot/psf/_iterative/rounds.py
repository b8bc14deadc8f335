"""The rounds of photutils' IterativePSFPhotometry, without a managed star list.

Each round searches what the fits before have left, and fits what it finds.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, vstack

from psfphot.psf._models.convert import parameter_value
from psfphot.psf._photometry.fitting import frame_of
from psfphot.psf._photometry.init_params import from_finder
from psfphot.psf._photometry.starts import add_background, add_flux
from psfphot.utils import NoDetectionsWarning

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.psf._photometry.fit_results import FitResult
    from psfphot.psf._photometry.photometry import PSFPhotometry


@dataclass(frozen=True)
class Observation:
    """What the user gave: image, mask and error, as `PSFPhotometry` takes them."""

    data: Any
    mask: Any
    error: Any


@dataclass
class Rounds:
    """What the rounds of one call have come to.

    Attributes
    ----------
    fit : FitResult
        All sources.
    iter_detected : (n,) int array
        The round in which each was found, in the order of the fit's rows.
    fits : list of PSFPhotometry
        One of each round, without images.
    stopped : str
        What ended the rounds.
    """

    fit: FitResult
    iter_detected: NDArray[np.int64]
    fits: list[PSFPhotometry] = field(default_factory=list)
    stopped: str = "maxiters"


def begin(
    photometry: PSFPhotometry, seen: Observation, init_params: Any
) -> Rounds | None:
    """Fit the first round: what the user gives, or the finder finds.

    Returns
    -------
    Rounds or None
        `None` if nothing is found.
    """
    table = photometry(
        seen.data, mask=seen.mask, error=seen.error, init_params=init_params
    )
    if table is None:
        return None
    first = np.ones(len(table), dtype=np.int64)
    return Rounds(photometry.last_fit(), first, [copy.copy(photometry)])


def fit_new(
    photometry: PSFPhotometry, rounds: Rounds, seen: Observation, **limits: Any
) -> Rounds:
    """Fit the sources of each round to what the rounds before have left.

    Parameters
    ----------
    photometry : PSFPhotometry
        What did the first round; its finder searches the others.
    rounds : Rounds
        The first round.
    seen : Observation
        The image.
    **limits
        ``maxiters`` and ``sub_shape``, see `IterativePSFPhotometry`.
    """
    residual = seen.data
    for number in range(2, limits["maxiters"] + 1):
        residual = _subtract(photometry, residual, limits["sub_shape"])
        found = search(photometry.finder, residual, seen.mask)
        if found is None:
            rounds.stopped = "nothing found"
            break
        photometry(
            residual, mask=seen.mask, error=seen.error, init_params=from_finder(found)
        )
        photometry.finder_results = found
        rounds.fits.append(copy.copy(photometry))
        rounds.fit = rounds.fit.followed_by(photometry.last_fit())
        rounds.iter_detected = np.append(
            rounds.iter_detected, np.full(len(found), number)
        )
    return rounds


def fit_all(
    photometry: PSFPhotometry, rounds: Rounds, seen: Observation, **limits: Any
) -> Rounds:
    """Fit all sources to the image anew in each round, old and new.

    The parameters are those of `fit_new`. Sources whose values are not finite
    leave the list, and the others are numbered anew.
    """
    for number in range(2, limits["maxiters"] + 1):
        residual = _subtract(photometry, seen.data, limits["sub_shape"])
        found = search(photometry.finder, residual, seen.mask)
        if found is None:
            rounds.stopped = "nothing found"
            break
        known, is_kept = _known(photometry)
        new = _starts_of_new(photometry, Observation(residual, seen.mask, None), found)
        new["id"] = len(known) + np.arange(len(new)) + 1
        photometry(
            seen.data,
            mask=seen.mask,
            error=seen.error,
            init_params=vstack([known, new], metadata_conflicts="silent"),
        )
        photometry.finder_results = found
        rounds.fits.append(copy.copy(photometry))
        rounds.fit = photometry.last_fit()
        rounds.iter_detected = np.concatenate(
            [rounds.iter_detected[is_kept], np.full(len(new), number)]
        )
    return rounds


def search(finder: Any, residual: Any, mask: Any) -> Any:
    """Call a finder; `None` if it finds nothing, of which nobody is warned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)
        found = finder(residual, mask=mask)
    return None if found is None or len(found) == 0 else found


def _subtract(photometry: PSFPhotometry, data: Any, sub_shape: Any) -> Any:
    return photometry.make_residual_image(data, psf_shape=sub_shape)


def _known(photometry: PSFPhotometry) -> tuple[QTable, NDArray[np.bool_]]:
    """Make the last fit starting values; tell which of its rows those are."""
    fit = photometry.last_fit()
    rows = fit.to_init_params(remove_invalid=False, reset_ids=False)
    columns = [np.asarray(rows[name]) for name in rows.colnames[1:]]
    is_finite = np.all(np.isfinite(columns), axis=0)
    rows["local_bkg"] = fit.local_bkg
    known = rows[is_finite]
    known["id"] = np.arange(len(known)) + 1
    return known, is_finite


def _starts_of_new(photometry: PSFPhotometry, left: Observation, found: Any) -> QTable:
    """Measure starting values of new sources on what is left of the image."""
    with warnings.catch_warnings():
        # The fit has told of pixels that are not finite.
        warnings.simplefilter("ignore")
        frame = frame_of(left.data, left.mask, None)
    new = from_finder(found)
    add_background(new, frame, photometry.local_bkg_estimator)
    add_flux(
        new,
        frame,
        photometry.aperture_radius,
        photometry.fit_shape,
        photometry.n_threads,
    )
    model = photometry.psf_model
    for name in photometry.last_fit().own_shape():
        new[f"{name}_init"] = np.full(len(new), parameter_value(model, name))
    return new
