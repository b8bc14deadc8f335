"""Apertures and what is measured in them, beside photutils'."""

import warnings

import numpy as np
import pytest
from astropy.stats import SigmaClip

from psfphot import aperture as ours
from psfphot.datasets import make_4gaussians_image, make_wcs

theirs = pytest.importorskip("photutils.aperture")
pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("photutils_31")]

POSITIONS = [
    (150, 25),
    (90, 60),
    (-20, -20),
    (0, 0),
    (25, 40),
    (160, 70),
    (199.4, 99.2),
    (-2.3, 50),
    (120.3, 90.2),
]
KINDS = [
    ("CircularAperture", (8,)),
    ("CircularAperture", (0.4,)),
    ("CircularAnnulus", (4.2, 9.7)),
]
METHODS = [
    {"method": "exact"},
    {"method": "center"},
    {"method": "subpixel", "subpixels": 4},
]


@pytest.fixture(scope="module", name="scene")
def fixture_scene():
    """An image with masked pixels, and some that are not finite."""
    data = make_4gaussians_image()
    error = np.sqrt(np.abs(data))
    mask = np.zeros(data.shape, dtype=bool)
    mask[20:30, 140:160] = mask[58, 88] = True
    data[39, 26] = np.nan
    error[70, 160] = np.nan
    return data, error, mask, make_wcs(data.shape)


def assert_same(mine, yours, tolerance=1e-9):
    if mine is None:
        assert all(each is None for each in np.ravel(yours))
        return
    if hasattr(mine, "separation"):
        np.testing.assert_array_equal(np.isnan(mine.ra), np.isnan(yours.ra))
        assert np.nan_to_num(mine.separation(yours).arcsec).max() < tolerance
        return
    assert getattr(mine, "unit", None) == getattr(yours, "unit", None)
    mine = np.asarray(getattr(mine, "value", mine), dtype=float)
    yours = np.asarray(getattr(yours, "value", yours), dtype=float)
    np.testing.assert_allclose(mine, yours, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("settings", METHODS, ids=lambda settings: settings["method"])
@pytest.mark.parametrize("positions", [POSITIONS, POSITIONS[0]], ids=["many", "one"])
@pytest.mark.parametrize(("kind", "radii"), KINDS)
def test_photometry(scene, kind, radii, positions, settings):
    data, error, mask, wcs = scene
    options = {"error": error, "mask": mask, "wcs": wcs, **settings}
    mine = getattr(ours, kind)(positions, *radii)
    yours = getattr(theirs, kind)(positions, *radii)
    for apertures in ((mine, yours), ([mine] * 2, [yours] * 2)):
        ours_, theirs_ = (
            module.AperturePhotometry(data, each, **options)
            for module, each in zip((ours, theirs), apertures, strict=True)
        )
        for name in ("id", "x_center", "y_center", "sky_center"):
            assert_same(getattr(ours_, name), getattr(theirs_, name))
        for name in ("flux", "flux_err", "area", "flags"):
            assert_same(getattr(ours_, name), getattr(theirs_, name))
        table = ours_.to_table()
        assert table.colnames == theirs_.to_table().colnames
        mine_, yours_ = (
            module.aperture_photometry(data, each, **options)
            for module, each in zip((ours, theirs), apertures, strict=True)
        )
        assert mine_.colnames == yours_.colnames
        for name in mine_.colnames:
            assert_same(mine_[name], yours_[name])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sigma_clip": SigmaClip(2.0), "ddof": 1, "local_bkg": 5.0},
        {"sum_method": "center"},
    ],
    ids=["plain", "clipped", "center"],
)
@pytest.mark.parametrize("positions", [POSITIONS, POSITIONS[0]], ids=["many", "one"])
@pytest.mark.parametrize(("kind", "radii"), KINDS)
def test_statistics(scene, kind, radii, positions, settings):
    data, error, mask, wcs = scene
    options = {"error": error, "mask": mask, "wcs": wcs, **settings}
    mine, yours = (
        module.ApertureStats(data, getattr(module, kind)(positions, *radii), **options)
        for module in (ours, theirs)
    )
    assert mine.properties == yours.properties
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # photutils' of empty slices
        for name in mine.properties:
            if name in {"data_cutout", "data_sum_cutout", "error_sum_cutout", "bbox"}:
                continue
            if name == "sky_orientation" and radii == (0.4,):
                continue  # one pixel has none
            tolerance = 1e-5 if name == "sky_orientation" else 1e-9
            assert_same(getattr(mine, name), getattr(yours, name), tolerance)
        assert mine.to_table().colnames == yours.to_table().colnames


@pytest.mark.parametrize("settings", METHODS, ids=lambda settings: settings["method"])
@pytest.mark.parametrize(("kind", "radii"), KINDS)
def test_masks_and_skies(scene, kind, radii, settings):
    data, _, mask, wcs = scene
    mine = getattr(ours, kind)(POSITIONS, *radii)
    yours = getattr(theirs, kind)(POSITIONS, *radii)
    for ours_, theirs_ in zip(
        mine.to_mask(**settings), yours.to_mask(**settings), strict=True
    ):
        np.testing.assert_allclose(ours_.data, theirs_.data, atol=1e-12)
        assert str(ours_.bbox) == str(theirs_.bbox)
        for method, arguments in {
            "cutout": {},
            "multiply": {"fill_value": 3.0},
            "get_values": {"mask": mask},
        }.items():
            got = getattr(ours_, method)(data, **arguments)
            expected = getattr(theirs_, method)(data, **arguments)
            assert (got is None) == (expected is None)
            if got is not None:
                np.testing.assert_allclose(got, expected, atol=1e-12)
    sky, other = mine.to_sky(wcs), yours.to_sky(wcs)
    for name in mine.radius_names:
        np.testing.assert_allclose(
            getattr(sky, name).value, getattr(other, name).value, rtol=1e-9
        )
    np.testing.assert_allclose(
        sky.to_pixel(wcs).positions, other.to_pixel(wcs).positions, atol=1e-9
    )
