"""The seed notebook's simulation, finder and fits, beside photutils'."""

import numpy as np
import pytest
from notebook_runner import GRID, run_script

from psfphot.datasets import make_noise_image
from psfphot.detection import IRAFStarFinder
from psfphot.psf import (
    GriddedPSFModel,
    PSFPhotometry,
    SourceGrouper,
    make_psf_model_image,
)
from psfphot.utils import DataErrorWarning

photutils_datasets = pytest.importorskip("photutils.datasets")
photutils_detection = pytest.importorskip("photutils.detection")
photutils_psf = pytest.importorskip("photutils.psf")

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore::psfphot.utils.exceptions.DataErrorWarning"),
]

SHAPE = (2048, 2048)
STARS = {"n_sources": 500, "flux": (500, 20_000), "min_separation": 25, "seed": 0}
NOISE = {"mean": 0, "stddev": 0.5, "seed": 0}
FINDER = {"threshold": 6.0, "fwhm": 3.0}
GROUP_SEPARATION = 35
N_GROUPS = 428
# Calls of PSFPhotometry.
N_FITS = 3


@pytest.fixture(scope="module")
def models(nircam_grid, photutils_version):
    """Our model and photutils', the grid read alike.

    photutils 3.1 takes the header's order for the planes', 3.0 the planes' own.
    """
    order = "header" if photutils_version >= (3, 1) else "sorted"
    ours = GriddedPSFModel.read(nircam_grid, grid_order=order)
    return ours, photutils_psf.GriddedPSFModel.read(nircam_grid)


@pytest.fixture(scope="module")
def simulations(models):
    """(image, parameters) of both."""
    ours, theirs = models
    return (
        make_psf_model_image(SHAPE, ours, **STARS),
        photutils_psf.make_psf_model_image(SHAPE, theirs, **STARS),
    )


@pytest.fixture(scope="module")
def observation(simulations):
    """photutils' image with noise, and the notebook's error: given to both."""
    image = simulations[1][0]
    data = image + photutils_datasets.make_noise_image(SHAPE, **NOISE)
    return data, np.sqrt(np.abs(data))


@pytest.fixture(scope="module", params=[False, True], ids=["ungrouped", "grouped"])
def tables(request, models, observation):
    """Tables of both from the finder to the errors."""
    data, error = observation
    results = []
    for model, phot_class, finder_class, grouper_class in (
        (models[0], PSFPhotometry, IRAFStarFinder, SourceGrouper),
        (
            models[1],
            photutils_psf.PSFPhotometry,
            photutils_detection.IRAFStarFinder,
            photutils_psf.SourceGrouper,
        ),
    ):
        phot = phot_class(
            model,
            (5, 5),
            finder=finder_class(**FINDER),
            grouper=grouper_class(GROUP_SEPARATION) if request.param else None,
            aperture_radius=5,
        )
        results.append(phot(data, error=error))
    n_groups = N_GROUPS if request.param else STARS["n_sources"]
    assert len(np.unique(results[1]["group_id"])) == n_groups
    return results


def test_grids(models):
    ours, theirs = models
    np.testing.assert_array_equal(ours.data, theirs.data)
    np.testing.assert_array_equal(ours.grid_xypos, theirs.grid_xypos)


def test_same_stars(simulations):
    (_, ours), (_, theirs) = simulations
    assert len(ours) == STARS["n_sources"]
    assert ours.colnames == theirs.colnames
    for column in theirs.colnames:
        np.testing.assert_array_equal(ours[column], theirs[column])


def test_same_image(simulations):
    (ours, _), (theirs, _) = simulations
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * theirs.max())


def test_same_noise():
    ours = make_noise_image(SHAPE, **NOISE)
    theirs = photutils_datasets.make_noise_image(SHAPE, **NOISE)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("photutils_31")
def test_same_detections(observation):
    data, _ = observation
    ours = IRAFStarFinder(**FINDER)(data)
    theirs = photutils_detection.IRAFStarFinder(**FINDER)(data)
    assert len(ours) == len(theirs) == STARS["n_sources"]
    assert list(ours.colnames) == list(theirs.colnames)
    for column in theirs.colnames:
        # An angle of a nearly round star magnifies rounding.
        tolerance = 1e-4 if column == "orientation" else 1e-6
        np.testing.assert_allclose(
            ours[column], theirs[column], rtol=1e-6, atol=tolerance, err_msg=column
        )


