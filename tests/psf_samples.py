"""PSF models that the tests share."""

import numpy as np
import pytest
from astropy.nddata import NDData

from psfphot.psf import (
    AiryDiskPRF,
    AiryDiskPSF,
    CircularGaussianPRF,
    CircularGaussianPSF,
    CircularGaussianSigmaPRF,
    GaussianPRF,
    GaussianPSF,
    GriddedPSFModel,
    ImagePSF,
    MoffatPRF,
    MoffatPSF,
)

POSITIONS = [(0, 0), (0, 30), (50, 0), (50, 30), (20, 0), (20, 30)]

# Every analytic model, with a shape.
ANALYTIC = [
    (GaussianPSF, {"x_fwhm": 2.4, "y_fwhm": 3.1, "theta": 35.0}),
    (GaussianPRF, {"x_fwhm": 2.4, "y_fwhm": 1.7, "theta": -20.0}),
    (CircularGaussianPSF, {"fwhm": 2.2}),
    (CircularGaussianPRF, {"fwhm": 2.2}),
    (CircularGaussianSigmaPRF, {"sigma": 1.1}),
    (MoffatPSF, {"alpha": 2.2, "beta": 3.1}),
    (MoffatPRF, {"alpha": 2.2, "beta": 2.5}),
    (AiryDiskPSF, {"radius": 3.2}),
    (AiryDiskPRF, {"radius": 2.6}),
]

each_kind = pytest.mark.parametrize(
    ("kind", "shape"), ANALYTIC, ids=[kind.__name__ for kind, _ in ANALYTIC]
)


def samples(shape=(23, 31), seed=0):
    """A lopsided star with some noise, so that nothing is symmetric."""
    ny, nx = shape
    y, x = np.mgrid[:ny, :nx]
    star = np.exp(-(((x - nx / 2.1) / 5) ** 2) - ((y - ny / 1.9) / 4) ** 2)
    return star + 0.01 * np.random.default_rng(seed).normal(size=shape)


def nddata(positions=POSITIONS, oversampling=4, shape=(23, 31), **meta):
    data = np.array([samples(shape, seed) for seed in range(len(positions))])
    meta |= {"grid_xypos": positions, "oversampling": oversampling}
    return NDData(data, meta=meta)


def models():
    return [
        ImagePSF(samples(), flux=7, x_0=3.3, y_0=4.1, oversampling=4),
        GriddedPSFModel(nddata(), flux=7, x_0=3.3, y_0=4.1),
        CircularGaussianPRF(flux=7, x_0=3.3, y_0=4.1, fwhm=2.2),
        *(kind(flux=7, x_0=3.3, y_0=4.1, **shape) for kind, shape in ANALYTIC),
    ]


def each_model(function):
    return pytest.mark.parametrize("model", models(), ids=lambda m: m.__class__.name)(
        function
    )


def check_derivatives(model, x, y, step=1e-5):
    """Compare with central differences."""
    start = model.parameters.copy()
    analytic = model.fit_deriv(x, y, *start)
    scale = np.abs(model(x, y)).max()
    for i, derivative in enumerate(analytic):
        shift = np.zeros(len(start))
        shift[i] = step
        numeric = model.evaluate(x, y, *(start + shift))
        numeric = (numeric - model.evaluate(x, y, *(start - shift))) / (2 * step)
        np.testing.assert_allclose(derivative, numeric, rtol=1e-6, atol=1e-6 * scale)
