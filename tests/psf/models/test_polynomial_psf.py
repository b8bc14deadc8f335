"""A PSF that is a polynomial of the position, and PSFEx's files of it."""

import copy
import math
import pickle

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from psfphot.io import FileFormatError, read_psf
from psfphot.psf import PolynomialPSFModel, PSFPhotometry

SAMPLES = 31

erf = np.vectorize(math.erf, otypes=[float])


def profile(offsets, sigma):
    """Return a Gaussian integrated over pixels."""
    low, high = ((offsets + half) / (sigma * np.sqrt(2)) for half in (-0.5, 0.5))
    return (erf(high) - erf(low)) / 2


def pixel_psf(x, y, sigma_x, sigma_y):
    return profile(y, sigma_y) * profile(x, sigma_x)


def coefficients(step, total=1.0):
    """Return two PSFs as 1 + u: the second is what changes per unit of u."""
    offsets = (np.arange(SAMPLES) - SAMPLES // 2) * step
    x, y = offsets, offsets[:, np.newaxis]
    narrow, wide = pixel_psf(x, y, 1.2, 1.2), pixel_psf(x, y, 1.6, 1.3)
    change = (wide - narrow) * step**2 * total
    return np.array([narrow * step**2 * total, change, 0 * change])


def write_psfex(path, step=0.7, total=1.0, n_tables=1, **changed):
    data = coefficients(step, total).astype("f4")
    column = fits.Column(
        "PSF_MASK", f"{data.size}E", dim=str(data.shape[::-1]), array=data[np.newaxis]
    )
    hdus = [fits.PrimaryHDU()]
    for _ in range(n_tables):
        table = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
        table.header.update(
            POLNAXIS=2, POLGRP1=1, POLNAME1="X_IMAGE", POLZERO1=101.0, POLSCAL1=200.0,
            POLGRP2=1, POLNAME2="Y_IMAGE", POLZERO2=101.0, POLSCAL2=200.0,
            POLNGRP=1, POLDEG1=1, PSF_FWHM=3.0, PSF_SAMP=step, PSFNAXIS=3,
            PSFAXIS1=SAMPLES, PSFAXIS2=SAMPLES, PSFAXIS3=3, CHI2=1.0,
        )  # fmt: skip
        table.header.update(changed)
        hdus.append(table)
    fits.HDUList(hdus).writeto(path)
    return str(path)


def field():
    """Render stars of the PSF of the file by its formula."""
    grid = np.arange(20.0, 190, 20)
    rng = np.random.default_rng(3)
    x, y = (a.ravel() + rng.uniform(-0.5, 0.5, a.size) for a in np.meshgrid(grid, grid))
    rows, columns = np.ogrid[:201, :201]
    image = np.zeros((201, 201))
    for x_0, y_0 in zip(x, y, strict=True):
        u = (x_0 - 100) / 200
        dx, dy = columns - x_0, rows - y_0
        image += 1e4 * (1 - u) * pixel_psf(dx, dy, 1.2, 1.2)
        image += 1e4 * u * pixel_psf(dx, dy, 1.6, 1.3)
    return image, x, y


@pytest.mark.parametrize(("step", "total"), [(0.7, 1.0), (0.45, 4.9), (0.8, 1.0)])
def test_stars_are_fitted_with_a_psf_of_psfex(tmp_path, step, total):
    model = read_psf(write_psfex(tmp_path / "m.psf", step, total)).model
    image, x, y = field()
    start = QTable({"x": x + 0.1, "y": y - 0.1, "flux": np.full(len(x), 9e3)})
    fit = PSFPhotometry(model, 11)(image, init_params=start)
    # The samples are here those of the PSF, which PSFEx's are not: it fits them
    # by its Lanczos function. That differs from this PSF between its samples by
    # 4 (step 0.8) to 2 (0.45) per mille of the peak.
    np.testing.assert_allclose(fit["flux_fit"], 1e4, rtol=4e-3)
    np.testing.assert_allclose(fit["x_fit"], x, atol=2e-3)
    np.testing.assert_allclose(fit["y_fit"], y, atol=2e-3)


def test_stars_are_fitted_with_a_fractional_step():
    step = 0.45
    psf = PolynomialPSFModel(
        coefficients(step) / step**2, (100, 100), (200, 200), oversampling=1 / step
    )
    image, x, y = field()
    start = QTable({"x": x + 0.1, "y": y - 0.1, "flux": np.full(len(x), 9e3)})
    fit = PSFPhotometry(psf, 11)(image, init_params=start)
    np.testing.assert_allclose(fit["flux_fit"], 1e4, rtol=3e-4)
    np.testing.assert_allclose(fit["x_fit"], x, atol=2e-4)
    np.testing.assert_allclose(fit["y_fit"], y, atol=2e-4)


def test_what_is_read(tmp_path):
    psf = read_psf(write_psfex(tmp_path / "m.psf"))
    model = psf.model
    assert (model.degree, model.center.tolist(), model.scale.tolist()) == (
        1, [100, 100], [200, 200],
    )  # fmt: skip
    assert model.oversampling.tolist() == [4, 4]
    sums = model.data.sum(axis=(1, 2))
    np.testing.assert_allclose(sums, [16, 0, 0], atol=1e-9)
    assert psf.fwhm == pytest.approx(1.2 * 2.3548, rel=0.05)
    assert psf.description.startswith("PSFEx's, of degree 1")
    blurred = read_psf(str(tmp_path / "m.psf"), blur_sigma=1.0)
    assert blurred.fwhm > psf.fwhm + 0.5


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"POLNAME2": "MAG_AUTO"}, "must vary with X_IMAGE, Y_IMAGE or not at all"),
        ({"POLGRP2": 2}, "must be of one group"),
        ({"POLDEG1": 9}, "its degree 0 to 4"),
        ({"POLDEG1": 2}, "PSF_MASK must have the shape"),
        ({"POLSCAL1": 0.0}, "POLSCAL1 and POLSCAL2 must be positive"),
        ({"PSF_SAMP": 0.0}, "PSF_SAMP must be above 0"),
        ({"POLZERO1": "x"}, "POLZERO1 must be a number"),
    ],
)
def test_what_is_refused(tmp_path, changed, message):
    path = write_psfex(tmp_path / "m.psf", **changed)
    with pytest.raises(FileFormatError, match=message):
        read_psf(path)


