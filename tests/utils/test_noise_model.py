"""`psfphot.utils.NoiseModel`: what it takes, what it makes, what it refuses."""

import pickle
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable

from psfphot.detection import MatchedFilterFinder
from psfphot.psf import (
    CircularGaussianPRF,
    IterativePSFPhotometry,
    PSFPhotometry,
    SourceGrouper,
)
from psfphot.utils import DataErrorWarning, NoiseModel

TERMS = {"read_noise": 6.0, "effective_gain": 2.0, "background": 100.0}
PSF = CircularGaussianPRF(fwhm=2.5)
INIT = QTable({"x": [14.0, 16.5], "y": [15.0, 15.0], "group_id": [1, 1]})


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:31, :31]
    clean = PSF.evaluate(x, y, 5e3, 14.1, 15.2, 2.5)
    clean += PSF.evaluate(x, y, 3e3, 16.6, 14.9, 2.5)
    electrons = rng.poisson((clean + 100) * 2) + rng.normal(0, 6, clean.shape)
    return electrons / 2 - 100


def photometry(**settings):
    return PSFPhotometry(PSF, 7, aperture_radius=3, **settings)


def test_the_variance_is_that_of_its_terms():
    noise = NoiseModel(**TERMS, flat_error=0.03, profile_error=0.04)
    model = np.array([[0.0, 200.0]])
    expected = (model + 100) / 2 + 9 + (0.05 * model) ** 2
    np.testing.assert_allclose(noise.variance(model), expected)
    assert "read_noise=6.0" in repr(noise)
    assert noise.shape is None
    copy = pickle.loads(pickle.dumps(noise))  # noqa: S301
    np.testing.assert_array_equal(copy.variance(model), noise.variance(model))


def test_images_of_its_terms_are_the_numbers(image):
    maps = {name: np.full(image.shape, value) for name, value in TERMS.items()}
    noise = NoiseModel(**maps)
    assert noise.shape == image.shape
    assert "shape=(31, 31)" in repr(noise)
    first = photometry()(image, error=NoiseModel(**TERMS), init_params=INIT)
    second = photometry()(image.astype("f4"), error=noise, init_params=INIT)
    np.testing.assert_allclose(second["flux_fit"], first["flux_fit"], rtol=1e-5)


def test_units_go_with_the_data(image):
    plain = photometry()(image, error=NoiseModel(**TERMS), init_params=INIT)
    noise = NoiseModel(
        read_noise=6 * u.electron,
        effective_gain=2e-3 * u.electron / u.mJy,
        background=1e5 * u.mJy,
    )
    jansky = photometry()(image * u.Jy, error=NoiseModel(**TERMS), init_params=INIT)
    data = image * 1e3 * u.mJy
    scaled = photometry()(data, error=noise, init_params=INIT)
    assert jansky["flux_fit"].unit == u.Jy
    np.testing.assert_allclose(
        scaled["flux_err"].to_value(u.mJy), 1e3 * plain["flux_err"], rtol=1e-6
    )
    converted = photometry()(data.to(u.Jy), error=noise, init_params=INIT)
    np.testing.assert_allclose(
        converted["flux_err"].to_value(u.Jy), plain["flux_err"], rtol=1e-6
    )
    with pytest.raises(u.UnitsError, match="background"):
        photometry()(image, error=noise, init_params=INIT)
    with pytest.raises(u.UnitsError, match="background"):
        photometry()(image * u.s, error=noise, init_params=INIT)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("effective_gain", 0.0),
        ("effective_gain", np.inf),
        ("read_noise", -1.0),
        ("background", np.nan),
        ("flat_error", -0.1),
        ("profile_error", [1.0, 2.0]),
    ],
)
def test_what_is_no_noise_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        NoiseModel(**(TERMS | {name: value}))


