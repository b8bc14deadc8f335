"""The step that says which stars are fitted together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.psf import SourceGrouper

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._settings import ResolvedSettings

#: The distance that makes too large groups is lowered by this factor.
_STEP = 0.9


def group_stars(start: QTable, exposure: Exposure) -> None:
    """Group the stars that are to be fitted together.

    Parameters
    ----------
    start : `~astropy.table.QTable`
        With ``x_init`` and ``y_init``. A column ``group_id`` is added, unless
        every star is fitted alone, and ``meta["group_separation"]``: the
        distance in pixels that was used, or `None`.
    exposure : `Exposure`
        Of its settings ``group_separation`` and ``largest_group`` are used.
    """
    settings = exposure.settings
    separation = settings.group_separation
    if separation is not None:
        known = np.isfinite(start["x_init"]) & np.isfinite(start["y_init"])
        x, y = (np.asarray(start[name][known]) for name in ("x_init", "y_init"))
        labels, separation = _group(x, y, separation, settings)
        group_id = np.zeros(len(start), dtype=np.int64)
        group_id[known] = labels
        # Sources without a position belong to nobody.
        group_id[~known] = labels.max(initial=0) + 1 + np.arange(np.sum(~known))
        start["group_id"] = group_id
    start.meta["group_separation"] = separation


def _group(
    x: Any, y: Any, separation: float, settings: ResolvedSettings
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
        separation *= _STEP
        labels = np.asarray(SourceGrouper(separation)(x, y))
    return labels, separation