def test_same_bookkeeping(tables):
    ours, theirs = tables
    assert list(ours.colnames) == list(theirs.colnames)
    for column in ("id", "group_id", "group_size", "n_pixels_fit"):
        np.testing.assert_array_equal(ours[column], theirs[column], err_msg=column)
    np.testing.assert_array_equal(np.asarray(ours["flags"]) & 8191, theirs["flags"])
    np.testing.assert_allclose(ours["flux_init"], theirs["flux_init"], rtol=1e-8)


@pytest.mark.parametrize("parameter", ["x", "y", "flux"])
def test_same_fits(tables, parameter, check_fits):
    """photutils stops within 5e-5 errors of the minimum here."""
    check_fits(*tables, parameter)


def test_same_metrics(tables):
    ours, theirs = tables
    np.testing.assert_allclose(ours["qfit"], theirs["qfit"], rtol=2e-3)
    np.testing.assert_allclose(ours["reduced_chi2"], theirs["reduced_chi2"], rtol=1e-3)
    difference = np.abs(np.asarray(ours["cfit"]) - np.asarray(theirs["cfit"]))
    assert np.all(difference <= 2e-3 * np.asarray(theirs["qfit"]))


@pytest.fixture(scope="module")
def notebooks(nircam_grid, photutils_31, tmp_path_factory):
    """The whole notebook with our imports and with its own.

    It reads a file whose keywords and planes are in one order, so that both
    packages see one grid.
    """
    tweakwcs = pytest.importorskip("tweakwcs")
    directory = tmp_path_factory.mktemp("notebook")
    grid = GriddedPSFModel.read(nircam_grid, grid_order="header")
    grid.write(directory / GRID)
    return (
        run_script(directory, "psfphot", "psfphot.matching"),
        run_script(directory, "photutils", tweakwcs.__name__),
    )


def test_the_notebook_runs_and_warns_as_often(notebooks):
    ours, theirs = notebooks
    for run in notebooks:
        assert len(run.stars) == len(run.phot) == len(run.ref_idx) == 500
        assert run.n_groups == N_GROUPS
        # Ours also says what its errors do, once for each call.
        n_own = sum(w.category is DataErrorWarning for w in run.warnings)
        assert n_own == (N_FITS if run is ours else 0)
        assert len(run.warnings) - n_own == 3
    assert set(theirs.names) == set(ours.names)


def test_the_notebook_s_columns(notebooks):
    ours, theirs = notebooks
    for name in ("params", "stars", "first_stars", "phot", "fitted", "grouped", "one"):
        assert ours.names[name].colnames == theirs.names[name].colnames
        assert len(ours.names[name]) == len(theirs.names[name])
    for name in ("ref_idx", "fit_idx", "group_ids"):
        np.testing.assert_array_equal(ours.names[name], theirs.names[name])
    np.testing.assert_array_equal(ours.cmap.colors, theirs.cmap.colors)


@pytest.mark.parametrize("parameter", ["x", "y", "flux"])
@pytest.mark.parametrize("table", ["phot", "grouped", "one"])
def test_the_notebook_s_fits(notebooks, table, parameter, check_fits):
    ours, theirs = notebooks
    check_fits(ours.names[table], theirs.names[table], parameter)


@pytest.mark.parametrize("image", ["resid", "grouped_resid", "one_resid"])
def test_the_notebook_s_residual_images(notebooks, image):
    """Stars of 1 % of an error differ by less than 1 % of the noise."""
    ours, theirs = (run.names[image] for run in notebooks)
    noise = NOISE["stddev"]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.01 * noise)
    if image != "one_resid":
        assert np.std(ours) == pytest.approx(noise, rel=2e-3)
        assert abs(np.mean(ours)) < 0.01 * noise
        # On the cores of stars too, where a wrong PSF would show.
        cores = notebooks[0].model > 50
        assert np.std(ours[cores]) < 1.1 * noise


def test_tweakwcs_matches_our_tables(notebooks):
    tweakwcs = pytest.importorskip("tweakwcs")
    ours = notebooks[0]
    pairs = tweakwcs.XYXYMatch(separation=1)(ours.refcat, ours.fitcat)
    np.testing.assert_array_equal(pairs, (ours.ref_idx, ours.fit_idx))
