"""The arguments of a test of artificial stars, checked."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any, Literal, Protocol

from psfphot._validate import as_count, as_positive
from psfphot.completeness._plan import as_positions
from psfphot.pipeline import Settings
from psfphot.psf import (
    GriddedPSFModel,
    IterativePSFPhotometry,
    PolynomialPSFModel,
    PSFPhotometry,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Arguments(Protocol):
    """The arguments that are checked together."""

    photometry: Any
    psf: Any
    psf_model: Any
    gain: float | None
    positions: Any
    spacing: float | None
    stars_per_image: int | None
    flux: Any
    match_radius: float | None
    flux_tolerance: float
    refit: Literal["frame", "local"]
    window: int | None


def check_arguments(given: Arguments) -> None:
    """Check the arguments of an `ArtificialStarTest`.

    Raises
    ------
    TypeError, ValueError
        If one cannot be used, or some do not go together.
    """
    if given.gain != math.inf:
        _positive_or_none(given, "gain")
    if given.flux_tolerance != math.inf:
        as_positive(given.flux_tolerance, "flux_tolerance")
    _positive_or_none(given, "spacing")
    _positive_or_none(given, "match_radius")
    for name in ("stars_per_image", "window"):
        if getattr(given, name) is not None:
            as_count(getattr(given, name), name, least=1)
    as_positions(given.positions)
    if given.flux is None and "flux" not in getattr(given.positions, "colnames", ()):
        raise ValueError("flux must be given: (faint, bright), a Table or a callable")
    if isinstance(given.photometry, Settings):
        if given.psf is None:
            raise ValueError("psf must be given with the settings of the pipeline")
    elif not callable(given.photometry):
        msg = (
            "photometry must be callable or Settings, "
            f"got {type(given.photometry).__name__}"
        )
        raise TypeError(msg)
    elif fitted_model(given.photometry, given.psf_model) is None:
        raise ValueError("psf_model must be given: photometry has none")
    _check_refit(given)


def _positive_or_none(given: Arguments, name: str) -> None:
    value = getattr(given, name)
    if value is not None:
        as_positive(value, name)


def _check_refit(given: Arguments) -> None:
    if given.refit not in {"frame", "local"}:
        msg = f"refit must be 'frame' or 'local', got {given.refit!r}"
        raise ValueError(msg)
    if given.refit == "frame":
        return
    problem = _no_windows(given)
    if problem is not None:
        msg = f"refit must be 'frame' with {problem}"
        raise ValueError(msg)


def _no_windows(given: Arguments) -> str | None:
    """Say why a window of an image cannot be measured; `None` if it can."""
    if isinstance(given.photometry, Settings):
        return "Settings: the sky is of the whole image"
    model = fitted_model(given.photometry, given.psf_model)
    # A grid can be moved where it is known who holds it.
    is_ours = isinstance(given.photometry, PSFPhotometry | IterativePSFPhotometry)
    is_grid = hasattr(model, "grid_xypos")
    can_move = is_ours and isinstance(model, GriddedPSFModel)
    if isinstance(model, PolynomialPSFModel) or (is_grid and not can_move):
        return f"a PSF that varies and cannot be moved, got {type(model).__name__}"
    return None


def fitted_model(photometry: Any, psf_model: Any) -> Any:
    """Return the PSF of a photometry object; of one that has none the other."""
    # Iterative photometry has its settings within, as photutils has it.
    settings = getattr(photometry, "_photometry", photometry)
    own = getattr(settings, "psf_model", None)
    return psf_model if own is None else own


def check_pickles(values: Mapping[str, Any]) -> None:
    """Find out now what cannot go to other processes.

    Raises
    ------
    TypeError
        If a value cannot; the message names it.
    """
    for name, value in values.items():
        try:
            pickle.dumps(value)
        except (pickle.PicklingError, AttributeError, TypeError) as exc:
            msg = f"{name} cannot go to workers: {exc}"
            raise TypeError(msg) from exc
