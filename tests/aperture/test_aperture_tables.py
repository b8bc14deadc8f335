"""AperturePhotometry, aperture_photometry and ApertureStats."""

import numpy as np
import pytest
from astropy import stats
from astropy import units as u
from astropy.nddata import NDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.aperture import (
    APERTURE_FLAGS,
    AperturePhotometry,
    ApertureStats,
    CircularAnnulus,
    CircularAperture,
    aperture_photometry,
    decode_aperture_flags,
)
from psfphot.datasets import make_wcs
from psfphot.utils.exceptions import PhotutilsDeprecationWarning

POSITIONS = [(20, 15), (0, 8), (-30, 8)]


@pytest.fixture(name="data")
def fixture_data():
    return np.random.default_rng(3).normal(10, 1, (30, 40))


@pytest.fixture(name="error")
def fixture_error(data):
    return np.sqrt(data)


def test_sums_errors_and_areas(data, error):
    circles = CircularAperture(POSITIONS, r=4)
    photometry = AperturePhotometry(data, circles, error=error)
    sums, errors = circles.do_photometry(data, error)
    np.testing.assert_array_equal(photometry.flux, sums)
    np.testing.assert_array_equal(photometry.flux_err, errors)
    np.testing.assert_allclose(photometry.area[0].value, circles.area)
    assert photometry.area.unit == u.pix**2
    assert photometry.decode_flags() == {
        1: [],
        2: ["partial_overlap"],
        3: ["no_overlap", "no_pixels"],
    }
    table = photometry.to_table()
    assert table.colnames == photometry.default_columns
    assert table.meta["aperture_r"] == 4


def test_bad_pixels_are_left_out_and_flagged(data, error):
    data[15, 20] = np.nan
    error[14, 20] = np.inf
    mask = np.zeros(data.shape, dtype=bool)
    mask[16, 20] = True
    circle = CircularAperture((20, 15), r=4)
    photometry = AperturePhotometry(data, circle, error=error, mask=mask)
    expected, _ = circle.do_photometry(np.where(mask | np.isnan(data), 0, data))
    np.testing.assert_allclose(photometry.flux, expected[0])
    np.testing.assert_allclose(photometry.area.value, circle.area - 2)
    names = ["masked_pixels", "non_finite_data", "non_finite_error"]
    assert photometry.decode_flags() == {1: names}
    # The function leaves a pixel without a value in.
    assert np.isnan(aperture_photometry(data, circle)["aperture_sum"][0])
    hidden = AperturePhotometry(data, circle, mask=np.ones(data.shape, dtype=bool))
    assert hidden.decode_flags() == {1: ["masked_pixels", "all_masked"]}


def test_lists_scalars_units_and_the_sky(data, error):
    wcs = make_wcs(data.shape)
    circles = [CircularAperture((20, 15), r=r) for r in (2, 3)]
    on_sky = [circle.to_sky(wcs) for circle in circles]
    image = data << u.Jy
    photometry = AperturePhotometry(image, on_sky, error=error << u.Jy, wcs=wcs)
    expected = [circle.do_photometry(data)[0][0] for circle in circles]
    np.testing.assert_allclose(photometry.flux.to_value(u.Jy), expected, rtol=1e-6)
    assert photometry.flux.shape == (2,)
    assert photometry.isscalar
    table = photometry.to_table(columns=["sky_center", "flux_0", "flux_1"][:1])
    assert table["sky_center"][0].separation(on_sky[0].positions) < 1e-9 * u.arcsec
    table = aperture_photometry(image, on_sky, wcs=wcs)
    assert table.colnames[-2:] == ["aperture_sum_0", "aperture_sum_1"]
    with pytest.warns(PhotutilsDeprecationWarning, match="x_center"):
        np.testing.assert_allclose(table["xcenter"], [20])


