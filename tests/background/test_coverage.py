"""Which pixels hold no data."""

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import NDData

from psfphot.background import coverage_mask


@pytest.fixture
def data():
    return np.random.default_rng(5).normal(10, 3, (120, 90))


def test_a_whole_image_is_covered(data):
    coverage = coverage_mask(data, error=np.ones_like(data), weight=np.ones(data.shape))
    assert not coverage.mask.any()
    assert coverage.causes == coverage.counts == {}


def test_each_cause_has_its_mask(data):
    data[0, :2] = [np.nan, np.inf]
    data[5, 5] = 0
    data[10:20, 10:20] = -4.0
    error, weight = np.ones_like(data), np.ones_like(data)
    error[1, :4] = [0, -1, np.nan, np.inf]
    weight[2, :4] = [0, -1, np.nan, np.inf]
    coverage = coverage_mask(data, error=error, weight=weight)
    assert coverage.counts == {
        "not finite": 2,
        "error": 4,
        "weight": 4,
        "zero": 1,
        "flat": 100,
    }
    assert coverage.causes["error"][1, :4].all()
    assert coverage.causes["weight"][2, :4].all()
    assert coverage.causes["flat"][10:20, 10:20].all()
    assert coverage.mask.sum() == 111


def test_zeros_are_data_where_values_are_few(data):
    counts = np.round(data - 9.5)
    assert (counts == 0).sum() > 500
    for image in (counts, counts.astype("f4"), counts.astype("i2")):
        assert not coverage_mask(image).mask.any()
    counts[:40, :40] = -20
    assert coverage_mask(counts.astype("i2")).counts == {"flat": 1600}
    # As bright as a saturated star is no hole.
    counts[60:90, 60:90] = 5000
    assert coverage_mask(counts).counts == {"flat": 1600}


def test_a_mosaic_with_zeros_outside(data):
    y, x = np.mgrid[:120, :90]
    outside = x + y < 60
    data[outside] = 0
    mask = np.zeros(data.shape, bool)
    mask[100, 80] = True
    for each in (
        np.ma.array(data, mask=mask),
        np.ma.array(data.astype(">f4"), mask=mask),
    ):
        coverage = coverage_mask(each)
        np.testing.assert_array_equal(coverage.mask, outside | mask)
        np.testing.assert_array_equal(coverage.causes["zero"], outside)
    for each in (data * u.Jy, NDData(data, unit="Jy")):
        np.testing.assert_array_equal(coverage_mask(each).mask, outside)
    error = np.where(outside, 0, 1.0) * u.mJy
    assert coverage_mask(data * u.Jy, error=error).counts["error"] == outside.sum()


def test_images_without_anything():
    assert coverage_mask(np.zeros((5, 5))).counts == {}
    assert coverage_mask(np.full((5, 5), np.nan)).mask.all()
    assert coverage_mask(np.zeros((0, 5))).mask.shape == (0, 5)


def test_bad_calls_are_named(data):
    with pytest.raises(ValueError, match="data and weight must have the same shape"):
        coverage_mask(data, weight=np.ones((3, 3)))
    with pytest.raises(ValueError, match="data and error must have the same shape"):
        coverage_mask(data, error=np.ones((3, 3)))
    with pytest.raises(TypeError, match="weight must be an array of real"):
        coverage_mask(data, weight=data * 1j)
