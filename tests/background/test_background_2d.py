"""What `Background2D` takes, gives and refuses."""

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import NDData
from astropy.stats import SigmaClip
from astropy.utils.exceptions import AstropyDeprecationWarning, AstropyUserWarning
from astropy.utils.masked import Masked

from psfphot.background import (
    Background2D,
    BiweightScaleBackgroundRMS,
    BkgIDWInterpolator,
    BkgZoomInterpolator,
    MADStdBackgroundRMS,
    MedianBackground,
    StdBackgroundRMS,
)


@pytest.fixture
def data():
    return np.random.default_rng(4).normal(50, 3, (90, 70))


def maps(background):
    return [
        background.background,
        background.background_rms,
        background.background_mesh,
        background.background_rms_mesh,
    ]


def same(first, second):
    for one, other in zip(maps(first), maps(second), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_any_number_of_threads_gives_the_same_bits(data):
    mask = np.random.default_rng(1).random(data.shape) < 0.08
    for interpolator in (None, BkgIDWInterpolator()):
        settings = {"mask": mask, "interpolator": interpolator}
        one = Background2D(data, 11, n_threads=1, **settings)
        same(one, Background2D(data, 11, n_threads=4, **settings))


def test_masks_of_all_kinds_of_arrays_count(data):
    mask = np.random.default_rng(2).random(data.shape) < 0.04
    expected = Background2D(data, 15, mask=mask)
    quantity = data * u.Jy
    for each in (
        np.ma.array(data, mask=mask),
        Masked(data, mask),
        NDData(data, mask=mask),
        NDData(quantity, mask=mask),
        NDData(data, mask=mask, unit="Jy"),
    ):
        same(Background2D(each, 15), expected)
    background = Background2D(quantity, 15, mask=mask, filter_threshold=49 * u.Jy)
    units = {each.unit for each in maps(background)}
    assert units == {u.Jy}
    assert background.background_median.unit == u.Jy
    assert background.background_rms_median.unit == u.Jy


def test_dtypes(data):
    for dtype, expected in (("f4", "f4"), (">f8", "f8"), ("i2", "f4"), ("u1", "f4")):
        background = Background2D(data.astype(dtype), 20)
        assert {each.dtype for each in maps(background)} == {np.dtype(expected)}
    integers = Background2D(np.full((40, 40), 2**25 + 1), 10)
    assert integers._meshes[0][0, 0] == 2**25 + 1


def test_pixels_without_data_get_the_fill_value(data):
    coverage = np.zeros(data.shape, bool)
    coverage[:, :25] = True
    broken = np.where(coverage, 1e9, data)
    background = Background2D(broken, 10, coverage_mask=coverage, fill_value=-1.5)
    assert (background.background[coverage] == -1.5).all()
    assert (background.background_rms[coverage] == -1.5).all()
    assert abs(background.background[~coverage] - 50).max() < 3
    assert background.n_pixels_map[0, 0] == 0
    assert background.n_pixels_map.shape == data.shape
    assert background.n_pixels_map[89, 69] == background.n_pixels_mesh[8, 6]


def test_pixels_that_are_not_finite_take_no_part_and_are_counted(data):
    data[3:8, 4] = [np.nan, np.inf, -np.inf, np.nan, np.nan]
    mask = ~np.isfinite(data)
    with pytest.warns(AstropyUserWarning, match="5 pixels of data are not finite"):
        background = Background2D(data, 15)
    same(background, Background2D(data, 15, mask=mask))


def test_callables_are_called_with_all_boxes(data):
    pytest.importorskip("scipy", reason="astropy's grow needs it")
    mask = np.random.default_rng(2).random(data.shape) < 0.04

    class Mine(MedianBackground):
        """A subclass, which the core does not know."""

    known = Background2D(
        data, 13, mask=mask, bkg_estimator=MedianBackground(), exclude_percentile=40
    )
    for settings in (
        {"bkg_estimator": np.nanmedian},
        {"bkg_estimator": Mine()},
        {"bkg_estimator": np.nanmedian, "bkg_rms_estimator": np.nanstd},
        {"bkg_estimator": MedianBackground(), "sigma_clip": SigmaClip(3, grow=1e-9)},
    ):
        background = Background2D(
            data, 13, mask=mask, exclude_percentile=40, **settings
        )
        for one, other in zip(maps(background), maps(known), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)
    constant = Background2D(
        data, 13, interpolator=lambda mesh, **kw: np.full(kw["shape"], mesh[0, 0])
    )
    assert np.ptp(constant.background) == 0


def test_a_box_without_a_number_spoils_no_other(data):
    def failing(boxes, axis):
        levels = np.nanmedian(boxes, axis=axis)
        levels[2, 2] = np.nan
        return levels

    background = Background2D(data, 10, bkg_estimator=failing)
    assert np.isfinite(background.background).all()


def test_old_names_warn(data):
    background = Background2D(data, 20)
    with pytest.warns(AstropyDeprecationWarning, match="n_pixels_mesh"):
        old = background.npixels_mesh
    np.testing.assert_array_equal(old, background.n_pixels_mesh)
    with pytest.warns(AstropyDeprecationWarning, match="n_pixels_map"):
        np.testing.assert_array_equal(background.npixels_map, background.n_pixels_map)


def test_boxes_are_drawn(data):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    axes = figure.subplots()
    mask = np.zeros(data.shape, bool)
    mask[:20, :20] = True
    Background2D(data, 20, mask=mask, exclude_percentile=80).plot_meshes(
        ax=axes, outlines=True, color="red", lw=2
    )
    markers = axes.collections[0].get_offsets()
    assert len(markers) == len(axes.patches) == 5 * 4 - 1
    assert tuple(markers[0]) == (29.5, 9.5)
    assert axes.patches[0].get_xy() == (19.5, -0.5)
    assert axes.patches[0].get_width() == 20
    assert axes.patches[0].get_linewidth() == 2


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"box_size": 0}, ValueError, "box_size must be >= 1"),
        ({"box_size": 2.5}, ValueError, "box_size must have integer"),
        ({"filter_size": 2}, ValueError, "filter_size must have an odd"),
        ({"exclude_percentile": 101}, ValueError, "exclude_percentile must be betw"),
        ({"exclude_percentile": "a"}, TypeError, "exclude_percentile must be a num"),
        ({"mask": np.ones((2, 2), bool)}, ValueError, "data and mask must have the"),
        ({"coverage_mask": np.ones((2, 2), bool)}, ValueError, "data and coverage_m"),
        ({"mask": np.ones((90, 70), bool)}, ValueError, "All input pixels are masked"),
        ({"mask": np.full((90, 70), 0.5)}, TypeError, "mask must be a boolean array"),
        ({"sigma_clip": 3}, TypeError, "sigma_clip must be callable"),
        ({"bkg_estimator": 3}, TypeError, "bkg_estimator must be callable"),
        ({"bkg_rms_estimator": 3}, TypeError, "bkg_rms_estimator must be callable"),
        ({"interpolator": 3}, TypeError, "interpolator must be callable"),
        ({"fill_value": "a"}, TypeError, "fill_value must be a number"),
        ({"filter_threshold": 3 * u.Jy}, ValueError, "filter_threshold must have"),
        ({"n_threads": 0}, ValueError, "n_threads must be None or at least 1"),
        (
            {"bkg_estimator": lambda boxes, axis: 0.0},  # noqa: ARG005
            ValueError,
            "bkg_estimator must return an array of shape",
        ),
    ],
)
def test_bad_calls_are_named(data, settings, error, message):
    with pytest.raises(error, match=message):
        Background2D(data, **({"box_size": 10} | settings))


