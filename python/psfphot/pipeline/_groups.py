"""The step that says which stars are fitted together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._validate import check_instance, check_table
from psfphot.pipeline._exposure import Exposure
from psfphot.psf import AiryDiskPRF, MoffatPRF, OverlapGrouper, SourceGrouper

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray


#: PSFs whose wings do not end and whose pixels are integrated: their large groups
#: are fitted over thousands of pixels a star. A crowded frame of 3,400 stars took 44
#: seconds of fits in boxes of twice the fit box, 4 in the fit box's, with the same
#: residuals.
_SLOW = (MoffatPRF, AiryDiskPRF)
#: Groups of more sources are large.
_LARGE = 48


@dataclass(frozen=True)
class _UnlessLarge:
    """Groups by wide boxes, unless that makes a large group; then by narrow ones."""

    wide: OverlapGrouper
    narrow: OverlapGrouper

    def __call__(self, x: Any, y: Any) -> NDArray[np.int64]:
        labels = np.asarray(self.wide(x, y))
        if np.bincount(labels).max(initial=0) > _LARGE:
            labels = np.asarray(self.narrow(x, y))
        return labels

    def __repr__(self) -> str:
        return repr(self.wide)


def make_grouper(
    exposure: Exposure,
) -> OverlapGrouper | SourceGrouper | _UnlessLarge | None:
    """Make what groups the stars as the settings say; `None` for each alone."""
    settings = exposure.settings
    if settings.group_box is not None:
        wide = OverlapGrouper(settings.group_box)
        if not isinstance(exposure.psf.model, _SLOW):
            return wide
        return _UnlessLarge(wide, OverlapGrouper(settings.fit_shape))
    separation = settings.group_separation
    return None if separation is None else SourceGrouper(separation)


def group_stars(start: QTable, exposure: Exposure) -> None:
    """Group the stars that are to be fitted together.

    Parameters
    ----------
    start : `~astropy.table.QTable`
        With ``x_init`` and ``y_init``. A column ``group_id`` is added, unless
        every star is fitted alone, and ``meta["group_separation"]``: the
        distance in pixels that was used (along x and along y where boxes must
        overlap), or `None`.
    exposure : `Exposure`
        Of its settings ``group_separation`` and ``group_box`` are used.
    """
    check_table(start, "start", "x_init", "y_init")
    check_instance(exposure, Exposure, "exposure")
    grouper = make_grouper(exposure)
    if grouper is not None:
        known = np.isfinite(start["x_init"]) & np.isfinite(start["y_init"])
        x, y = (np.asarray(start[name][known]) for name in ("x_init", "y_init"))
        labels = np.zeros(0, dtype=np.int64)
        if len(x) > 0:
            labels = np.asarray(grouper(x, y))
        group_id = np.zeros(len(start), dtype=np.int64)
        group_id[known] = labels
        # Sources without a position belong to nobody.
        group_id[~known] = labels.max(initial=0) + 1 + np.arange(np.sum(~known))
        start["group_id"] = group_id
    start.meta["group_separation"] = exposure.settings.group_separation
