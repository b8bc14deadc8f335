"""The step that measures saturated stars, and their rows in the catalogue."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from astropy.table import QTable, vstack

from psfphot.pipeline._cuts import flag_low
from psfphot.pipeline._noise import pixel_errors
from psfphot.pipeline._pixels import nearest_pixels
from psfphot.pipeline._saturated_stars import (
    MISMATCH,
    SaturatedStars,
    fit_saturated_stars,
    is_fitted,
)
from psfphot.pipeline._sky import measure_sky
from psfphot.psf import PSF_FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._profile_error import ProfileError
    from psfphot.pipeline._saturation import Saturation
    from psfphot.pipeline._sky_maps import SkyMaps

#: How often the sky is measured anew without the saturated stars, at most, and by
#: which part of its noise it changes where there is no more to gain.
SKIES = 3
SAME_SKY = 0.05

T = TypeVar("T")


def measure_saturated(
    exposure: Exposure,
    saturation: Saturation,
    no_data: NDArray[np.bool_],
    *,
    keep_sky: bool = False,
) -> SaturatedStars | None:
    """Measure the saturated stars of an exposure; `None` where there are none.

    The sky is measured anew without their light: no mask holds their far wings, and a
    sky with them in it is too high where they are, so that the fluxes are too low.
    Those that could not be fitted are dropped, or flagged where all are to be kept.

    Parameters
    ----------
    exposure : `Exposure`
        The image with its sky and masks.
    saturation : `Saturation`
        Its saturated pixels.
    no_data : 2D bool array
        Pixels that are masked for other reasons.
    keep_sky : bool, optional
        Whether the sky stays as it is.
    """
    if not saturation.pixels.any():
        return None

    def fit() -> SaturatedStars:
        return fit_saturated_stars(
            exposure.subtract_sky(),
            exposure.psf.model,
            saturation,
            noise=exposure.sky.rms,
            fwhm=exposure.psf.fwhm,
            error=pixel_errors(exposure),
            mask=no_data,
            n_threads=exposure.settings.n_threads,
        )

    def renew_sky(found: SaturatedStars) -> bool:
        if not found.model.any():
            return False
        before = exposure.sky
        exposure.sky = measure_sky(exposure, light=found.model, stars="masked")
        return not is_same_sky(exposure.sky, before)

    found = fit() if keep_sky else fit_on_their_sky(fit, renew_sky)
    known = is_fitted(found.table) if len(found.table) else np.zeros(0, dtype=bool)
    if known.all():
        return found if len(known) else None
    if exposure.settings.keep_all:
        flag_low(found.table, ~known)
        return found
    # Cosmic rays and defects that are full, and stars without wings in sight.
    return replace(
        found, table=found.table[known], n_dropped=int(np.count_nonzero(~known))
    )


def is_same_sky(sky: SkyMaps, before: SkyMaps) -> bool:
    """Tell whether a sky is another's, but for a part of the noise."""
    change = np.abs(sky.background - before.background)
    return not bool((change > SAME_SKY * before.rms).any())


def fit_on_their_sky(fit: Callable[[], T], renew_sky: Callable[[T], bool]) -> T:
    """Fit saturated stars until the sky without them stays as it is.

    Parameters
    ----------
    fit : callable
        Fits them on the sky as it is.
    renew_sky : callable
        Measures the sky anew without what was fitted; tells whether it is another.
    """
    for _ in range(SKIES):
        found = fit()
        if not renew_sky(found):
            return found
    return fit()


def with_saturated(
    table: QTable, saturated: SaturatedStars | None, profile: ProfileError | None
) -> QTable:
    """Add the rows of saturated stars, and flag those near them.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The fits' table; its flags are changed.
    saturated : `SaturatedStars` or `None`
        The saturated stars.
    profile : `ProfileError` or `None`
        How far the PSF is off, as the other stars tell; fluxes are taken to be off by
        2 % without.

    Returns
    -------
    table : `~astropy.table.QTable`
        All rows; ids and groups go on.
    """
    if saturated is None or not len(saturated.table):
        return table
    x, y = (np.asarray(table[f"{axis}_fit"], dtype=float) for axis in "xy")
    row, column, known = nearest_pixels(x, y, saturated.is_near.shape)
    near = known & saturated.is_near[row, column]
    table["flags"][near] |= PSF_FLAGS.NEAR_SATURATED
    rows = saturated.table[[n for n in saturated.table.colnames if n in table.colnames]]
    # The catalogue says how the others were fitted.
    rows.meta.clear()
    part: Any = MISMATCH
    if profile is not None:
        by = (saturated.table[f"flux_by_{name}"] for name in ("widening", "chance"))
        part = profile.in_fluxes(*by)
    # The wings have told a part of the same.
    more = (part * rows["flux_fit"]) ** 2 - saturated.table["misfit_err"] ** 2
    rows["flux_err"] = np.sqrt(rows["flux_err"] ** 2 + np.maximum(more, 0))
    for name in ("id", "group_id"):
        if name in table.colnames:
            first = int(np.max(table[name], initial=0)) + 1
            rows[name] = np.arange(first, first + len(rows))
    for name in ("group_size", "iter_detected"):
        if name in table.colnames:
            rows[name] = 1
    # What is not measured of them is NaN, not masked.
    for name in set(table.colnames) - set(rows.colnames):
        is_count = np.asarray(table[name]).dtype.kind in "iu"
        rows[name] = 0 if is_count else np.nan
    return vstack([table, rows], metadata_conflicts="silent")
