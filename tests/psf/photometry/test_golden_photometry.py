"""PSFPhotometry against photutils' fits, the latter run to convergence."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from golden_fits import assert_same_fit, assert_same_metrics

from psfphot.background import LocalBackground
from psfphot.psf import CircularGaussianPRF, ImagePSF, PSFPhotometry, SourceGrouper

# The errors are the seed notebook's, sqrt(abs(data)), of which users are warned.
pytestmark = pytest.mark.filterwarnings(
    "ignore::psfphot.utils.exceptions.DataErrorWarning"
)

NAMES = [
    "ungrouped",
    "grouped",
    "realistic",
    "no_error",
    "no_error_grouped",
    "local_background",
    "bad_pixels",
    "bad_pixels_grouped",
    "image_psf",
    "gaussian",
    "gaussian_grouped",
]


@pytest.fixture(params=NAMES)
def case(request, load_golden):
    """The case's settings and photutils' table."""
    golden = load_golden("photometry")
    return golden["cases"][request.param], golden[request.param]


@pytest.fixture
def models(grid_model, grid_path):
    central = fits.getdata(grid_path)[4]
    return {
        "grid": grid_model,
        "image": ImagePSF(central, oversampling=4),
        "gaussian": CircularGaussianPRF(fwhm=2.6),
    }


def inputs(settings, simulation):
    """Data, error and mask; the same expressions made the golden data."""
    data = simulation["data"].copy()
    error = None
    if settings["error"] == "data":
        error = np.sqrt(np.abs(data))
    elif settings["error"] == "realistic":
        noise = simulation["setup"]["noise"]["stddev"]
        error = np.sqrt(noise**2 + np.abs(simulation["model"]))
    if settings["ramp"] is not None:
        level, per_x, per_y = settings["ramp"]
        y, x = np.indices(data.shape)
        data += level + per_x * x + per_y * y
    mask = None
    if settings["bad_pixels"]:
        data[simulation["nan_pixels"]] = np.nan
        mask = simulation["mask"]
    return data, error, mask


def fit(settings, models, simulation, init):
    """Run our PSFPhotometry as the case says."""
    data, error, mask = inputs(settings, simulation)
    separation, radii = settings["min_separation"], settings["local_bkg_radii"]
    phot = PSFPhotometry(
        models[settings["model"]],
        tuple(settings["fit_shape"]),
        grouper=None if separation is None else SourceGrouper(separation),
        aperture_radius=settings["aperture_radius"],
        local_bkg_estimator=None if radii is None else LocalBackground(*radii),
        covariance="unit" if error is None else None,
    )
    if not settings["bad_pixels"]:
        return phot(data, error=error, mask=mask, init_params=init)
    with pytest.warns(AstropyUserWarning, match="unmasked non-?finite values"):
        return phot(data, error=error, mask=mask, init_params=init)


def starts(expected, columns):
    """A start table of the golden table's own starts."""
    return QTable({c: expected[c] for c in ("id", *(f"{c}_init" for c in columns))})


def test_fit(case, models, simulation):
    """From photutils' own positions, first fluxes and backgrounds.

    The errors are without the noise of a background that is given.
    """
    settings, expected = case
    init = starts(expected, ["x", "y", "flux"])
    init["local_bkg"] = expected["local_bkg"]
    table = fit(settings, models, simulation, init)
    assert len(table) == len(expected)
    for column in ("id", "group_id", "group_size", "n_pixels_fit", "flags"):
        np.testing.assert_array_equal(table[column], expected[column], err_msg=column)
    assert_same_fit(table, expected)


def test_metrics(case, models, simulation):
    settings, expected = case
    init = starts(expected, ["x", "y", "flux"])
    table = fit(settings, models, simulation, init)
    assert_same_metrics(table, expected)


def test_first_flux_and_background(case, models, simulation):
    """From positions alone: aperture sum minus background times area."""
    settings, expected = case
    init = starts(expected, ["x", "y"])
    table = fit(settings, models, simulation, init)
    np.testing.assert_allclose(
        table["local_bkg"], expected["local_bkg"], rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(table["flux_init"], expected["flux_init"], rtol=1e-9)
    assert_same_fit(table, expected)


def test_columns(case, models, simulation):
    settings, expected = case
    init = starts(expected, ["x", "y", "flux"])
    table = fit(settings, models, simulation, init)
    assert tuple(table.colnames) == expected.dtype.names
    for column in table.colnames:
        assert table[column].dtype == expected.dtype[column], column


def test_a_far_start_ends_at_the_same_place(load_golden, grid_model, simulation):
    """A tenth of a pixel and a third of the flux away."""
    golden = load_golden("photometry")
    settings, expected = golden["cases"]["realistic"], golden["realistic"]
    init = starts(expected, ["x", "y", "flux"])
    # The box is chosen by the start: move only within the same pixel.
    for column in ("x_init", "y_init"):
        init[column] += 0.1 * np.sign(np.round(init[column]) - init[column])
    init["flux_init"] *= 0.67
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = fit(settings, {"grid": grid_model}, simulation, init)
    assert_same_fit(table, expected)


def test_all_cases_are_tested(load_golden):
    assert sorted(NAMES) == sorted(load_golden("photometry")["cases"])