def test_images_without_pixels_to_be_used_are_named(data):
    with pytest.raises(ValueError, match="all nonfinite"):
        Background2D(np.full((9, 9), np.nan), 3)
    with pytest.raises(ValueError, match="All input pixels are masked"):
        Background2D(np.zeros((0, 3)), 3)
    half = np.random.default_rng(1).random(data.shape) < 0.5
    with pytest.raises(ValueError, match="All boxes contain fewer than 90"):
        Background2D(data, 10, mask=half)


def test_bad_interpolators_are_named():
    for settings, message in (
        ({"order": 6}, "order must be <= 5"),
        ({"mode": "grid"}, "mode must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            BkgZoomInterpolator(**settings)
    for name in ("n_neighbors", "leafsize"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1"):
            BkgIDWInterpolator(**{name: 0})


def test_scatters_alone():
    values = np.random.default_rng(3).normal(5, 2, 4000)
    values[:40] = 300
    for kind in (StdBackgroundRMS, MADStdBackgroundRMS, BiweightScaleBackgroundRMS):
        assert float(kind()(values)) == pytest.approx(2, rel=0.05)
        columns = values.reshape(400, 10) * u.Jy
        result = kind()(columns, axis=0)
        assert result.shape == (10,)
        assert result.unit == u.Jy
        assert kind()(np.ma.array(values, mask=values > 100)) < 2.1
        assert np.isnan(kind()(np.full(3, np.nan)))
    from_7 = BiweightScaleBackgroundRMS(c=5, M=7.0)
    assert float(from_7(values)) > 2.3
    assert from_7(values.reshape(400, 10), axis=0).shape == (10,)