def test_nddata_brings_its_own(data, error):
    mask = data > 11
    nddata = NDData(
        data, mask=mask, uncertainty=StdDevUncertainty(error), wcs=make_wcs(data.shape)
    )
    circles = CircularAperture(POSITIONS[:2], r=4)
    one = AperturePhotometry(nddata, circles)
    other = AperturePhotometry(data, circles, error=error, mask=mask)
    np.testing.assert_array_equal(one.flux, other.flux)
    np.testing.assert_array_equal(one.flux_err, other.flux_err)
    assert "sky_center" in one.default_columns
    with pytest.warns(AstropyUserWarning, match="'mask' is ignored"):
        AperturePhotometry(nddata, circles, mask=mask)


def test_arguments_that_do_not_fit_are_refused(data):
    circle = CircularAperture((20, 15), r=4)
    with pytest.raises(ValueError, match="must not be empty"):
        AperturePhotometry(data, [])
    with pytest.raises(ValueError, match="same positions"):
        AperturePhotometry(data, [circle, CircularAperture((2, 3), r=4)])
    with pytest.raises(TypeError, match=r"circles or annuli of psfphot\.aperture"):
        aperture_photometry(data, "circle")
    with pytest.raises(ValueError, match="needs a WCS"):
        ApertureStats(data, circle.to_sky(make_wcs(data.shape)))
    with pytest.raises(ValueError, match="'sky_center'"):
        AperturePhotometry(data, circle).to_table(columns="sky_center")
    with pytest.raises(ValueError, match="method must be one of"):
        AperturePhotometry(data, circle, method="best")
    with pytest.raises(ValueError, match="sum_method must be one of"):
        ApertureStats(data, circle, sum_method="best")
    with pytest.raises(TypeError, match="SigmaClip"):
        ApertureStats(data, circle, sigma_clip=3)
    with pytest.raises(ValueError, match="local_bkg must be one finite value"):
        ApertureStats(data, circle, local_bkg=[1, 2])
    with pytest.raises(ValueError, match="local_bkg must have the unit"):
        ApertureStats(data, circle, local_bkg=1 * u.Jy)
    with pytest.raises(ValueError, match="columns must be of"):
        ApertureStats(data, circle).to_table(columns="nothing")


