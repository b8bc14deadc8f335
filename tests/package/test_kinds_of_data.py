"""NDData, masked arrays and quantities are the same image in every stage."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.nddata import (
    CCDData,
    InverseVariance,
    NDData,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.table import MaskedColumn, QTable
from astropy.utils.masked import Masked

from psfphot.aperture import BoundingBox, CircularAnnulus, CircularAperture
from psfphot.background import (
    Background2D,
    LocalBackground,
    MeanBackground,
    MMMBackground,
    StdBackgroundRMS,
    coverage_mask,
)
from psfphot.datasets import apply_poisson_noise
from psfphot.detection import (
    DAOStarFinder,
    IRAFStarFinder,
    MatchedFilterFinder,
    StarFinder,
    detect_cosmic_rays,
    find_peaks,
)
from psfphot.matching import match_positions
from psfphot.psf import (
    CircularGaussianPRF,
    ImagePSF,
    PSFPhotometry,
    SourceGrouper,
    fit_2dgaussian,
    fit_fwhm,
    measure_psf,
)
from psfphot.utils import calc_total_error

PSF = CircularGaussianPRF(fwhm=2.5)
SHAPE = (90, 100)
STARS = [
    (x + 0.1 * i, y - 0.2 * i)
    for i, (x, y) in enumerate((x, y) for x in (18, 49, 80) for y in (17, 46, 74))
]


@pytest.fixture(scope="module")
def scene():
    """Stars, noise that doubles to the right, and a hot pixel, masked."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    sigma = 1.0 + x / SHAPE[1]
    data = np.random.default_rng(1).normal(0, sigma)
    for x_0, y_0 in STARS:
        data += PSF.evaluate(x, y, 2000.0, x_0, y_0, 2.5)
    data[40, 30] = 1e4
    mask = np.zeros(SHAPE, bool)
    mask[40, 30] = True
    return data, sigma, mask


def kinds(scene):
    """The image as each class that carries a mask has it, with its unit."""
    data, sigma, mask = scene
    std = StdDevUncertainty(sigma)
    return {
        "CCDData": (CCDData(data, unit="adu", mask=mask, uncertainty=std), True),
        "variance": (
            NDData(
                data, unit="adu", mask=mask, uncertainty=VarianceUncertainty(sigma**2)
            ),
            True,
        ),
        "inverse": (
            NDData(
                data, unit="adu", mask=mask, uncertainty=InverseVariance(sigma**-2.0)
            ),
            True,
        ),
        "float mask": (
            NDData(data, unit="adu", mask=mask.astype(float), uncertainty=std),
            True,
        ),
        "Masked": (Masked(data << u.adu, mask=mask), False),
    }


KINDS = ["CCDData", "variance", "inverse", "float mask", "Masked"]


def stages():
    """What is done to an image, as functions of data and mask."""
    circle = CircularAperture([(30, 40), (49.3, 16.4)], 5)
    dao = DAOStarFinder(10 * u.adu, 2.5, sharpness_range=None)
    iraf = IRAFStarFinder(10 * u.adu, 2.5, sharpness_range=None)
    star = StarFinder(10 * u.adu, np.exp(-(np.hypot(*np.mgrid[-3:4, -3:4]) ** 2)))
    local = LocalBackground(2, 6, bkg_estimator=MeanBackground(sigma_clip=None))
    return {
        "area": lambda d, m: circle.area_overlap(d, mask=m),
        "apertures": lambda d, m: circle.do_photometry(d, mask=m)[0],
        "LocalBackground": lambda d, m: local(d, [33, 20], [40, 30], mask=m),
        "DAO": lambda d, m: dao(d, mask=m)["flux"],
        "IRAF": lambda d, m: iraf(d, mask=m)["flux"],
        "StarFinder": lambda d, m: star(d, mask=m)["flux"],
        "find_peaks": lambda d, m: find_peaks(d, 50 * u.adu, mask=m)["peak_value"],
        "Background2D": lambda d, m: Background2D(d, 20, mask=m).background,
    }


def stages_with_errors():
    """The same, of data, mask and error."""
    circle = CircularAperture([(30, 40), (49.3, 16.4)], 5)
    finder = MatchedFilterFinder(PSF, 6.0)
    return {
        "errors": lambda d, m, e: circle.do_photometry(d, e, m)[1],
        "matched": lambda d, m, e: finder(d, mask=m, error=e)["flux_err"],
        "maps": lambda d, m, e: finder.maps(d, mask=m, error=e).snr,
        "cosmic": lambda d, m, e: detect_cosmic_rays(d, PSF, mask=m, error=e),
        "measure_psf": lambda d, m, e: [measure_psf(d, mask=m, error=e).fwhm],
        "PSFPhotometry": lambda d, m, e: photometry(d, m, e)["flux_err"],
    }


