"""How much of a star's light a PSF's images hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._validate import as_positive
from psfphot.aperture import CircularAnnulus, CircularAperture, aperture_photometry

if TYPE_CHECKING:
    from psfphot._validate import Frame
    from psfphot.psf._epsf.sample import Sample

# Apertures, in sides of a cutout: what is thought the total, and the sky around.
_TOTAL, _SKY = 1.0, (1.25, 1.75)

# So many of the brightest stars are measured, three at least.
_MOST, _LEAST = 50, 3


def find_correction(
    wanted: Any, sample: Sample, model: Any, *, is_library: bool
) -> float | None:
    """Tell the light of a star over that within the PSF's images.

    Parameters
    ----------
    wanted : float, "measure" or None
        The number; or that it is to be measured; `None` takes it from the library.
    sample : Sample
        The stars, with fluxes by the PSF.
    model : PSF model
        The PSF that was built.
    is_library : bool
        Whether it is a library's, whose images hold the library's part of the light.

    Raises
    ------
    TypeError, ValueError
        If what is wanted is none of these, or cannot be measured.
    """
    if wanted is None:
        return 1.0 / _light_within(model) if is_library else None
    if isinstance(wanted, str):
        if wanted != "measure":
            msg = (
                "aperture_correction must be a number, 'measure' or None, "
                f"got {wanted!r}"
            )
            raise ValueError(msg)
        if sample.frame is None:
            raise ValueError("aperture_correction='measure' needs data")
        return _measure(sample, sample.frame)
    return as_positive(wanted, "aperture_correction")


def _light_within(model: Any) -> float:
    """Tell the part of the light that a grid's images hold, on the mean."""
    sums = np.asarray(model.data, dtype=np.float64).sum(axis=(1, 2))
    return float(np.mean(sums) / np.prod(model.oversampling))


def _measure(sample: Sample, frame: Frame) -> float:
    """Measure apertures of a cutout's size around the brightest stars.

    The circle holds what the cutout's square does not; a median tells the ratio.
    """
    fluxes = np.array([one.flux or 0.0 for one in sample.cutouts])
    best = np.argsort(-fluxes)[:_MOST]
    side = max(sample.size)
    data, _, mask = frame.arrays
    places = sample.positions[best]
    sky_radii = [side * part for part in _SKY]
    ratios = []
    for place, flux in zip(places, fluxes[best], strict=True):
        if flux <= 0:
            continue
        total = _sum_circle(data, mask, place, side * _TOTAL, sky_radii)
        ratios.append(total / flux)
    good = np.array(ratios)[np.isfinite(ratios)]
    if good.size < _LEAST:
        msg = (
            "aperture_correction cannot be measured: it needs 3 stars whose apertures "
            f"of {side} pixels are on the image, got {good.size}"
        )
        raise ValueError(msg)
    return float(np.median(good))


def _sum_circle(
    data: Any, mask: Any, place: Any, radius: float, sky_radii: list[float]
) -> float:
    ny, nx = data.shape
    x, y = place
    if not (radius <= x <= nx - 1 - radius and radius <= y <= ny - 1 - radius):
        return float("nan")
    ring: Any = CircularAnnulus(place, *sky_radii).to_mask(method="center")
    around = ring.get_values(data, mask=mask)
    around = around[np.isfinite(around)]
    if around.size == 0:
        return float("nan")
    above = data - np.median(around)
    table = aperture_photometry(above, CircularAperture(place, radius), mask=mask)
    return float(table["aperture_sum"][0])
