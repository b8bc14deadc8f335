"""Zero points from headers, and columns of magnitudes."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable
from cli_field import FLUX, FWHM, X, Y, fit, run, tangent, write_field

from psfphot.io import find_zero_point, read_image


def zero_point(tmp_path, given=None, *, wcs=None, primary=None, **keywords):
    path = write_field(tmp_path / "a.fits", wcs=wcs, primary=primary, **keywords)
    return find_zero_point(read_image(path), given)


def test_of_a_flux_density(tmp_path):
    zero = zero_point(tmp_path, BUNIT="nJy")
    # Oke & Gunn: m = -2.5 log10 f(erg/s/cm2/Hz) - 48.60; the well-known 31.4.
    assert zero.value == pytest.approx(31.4, abs=1e-3)
    assert zero.system == "AB"


def test_of_a_surface_brightness_with_the_area_of_a_pixel(tmp_path):
    # NIRCam's short-wavelength mosaic: 1 MJy/sr there is 28.09 mag a pixel.
    area = 2.29e-14
    zero = zero_point(tmp_path, BUNIT="MJy/sr", PIXAR_SR=area, wcs=tangent())
    expected = -2.5 * np.log10(1e6 * area * 1e-23) - 48.6
    assert zero.value == pytest.approx(expected, abs=1e-9)
    assert zero.value == pytest.approx(28.0, abs=0.1)
    assert "PIXAR_SR" in zero.source


@pytest.mark.parametrize("keywords", [{}, {"PIXAR_SR": 0.0}, {"PIXAR_SR": "unknown"}])
def test_of_a_surface_brightness_with_a_wcs(tmp_path, keywords):
    zero = zero_point(tmp_path, BUNIT="MJy/sr", wcs=tangent(), **keywords)
    area = (1 * u.arcsec**2).to_value(u.sr)
    assert zero.value == pytest.approx(-2.5 * np.log10(1e6 * area * 1e-23) - 48.6)
    assert "(WCS)" in zero.source


def test_of_square_arcseconds(tmp_path):
    zero = zero_point(tmp_path, BUNIT="uJy/arcsec2", PIXAR_A2=0.25)
    assert zero.value == pytest.approx(23.9 - 2.5 * np.log10(0.25), abs=1e-3)


@pytest.mark.parametrize(
    ("unit", "seconds"), [("ELECTRONS/S", 1), ("ELECTRONS", 500.0), ("COUNTS", 500.0)]
)
def test_of_hst(tmp_path, unit, seconds):
    # ACS/WFC F814W; the handbook's formula for the AB zero point.
    flam, pivot = 7.03e-20, 8045.0
    zero = zero_point(
        tmp_path,
        BUNIT=unit,
        PHOTFLAM=flam,
        PHOTPLAM=pivot,
        primary={"EXPTIME": 500.0},
    )
    formula = -2.5 * np.log10(flam) - 21.10 - 5 * np.log10(pivot) + 18.6921
    assert zero.value == pytest.approx(formula + 2.5 * np.log10(seconds), abs=2e-3)
    assert zero.system == "AB"


@pytest.mark.parametrize(
    ("keywords", "why"),
    [
        ({}, "the image has no unit"),
        ({"BUNIT": "DN/s"}, "DN / s is no flux density by this header"),
        ({"BUNIT": "MJy/sr"}, "the area of a pixel is not known"),
        ({"BUNIT": "ELECTRONS", "PHOTFLAM": 1e-19, "PHOTPLAM": 6e3}, "is no flux"),
        ({"BUNIT": "ELECTRONS/S", "PHOTFLAM": 0.0, "PHOTPLAM": 6e3}, "is no flux"),
        ({"BUNIT": "ELECTRONS/S", "PHOTPLAM": 6e3}, "is no flux"),
        ({"BUNIT": "m", "PHOTFLAM": 1e-19, "PHOTPLAM": 6e3}, "is no flux"),
    ],
)
def test_unknown(tmp_path, keywords, why):
    zero = zero_point(tmp_path, **keywords)
    assert zero.value is None
    assert why in zero.source


def test_given_counts_before_the_header(tmp_path):
    zero = zero_point(tmp_path, 25.5, BUNIT="nJy")
    assert (zero.value, zero.system) == (25.5, "given")


def test_columns_of_magnitudes(tmp_path):
    image = write_field(tmp_path / "a.fits", wcs=tangent(), BUNIT="nJy")
    # The last is empty sky: of its fluxes about a half are negative.
    empty = np.array([[x, y] for x in (28.0, 58.0) for y in (25, 28, 52, 55)])
    x, y = np.r_[X, empty[:, 0]], np.r_[Y, empty[:, 1]]
    QTable({"x": x, "y": y}).write(tmp_path / "c.ecsv")
    words = ["--catalog", tmp_path / "c.ecsv", "--forced", "--no-group"]
    result = fit(image, *words, "-o", tmp_path / "o.ecsv")
    catalog = QTable.read(tmp_path / "o.ecsv")
    flux, error = catalog["flux_fit"], catalog["flux_err"]
    names = catalog.colnames
    at = names.index("flux_err")
    assert names[at + 1 : at + 3] == ["mag", "mag_err"]
    positive = flux > 0
    assert 0 < np.count_nonzero(~positive) < len(empty)
    # In text both are rounded, by their errors.
    off = catalog["mag"][positive].value - flux[positive].to_value(u.ABmag)
    assert (abs(off) <= 0.011 * catalog["mag_err"][positive].value).all()
    np.testing.assert_allclose(
        catalog["mag_err"][positive].value,
        1.0857362 * (error / flux)[positive].value,
        rtol=0.02,
    )
    for name in ("mag", "mag_err"):
        assert np.isnan(catalog[name][~positive]).all()
    assert catalog.meta["mag_system"] == "AB"
    assert "AB" in catalog["mag"].info.description
    assert "AB, zero point 31.4" in result.output
    expected = 31.4 - 2.5 * np.log10(FLUX)
    np.testing.assert_allclose(catalog["mag"][: len(X)].value, expected, atol=0.1)


def test_no_magnitudes_and_no_complaint(tmp_path):
    image = write_field(tmp_path / "a.fits")
    result = run("fit", image, "--psf", f"gaussian:{FWHM}", "-o", tmp_path / "c.fits")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "magnitudes  none: the image has no unit" in result.stdout
    assert "mag" not in fits.getdata(tmp_path / "c.fits").names
    fit(image, "-o", tmp_path / "d.ecsv", "--zeropoint", "-2.5")
    catalog = QTable.read(tmp_path / "d.ecsv")
    np.testing.assert_allclose(
        catalog["mag"].value, -2.5 - 2.5 * np.log10(catalog["flux_fit"]), atol=1e-4
    )
    assert catalog.meta["mag_zero_point"] == -2.5
