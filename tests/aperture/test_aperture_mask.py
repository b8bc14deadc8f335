"""Masks of apertures, their boxes, and apertures on the sky."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from psfphot.aperture import (
    ApertureMask,
    BoundingBox,
    CircularAnnulus,
    CircularAperture,
    SkyCircularAnnulus,
    SkyCircularAperture,
)
from psfphot.datasets import make_wcs

METHODS = ("exact", "center", "subpixel")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "aperture",
    [
        CircularAperture((10.3, 7.6), r=3.2),
        CircularAnnulus((0.4, 18.7), r_in=2.1, r_out=4.9),
        CircularAperture((5.0, 5.0), r=0.3),
    ],
    ids=["circle", "ring over the edge", "small"],
)
def test_weights_are_those_of_the_sums(aperture, method):
    data = np.random.default_rng(0).normal(5, 1, (20, 22))
    mask = aperture.to_mask(method=method)
    assert mask.bbox == aperture.bbox
    assert ((mask.data >= 0) & (mask.data <= 1)).all()
    total, _ = aperture.do_photometry(data, method=method)
    np.testing.assert_allclose(mask.get_values(data).sum(), total[0], rtol=1e-12)
    np.testing.assert_allclose(np.sum(mask.multiply(data)), total[0], rtol=1e-12)
    image = mask.to_image(data.shape)
    np.testing.assert_allclose((image * data).sum(), total[0], rtol=1e-12)
    assert np.asarray(mask).shape == mask.shape == mask.bbox.shape


def test_centres_inside_count_by_hand():
    aperture = CircularAperture([(5, 5), (6.5, 5)], r=1.5)
    square, other = aperture.to_mask(method="center")
    y, x = np.mgrid[-1:2, -1:2]
    box = square.bbox
    inside = square.data[5 - 1 - box.iymin : 5 + 2 - box.iymin][:, 4 - box.ixmin :][
        :, :3
    ]
    np.testing.assert_array_equal(inside, x**2 + y**2 < 1.5**2)
    assert square.data.sum() == 9
    assert other.data.sum() == 6


def test_cutouts_fill_and_keep_units():
    data = np.arange(25.0).reshape(5, 5) << u.Jy
    mask = CircularAperture((0, 0), r=1).to_mask()
    cutout = mask.cutout(data, fill_value=-1)
    assert cutout.unit == u.Jy
    assert cutout[0, 0].value == -1
    np.testing.assert_array_equal(cutout[-2:, -2:], data[:2, :2])
    inner = CircularAperture((2, 2), r=1).to_mask()
    view, copied = inner.cutout(data.value), inner.cutout(data.value, copy=True)
    assert np.shares_memory(view, data)
    assert not np.shares_memory(copied, data)
    bad = data.value.copy()
    bad[1, 1] = np.nan  # a corner, of which nothing is inside
    assert np.isfinite(CircularAperture((2, 2), r=0.7).to_mask().multiply(bad)).all()
    away = CircularAperture((50, 50), r=1).to_mask()
    assert away.cutout(data) is None
    assert away.multiply(data) is None
    assert away.to_image((5, 5)) is None
    assert away.get_values(data).shape == (0,)


def test_masks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="same shape"):
        ApertureMask(np.ones((2, 2)), BoundingBox(0, 3, 0, 2))
    mask = CircularAperture((2, 2), r=1).to_mask()
    with pytest.raises(ValueError, match="same shape"):
        mask.get_values(np.ones((5, 5)), mask=np.ones((2, 2)))
    with pytest.raises(ValueError, match="must be 2D"):
        mask.cutout(np.ones(5))
    with pytest.raises(ValueError, match="method must be one of"):
        CircularAperture((2, 2), r=1).to_mask(method="best")
    with pytest.raises(ValueError, match="at most"):
        CircularAperture((2, 2), r=1e9).to_mask()


def test_boxes_check_their_arguments():
    assert BoundingBox(np.int64(1), 2, 3, 4) == BoundingBox(1, 2, 3, 4)
    for bad in (1.0, "a", None):
        with pytest.raises(TypeError, match="ixmax must be an integer"):
            BoundingBox(0, bad, 0, 1)
    with pytest.raises(ValueError, match="ixmin must be <= ixmax"):
        BoundingBox(3, 2, 0, 1)
    with pytest.raises(ValueError, match="iymin must be <= iymax"):
        BoundingBox(0, 2, 4, 1)


def test_boxes_of_boxes():
    one, other = BoundingBox(0, 5, 2, 7), BoundingBox(3, 9, -1, 4)
    assert one.union(other) == BoundingBox(0, 9, -1, 7)
    assert one.intersection(other) == BoundingBox(3, 5, 2, 4)
    assert one.intersection(BoundingBox(8, 9, 0, 1)) is None
    assert BoundingBox.from_float(1.4, 10.4, 1.6, 10.6) == BoundingBox(1, 11, 2, 12)
    large, small = other.get_overlap_slices((6, 6))
    assert large == (slice(0, 4), slice(3, 6))
    assert small == (slice(1, 5), slice(0, 3))
    assert other.get_overlap_slices((6, 3)) == (None, None)


def test_apertures_go_to_the_sky_and_back():
    wcs = make_wcs((100, 120))
    for aperture in (
        CircularAperture([(20, 30), (70.5, 11)], r=4),
        CircularAnnulus((20, 30), r_in=2, r_out=4),
    ):
        on_sky = aperture.to_sky(wcs)
        # Pixels of 0.1 arcsec.
        for name in aperture.radius_names:
            radius = getattr(on_sky, name).to_value(u.arcsec)
            np.testing.assert_allclose(radius, getattr(aperture, name) / 10, rtol=1e-6)
        back = on_sky.to_pixel(wcs)
        np.testing.assert_allclose(back.positions, aperture.positions, atol=1e-9)
        np.testing.assert_allclose(back.area, aperture.area, rtol=1e-9)
        assert on_sky == aperture.to_sky(wcs)
        assert on_sky.shape == aperture.shape


def test_apertures_on_the_sky_check_their_arguments():
    sky = SkyCoord([10, 11] * u.deg, [20, 21] * u.deg)
    aperture = SkyCircularAperture(sky, 1 * u.arcsec)
    assert len(aperture) == 2
    assert [each.isscalar for each in aperture] == [True, True]
    assert aperture != SkyCircularAperture(sky, 2 * u.arcsec)
    assert "r: 1.0 arcsec" in str(aperture)
    with pytest.raises(TypeError, match="SkyCoord"):
        SkyCircularAperture((1, 2), 1 * u.arcsec)
    with pytest.raises(TypeError, match="'r' must be a positive angle"):
        SkyCircularAperture(sky, 1)
    for bad in (-1 * u.arcsec, 1 * u.pix, np.nan * u.deg):
        with pytest.raises(ValueError, match="'r' must be a positive angle"):
            SkyCircularAperture(sky, bad)
    with pytest.raises(ValueError, match="r_in < r_out"):
        SkyCircularAnnulus(sky, 2 * u.arcsec, 1 * u.arcsec)
