"""`Background2D` against photutils' on masks of all kinds."""

import warnings

import numpy as np
import pytest
from astropy import units as u

import psfphot.background

pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("photutils_31")]

theirs = pytest.importorskip("photutils.background")

HOLES = {"none": 0, "few": 8, "many": 120}


@pytest.fixture
def image():
    rng = np.random.default_rng(12)
    y, x = np.mgrid[:311, :257]
    data = 300 + 0.2 * x + 0.1 * y + rng.normal(0, 5, y.shape)
    data[rng.random(y.shape) < 0.02] += 200
    return data


def holes(shape, n):
    rng = np.random.default_rng(n)
    mask = rng.random(shape) < 0.03
    for _ in range(n):
        y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        mask[y : y + 15, x : x + 15] = True
    return mask


def compare(data, box_size, tolerance=1e-9, **settings):
    ours = psfphot.background.Background2D(data, box_size, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = theirs.Background2D(data, box_size, **settings)
    scale = np.median(other.background_rms_mesh)
    for name in (
        "background",
        "background_rms",
        "background_mesh",
        "background_rms_mesh",
        "background_median",
        "background_rms_median",
    ):
        one, two = getattr(ours, name), getattr(other, name)
        assert one.dtype == two.dtype
        assert getattr(one, "unit", None) == getattr(two, "unit", None)
        assert np.max(np.abs(one - two) / scale) < tolerance, name
    np.testing.assert_array_equal(ours.n_pixels_mesh, other.n_pixels_mesh)
    np.testing.assert_array_equal(ours.n_pixels_map, other.n_pixels_map)


@pytest.mark.parametrize("box_size", [9, 16, (31, 20), 400])
@pytest.mark.parametrize("kind", HOLES)
def test_holes_are_filled_alike(image, kind, box_size):
    """Also where several boxes are equally far, as in every hole."""
    mask = holes(image.shape, HOLES[kind])
    compare(image, box_size, mask=mask, exclude_percentile=60)
    if box_size != 400:
        compare(image, box_size, mask=mask)


@pytest.mark.parametrize(
    "settings",
    [
        {"filter_size": (1, 5)},
        {"filter_threshold": 340.0},
        {"sigma_clip": None},
        {"exclude_percentile": 5},
        {"exclude_percentile": 100},
        {"bkg_estimator": np.nanmean, "bkg_rms_estimator": np.nanstd},
        {"bkg_estimator": theirs.MMMBackground()},
        {"bkg_rms_estimator": theirs.BiweightScaleBackgroundRMS(c=7)},
    ],
)
def test_settings(image, settings):
    compare(image, 25, mask=holes(image.shape, 3), **settings)


def test_kinds_of_images(image):
    compare(image << u.Jy, 25)
    # float32 rounds a level of 350 to 3e-5, of a noise of 5.
    compare(image.astype("f4"), 25, tolerance=2e-5)
    compare(image.astype("i4"), 25, tolerance=2e-5)
    mask = holes(image.shape, 3)
    compare(np.ma.array(image, mask=mask), 25)
    compare(image, 25, coverage_mask=mask, fill_value=7)