def test_one_of_several_extensions(tmp_path):
    path = write_psfex(tmp_path / "m.psf", n_tables=2)
    with pytest.raises(FileFormatError, match=r"has 2 PSFs; say which.*m.psf\[1\]"):
        read_psf(path)
    assert "of degree 1" in read_psf(f"{path}[2]").description
    with pytest.raises(FileFormatError, match="has no PSF in extension '3'; it has 1"):
        read_psf(f"{path}[3]")
    assert PolynomialPSFModel.read(path, extension=2).degree == 1
    with pytest.raises(ValueError, match="extension must be 1 to 2, got 3"):
        PolynomialPSFModel.read(path, extension=3)
    with pytest.raises(ValueError, match="--oversampling is not for a PSF of PSFEx"):
        read_psf(write_psfex(tmp_path / "n.psf"), oversampling=2)


def model(**changed):
    images = coefficients(0.7) / 0.49
    kwargs = {"center": (100, 90), "scale": (200, 150), "oversampling": 1 / 0.7}
    return PolynomialPSFModel(images, **(kwargs | changed))


def test_derivatives_are_those_of_the_polynomial_too():
    psf = model(flux=5.0, x_0=150.3, y_0=80.2)
    y, x = np.mgrid[75:86, 145:156]
    by_flux, by_x, by_y = psf.fit_deriv(x, y, 5.0, 150.3, 80.2)
    np.testing.assert_allclose(by_flux * 5, psf(x, y))
    h = 1e-5
    for by, step in ((by_x, (h, 0)), (by_y, (0, h))):
        high, low = (
            psf.evaluate(x, y, 5.0, 150.3 + sign * step[0], 80.2 + sign * step[1])
            for sign in (1, -1)
        )
        np.testing.assert_allclose(by, (high - low) / (2 * h), atol=1e-7)


def test_copies_pickles_and_words():
    psf = model(flux=3.0, x_0=120.0, y_0=90.0)
    for twin in (psf.copy(), copy.deepcopy(psf), pickle.loads(pickle.dumps(psf))):  # noqa: S301
        assert twin(121.0, 90.5) == psf(121.0, 90.5)
        assert twin.center.tolist() == [100, 90]
        assert not twin.data.flags.writeable
    assert "center=[100.0, 90.0], scale=[200.0, 150.0]" in repr(psf)
    assert "Degree: 1" in str(psf)
    low, high = psf.bounding_box.bounding_box()[1]
    assert high - low == pytest.approx(SAMPLES * 0.7)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"center": (1, np.nan)}, "center must be two finite numbers"),
        ({"scale": (1, 2, 3)}, "scale must be two finite numbers"),
        ({"scale": (1, 0)}, "scale must be positive"),
        ({"oversampling": 0}, "oversampling must be > 0"),
        ({"data": np.ones((2, 9, 9))}, "data must have 1, 3, 6, 10 or 15 images"),
        ({"data": np.ones((9, 9))}, "data must be a 3D numpy array"),
    ],
)
def test_bad_arguments(changed, message):
    kwargs = {"data": np.ones((3, 9, 9)), "center": (0, 0), "scale": (1, 1)}
    with pytest.raises(ValueError, match=message):
        PolynomialPSFModel(**(kwargs | changed))
