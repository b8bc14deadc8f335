"""What artificial-star tests must show, with numbers that a caller chooses.

The tests call these with few stars; with many they are the long forms.
"""

from typing import NamedTuple

import numpy as np
from astropy.table import QTable

from psfphot.completeness import ArtificialStarTest, fit_completeness
from psfphot.datasets import make_model_image
from psfphot.detection import DAOStarFinder, MatchedFilterFinder
from psfphot.psf import (
    CircularGaussianPRF,
    IterativePSFPhotometry,
    PSFPhotometry,
    SourceGrouper,
    StarListManagement,
)

FWHM, SKY, READ_NOISE = 3.0, 100.0, 5.0
PSF = CircularGaussianPRF(fwhm=FWHM)

#: Stars in a pixel of the scene of 20,000 on 2048 x 2048 pixels.
CROWDED = 20_000 / 2048**2


class Scene(NamedTuple):
    """An image without its sky, its errors, and its stars."""

    data: np.ndarray
    error: np.ndarray
    truth: QTable


def make_scene(side, density=CROWDED, *, seed=0):
    """Make stars of 500 to 50,000 electrons, uniform in the logarithm."""
    rng = np.random.default_rng(seed)
    n = round(density * side**2)
    truth = QTable()
    truth["x_0"], truth["y_0"] = rng.uniform(-0.5, side - 0.5, (2, n))
    truth["flux"] = np.exp(rng.uniform(np.log(500), np.log(50_000), n))
    data = np.zeros((side, side))
    if n:
        data = np.asarray(make_model_image(data.shape, PSF, truth))
    error = np.sqrt(data + SKY + READ_NOISE**2)
    return Scene(data + error * rng.normal(size=data.shape), error, truth)


def one_pass(threshold=40.0):
    """A finder and grouped fits."""
    return PSFPhotometry(
        PSF,
        7,
        finder=DAOStarFinder(threshold, FWHM),
        grouper=SourceGrouper(7),
        aperture_radius=4,
    )


def iterative():
    """Managed rounds."""
    return IterativePSFPhotometry(
        PSF,
        7,
        MatchedFilterFinder(PSF, 5.0),
        grouper=SourceGrouper(7),
        aperture_radius=4,
        mode="all",
        management=StarListManagement(),
    )


def chance_rate(n_stars, *, side=512, seed=0):
    """Tell how many stars are "recovered" without having been put in."""
    scene = make_scene(side, seed=seed)
    test = ArtificialStarTest(one_pass(), flux=(300, 50_000), gain=1.0, pilot=0)
    results = test(scene.data, error=scene.error, n_stars=n_stars)
    return results.chance_rate


def lattice_and_single(n_stars, *, flux=1000.0, side=128, seed=0):
    """Count the stars of one flux recovered, on lattices and one at a time."""
    scene = make_scene(side, seed=seed)
    counts = []
    for at_once in (None, 1):
        test = ArtificialStarTest(
            one_pass(25.0),
            flux=QTable({"flux": [flux]}),
            gain=1.0,
            stars_per_image=at_once,
            seed=seed,
        )
        table = test(scene.data, error=scene.error, n_stars=n_stars).table
        counts.append(np.count_nonzero(table["recovered"]))
    return counts


def m50_of_seeds(n_seeds, *, n_stars=3000, m50=23.0, width=0.25, c_max=0.98):
    """Fit the curve to stars of a known one: offsets of m50, and their errors."""
    offsets, errors = np.empty((2, n_seeds))
    for seed in range(n_seeds):
        rng = np.random.default_rng([seed, n_stars])
        magnitude = rng.uniform(20, 25, n_stars)
        chance = c_max / (1 + np.exp((magnitude - m50) / width))
        curve = fit_completeness(magnitude, rng.random(n_stars) < chance)
        offsets[seed], errors[seed] = curve.m50 - m50, curve.m50_err
    return offsets, errors


def isolated(n_stars, *, side=512, seed=0, gain=1.0):
    """Test an empty field: errors know all of the noise."""
    scene = make_scene(side, 0, seed=seed)
    test = ArtificialStarTest(
        one_pass(15.0), flux=(2000, 200_000), gain=gain, pilot=0, seed=seed
    )
    return test(scene.data, error=scene.error, n_stars=n_stars)


def frame_and_local(n_stars, photometry, *, side=512, seed=0):
    """Measure the same stars on whole images and in windows."""
    scene = make_scene(side, seed=seed)
    return [
        ArtificialStarTest(
            photometry, flux=(300, 20_000), gain=1.0, pilot=0, refit=refit, seed=seed
        )(scene.data, error=scene.error, n_stars=n_stars).table
        for refit in ("frame", "local")
    ]
