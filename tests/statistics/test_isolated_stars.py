"""Isolated stars: as good as the photons allow, and the errors say how good.

Each case has 10,000 fits: the 2,500 stars of an image, drawn four times. A width
(half the range from 16 to 84 %) of n draws has a standard deviation of
0.96/sqrt(n): 0.0096, so that 0.05 is 5 of them. A median's is 1.25/sqrt(n) =
0.0125 of the errors; 0.1 is 8 of them.
"""

import numpy as np
import pytest
from trials import cramer_rao, make_scene, width

from psfphot.datasets import make_nircam_psf_grid
from psfphot.psf import CircularGaussianPRF, PSFPhotometry

N_DRAWS = 4
SKY = 100
MEDIAN_ERROR = 0.0125


@pytest.fixture(scope="module")
def grid():
    """Four ePSFs over the images of these tests."""
    return make_nircam_psf_grid(4, fov_pixels=25, detector_size=1300)


@pytest.fixture(params=["grid", "Gaussian"])
def psf(request):
    if request.param == "grid":
        return request.getfixturevalue("grid")
    return CircularGaussianPRF(fwhm=2.5)


def trials(scene, size, *, error=None, seed=1):
    """Fit drawn images: (fit - true, quoted error) of each parameter."""
    rng = np.random.default_rng(seed)
    error = np.sqrt(scene.variance) if error is None else error
    fit = PSFPhotometry(scene.psf, size)
    tables = [
        fit(scene.poisson(rng), error=error, init_params=scene.starts["x", "y", "flux"])
        for _ in range(N_DRAWS)
    ]
    assert all(np.all(table["flags"] == 0) for table in tables)
    return {
        name: (
            np.array([table[f"{name}_fit"] - scene.truth[name] for table in tables]),
            np.array([table[f"{name}_err"] for table in tables]),
        )
        for name in ("x", "y", "flux")
    }


@pytest.mark.parametrize("flux", [1000, 3000, 30_000])
@pytest.mark.parametrize("size", [5, 7])
def test_scatter_bias_and_errors(psf, flux, size):
    scene = make_scene(psf, flux, SKY)
    least = cramer_rao(scene, size)
    assert np.all(flux / least["flux"] >= 14)
    for name, (offset, error) in trials(scene, size).items():
        assert 0.95 < width(offset / least[name]) < 1.05, name
        assert 0.95 < width(offset / error) < 1.05, name
        assert abs(np.median(offset / error)) < 0.1, name


@pytest.mark.filterwarnings("ignore:One or more fit")
@pytest.mark.parametrize(("kind", "flux"), [("grid", 265), ("Gaussian", 212)])
def test_faint_stars_are_no_more_biased_than_free_positions_make_them(grid, kind, flux):
    # The fit seeks the brightest place nearby, which raises the flux by about
    # 1/(S/N) of its error: 0.2 at S/N 5.
    psf = grid if kind == "grid" else CircularGaussianPRF(fwhm=2.5)
    scene = make_scene(psf, flux, SKY)
    rng = np.random.default_rng(1)
    assert np.median(flux / cramer_rao(scene, 7)["flux"]) == pytest.approx(5, abs=0.5)
    pulls = []
    for _ in range(N_DRAWS):
        table = PSFPhotometry(psf, 7)(
            scene.poisson(rng),
            error=np.sqrt(scene.variance),
            init_params=scene.starts["x", "y", "flux"],
        )
        pulls.append((table["flux_fit"] - flux) / table["flux_err"])
    # Those without errors (none, or next to none) are not left out unseen.
    assert np.mean(np.isfinite(pulls)) > 0.995
    assert 0.05 < np.nanmedian(pulls) < 0.21 + 3 * MEDIAN_ERROR


def test_errors_from_the_residuals_alone(psf):
    # Uniform noise of unknown size: chi^2 of a star's own 81 pixels sets the
    # scale. With 78 degrees of freedom pulls are Student's, and 0.3 % wider.
    scene = make_scene(psf, 3000, 0)
    sigma = 7.0
    known = scene._replace(variance=np.full_like(scene.image, sigma**2))
    least = cramer_rao(known, 9)
    rng = np.random.default_rng(2)
    fit = PSFPhotometry(psf, 9, covariance="unit")
    for _ in range(N_DRAWS):
        image = scene.image + rng.normal(0, sigma, scene.image.shape)
        table = fit(image, init_params=scene.starts["x", "y", "flux"])
        for name, true in least.items():
            ratio = np.asarray(table[f"{name}_err"]) / true
            # Each scatters by 1/sqrt(2 78) = 8 %, their median by 0.2 %.
            assert 0.98 < np.median(ratio) < 1.02, name
            assert 0.05 < np.std(ratio) < 0.12, name
    offsets = [
        (np.asarray(table[f"{n}_fit"]) - scene.truth[n]) / np.asarray(table[f"{n}_err"])
        for n in least
    ]
    # 7,500 pulls of the last image: three parameters that hardly correlate.
    assert 0.95 < width(np.concatenate(offsets)) < 1.05


def test_a_free_width():
    psf = CircularGaussianPRF(fwhm=2.5)
    psf.fwhm.fixed = False
    scene = make_scene(psf, 10_000, SKY)
    least = cramer_rao(scene, 9, names=("x", "y", "flux", "fwhm"))
    rng = np.random.default_rng(3)
    starts = scene.starts["x", "y", "flux"]
    starts["fwhm"] = rng.uniform(2, 3, len(starts))
    fit = PSFPhotometry(psf, 9)
    pulls, scatter = {n: [] for n in least}, {n: [] for n in least}
    for _ in range(N_DRAWS):
        table = fit(
            scene.poisson(rng), error=np.sqrt(scene.variance), init_params=starts
        )
        assert np.all(table["flags"] == 0)
        for name, true in least.items():
            truth = 2.5 if name == "fwhm" else scene.truth[name]
            offset = np.asarray(table[f"{name}_fit"]) - truth
            scatter[name].append(offset / true)
            pulls[name].append(offset / np.asarray(table[f"{name}_err"]))
    for name in least:
        assert 0.95 < width(scatter[name]) < 1.05, name
        assert 0.95 < width(pulls[name]) < 1.05, name
        assert abs(np.median(pulls[name])) < 0.1, name
