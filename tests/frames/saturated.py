"""A field like NIRCam's whose brightest stars have lost their cores, and its score."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from frames.score import nearest, values
from psfphot.datasets import make_nircam_psf_grid

#: The PSF of the image: the fit's, one 2 % wider, one that differs by 2 % of its value.
PSFS = ("same", "wider", "blobs")

#: The side of the image and of a star's stamp; the sky and its noise; the level from
#: which on pixels are lost. In electrons.
SIDE, REACH, SKY, NOISE, FULL = 640, 50, 300.0, 20.0, 6e4
N_FULL, N_OTHERS, MOST_PIXELS = 30, 300, 60


@dataclass(frozen=True)
class Truth:
    """A file, the PSF to fit, and the stars, the saturated ones first."""

    path: Path
    psf: Any
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    #: The lost pixels of each saturated star.
    n_pixels: np.ndarray
    fwhm: float = 2.1


@dataclass(frozen=True)
class Score:
    """What the rows of the saturated stars are worth."""

    #: Distance of the nearest row to each star, its lost pixels, the error of its
    #: magnitude and that of its flux over ``flux_err``.
    apart: np.ndarray
    n_pixels: np.ndarray
    magnitudes: np.ndarray
    pulls: np.ndarray
    #: The rows within 3 FWHM of them, themselves included, and those without a star.
    n_near: int
    n_false: int
    #: The same pulls of the other stars without a flag.
    others: np.ndarray


@cache
def psf_grid():
    """The PSF that is fitted."""
    return make_nircam_psf_grid(4, fov_pixels=2 * REACH + 1, detector_size=SIDE)


def field(directory, seed, kind="same", *, n_full=N_FULL, n_others=N_OTHERS):
    """Write a field: SCI, ERR, DQ; lost pixels are NaN, and DQ says so."""
    rng = np.random.default_rng([seed, 7])
    x, y = _positions(rng, n_full, n_others)
    ripple = _blobs(np.random.default_rng([seed, 8]))
    flux = 10 ** rng.uniform(3, 5, n_full + n_others)
    wanted = np.round(np.geomspace(1, MOST_PIXELS, n_full)).astype(int)
    clean = np.full((SIDE, SIDE), SKY)
    n_pixels = []
    for k, (one_x, one_y) in enumerate(zip(x, y, strict=True)):
        window, stamp = _stamp(one_x, one_y, kind, ripple)
        if k < n_full:
            # Between what so many pixels ask for, and one more.
            ranked = np.sort(stamp, axis=None)[::-1]
            n = wanted[k]
            flux[k] = FULL / np.sqrt(ranked[n - 1] * ranked[n])
            n_pixels.append(n)
        clean[window] += flux[k] * stamp
    noise = np.sqrt(NOISE**2 + clean - SKY)
    data = clean + rng.normal(0, noise)
    lost = clean - SKY > FULL
    data[lost] = noise[lost] = np.nan
    planes = [
        fits.ImageHDU(data.astype(np.float32), name="SCI"),
        fits.ImageHDU(noise.astype(np.float32), name="ERR"),
        fits.ImageHDU(np.where(lost, 3, 0).astype(np.uint32), name="DQ"),
    ]
    planes[0].header["BUNIT"] = "electron"
    first = fits.PrimaryHDU(header=fits.Header({"TELESCOP": "JWST"}))
    path = directory / f"saturated{seed}.fits"
    fits.HDUList([first, *planes]).writeto(path)
    return Truth(path, psf_grid(), x, y, flux, np.array(n_pixels))


def score(table, truth):
    """Hold a catalogue against the field."""
    n = len(truth.n_pixels)
    rows = np.column_stack([values(table, "x_fit"), values(table, "y_fit")])
    stars = np.column_stack([truth.x, truth.y])
    apart, row = nearest(stars, rows)
    flux, error = (values(table, name)[row] for name in ("flux_fit", "flux_err"))
    clear = np.asarray(table["flags"])[row] & ~1 == 0
    to_full, to_star = nearest(rows, stars[:n])[0], nearest(rows, stars)[0]
    near = to_full < 3 * truth.fwhm
    with np.errstate(invalid="ignore", divide="ignore"):
        pulls = (flux - truth.flux) / error
        magnitudes = -2.5 * np.log10(flux / truth.flux)
    chosen = (apart < 0.5) & clear & (np.arange(len(stars)) >= n)
    return Score(
        apart[:n],
        truth.n_pixels,
        magnitudes[:n],
        pulls[:n],
        int(near.sum()),
        int((near & (to_star > 1)).sum()),
        pulls[chosen],
    )


def _positions(rng, n_full, n_others):
    """Saturated stars 40 pixels apart, others anywhere."""
    full = np.empty((0, 2))
    while len(full) < n_full:
        one = rng.uniform(20, SIDE - 21, 2)
        if not len(full) or np.hypot(*(full - one).T).min() > 40:
            full = np.vstack([full, one])
    return np.vstack([full, rng.uniform(5, SIDE - 6, (n_others, 2))]).T


def _blobs(rng):
    """A field of unit variance in blobs of two pixels, 4 x 4 points in a pixel."""
    n = 8 * REACH + 9
    frequency = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n)[None])
    kernel = np.exp(-2 * (np.pi * frequency * 4) ** 2)
    image = np.fft.ifft2(np.fft.fft2(rng.normal(size=(n, n))) * kernel).real
    return image / image.std()


def _stamp(x, y, kind, ripple):
    """The window of a star of flux 1, and its light there."""
    sides = [
        np.arange(max(round(at) - REACH, 0), min(round(at) + REACH + 1, SIDE))
        for at in (y, x)
    ]
    rows, columns = np.meshgrid(*sides, indexing="ij")
    width = 1.02 if kind == "wider" else 1.0
    model = psf_grid()
    # The grid is blended at the star, as it is by the fit.
    stamp = model.evaluate(
        x + (columns - x) / width, y + (rows - y) / width, 1 / width**2, x, y
    )
    if kind == "blobs":
        at = [np.round(4 * (v - c)).astype(int) for v, c in ((rows, y), (columns, x))]
        stamp = stamp * (
            1 + 0.02 * ripple[at[0] + 4 * REACH + 4, at[1] + 4 * REACH + 4]
        )
    return np.ix_(*sides), stamp
