"""Groups of any size, up to the whole frame."""

import math

import numpy as np
import pytest
from astropy.table import QTable
from frames.renderer import gaussian_integral
from frames.score import robust_width

from psfphot.datasets import make_model_image
from psfphot.psf import CircularGaussianPRF, OverlapGrouper, PSFPhotometry

# Of the closest pairs some have not converged, and their flags say so.
pytestmark = pytest.mark.filterwarnings("ignore:One or more fit.s. may not")

SIDE = 380
PSF = CircularGaussianPRF(fwhm=3.0)


@pytest.fixture(scope="module")
def scene():
    """Make as crowded a field as 20,000 stars on 2048 x 2048 pixels are."""
    rng = np.random.default_rng(3)
    n = 690
    truth = QTable({name: rng.uniform(0, SIDE - 1, n) for name in ("x_0", "y_0")})
    truth["flux"] = np.exp(rng.uniform(*np.log((500, 50_000)), n))
    data = make_model_image((SIDE, SIDE), PSF, truth, model_shape=(25, 25))
    error = np.sqrt(data + 125)
    data += error * rng.normal(size=data.shape)
    starts = QTable({"flux": truth["flux"] * rng.uniform(0.8, 1.2, n)})
    for name in "xy":
        starts[name] = truth[f"{name}_0"] + rng.normal(0, 0.1, n)
    starts["group_id"] = 1
    return data, error, truth, starts


def fitted(scene, **options):
    data, error, _, starts = scene
    photometry = PSFPhotometry(PSF, 7, group_warning_threshold=10**9, **options)
    return photometry(data, error=error, init_params=starts)


@pytest.fixture(scope="module")
def table(scene):
    return fitted(scene)


def test_errors_are_right(scene, table):
    pull = (table["flux_fit"] - scene[2]["flux"]) / table["flux_err"]
    assert 0.93 < robust_width(pull) < 1.07
    assert np.std(pull) < 1.15
    assert np.mean(np.abs(pull) > 5) < 0.005
    assert np.all(table["flux_fit"] > 0)
    assert np.mean(table["flags"] & 8 > 0) < 0.06


def test_threads_change_no_bit(scene, table):
    serial = fitted(scene, n_threads=1)
    for name in ("x_fit", "flux_fit", "flux_err", "qfit"):
        np.testing.assert_array_equal(serial[name], table[name])


def test_no_stars_pixels_are_lost_for_good(scene):
    data, error, truth, starts = scene
    data, mask = data.copy(), np.zeros(data.shape, dtype=bool)
    # A star behind a mask, one with a saturated core, and a hole of NaN.
    (x, y), (u, v) = ([int(truth[i][k]) for k in ("x_0", "y_0")] for i in (0, 1))
    mask[max(y - 6, 0) : y + 7, max(x - 6, 0) : x + 7] = True
    mask[max(v - 1, 0) : v + 2, max(u - 1, 0) : u + 2] = True
    data[100:110, 100:120] = np.nan
    photometry = PSFPhotometry(PSF, 7, group_warning_threshold=10**9)
    with pytest.warns(UserWarning, match="non-finite|flags"):
        table = photometry(data, error=error, mask=mask, init_params=starts)
    assert table["flags"][0] & 128
    good = np.isfinite(table["flux_err"])
    assert np.mean(good) > 0.98
    pull = ((table["flux_fit"] - truth["flux"]) / table["flux_err"])[good]
    assert 1.4826 * np.median(np.abs(pull)) < 1.08


def test_bounds_and_fixed_positions(scene):
    data, error, truth, starts = scene
    model = PSF.copy()
    model.x_0.fixed = model.y_0.fixed = True
    exact = starts.copy()
    exact["x"], exact["y"] = truth["x_0"], truth["y_0"]
    photometry = PSFPhotometry(model, 7, group_warning_threshold=10**9)
    table = photometry(data, error=error, init_params=exact)
    pull = (table["flux_fit"] - truth["flux"]) / table["flux_err"]
    assert 0.9 < np.std(pull) < 1.1
    assert np.all(table["flags"] & 8 == 0)
    bounded = fitted(scene, xy_bounds=0.05)
    for name in "xy":
        assert np.max(np.abs(bounded[f"{name}_fit"] - starts[name])) <= 0.05 + 1e-12


def test_the_grouper_of_overlapping_boxes():
    x, y = [0.0, 50.0, 4.0, 8.0, 50.4], [0.0, 0.0, 0.0, 5.0, 2.0]
    assert OverlapGrouper(5)(x, y).tolist() == [1, 2, 1, 3, 2]
    assert OverlapGrouper((11, 5))(x, y).tolist() == [1, 2, 1, 1, 2]
    groups = OverlapGrouper(5)(x, y, return_groups_object=True)
    assert groups.size_map == {1: 2, 2: 2, 3: 1}
    with pytest.raises(ValueError, match="box_shape must be given"):
        OverlapGrouper()(x, y)
    with pytest.raises(ValueError, match="box_shape must have an odd value"):
        OverlapGrouper(4)
    with pytest.raises(ValueError, match="y coordinates must be finite"):
        OverlapGrouper(5)([0.0], [np.nan])
    assert repr(OverlapGrouper()) == "OverlapGrouper(box_shape=None)"


