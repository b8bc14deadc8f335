"""Each source of errors alone: noise without an error image, rays, sky, a wrong PSF."""

import warnings
from dataclasses import replace

import numpy as np
from astropy.table import QTable
from noisy_frames import (
    FWHM,
    GAIN,
    NOISE,
    READ_NOISE,
    SKY,
    fit,
    flux_of_snr,
    hit,
    lone_stars,
)

from psfphot.background import LocalBackground
from psfphot.psf import CircularGaussianPRF
from psfphot.utils import NoiseModel

from .least_errors import information, of_groups
from .rows import compare

FLUXES = (2e3, 1e5)
SIZE = 7
TERMS = {"read_noise": READ_NOISE, "effective_gain": GAIN, "background": SKY}


def rows(n_side):
    """Fit ``n_side**2`` stars in every way."""
    faint = [lone_stars(flux_of_snr(s), n_side=n_side, seed=s) for s in (5, 15, 100)]
    for snr, frame in zip((5, 15, 100), faint, strict=True):
        yield row(f"noise model, S/N {snr}", frame, NOISE)
    yield row("errors of the data, S/N 5", faint[0], of_the_data(faint[0]))
    yield row("errors of the data, S/N 15", faint[1], of_the_data(faint[1]))
    bright = lone_stars(1e5, n_side=n_side, seed=7)
    for size in (5, 11):
        for how in ("sandwich", "unit"):
            name = f"no error image, {how}, 1e5, {size} x {size}"
            yield row(name, bright, None, fit_shape=size, covariance=how)
    yield from rays(lone_stars(FLUXES, n_side=n_side, seed=3))
    yield from skies(lone_stars(FLUXES, n_side=n_side, seed=5))
    any_flux = lone_stars(FLUXES, n_side=n_side, seed=6)
    for width in (1.01, 1.05):
        name = f"PSF {100 * (width - 1):.0f} % too wide"
        yield row(name, any_flux, NOISE, width=width)
        # Values are off by 1.4 times what a width is.
        known = NoiseModel(**TERMS, profile_error=1.4 * (width - 1))
        yield row(f"{name}, profile_error", any_flux, known, width=width)


def of_the_data(frame):
    return np.sqrt(np.abs(frame.data))


def rays(clean):
    """2 % of the pixels hit."""
    frame = hit(clean, seed=4)
    yield row("no cosmic rays, robust", clean, NOISE, robust=True)
    yield row("cosmic rays, robust", frame, NOISE, robust=True)
    yield row("cosmic rays, not robust", frame, NOISE)


def skies(frame):
    """A sky that is 30 % higher at one side, measured with each star."""
    slope = SKY * np.linspace(0.85, 1.15, frame.data.shape[1])
    on_sky = replace(frame, data=frame.data + slope)
    yield row("slope of the sky, fitted", on_sky, frame.true_error, fit_background=True)
    yield row(
        "slope of the sky, annuli",
        on_sky,
        frame.true_error,
        local_bkg_estimator=LocalBackground(7, 10),
    )


def row(name, frame, error, *, fit_shape=SIZE, **settings):
    has_sky = settings.get("fit_background", False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = fit(frame, error, fit_shape=fit_shape, **settings)
    truth = QTable({"x": frame.x, "y": frame.y, "flux": frame.flux})
    matrix = information(
        CircularGaussianPRF(fwhm=FWHM),
        truth,
        frame.starts,
        frame.true_error**2,
        fit_shape,
        has_sky=has_sky,
    )
    covariance = of_groups(matrix, 4 if has_sky else 3)
    least = np.sqrt(covariance[:, 2, 2])
    return compare(
        name, "flux", table["flux_fit"] - frame.flux, table["flux_err"], least
    )
