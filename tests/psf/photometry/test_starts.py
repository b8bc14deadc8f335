"""Where a fit starts: which column wins, what is missing, which ids there are."""

import numpy as np
import pytest
from astropy.modeling import Fittable2DModel, Parameter
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.psf import PSF_FLAGS, CircularGaussianPRF, PSFPhotometry, SourceGrouper

SHAPE = (60, 60)


def star(flux, x_0, y_0, fwhm=2.5):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return CircularGaussianPRF().evaluate(x, y, flux, x_0, y_0, fwhm)


@pytest.fixture
def data():
    return star(1000, 30.2, 29.7)


@pytest.fixture
def psf():
    return CircularGaussianPRF(fwhm=2.5)


class TestColumns:
    def test_of_a_table_of_results_the_fits_are_taken(self, data, psf):
        init = QTable({"x": [30.8, 99.0], "y": [30.3, 5.0], "flux": [900.0, 1.0]})
        first = PSFPhotometry(psf, 7)(data, init_params=init)
        psf.x_0.fixed = psf.y_0.fixed = True
        forced = PSFPhotometry(psf, 7)(data, init_params=first)
        assert forced["flux_fit"][0] == pytest.approx(1000)
        assert forced["x_init"][0] == first["x_fit"][0]
        # What was not fitted starts where it did.
        assert forced["x_init"][1] == 99

    def test_fixed_parameters_of_each_star(self, psf):
        data = star(1000, 15.2, 20.1, 2.0) + star(800, 40.3, 41.8, 4.0)
        init = QTable({"x": [15.0, 40.0], "y": [20.0, 42.0], "flux": [900.0, 900.0]})
        init["fwhm_init"] = [2.0, 4.0]
        phot = PSFPhotometry(psf, 9)
        table = phot(data, error=np.ones(SHAPE), init_params=init)
        np.testing.assert_allclose(table["flux_fit"], [1000, 800], rtol=1e-5)
        np.testing.assert_array_equal(table["fwhm_fit"], [2, 4])
        assert np.all(np.isnan(table["fwhm_err"]))
        assert np.abs(phot.make_residual_image(data)).max() < 1e-3
        assert list(phot.results_to_model_params()["fwhm"]) == [2, 4]

    def test_a_column_of_a_fixed_parameter_that_may_be_a_measurement(self, data, psf):
        init = QTable({"x": [30.0], "y": [30.0], "flux": [900.0], "fwhm": [3.1]})
        with pytest.warns(AstropyUserWarning, match="'fwhm' of init_params is not us"):
            table = PSFPhotometry(psf, 7)(data, init_params=init)
        assert table["flux_fit"][0] == pytest.approx(1000)