def photometry(data, mask, error):
    init = {"x": [18.0, 49.0], "y": [17.0, 16.0]}
    phot = PSFPhotometry(PSF, 7, aperture_radius=4)
    return phot(data, mask=mask, error=error, init_params=QTable(init))


@pytest.mark.parametrize("kind", KINDS)
def test_every_stage_takes_mask_unit_and_uncertainty(scene, kind):
    whole, has_error = kinds(scene)[kind]
    data, sigma, mask = scene
    quantity, error = data << u.adu, sigma << u.adu
    pairs = {
        name: (stage(whole, None), stage(quantity, mask))
        for name, stage in stages().items()
    }
    if has_error:
        pairs |= {
            name: (stage(whole, None, None), stage(quantity, mask, error))
            for name, stage in stages_with_errors().items()
        }
    for name, (got, expected) in pairs.items():
        assert getattr(got, "unit", None) == getattr(expected, "unit", None), name
        np.testing.assert_allclose(got, expected, rtol=1e-12, err_msg=name)


def test_estimators_leave_out_what_nddata_mask(scene):
    data, _, mask = scene
    ccd = CCDData(data, unit="adu", mask=mask)
    for estimator in (
        MeanBackground(sigma_clip=None),
        MMMBackground(),
        StdBackgroundRMS(sigma_clip=None),
    ):
        expected = estimator(data[~mask])
        assert estimator(ccd).value == pytest.approx(expected, rel=1e-12)
        assert estimator(ccd).unit == u.adu
        by_row = estimator(ccd, axis=1)
        assert by_row[40].value == pytest.approx(estimator(data[40, ~mask[40]]))


def test_coverage_takes_mask_and_uncertainty(scene):
    data, sigma, mask = scene
    bad = np.where(np.arange(SHAPE[1]) < 3, 0.0, sigma)
    found = coverage_mask(NDData(data, mask=mask, uncertainty=StdDevUncertainty(bad)))
    assert found.mask[40, 30]
    assert found.mask[:, :3].all()
    assert found.mask.sum() == 1 + 3 * SHAPE[0]


def test_widths_of_nddata(scene):
    data, sigma, mask = scene
    ccd = CCDData(data, unit="adu", mask=mask, uncertainty=StdDevUncertainty(sigma))
    options = {"xypos": [STARS[0]], "fit_shape": 7}
    expected = fit_fwhm(data << u.adu, mask=mask, error=sigma << u.adu, **options)
    np.testing.assert_allclose(fit_fwhm(ccd, **options), expected, rtol=1e-12)
    table = fit_2dgaussian(ccd, **options).results
    assert table["flux_fit"].unit == u.adu


def middle(cutout, mask):
    return np.argwhere(np.isfinite(cutout) & ~mask).mean(axis=0)