def test_shapes_and_silence_are_refused(image):
    with pytest.raises(ValueError, match="one shape"):
        NoiseModel(
            read_noise=np.ones((2, 3)), effective_gain=np.ones((3, 2)), background=1.0
        )
    with pytest.raises(ValueError, match="read_noise"):
        NoiseModel(read_noise=0.0, effective_gain=1.0, background=0.0)
    with pytest.raises(ValueError, match="shape"):
        photometry()(
            image,
            error=NoiseModel(
                read_noise=np.ones((3, 3)), effective_gain=1.0, background=1.0
            ),
            init_params=INIT,
        )


def test_errors_of_data_tell_their_gain(image):
    error = np.sqrt((np.maximum(image + 100, 0)) / 2 + 9)
    noise = NoiseModel.from_error(error, image)
    assert noise.effective_gain == pytest.approx(2.0, rel=1e-6)
    expected = NoiseModel(**TERMS).variance(image.clip(0))
    np.testing.assert_allclose(
        np.median(noise.variance(image.clip(0)) / expected), 1, rtol=1e-3
    )
    own = photometry()(image, error=noise, init_params=INIT)
    best = photometry()(image, error=NoiseModel(**TERMS), init_params=INIT)
    np.testing.assert_allclose(own["flux_fit"], best["flux_fit"], rtol=5e-3)
    flat = np.random.default_rng(1).uniform(5, 6, image.shape)
    with pytest.raises(ValueError, match="follow"):
        NoiseModel.from_error(flat, image)


def test_variances_of_jwst_tell_the_gain_of_each_pixel(image):
    gain = np.tile(np.linspace(1, 3, 31), (31, 1))
    sci = image + 100
    noise = NoiseModel.from_variances(
        sci,
        var_poisson=sci / gain,
        var_rnoise=np.full(sci.shape, 9.0),
        background=100.0,
    )
    expected = NoiseModel(read_noise=3 * gain, effective_gain=gain, background=100.0)
    np.testing.assert_allclose(noise.variance(50.0), expected.variance(50.0))


def test_the_seed_s_errors_are_warned_of_once_and_change_nothing(image):
    data = image + 100
    error = np.sqrt(np.abs(data))
    for values in (data, data.astype("f4")):
        with pytest.warns(DataErrorWarning, match="NoiseModel") as caught:
            table = photometry()(
                values, error=np.sqrt(np.abs(values)), init_params=INIT
            )
        assert len(caught) == 1
    almost = photometry()(data, error=error * (1 + 1e-9), init_params=INIT)
    np.testing.assert_allclose(table["flux_fit"], almost["flux_fit"], rtol=1e-4)
    with pytest.warns(DataErrorWarning):
        photometry()(
            CCDData(data, uncertainty=StdDevUncertainty(error), unit="adu"),
            init_params=INIT,
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photometry()(data, error=np.sqrt(np.abs(data) + 9), init_params=INIT)
        photometry()(np.ones_like(data), error=np.ones_like(data), init_params=INIT)


@pytest.mark.parametrize("mode", ["new", "all"])
@pytest.mark.parametrize("management", [True, False])
def test_iterative_photometry_takes_it(image, mode, management):
    phot = IterativePSFPhotometry(
        PSF,
        7,
        MatchedFilterFinder(PSF, n_sigma=5),
        grouper=SourceGrouper(8),
        aperture_radius=3,
        mode=mode,
        management=management,
        extra_columns=True,
        robust=True,
    )
    table = phot(image, error=NoiseModel(**TERMS))
    brightest = table[np.argsort(-table["flux_fit"])[:2]]
    np.testing.assert_allclose(brightest["flux_fit"], [5e3, 3e3], rtol=0.15)
    assert {"n_rejected", "chi"} <= set(table.colnames)
    assert len(table) <= 3


def test_a_kept_fit_knows_its_covariance(image):
    maps = {name: np.full(image.shape, value) for name, value in TERMS.items()}
    phot = photometry()
    table = phot(image, error=NoiseModel(**maps), init_params=INIT)
    kept = pickle.loads(pickle.dumps(phot))  # noqa: S301
    for one in (phot, kept):
        variance = one.group_covariance(1).covariance[2, 2]
        assert variance == pytest.approx(table["flux_err"][0] ** 2, rel=1e-2)
