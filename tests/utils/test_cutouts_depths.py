"""Cutouts, footprints and the depths of images."""

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import NoOverlapError, PartialOverlapError
from astropy.stats import SigmaClip
from astropy.utils.exceptions import AstropyDeprecationWarning, AstropyUserWarning

from psfphot.aperture import BoundingBox
from psfphot.utils import (
    CutoutImage,
    ImageDepth,
    NoDetectionsWarning,
    PhotutilsDeprecationWarning,
    circular_footprint,
    exceptions,
)
from psfphot.utils._footprints import dilate


def test_warnings_can_be_had_of_both_addresses():
    assert exceptions.NoDetectionsWarning is NoDetectionsWarning
    assert exceptions.PhotutilsDeprecationWarning is PhotutilsDeprecationWarning
    assert issubclass(PhotutilsDeprecationWarning, AstropyDeprecationWarning)
    assert NoDetectionsWarning.__module__ == "psfphot.utils.exceptions"


def test_footprints():
    disk = circular_footprint(3.0)
    assert disk.shape == (7, 7)
    assert disk.sum() == 29  # of lattice points within 3
    assert circular_footprint(2, dtype=bool).dtype == bool
    for bad in (0, -1, 2.5, np.inf, np.nan):
        with pytest.raises(ValueError, match="whole number above 0"):
            circular_footprint(bad)


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_dilation_by_a_disk(radius):
    mask = np.random.default_rng(0).random((23, 31)) < 0.01
    mask[0, 0] = True
    y, x = np.indices(mask.shape)
    expected = np.zeros(mask.shape, dtype=bool)
    for j, i in np.argwhere(mask):
        expected |= (x - i) ** 2 + (y - j) ** 2 <= radius**2
    np.testing.assert_array_equal(dilate(mask, radius), expected)


def test_cutouts_know_where_they_are_from():
    data = np.arange(30.0).reshape(5, 6)
    cutout = CutoutImage(data, (1, 4), (3, 5))
    np.testing.assert_array_equal(cutout.data, data[0:3, 2:6])
    assert cutout.bbox_original == BoundingBox(2, 6, 0, 3)
    assert cutout.bbox_cutout == BoundingBox(0, 4, 0, 3)
    assert cutout.xyorigin.tolist() == [2, 0]
    assert np.shares_memory(cutout.data, data)
    assert np.asarray(cutout).shape == cutout.shape == (3, 4)
    filled = CutoutImage(data, (0, 0), (3, 3), mode="partial", fill_value=-1)
    assert filled.xyorigin.tolist() == [-1, -1]
    assert filled.data[0].tolist() == [-1, -1, -1]
    assert not np.shares_memory(CutoutImage(data, (2, 2), (3, 3), copy=True).data, data)
    assert "shape=(3, 4)" in repr(cutout)
    with pytest.raises(PartialOverlapError):
        CutoutImage(data, (0, 0), (3, 3), mode="strict")
    with pytest.raises(NoOverlapError):
        CutoutImage(data, (50, 50), (3, 3))


def test_the_depth_is_that_of_the_noise():
    data = np.random.default_rng(0).normal(0, 2, (300, 400))
    mask = np.zeros(data.shape, dtype=bool)
    mask[50:100, 50:100] = True
    data[mask] = 1e6
    depth = ImageDepth(3, seed=1, zeropoint=25, progress_bar=False)
    flux, magnitude = depth(data << u.nJy, mask)
    # Of independent pixels with these weights; the clipping takes 1 % off.
    weights = [(mask.data**2).sum() for mask in depth.apertures[0].to_mask()]
    expected = 0.99 * 5 * 2 * np.sqrt(np.mean(weights))
    np.testing.assert_allclose(flux.to_value(u.nJy), expected, rtol=0.03)
    np.testing.assert_allclose(magnitude, 25 - 2.5 * np.log10(flux.value))
    assert len(depth.apertures) == depth.n_iters == len(depth.flux_limits)
    for apertures in depth.apertures:
        x, y = apertures.positions.T
        assert ((x > 2) & (x < 397) & (y > 2) & (y < 297)).all()
        beyond = np.hypot(*(np.clip(each, 50, 99) - each for each in (x, y)))
        assert (beyond > 3 - 0.5 * np.sqrt(2)).all()
    again = ImageDepth(3, seed=1, zeropoint=25, progress_bar=False)
    assert again(data, mask)[0] == flux.value


def test_apertures_that_do_not_overlap():
    data = np.random.default_rng(0).normal(0, 2, (100, 100))
    settings = {"overlap": False, "seed": 0, "n_iters": 1, "progress_bar": False}
    depth = ImageDepth(4, n_apertures=40, sigma_clip=None, **settings)
    depth(data, None)
    places = depth.apertures[0].positions
    apart = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
    assert apart[~np.eye(40, dtype=bool)].min() > 8
    with pytest.warns(AstropyUserWarning, match="only .* apertures") as caught:
        ImageDepth(4, n_apertures=500, **settings)(data, None)
    assert caught[0].filename == __file__
    with pytest.warns(AstropyUserWarning, match="limit is 0"):
        depth(np.zeros((100, 100)), None)


def test_depths_that_cannot_be_measured_are_refused():
    for name, bad in {
        "aper_radius": 0,
        "n_sigma": -1,
        "mask_pad": -1,
        "n_apertures": 0,
        "n_iters": 0,
    }.items():
        with pytest.raises(ValueError, match=name):
            ImageDepth(**({"aper_radius": 3} | {name: bad}))
    with pytest.raises(TypeError, match="sigma_clip"):
        ImageDepth(3, sigma_clip=3)
    depth = ImageDepth(3, progress_bar=False)
    with pytest.raises(ValueError, match="no pixel is left"):
        depth(np.ones((20, 20)), np.ones((20, 20), dtype=bool))
    with pytest.raises(ValueError, match="too many apertures"):
        depth(np.ones((20, 20)), None)
    with pytest.warns(PhotutilsDeprecationWarning, match="n_sigma"):
        assert ImageDepth(3, nsigma=4, sigma_clip=SigmaClip(2)).n_sigma == 4
    assert "n_sigma=5.0" in repr(depth)