def test_two_errors_are_refused(scene):
    data, sigma, _ = scene
    ccd = CCDData(data, unit="adu", uncertainty=StdDevUncertainty(sigma))
    error = sigma << u.adu
    message = "error must be None where data has an uncertainty of its own"
    for call in (
        lambda: CircularAperture((30, 40), 5).do_photometry(ccd, error),
        lambda: MatchedFilterFinder(PSF)(ccd, error=error),
        lambda: MatchedFilterFinder(PSF)(ccd, error=1 * u.adu),
        lambda: find_peaks(ccd, 50 * u.adu, error=error, centroid_func=middle),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    # What a finder was made with is for images without errors.
    stars = MatchedFilterFinder(PSF, error=5 * u.adu)(ccd)
    np.testing.assert_allclose(
        stars["flux_err"], MatchedFilterFinder(PSF)(ccd)["flux_err"]
    )


def test_uncertainties_and_masks_that_say_nothing_are_refused(scene):
    data, _, mask = scene
    circle = CircularAperture((30, 40), 5)
    unknown = NDData(data, uncertainty=UnknownUncertainty(np.ones(SHAPE)))
    with pytest.raises(ValueError, match=r"uncertainty of data .* UnknownUncertainty"):
        circle.do_photometry(unknown)
    # An inverse variance of 0 is an infinite error, not one of numpy's.
    weight = np.where(mask, 0.0, 1.0)
    error = circle.do_photometry(NDData(data, uncertainty=InverseVariance(weight)))[1]
    assert error == np.inf
    with pytest.raises(ValueError, match="data and the mask of data must have the sa"):
        circle.do_photometry(NDData(data, mask=mask[:5]))
    with pytest.raises(ValueError, match="the same units"):
        DAOStarFinder(10.0, 2.5)(CCDData(data, unit="adu"))


def test_arrays_alone_are_wanted_elsewhere(scene):
    ccd = CCDData(scene[0], unit="adu")
    with pytest.raises(TypeError, match="must be an array, got CCDData"):
        calc_total_error(ccd, ccd, 1.0 * u.electron / u.adu)
    with pytest.raises(TypeError, match="array"):
        ImagePSF(ccd)
    with pytest.raises(TypeError, match="counts without a unit, got adu"):
        apply_poisson_noise(ccd)


@pytest.mark.parametrize("kind", [float, np.float32, int, np.uint8, bool])
def test_masks_of_zeros_and_ones(scene, kind):
    data, _, mask = scene
    circle = CircularAperture((30, 40), 5)
    expected = circle.do_photometry(data, mask=mask)[0]
    assert circle.do_photometry(data, mask=mask.astype(kind))[0] == expected


def test_masks_of_other_numbers_are_refused(scene):
    data, _, mask = scene
    circle = CircularAperture((30, 40), 5)
    for bad in (mask * 0.5, np.where(mask, np.nan, 0.0)):
        with pytest.raises(TypeError, match="mask must be a boolean array"):
            circle.do_photometry(data, mask=bad)
    unsure = np.ma.MaskedArray(np.zeros(SHAPE, bool), mask=mask)
    expected = circle.do_photometry(data, mask=mask)[0]
    assert circle.do_photometry(data, mask=unsure)[0] == expected


def positions_taken(scene):
    data = scene[0]
    there = ([1.0], [1.0])
    return {
        "LocalBackground": lambda x, y: LocalBackground(5, 10)(data, x, y),
        "annuli": lambda x, y: LocalBackground(5, 10).to_aperture(x, y),
        "SourceGrouper": SourceGrouper(5),
        "fit_fwhm": lambda x, y: fit_fwhm(
            data, xypos=np.column_stack([x, y]), fit_shape=7
        ),
        "match_positions": lambda x, y: match_positions((x, y), there, 1),
        "xycoords": lambda x, y: DAOStarFinder(
            1, 2.5, xycoords=np.column_stack([x, y])
        ),
        "CircularAperture": lambda x, y: CircularAperture(np.column_stack([x, y]), 3),
    }


def test_degrees_are_no_pixels(scene):
    ra, dec = [20.3, 41.0, 50.2] * u.deg, [31.8, 20.0, 10.4] * u.deg
    for call in positions_taken(scene).values():
        with pytest.raises((ValueError, TypeError), match=r"pixels|must not be a Quan"):
            call(ra, dec)


def test_pixels_may_say_so(scene):
    x, y = np.array(STARS[:2]).T
    for name, call in positions_taken(scene).items():
        if name == "CircularAperture":
            continue
        got, expected = call(x * u.pix, y * u.pix), call(x, y)
        if isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(got, expected, err_msg=name)


def test_what_hides_under_a_mask_is_no_position(scene):
    data = scene[0]
    x, y = (
        MaskedColumn([at, 1.0], mask=[False, True], unit="pix") for at in (20.3, 31.8)
    )
    levels = LocalBackground(5, 10)(data, x, y)
    assert np.isfinite(levels[0])
    assert np.isnan(levels[1])
    for pair in ((x, y), (Masked([20.3, 1.0], [False, True]), [31.8, 1.0])):
        matched = match_positions(pair, ([20.3, 1.0], [31.8, 1.0]), 0.1)
        assert [list(indices) for indices in matched] == [[0], [0]]
    with pytest.raises(ValueError, match="x coordinates must be finite"):
        SourceGrouper(5)(x, y)
    pairs = np.ma.MaskedArray([[20.3, 31.8], [1.0, 1.0]], [[0, 0], [1, 1]])
    with pytest.raises(ValueError, match="nonfinite positions"):
        CircularAnnulus(pairs, 3, 5)
    with pytest.raises(ValueError, match="xycoords must not have masked values"):
        DAOStarFinder(1, 2.5, xycoords=pairs)
    degrees = MaskedColumn([20.3, 1.0], mask=[False, True], unit="deg")
    with pytest.raises(ValueError, match="must be in pixels, got the unit deg"):
        LocalBackground(5, 10)(data, degrees, degrees)


def test_sky_coordinates_match_as_before():
    first = SkyCoord([10, 20] * u.deg, [5, 6] * u.deg)
    pairs = match_positions(first, first[::-1], 1 * u.arcsec)
    assert [list(indices) for indices in pairs] == [[0, 1], [1, 0]]


def test_boxes_check_their_arguments():
    box = BoundingBox(1, 10, np.int64(2), 20)
    assert box.shape == (18, 9)
    for bad in ((1.0, 10, 2, 20), (1, "10", 2, 20), (True, 10, 2, 20)):
        with pytest.raises(TypeError, match=r"ixm\w+ must be an integer, got"):
            BoundingBox(*bad)
    with pytest.raises(ValueError, match="ixmin must be <= ixmax, got 11 and 10"):
        BoundingBox(11, 10, 2, 20)
    with pytest.raises(ValueError, match="iymin must be <= iymax, got 21 and 20"):
        BoundingBox(1, 10, 21, 20)