class TestMissing:
    @pytest.mark.parametrize("fitter", [None, "TRFLSQFitter"])
    def test_one_background_of_a_group(self, psf, fitter):
        fitting = pytest.importorskip("astropy.modeling.fitting")
        if fitter is not None:
            pytest.importorskip("scipy")
            fitter = getattr(fitting, fitter)()
        data = 100.0 + star(1000, 30, 30) + star(800, 34, 30)
        init = QTable({"x": [30.0, 34.0], "y": [30.0, 30.0], "flux": [1e3, 8e2]})
        init["local_bkg"] = [100.0, np.nan]
        phot = PSFPhotometry(psf, 7, grouper=SourceGrouper(6), fitter=fitter)
        table = phot(data, error=np.ones(SHAPE), init_params=init)
        np.testing.assert_allclose(table["flux_fit"], [1000, 800], rtol=1e-6)
        flag = PSF_FLAGS.NON_FINITE_LOCAL_BKG
        assert list(table["flags"]) == [0, flag]
        assert np.isnan(table["local_bkg"][1])

    def test_a_background_of_a_star_alone(self, psf):
        data = 100.0 + star(1000, 30, 30) + star(800, 10, 10)
        init = QTable({"x": [30.0, 10.0], "y": [30.0, 10.0], "flux": [1e3, 8e2]})
        init["local_bkg"] = np.ma.array([100.0, 5.0], mask=[False, True])
        table = PSFPhotometry(psf, 7)(data, init_params=init)
        np.testing.assert_allclose(table["flux_fit"], [1000, 800], rtol=1e-6)

    def test_a_width_that_is_not_finite_is_the_model_s(self, data, psf):
        psf.fwhm.fixed = False
        init = QTable({"x": [30.0], "y": [30.0], "flux": [900.0], "fwhm": [np.nan]})
        table = PSFPhotometry(psf, 7)(data, init_params=init)
        assert table["fwhm_init"][0] == 2.5
        assert table["fwhm_fit"][0] == pytest.approx(2.5)

    def test_weights_of_zero(self, data, psf):
        """They are no information; numpy does not complain."""
        nddata = pytest.importorskip("astropy.nddata")
        weights = np.where(np.arange(60)[:, None] < 5, 0.0, 1.0) + np.zeros(SHAPE)
        init = QTable({"x": [30.0], "y": [30.0], "flux": [900.0]})
        for uncertainty in (
            nddata.InverseVariance(weights),
            nddata.VarianceUncertainty(np.where(weights > 0, 1.0, -1.0)),
        ):
            with np.errstate(all="raise"):
                table = PSFPhotometry(psf, 7)(
                    nddata.NDData(data, uncertainty=uncertainty), init_params=init
                )
            assert table["flux_fit"][0] == pytest.approx(1000)


class TestIds:
    @pytest.mark.parametrize(
        "ids", [[0, 1], [-5, 3], ["b", "a"], [2**63 + 1, 5], [1.5, 0.5]]
    )
    @pytest.mark.parametrize("grouper", [None, SourceGrouper(3)])
    def test_of_any_kind(self, psf, ids, grouper):
        data = star(1000, 30.2, 29.7) + star(500, 10, 10)
        init = QTable({"x": [30.0, 10.0], "y": [30.0, 10.0], "flux": [900.0, 500.0]})
        init["id"] = np.array(ids, dtype=np.uint64 if max(ids) == 2**63 + 1 else None)
        phot = PSFPhotometry(psf, 7, grouper=grouper)
        table = phot(data, init_params=init)
        assert list(table["id"]) == sorted(ids)
        flux = dict(zip(table["id"].tolist(), table["flux_fit"], strict=True))
        assert flux[ids[0]] == pytest.approx(1000)
        assert set(phot.decode_flags()) == set(ids)
        assert list(table["group_size"]) == [1, 1]
        assert phot.group_covariance(int(table["group_id"][0])).ids == [min(ids)]

    def test_an_id_that_is_no_number(self, data, psf):
        init = QTable({"id": [1.0, np.nan], "x": [3.0, 4.0], "y": [3.0, 4.0]})
        with pytest.raises(ValueError, match="id column must be finite"):
            PSFPhotometry(psf, 7, aperture_radius=3)(data, init_params=init)

    @pytest.mark.parametrize("ids", [[3, 4, 9], [9, 3, 4], [9, 4, 3]])
    def test_in_any_order_with_gaps(self, psf, ids):
        data = star(1000, 30.2, 29.7) + star(500, 10, 10) + star(300, 45, 40)
        init = QTable({"x": [30.0, 10.0, 45.0], "y": [30.0, 10.0, 40.0], "id": ids})
        init["note"] = ["a", "b", "c"]
        phot = PSFPhotometry(psf, 7, aperture_radius=3, keep_columns=True)
        table = phot(data, init_params=init)
        order = np.argsort(ids)
        assert list(table["id"]) == list(phot.init_params["id"]) == sorted(ids)
        assert list(table["group_id"]) == sorted(ids)
        assert list(table["note"]) == [init["note"][k] for k in order]
        expected = np.array([1000, 500, 300])[order]
        np.testing.assert_allclose(table["flux_fit"], expected, rtol=1e-5)
        # The caller's table is as it was.
        assert list(init["id"]) == ids

    @pytest.mark.parametrize("ids", [[1, 2, 2], [2, 1, 2], [2, 2, 1], [0.0, -0.0, 1.0]])
    def test_that_come_twice(self, data, psf, ids):
        init = QTable({"x": [3.0, 4.0, 9.0], "y": [3.0, 4.0, 9.0], "id": ids})
        with pytest.raises(ValueError, match="id column must contain unique values"):
            PSFPhotometry(psf, 7, aperture_radius=3)(data, init_params=init)


