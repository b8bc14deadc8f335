"""PSF photometry with the models that are formulas, shapes fixed and free."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from psf_samples import each_kind

from psfphot.psf import (
    GaussianPRF,
    MoffatPSF,
    PSFPhotometry,
    make_psf_model_image,
)


class TestPhotometry:
    """Truth is recovered, with fixed and with free shapes."""

    def stars(self, kind, shape):
        model = kind(**shape)
        data, params = make_psf_model_image(
            (200, 220),
            model,
            8,
            model_shape=(41, 41),
            flux=(2000, 9000),
            min_separation=30,
            seed=1,
        )
        params.sort("id")
        return data, params

    def start(self, kind, shape, *, is_free):
        factor = 1.08 if is_free else 1.0
        start = kind(**{name: factor * value for name, value in shape.items()})
        for name in shape:
            getattr(start, name).fixed = not is_free
        return start

    @each_kind
    @pytest.mark.parametrize("is_free", [False, True])
    def test_without_noise(self, kind, shape, is_free):
        data, params = self.stars(kind, shape)
        start = self.start(kind, shape, is_free=is_free)
        init = params["x_0", "y_0", "flux"]
        init["x_0"] += 0.1
        init["flux"] *= 0.9
        photometry = PSFPhotometry(start, (11, 11), fitter_maxiters=200)
        table = photometry(data, init_params=init)
        for name, column in [("x", "x_0"), ("y", "y_0"), ("flux", "flux")]:
            np.testing.assert_allclose(table[f"{name}_fit"], params[column], rtol=1e-6)
        for name, value in shape.items():
            assert (f"{name}_fit" in table.colnames) == is_free
            if is_free:
                np.testing.assert_allclose(table[f"{name}_fit"], value, rtol=1e-5)
        residual = photometry.make_residual_image(data, psf_shape=(41, 41))
        assert np.abs(residual).max() < 1e-5 * data.max()

    @each_kind
    @pytest.mark.parametrize("is_free", [False, True])
    def test_with_noise(self, kind, shape, is_free):
        data, params = self.stars(kind, shape)
        error = np.full(data.shape, 2.0)
        data = data + np.random.default_rng(2).normal(0, 2, data.shape)
        start = self.start(kind, shape, is_free=is_free)
        init = params["x_0", "y_0", "flux"]
        photometry = PSFPhotometry(start, (11, 11), fitter_maxiters=200)
        table = photometry(data, error=error, init_params=init)
        assert (np.asarray(table["flags"]) == 0).all()
        pulls = [
            (table[f"{name}_fit"] - params[column]) / table[f"{name}_err"]
            for name, column in [("x", "x_0"), ("y", "y_0"), ("flux", "flux")]
        ]
        if is_free:
            pulls += [
                (table[f"{name}_fit"] - value) / table[f"{name}_err"]
                for name, value in shape.items()
            ]
        assert np.abs(pulls).max() < 4.5

    def test_starts_of_shapes_and_groups(self):
        shape = {"x_fwhm": 3.0, "y_fwhm": 2.0, "theta": 25.0}
        model = GaussianPRF(**shape)
        data, params = make_psf_model_image(
            (60, 70), model, 3, flux=(4000, 5000), min_separation=8, seed=4
        )
        start = self.start(GaussianPRF, shape, is_free=True)
        init = params["x_0", "y_0", "flux"]
        init["group_id"] = 1
        init["theta_init"] = [20.0, 25.0, 30.0]
        table = PSFPhotometry(start, (11, 11))(data, init_params=init)
        assert table["theta_init"].tolist() == [20, 25, 30]
        np.testing.assert_allclose(table["theta_fit"], 25, rtol=1e-6)
        np.testing.assert_allclose(table["flux_fit"], params["flux"], rtol=1e-6)
        init["x_fwhm"] = [1.0, -1.0, 2.0]
        with pytest.raises(
            ValueError, match="x_fwhm must be positive and finite, got -1"
        ):
            PSFPhotometry(start, (11, 11))(data, init_params=init)

    @each_kind
    def test_a_blended_group(self, kind, shape):
        model = kind(**shape)
        y, x = np.mgrid[0:40, 0:90]
        truth = QTable(
            {
                "x": [20.3, 25.1, 70.0],
                "y": [18.0, 20.6, 21.2],
                "flux": [3000.0, 1000.0, 2000.0],
            }
        )
        # The third is far off, but near enough for its wings to count.
        data = sum(
            model.evaluate(x, y, row["flux"], row["x"], row["y"], *shape.values())
            for row in truth
        )
        init = truth.copy()
        init["group_id"] = 1
        init["x"] += 0.2
        init["flux"] *= 0.8
        table = PSFPhotometry(kind(**shape), (9, 9))(data, init_params=init)
        far_wings = 2e-4 if "Gauss" not in kind.__name__ else 1e-8
        for name in truth.colnames:
            np.testing.assert_allclose(
                table[f"{name}_fit"], truth[name], rtol=far_wings
            )

    def test_an_angle_in_radians(self):
        shape = {"x_fwhm": 3.0, "y_fwhm": 2.0}
        model = GaussianPRF(**shape, theta=25.0)
        data, params = make_psf_model_image((60, 70), model, 3, flux=(400, 500))
        radians = GaussianPRF(**shape, theta=np.deg2rad(25) * u.rad)
        again, _ = make_psf_model_image((60, 70), radians, 3, flux=(400, 500))
        np.testing.assert_allclose(again, data, rtol=1e-12, atol=1e-15)
        init = params["x_0", "y_0", "flux"]
        table = PSFPhotometry(radians, (11, 11))(data, init_params=init)
        np.testing.assert_allclose(table["flux_fit"], params["flux"], rtol=1e-6)
        radians.theta.fixed = False
        table = PSFPhotometry(radians, (11, 11))(data, init_params=init)
        np.testing.assert_allclose(table["theta_fit"], 25, rtol=1e-6)

    def test_beta_stays_above_one(self):
        y, x = np.mgrid[0:21, 0:21]
        # Flatter than any Moffat: beta goes to its limit.
        data = 100 / (1 + np.hypot(x - 10, y - 10))
        model = MoffatPSF(alpha=2, beta=1.5)
        model.beta.fixed = model.alpha.fixed = False
        init = QTable({"x": [10.0], "y": [10.0], "flux": [1e4]})
        photometry = PSFPhotometry(model, (21, 21))
        with pytest.warns(AstropyUserWarning, match="may not have converged"):
            table = photometry(data, init_params=init)
        assert table["beta_fit"][0] > 1
        assert table["alpha_fit"][0] > 0


@pytest.mark.parametrize("beta", [1.0000001, 1.01, 2.5])
@pytest.mark.parametrize("power", [0.8, 1.0])
def test_a_profile_that_is_no_moffat_ends_near_beta_1(beta, power):
    """There the flux is infinite, and 1/(beta - 1) is not."""
    y, x = np.mgrid[:61, :61]
    data = 100 * (1 + ((x - 30.2) ** 2 + (y - 29.7) ** 2) / 9) ** -power
    model = MoffatPSF(alpha=3, beta=beta)
    model.alpha.fixed = model.beta.fixed = False
    phot = PSFPhotometry(model, 31)
    init = QTable({"x": [30.0], "y": [30.0], "flux": [3000.0]})
    with pytest.warns(AstropyUserWarning, match="may not have converged"):
        table = phot(data, error=np.ones(data.shape), init_params=init)
    for name in ("x", "y", "flux", "alpha", "beta"):
        assert np.isfinite(table[f"{name}_fit"][0])
    assert 1 < table["beta_fit"][0] < 1.1
    assert np.isfinite(phot.make_residual_image(data, psf_shape=31)).all()