def test_the_grouper_takes_the_boxes_of_the_fit(scene):
    data, error, _, starts = scene
    starts = starts["x", "y", "flux"][:40]
    table = PSFPhotometry(PSF, (7, 5), grouper=OverlapGrouper())(
        data, error=error, init_params=starts
    )
    expected = OverlapGrouper((7, 5))(starts["x"], starts["y"])
    assert table["group_id"].tolist() == expected.tolist()


def test_no_error_is_missing_without_its_flag():
    """Where many stars share few pixels, rounding makes some variances none."""
    rng = np.random.default_rng(6)
    side, n, copies = 60, 60, 8
    truth = QTable({name: rng.uniform(3, side - 4, n) for name in ("x_0", "y_0")})
    truth["flux"] = 5000.0
    data = make_model_image((side, side), PSF, truth, model_shape=(25, 25))
    error = np.sqrt(data + 100)
    data += error * rng.normal(size=data.shape)
    starts = QTable({"flux": np.full(n * copies, 5000 / copies)})
    for name in "xy":
        starts[name] = np.tile(truth[f"{name}_0"], copies)
        starts[name] += rng.normal(0, 1, n * copies)
    table = PSFPhotometry(PSF, 7, grouper=OverlapGrouper())(
        data, error=error, init_params=starts
    )
    errors = [table[f"{name}_err"] for name in ("x", "y", "flux")]
    is_lost = table["flags"] & 16 > 0
    np.testing.assert_array_equal(np.all(np.isfinite(errors), axis=0), ~is_lost)
    assert np.all(np.array(errors)[:, ~is_lost] > 0)


@pytest.mark.parametrize("n_pairs", [1, 25])
def test_pairs_that_cannot_be_told_apart_say_so(n_pairs):
    """In a small group and in a large one, which are solved in two ways."""
    rng = np.random.default_rng(0)
    x = 12.3 + 20 * np.repeat(np.arange(n_pairs), 2)
    x[1::2] += np.where(np.arange(n_pairs) % 2 == 0, 0.5, 6.0)
    truth = QTable({"x_0": x, "y_0": np.full(len(x), 12.0)})
    truth["flux"] = 8000.0
    shape = (25, 20 * n_pairs + 10)
    data = make_model_image(shape, PSF, truth, model_shape=(25, 25))
    error = np.sqrt(data + 100)
    data += error * rng.normal(size=shape)
    starts = QTable({"x": x, "y": truth["y_0"], "flux": truth["flux"]})
    starts["group_id"] = 1
    table = PSFPhotometry(PSF, 7)(data, error=error, init_params=starts)
    is_told = (table["flags"] & 1048576 > 0).reshape(-1, 2).any(axis=1)
    np.testing.assert_array_equal(is_told, np.arange(n_pairs) % 2 == 0)


def test_forced_fluxes_of_a_crowd_are_those_of_the_linear_problem():
    # Whatever the start; the answer is numpy's, with the Gaussian's integral.
    rng = np.random.default_rng(2)
    n, side = 900, 100
    x, y = rng.uniform(0, side - 1, (2, n))
    edges = np.arange(side + 1) - 0.5
    width = 3.0 / math.sqrt(8 * math.log(2))
    rows, columns = (gaussian_integral(edges - p[:, None], width) for p in (y, x))
    design = (rows[:, :, None] * columns[:, None]).reshape(n, side * side).T
    flux = np.exp(rng.uniform(*np.log((500, 50_000)), n))
    light = design @ flux
    error = np.sqrt(light + 100)
    data = light + error * rng.normal(size=light.shape)
    is_used = np.zeros((side, side), bool)
    for i, j in zip(np.rint(y).astype(int), np.rint(x).astype(int), strict=True):
        is_used[max(i - 3, 0) : i + 4, max(j - 3, 0) : j + 4] = True
    weight = is_used.ravel() / error**2
    normal = design.T @ (design * weight[:, None])
    exact = np.linalg.solve(normal, design.T @ (data * weight))
    sigma = np.sqrt(np.diag(np.linalg.inv(normal)))

    psf = CircularGaussianPRF(fwhm=3.0)
    psf.x_0.fixed = psf.y_0.fixed = True
    photometry = PSFPhotometry(psf, 7, grouper=OverlapGrouper())
    for start in (flux, np.full(n, 100.0)):
        table = photometry(
            data.reshape(side, side),
            error=error.reshape(side, side),
            init_params=QTable({"x": x, "y": y, "flux": start}),
        )
        assert np.ptp(table["group_id"]) == 0
        assert not np.any(table["flags"] & 8)
        assert np.max(np.abs(table["flux_fit"] - exact) / sigma) < 0.05
        np.testing.assert_allclose(table["flux_err"], sigma, rtol=0.01)