@pytest.mark.parametrize(
    ("groups", "sizes"),
    [
        ([2, 5, 6], [1, 1, 1]),
        ([6, 2, 5], [1, 1, 1]),
        ([2, 2, 6], [2, 2, 1]),
        ([2, 6, 2], [2, 1, 2]),
        ([6, 2, 2], [1, 2, 2]),
    ],
)
def test_groups_are_those_of_equal_labels(psf, groups, sizes):
    places = {"x": [30.0, 33.0, 27.0], "y": [30.0, 31.0, 31.0]}
    data = sum(star(1000, x, y) for x, y in zip(*places.values(), strict=True))
    init = QTable(places | {"flux": [900.0] * 3, "group_id": groups})
    table = PSFPhotometry(psf, 7)(data, error=np.ones(SHAPE), init_params=init)
    assert list(table["group_id"]) == groups
    assert list(table["group_size"]) == sizes
    # Those of a group are fitted together, and as if there were no others.
    for label in groups:
        members = np.asarray(groups) == label
        own = PSFPhotometry(psf, 7)(
            data, error=np.ones(SHAPE), init_params=init[members]
        )
        assert list(table["flux_fit"][members]) == list(own["flux_fit"])


def test_a_start_off_the_image_is_flagged(psf):
    """Two columns of a star do not tell its place: the errors may be too small."""
    x = np.array([-1.0, 59.4, 59.6, 20.0, 20.0])
    y = np.array([20.0, 20.0, 40.0, -0.4, -0.6])
    data = sum(star(1000, *place) for place in zip(x, y, strict=True))
    init = QTable({"x": x, "y": y, "flux": np.full(5, 1000.0)})
    table = PSFPhotometry(psf, 5)(data, error=np.ones(SHAPE), init_params=init)
    is_flagged = np.asarray(table["flags"]) & PSF_FLAGS.START_OUTSIDE_IMAGE > 0
    assert is_flagged.tolist() == [True, False, True, False, True]


class StarOnSky(Fittable2DModel):
    """A model with a sky of its own."""

    flux, x_0, y_0, sky = (Parameter(default=d) for d in (1, 0, 0, 0))

    @staticmethod
    def evaluate(x, y, flux, x_0, y_0, sky):  # noqa: PLR0917
        """Evaluate the model."""
        r2 = (x - x_0) ** 2 + (y - y_0) ** 2
        return sky + flux / (2 * np.pi * 1.12) * np.exp(-r2 / 2 / 1.12)


def test_what_a_model_adds_to_the_star_is_refused():
    model = StarOnSky()
    with pytest.raises(ValueError, match=r"StarOnSky with sky = 1 is not.*local_bkg"):
        PSFPhotometry(model, 9)
    model.sky.bounds = (-3, 0)
    with pytest.raises(ValueError, match=r"StarOnSky with sky = -1 is not"):
        PSFPhotometry(model, 9)
    model.sky.fixed = True
    y, x = np.mgrid[:30, :30]
    data = StarOnSky.evaluate(x, y, 1000.0, 15.2, 14.7, 0.0)
    init = QTable({"x": [15.0], "y": [15.0], "flux": [900.0]})
    assert PSFPhotometry(model, 9)(data, init_params=init)["flux_fit"][
        0
    ] == pytest.approx(1000)
