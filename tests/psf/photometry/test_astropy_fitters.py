"""astropy's own fitters in place of ours: the same answers, slowly."""

import numpy as np
import pytest
from astropy.table import QTable

pytest.importorskip("scipy")
from astropy.modeling.fitting import (
    DogBoxLSQFitter,
    LevMarLSQFitter,
    TRFLSQFitter,
)

from psfphot.psf import CircularGaussianPRF, PSFPhotometry

SHAPE = (61, 80)
COLUMNS = ("x", "y", "flux")


@pytest.fixture
def psf():
    return CircularGaussianPRF(fwhm=2.7)


@pytest.fixture(scope="module")
def stars():
    return QTable(
        {
            "id": [4, 2, 9, 7, 5],
            "x": [20.2, 22.9, 60.4, 40.0, -300.0],
            "y": [30.7, 31.0, 12.6, 59.4, 3.0],
            "flux": [900.0, 700.0, 500.0, 600.0, 1.0],
            "local_bkg": [3.0, 3.2, 2.9, 3.0, 0.0],
            "group_id": [1, 1, 2, 3, 1],
        }
    )


@pytest.fixture(scope="module")
def data(stars):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    psf = CircularGaussianPRF()
    rng = np.random.default_rng(4)
    image = sum(psf.evaluate(x, y, s["flux"], s["x"], s["y"], 2.7) for s in stars)
    image += 3 + rng.normal(0, 0.5, SHAPE)
    image[31, 21] = np.nan
    return image


@pytest.fixture(scope="module")
def images(data):
    """Data and errors."""
    error = np.full(SHAPE, 0.5)
    error[12, 60] = -1
    return data, error


def compare(theirs, ours, tolerance):
    for name in COLUMNS:
        scale = np.nan_to_num(ours[f"{name}_err"], nan=1.0)
        difference = np.abs(theirs[f"{name}_fit"] - ours[f"{name}_fit"]) / scale
        assert np.nanmax(difference) < tolerance
        np.testing.assert_allclose(
            theirs[f"{name}_err"], ours[f"{name}_err"], rtol=0.01
        )
    for name in ("id", "n_pixels_fit", "flags", "group_size"):
        np.testing.assert_array_equal(theirs[name], ours[name])
    for name in ("qfit", "reduced_chi2"):
        np.testing.assert_allclose(theirs[name], ours[name], rtol=0.01)


@pytest.mark.filterwarnings("ignore:.*non-finite values.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*have an error that is not:UserWarning")
@pytest.mark.parametrize("fitter", [TRFLSQFitter, LevMarLSQFitter, DogBoxLSQFitter])
@pytest.mark.parametrize("with_error", [True, False])
def test_they_agree_with_ours(psf, stars, images, fitter, with_error):
    data, error = images
    error = error if with_error else None
    phot = PSFPhotometry(psf, 7, fitter=fitter())
    theirs = phot(data, error=error, init_params=stars)
    kind = "formal" if with_error else "unit"
    ours = PSFPhotometry(psf, 7, covariance=kind)(data, error=error, init_params=stars)
    assert list(ours["group_size"]) == [3, 3, 3, 1, 1]
    compare(theirs, ours, 0.02)
    info = phot.fit_info
    assert info[2] == {}  # the source that is off the image
    for k in (0, 1, 3, 4):  # its own of each, in groups too
        errors = [theirs[f"{name}_err"][k] for name in ("flux", "x", "y")]
        covariance = info[k]["param_cov"]
        np.testing.assert_allclose(np.sqrt(np.diag(covariance)), errors, rtol=1e-12)
    assert "fitter=<astropy.modeling.fitting" in repr(phot)
    with pytest.raises(NotImplementedError, match="LevenbergMarquardt"):
        phot.group_covariance(1)


@pytest.mark.filterwarnings("ignore:.*non-finite values.*:UserWarning")
def test_constraints_are_honoured(psf, stars, data):
    psf.flux.bounds = (0, 800)
    psf.y_0.fixed = True
    psf.fwhm.fixed = False
    arguments = {"fit_shape": 7, "xy_bounds": (0.01, None)}
    theirs = PSFPhotometry(psf, fitter=TRFLSQFitter(), **arguments)(
        data, init_params=stars
    )
    ours = PSFPhotometry(psf, **arguments)(data, init_params=stars)
    np.testing.assert_array_equal(theirs["y_fit"], ours["y_fit"])
    valid = np.isfinite(ours["x_fit"])
    assert np.all(np.abs(theirs["x_fit"] - theirs["x_init"])[valid] <= 0.01 + 1e-9)
    for name in ("x", "flux", "fwhm"):
        np.testing.assert_allclose(
            theirs[f"{name}_fit"][valid], ours[f"{name}_fit"][valid], rtol=3e-3
        )
    assert theirs["fwhm_err"][0] > 0
    assert psf.parameters.tolist() == [1, 0, 0, 2.7]  # the user's model is as it was


def test_an_image_made_from_such_a_fit(psf, stars, data):
    phot = PSFPhotometry(psf, 7, fitter=TRFLSQFitter())
    clean = np.nan_to_num(data, nan=3.0)
    phot(clean, init_params=stars)
    ours = PSFPhotometry(psf, 7)
    ours(clean, init_params=stars)
    images = [one.make_model_image(SHAPE, psf_shape=25) for one in (phot, ours)]
    np.testing.assert_allclose(*images, atol=0.05)


def test_progress_and_a_fitter_that_stops_early(psf, stars, data, capsys):
    clean = np.nan_to_num(data, nan=3.0)
    phot = PSFPhotometry(
        psf, 7, fitter=TRFLSQFitter(), fitter_maxiters=1, progress_bar=True
    )
    with pytest.warns(UserWarning, match="may not have converged"):
        table = phot(clean, init_params=stars)
    assert np.all(table["flags"][[0, 1, 3, 4]] & 8)
    assert "Fit source" in capsys.readouterr().err


def test_a_fitter_that_counts_no_iterations(psf, stars, data):
    class Plain:
        fit_info = None

        def __call__(self, model, x, y, z, weights=None):
            return TRFLSQFitter()(model, x, y, z, weights=weights)

    clean = np.nan_to_num(data, nan=3.0)
    with pytest.warns(UserWarning, match="'maxiters' will be ignored"):
        phot = PSFPhotometry(psf, 7, fitter=Plain())
    # It tells neither how it ended, and is believed, nor the covariance.
    table = phot(clean, init_params=stars)
    assert np.all(table["flags"] & 16)
    fitted = np.isfinite(table["x_fit"])
    assert not np.any(table["flags"][fitted] & 8)
    ours = PSFPhotometry(psf, 7)(clean, init_params=stars)
    np.testing.assert_allclose(table["x_fit"], ours["x_fit"], atol=1e-3)