def test_statistics_are_those_of_the_pixels(data):
    ring = CircularAnnulus(POSITIONS[:2], r_in=3, r_out=6)
    statistics = ApertureStats(data, ring, ddof=1)
    for i, mask in enumerate(ring.to_mask(method="center")):
        values = mask.get_values(data)
        expected = {
            "mean": values.mean(),
            "median": np.median(values),
            "mode": 3 * np.median(values) - 2 * values.mean(),
            "std": values.std(ddof=1),
            "var": values.var(ddof=1),
            "min": values.min(),
            "max": values.max(),
            "mad_std": stats.mad_std(values),
            "biweight_location": stats.biweight_location(values),
            "biweight_midvariance": stats.biweight_midvariance(values),
            "mean_err": values.std(ddof=1) / np.sqrt(values.size),
            "median_err": np.sqrt(np.pi / 2 / values.size) * values.std(ddof=1),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(
                getattr(statistics, name)[i], value, err_msg=name
            )
        assert statistics.center_aper_area[i].value == values.size
    np.testing.assert_allclose(statistics.sum, ring.do_photometry(data)[0])


def test_shapes_are_those_of_a_gaussian():
    y, x = np.mgrid[:81, :101]
    angle, major, minor = np.deg2rad(30), 4.0, 2.0
    along = (x - 50.3) * np.cos(angle) + (y - 40.6) * np.sin(angle)
    across = (y - 40.6) * np.cos(angle) - (x - 50.3) * np.sin(angle)
    data = np.exp(-0.5 * ((along / major) ** 2 + (across / minor) ** 2))
    wcs = make_wcs(data.shape)
    shape = ApertureStats(data, CircularAperture((50, 40), r=35), wcs=wcs)
    np.testing.assert_allclose(shape.centroid, [50.3, 40.6], atol=1e-6)
    np.testing.assert_allclose(shape.semimajor_axis.value, major, rtol=1e-6)
    np.testing.assert_allclose(shape.semiminor_axis.value, minor, rtol=1e-6)
    np.testing.assert_allclose(shape.orientation.value, 30, atol=1e-4)
    np.testing.assert_allclose(shape.ellipticity.value, 0.5, rtol=1e-6)
    np.testing.assert_allclose(shape.elongation.value, 2, rtol=1e-6)
    np.testing.assert_allclose(shape.eccentricity.value, np.sqrt(0.75), rtol=1e-6)
    fwhm = 2 * np.sqrt(np.log(2) * (major**2 + minor**2))
    np.testing.assert_allclose(shape.fwhm.value, fwhm, rtol=1e-6)
    # On the major axis, at 1 sigma.
    dx, dy = major * np.cos(angle), major * np.sin(angle)
    ellipse = shape.ellipse_cxx.value * dx**2 + shape.ellipse_cyy.value * dy**2
    ellipse += shape.ellipse_cxy.value * dx * dy
    np.testing.assert_allclose(ellipse, 1, rtol=1e-5)
    # The position angle is that of two points on the axis.
    ends = wcs.pixel_to_world([50.3, 50.3 + dx], [40.6, 40.6 + dy])
    along_sky = ends[0].position_angle(ends[1]).wrap_at(180 * u.deg).deg
    difference = (shape.sky_orientation.value - along_sky + 90) % 180 - 90
    np.testing.assert_allclose(difference, 0, atol=1e-3)
    assert shape.flags == 0


def test_narrow_negative_and_masked_sources_are_flagged():
    data = np.zeros((30, 60))
    data[15, 10] = 5.0
    data[15, 30] = -5.0
    mask = np.zeros(data.shape, dtype=bool)
    mask[:, 45:] = True
    apertures = CircularAperture([(10, 15), (30, 15), (50, 15)], r=4)
    statistics = ApertureStats(data, apertures, mask=mask)
    decoded = list(statistics.decode_flags().values())
    assert decoded[0] == ["singular_covariance"]
    np.testing.assert_allclose(statistics.semiminor_axis[0].value, np.sqrt(1 / 12))
    assert "undefined_shape" in decoded[1]
    assert {"masked_pixels", "all_masked", "undefined_shape"} <= set(decoded[2])
    assert np.isnan(statistics.mean[2])


def test_clipping_and_local_backgrounds(data):
    data[15, 22] = 500.0
    circle = CircularAperture((20, 15), r=5)
    clip = stats.SigmaClip(3.0)
    clipped = ApertureStats(data, circle, sigma_clip=clip, local_bkg=5.0)
    values = circle.to_mask(method="center").get_values(data) - 5
    np.testing.assert_allclose(clipped.mean, clip(values, masked=False).mean())
    assert clipped.flags == APERTURE_FLAGS.SIGMA_CLIPPED
    np.testing.assert_allclose(clipped.sum_aper_area.value, circle.area - 1)


def test_rows_are_chosen_by_index_and_by_id(data):
    statistics = ApertureStats(data, CircularAperture(POSITIONS[:2] * 2, r=3))
    assert len(statistics) == 4
    assert statistics[1:3].id.tolist() == [2, 3]
    assert statistics.select_ids([4, 1]).id.tolist() == [4, 1]
    one = statistics.select_id(2)
    assert one.isscalar
    assert one.sum == statistics.sum[1]
    assert [each.id for each in statistics] == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="no such id"):
        statistics.select_id(9)
    with pytest.raises(TypeError, match="scalar"):
        one[0]
    table = statistics.to_table(columns=["id", "mean"])
    assert table.colnames == ["id", "mean"]
    assert len(statistics.to_table()) == 4
    with pytest.warns(PhotutilsDeprecationWarning, match="x_centroid"):
        np.testing.assert_array_equal(statistics.xcentroid, statistics.x_centroid)
    with pytest.raises(AttributeError, match="nothing"):
        statistics.nothing  # noqa: B018


def test_flags_are_decoded():
    assert decode_aperture_flags([0, 3]) == [[], ["no_overlap", "partial_overlap"]]
    assert APERTURE_FLAGS.domain == "aperture"
    assert "``'sigma_clipped'``" in decode_aperture_flags.__doc__
