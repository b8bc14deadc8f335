"""A crowded field as NIRCam might see it, with its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import QTable, vstack
from astropy.wcs import WCS

from psfphot._validate import as_count
from psfphot.io import FitsImage
from psfphot.psf import make_psf_model_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Sky and read noise of a pixel in electrons: F200W's zodiacal light of about
#: 0.15 e-/s in a thousand seconds, and some reads.
SKY = 150.0
READ_NOISE = 10.0

#: Magnitude of one electron in the exposure, so that stars begin at 18.
ZERO_POINT = 31.7

#: The brightest and the faintest; the latter are lost in the noise.
BRIGHTEST, FAINTEST = 18.0, 26.0

#: Width in magnitudes of the layers in which stars are drawn, evenly in flux.
_STEP = 0.25

#: Stars grow in number by this factor from one magnitude to the next, as in
#: the Galaxy's bulge and nearby galaxies.
_GROWTH = 1.6

_PIXEL = 0.031  # arcsec, NIRCam's short-wavelength channel


def simulate_star_field(
    psf_model: Any, size: int, n_stars: int, *, seed: int = 0
) -> tuple[FitsImage, QTable]:
    """Simulate a field of stars on a flat sky, with Poisson and read noise.

    Parameters
    ----------
    psf_model : `~astropy.modeling.Fittable2DModel`
        The PSF, a model of `psfphot.psf`.
    size : int
        Side of the image in pixels.
    n_stars : int
        Number of stars, from magnitude 18 to 26.
    seed : int
        Of positions, fluxes and noise.

    Returns
    -------
    image : `~psfphot.io.FitsImage`
        In electrons, with the true errors and made-up coordinates.
    truth : `~astropy.table.QTable`
        ``id``, ``x_0``, ``y_0`` in pixels, ``flux`` in electrons.

    Raises
    ------
    TypeError, ValueError
        If an argument is none of these.
    """
    size, n_stars = (as_count(v, n) for v, n in ((size, "size"), (n_stars, "n_stars")))
    shape = (size, size)
    stars = np.zeros(shape)
    tables = []
    magnitudes = np.arange(BRIGHTEST, FAINTEST, _STEP)
    for step, number in enumerate(_shares(n_stars, _GROWTH**magnitudes)):
        bright, faint = to_flux(magnitudes[step]), to_flux(magnitudes[step] + _STEP)
        layer, table = make_psf_model_image(
            shape,
            psf_model,
            number,
            flux=(faint, bright),
            min_separation=0,
            border_size=0,
            seed=[seed, step],
        )
        stars += layer
        tables.append(table)
    truth = vstack(tables, metadata_conflicts="silent")
    truth["id"] = np.arange(1, len(truth) + 1)
    return _observe(stars, np.random.default_rng([seed, len(tables)])), truth


def to_flux(magnitude: Any) -> Any:
    """Return the electrons of a star."""
    return 10 ** (0.4 * (ZERO_POINT - magnitude))


def to_magnitude(flux: Any) -> Any:
    """Return the magnitude of a flux in electrons."""
    return ZERO_POINT - 2.5 * np.log10(flux)


def _shares(total: int, weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Share out a number by weights, at least one each."""
    ends = np.round(total * weights.cumsum() / weights.sum()).astype(np.int64)
    shares: NDArray[np.int64] = np.maximum(np.diff(ends, prepend=0), 1)
    return shares


def _observe(stars: NDArray[np.float64], rng: np.random.Generator) -> FitsImage:
    expected = stars + SKY
    data = rng.poisson(np.maximum(expected, 0)) + rng.normal(0, READ_NOISE, stars.shape)
    # Of the true image: errors from the noisy one would be biased.
    error = np.sqrt(np.maximum(expected, 0) + READ_NOISE**2)
    wcs = _coordinates(stars.shape)
    header = wcs.to_header()
    header["BUNIT"] = "electron"
    return FitsImage(
        data.astype(np.float32),
        error.astype(np.float32),
        np.zeros(stars.shape, dtype=bool),
        u.electron,
        wcs,
        header,
        "simulated field",
        error_source="the true noise",
    )


def _coordinates(shape: tuple[int, ...]) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [266.4, -29.0]
    wcs.wcs.crpix = [(shape[1] + 1) / 2, (shape[0] + 1) / 2]
    wcs.wcs.cdelt = [-_PIXEL / 3600, _PIXEL / 3600]
    return wcs
