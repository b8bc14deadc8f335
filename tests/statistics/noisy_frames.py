"""Frames with all of a detector's noise, whose stars are known: what errors must tell.

The functions here are those of the short tests beside this file, and of longer runs.
"""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy.table import QTable
from frames.renderer import Gaussians, render

from psfphot.psf import CircularGaussianPRF, PSFPhotometry
from psfphot.utils import NoiseModel

FWHM = 2.5
GAIN, READ_NOISE, SKY = 2.0, 5.0, 100.0
NOISE = NoiseModel(read_noise=READ_NOISE, effective_gain=GAIN, background=SKY)
STEP = 21

#: The noise of `level_noise`, and its model: so many photons that theirs is none.
LEVEL = 0.5
LEVEL_NOISE = NoiseModel(read_noise=1e9 * LEVEL, effective_gain=1e9, background=0.0)


@dataclass(frozen=True)
class NoisyFrame:
    """An image without its sky, what it would be without noise, and its stars."""

    data: Any
    clean: Any
    x: Any
    y: Any
    flux: Any
    starts: Any

    @property
    def true_error(self):
        """The errors that nobody knows."""
        return np.sqrt((self.clean + SKY) / GAIN + (READ_NOISE / GAIN) ** 2)


def observe(shape, x, y, flux, rng, *, joint=False):
    """Observe stars: photons of stars and sky, and read noise."""
    psf = Gaussians(((1.0, FWHM, FWHM),), radius=12)
    clean = render(shape, psf, x, y, flux)
    electrons = rng.poisson((clean + SKY) * GAIN) + rng.normal(0, READ_NOISE, shape)
    starts = QTable()
    starts["x"], starts["y"] = (v + rng.normal(0, 0.1, len(v)) for v in (x, y))
    if joint:
        starts["group_id"] = np.ones(len(x), dtype=int)
    return NoisyFrame(electrons / GAIN - SKY, clean, x, y, flux, starts)


def lone_stars(flux, *, n_side=20, seed=0):
    """Stars of a flux, or of fluxes between two, each far from the others."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:n_side, :n_side] * STEP + STEP // 2
    x, y = (v.ravel() + rng.uniform(-0.5, 0.5, v.size) for v in (x, y))
    low, high = np.log(np.broadcast_to(flux, 2))
    flux = np.exp(rng.uniform(low, high, x.size))
    return observe((n_side * STEP, n_side * STEP), x, y, flux, rng)


def pairs(flux, distance, *, n_side=14, seed=0):
    """Pairs of stars of a flux at a distance, each pair a group."""
    one = lone_stars(flux, n_side=n_side, seed=seed)
    rng = np.random.default_rng(seed + 1)
    angle = rng.uniform(0, 2 * np.pi, len(one.x))
    x = np.append(one.x, one.x + distance * np.cos(angle))
    y = np.append(one.y, one.y + distance * np.sin(angle))
    frame = observe(one.data.shape, x, y, np.tile(one.flux, 2), rng)
    frame.starts["group_id"] = np.tile(np.arange(len(one.x)) + 1, 2)
    return frame


def crowd(n_stars, side, *, fluxes=(1e3, 1e5), seed=0):
    """Stars anywhere, all of one system."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(5, side - 6, (2, n_stars))
    flux = np.exp(rng.uniform(*np.log(fluxes), n_stars))
    return observe((side, side), x, y, flux, rng, joint=True)


def hit(frame, *, part=0.02, seed=0):
    """Let cosmic rays hit a part of the pixels, in clusters of 1-6, 50-5,000 sigma."""
    rng = np.random.default_rng(seed)
    data, is_hit = frame.data.copy(), np.zeros(frame.data.shape, dtype=bool)
    (ny, nx), sigma, left = data.shape, frame.true_error, part * data.size
    while left > 0:
        y, x = int(rng.integers(ny)), int(rng.integers(nx))
        for _ in range(rng.integers(1, 7)):
            if 0 <= y < ny and 0 <= x < nx and not is_hit[y, x]:
                sigmas = np.exp(rng.uniform(*np.log((50, 5000))))
                data[y, x] += sigmas * sigma[y, x]
                is_hit[y, x] = True
                left -= 1
            dy, dx = ((0, 1), (0, -1), (1, 0), (-1, 0))[rng.integers(4)]
            y, x = y + dy, x + dx
    return replace(frame, data=data)


def fit(frame, error, *, fit_shape=7, width=1.0, is_held=False, **settings):
    """Fit the stars from where they start, or held there; the fluxes are measured."""
    psf = CircularGaussianPRF(fwhm=width * FWHM)
    psf.x_0.fixed = psf.y_0.fixed = is_held
    phot = PSFPhotometry(psf, fit_shape, aperture_radius=3, **settings)
    with warnings.catch_warnings():
        # Of hundreds of faint or hit stars one may not converge.
        warnings.filterwarnings("ignore", message=".*may not have converged")
        return phot(frame.data, error=error, init_params=frame.starts)


def pull(table, frame, name="flux"):
    """What was fitted minus what is there, in quoted errors."""
    return (table[f"{name}_fit"] - getattr(frame, name)) / table[f"{name}_err"]


def flux_of_snr(snr):
    """The flux of a lone star with such a signal to noise ratio, about."""
    sigma = FWHM / 2.3548
    sky = (SKY / GAIN + (READ_NOISE / GAIN) ** 2) * 4 * np.pi * sigma**2
    half = snr**2 / (2 * GAIN)
    return half + np.sqrt(half**2 + snr**2 * sky)


def level_noise(snr, *, n_side=20, seed=0):
    """Stars on noise of 0.5 about 0, which is all there is: a sky taken off.

    As a notebook for photutils simulates them, which starts fits where stars are.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:n_side, :n_side] * STEP + STEP // 2
    x, y = (v.ravel() + rng.uniform(-0.5, 0.5, v.size) for v in (x, y))
    sigma = FWHM / 2.3548
    flux = np.full(x.size, snr * LEVEL * np.sqrt(4 * np.pi) * sigma)
    psf = Gaussians(((1.0, FWHM, FWHM),), radius=12)
    clean = render((n_side * STEP,) * 2, psf, x, y, flux)
    starts = QTable({"x": x, "y": y})
    return NoisyFrame(rng.normal(clean, LEVEL), clean, x, y, flux, starts)
