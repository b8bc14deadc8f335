"""IterativePSFPhotometry: arguments, rounds, rows; its star list managed or not."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.detection import DAOStarFinder, MatchedFilterFinder
from psfphot.psf import (
    CircularGaussianPRF,
    IterativePSFPhotometry,
    PSFPhotometry,
    SourceGrouper,
    StarListManagement,
)
from psfphot.utils import NoDetectionsWarning

SHAPE = (101, 121)
PSF = CircularGaussianPRF(fwhm=3.0)


def render(x, y, flux):
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.zeros(SHAPE)
    for one in zip(flux, x, y, strict=True):
        image += PSF.evaluate(xx, yy, *one, 3.0)
    return image


@pytest.fixture(scope="module")
def blends():
    """Three stars, and two of them with a companion at 1.2 FWHM."""
    x = np.array([20.3, 60.1, 100.4, 23.9, 60.6])
    y = np.array([50.2, 30.7, 70.5, 50.6, 34.3])
    flux = np.array([9000.0, 8000.0, 7000.0, 1500.0, 1800.0])
    image = render(x, y, flux)
    error = np.sqrt(image + 25.0)
    return image + np.random.default_rng(3).normal(0, 1, SHAPE) * error, error, x, y


def photometry(**settings):
    options = {"grouper": SourceGrouper(8), "aperture_radius": 3, "mode": "all"}
    finder = settings.pop("finder", None) or DAOStarFinder(40.0, 3.0)
    return IterativePSFPhotometry(PSF, 5, finder, **(options | settings))


def assert_found(table, x, y):
    assert len(table) == len(x)
    distance = np.hypot(
        np.asarray(table["x_fit"])[:, None] - x, np.asarray(table["y_fit"])[:, None] - y
    )
    assert np.all(distance.min(axis=1) < 0.3)
    assert len(set(distance.argmin(axis=1))) == len(x)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"aperture_radius": None}, "aperture_radius cannot be None"),
        ({"maxiters": 0}, "maxiters must be a strictly-positive scalar, got 0"),
        ({"maxiters": True}, "maxiters must be a strictly-positive scalar"),
        ({"maxiters": "a"}, "maxiters must be a strictly-positive scalar"),
        ({"maxiters": np.nan}, "maxiters must be a strictly-positive scalar"),
        ({"maxiters": 1.5}, "maxiters must be an integer, got 1.5"),
        ({"mode": "old"}, "mode must be 'new' or 'all', got 'old'"),
        ({"grouper": None}, "grouper must be input for the 'all' mode"),
        ({"sub_shape": 4}, "sub_shape must have an odd value for both axes, got 4"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        photometry(**settings)


def test_a_finder_is_needed():
    with pytest.raises(ValueError, match="finder cannot be None"):
        IterativePSFPhotometry(PSF, 5, None, aperture_radius=3)


def test_bad_management():
    with pytest.raises(TypeError, match="management must be None, True, False or a"):
        photometry(management="yes")
    with pytest.raises(ValueError, match="n_sigma"):
        StarListManagement(n_sigma=0)
    with pytest.raises(ValueError, match="drop_below must not be negative, got -1"):
        StarListManagement(drop_below=-1)
    with pytest.raises(ValueError, match=r"at most 1, got 1\.5"):
        StarListManagement(drop_below=1.5)
    with pytest.raises(ValueError, match="merge_distance"):
        StarListManagement(merge_distance=np.nan)


def test_whole_numbers_of_rounds_are_integers():
    assert photometry(maxiters=2.0).maxiters == 2
    assert photometry(sub_shape=7).sub_shape == (7, 7)


@pytest.mark.parametrize(
    ("mode", "management"),
    [("all", None), ("all", False), ("new", True), ("new", None)],
)
def test_companions_are_found_in_the_second_round(blends, mode, management):
    data, error, x, y = blends
    phot = photometry(mode=mode, management=management, maxiters=2)
    table = phot(data, error=error)
    assert_found(table, x, y)
    assert table["iter_detected"].tolist() == [1, 1, 1, 2, 2]
    assert table.colnames[:4] == ["id", "group_id", "group_size", "iter_detected"]
    assert table["iter_detected"].dtype == np.int64
    assert len(phot.fit_results) == 2
    assert table.meta["psf_class"] == "IterativePSFPhotometry"
    assert (table.meta["mode"], table.meta["maxiters"]) == (mode, 2)
    rest = (phot.make_residual_image(data) / error).std()
    assert 0.9 < rest < (1.05 if mode == "all" else 1.4)
    model = phot.make_model_image(SHAPE)
    np.testing.assert_allclose(data - model, phot.make_residual_image(data))
    assert list(phot.decode_flags()) == table["id"].tolist()


def test_one_round_is_psf_photometry(blends):
    data, error, *_ = blends
    table = photometry(maxiters=1, management=False)(data, error=error)
    single = PSFPhotometry(
        PSF,
        5,
        finder=DAOStarFinder(40.0, 3.0),
        grouper=SourceGrouper(8),
        aperture_radius=3,
    )(data, error=error)
    for name in single.colnames:
        np.testing.assert_array_equal(table[name], single[name])


@pytest.mark.parametrize("mode", ["new", "all"])
def test_units_and_nddata(blends, mode):
    data, error, *_ = blends
    settings = {"mode": mode, "maxiters": 2}
    plain = photometry(**settings)(data, error=error)
    finder = DAOStarFinder(40.0 * u.nJy, 3.0)
    image = NDData(data * u.nJy, uncertainty=StdDevUncertainty(error))
    table = photometry(finder=finder, **settings)(image)
    assert table["flux_fit"].unit == u.nJy
    np.testing.assert_array_equal(table["flux_fit"].value, plain["flux_fit"])
    with pytest.raises(ValueError, match="mask and error keywords must be None"):
        photometry()(image, error=error)


def test_nothing_significant_is_nothing():
    def finder(image, mask=None):
        del image, mask
        return Table({"x": [30.0], "y": [30.0]})

    data = -render([30.0], [30.0], [900.0])
    for mode in ("all", "new"):
        phot = photometry(finder=finder, mode=mode, management=True)
        with pytest.warns(NoDetectionsWarning, match="none is significant"):
            assert phot(data, error=np.ones(SHAPE)) is None
        assert phot.fit_results == []


@pytest.mark.parametrize("mode", ["all", "new"])
def test_stars_of_fixed_flux_are_not_dropped(blends, mode):
    data, error, x, y = blends
    psf = PSF.copy()
    psf.flux.fixed = True
    settings = {"grouper": SourceGrouper(8), "aperture_radius": 3, "mode": mode}
    phot = IterativePSFPhotometry(
        psf, 5, DAOStarFinder(40.0, 3.0), management=True, **settings
    )
    table = phot(data, error=error)
    assert len(table) >= 3
    assert np.all(np.isnan(table["flux_err"]))
    distance = np.hypot(
        *(table[f"{k}_fit"].value - v[:3, None] for k, v in (("x", x), ("y", y)))
    )
    assert np.all(distance.min(axis=1) < 1)


@pytest.mark.parametrize("management", [True, False])
def test_nothing_found(management):
    phot = photometry(management=management)
    with pytest.warns(NoDetectionsWarning, match="No sources were found"):
        assert phot(np.zeros(SHAPE)) is None
    assert phot.results is None
    assert len(phot.fit_results) == 1
    with pytest.raises(ValueError, match="IterativePSFPhotometry instance first"):
        phot.make_model_image(SHAPE)
    assert phot.results_to_init_params() is None
    assert phot.results_to_model_params() is None


def test_a_warning_is_given_once(blends):
    data, error, *_ = blends
    data = data.copy()
    data[5, 5] = np.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        photometry(maxiters=3, management=False)(data, error=error)
    texts = [str(one.message) for one in caught]
    assert len(texts) == len(set(texts))
    assert sum("non-finite" in text for text in texts) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("management", [True, False])
def test_pickles_are_light(blends, management):
    data, error, *_ = blends
    phot = photometry(management=management, maxiters=2)
    pickle.loads(pickle.dumps(phot))  # noqa: S301
    table = phot(data, error=error)
    stored = pickle.dumps(phot)
    assert len(stored) < 0.6 * data.nbytes
    again = pickle.loads(stored)  # noqa: S301
    np.testing.assert_array_equal(again.results["flux_fit"], table["flux_fit"])
    np.testing.assert_array_equal(
        again.make_model_image(SHAPE), phot.make_model_image(SHAPE)
    )
    assert copy.copy(phot).results is not None


def test_a_repeated_detection_adds_no_row(blends):
    data, error, x, y = blends
    rows = Table({"x_centroid": x, "y_centroid": y})

    def stubborn(image, mask=None):
        del image, mask
        return rows.copy()

    for mode in ("all", "new"):
        phot = photometry(finder=stubborn, mode=mode, management=True, maxiters=4)
        table = phot(data, error=error)
        assert_found(table, x, y)
        assert table.meta["stopped"] == "nothing found"
        assert len(phot.fit_results) == 1


def test_the_users_stars_keep_their_ids_and_rows(blends):
    data, error, x, y = blends
    init = QTable({"id": [70, 30, 9], "x": [*x[:2], 80.0], "y": [*y[:2], 90.0]})
    init["flux"] = [9000.0, 8000.0, 1.0]
    finder = MatchedFilterFinder(PSF, 5.0)
    phot = photometry(finder=finder, maxiters=3)
    with warnings.catch_warnings():
        # No star is at (80, 90), which may not converge; the row stays.
        warnings.simplefilter("ignore", AstropyUserWarning)
        table = phot(data, error=error, init_params=init)
    assert set(table["id"][:3]) == {9, 30, 70}
    assert table["iter_detected"].tolist() == [1, 1, 1, 2, 2, 2]
    assert table["id"].tolist() == [9, 30, 70, 71, 72, 73]


def test_coincident_stars_become_one(blends):
    data, error, x, y = blends
    doubled = Table({"x": np.append(x, x[0] + 0.02), "y": np.append(y, y[0])})

    def finder(image, mask=None):
        del image, mask
        return doubled.copy()

    phot = photometry(finder=finder, maxiters=1)
    table = phot(data, error=error)
    assert_found(table, x, y)
    assert table.meta["n_merged"] + table.meta["n_dropped"] == 1
    assert set(table["id"]) <= set(range(1, 7))
    assert np.all(table["flux_err"] > 0)


def test_noise_is_measured_where_it_is_not_given(blends):
    data, _, x, y = blends
    finder = MatchedFilterFinder(PSF, 8.0)
    table = photometry(finder=finder, maxiters=3)(data)
    assert_found(table, x, y)


def bright_stars():
    """The scene of which photutils makes 40 to 45 false stars."""
    rng = np.random.default_rng(11)
    x, y = (a.ravel() for a in np.meshgrid(*2 * [np.arange(10.0, 100, 20)]))
    x, y = (a + rng.uniform(-0.5, 0.5, a.size) for a in (x, y))
    image = render(x, y, np.full(x.size, 200000.0))
    return image + rng.normal(0, np.sqrt(image + 121.0)), np.sqrt(image + 121.0), x, y


@pytest.mark.parametrize("mode", ["all", "new"])
def test_bright_stars_have_no_false_companions(mode):
    data, error, x, y = bright_stars()
    finder = DAOStarFinder(55.0, 3.0)
    phot = photometry(finder=finder, mode=mode, management=True, maxiters=10)
    table = phot(data, error=error)
    assert_found(table, x, y)
    assert len(phot.fit_results) <= 2


def test_extra_columns_tell_of_crowding_width_and_blends(blends):
    data, error, x, y = blends
    names = ["snr", "crowding", "sharpness", "chi", "n_merged", "blend_significance"]
    table = photometry(extra_columns=True, maxiters=2)(data, error=error)
    assert table.colnames[-6:] == names
    np.testing.assert_allclose(table["snr"], table["flux_fit"] / table["flux_err"])
    # The faint companions are crowded, the single star is not.
    single = np.hypot(table["x_fit"] - x[2], table["y_fit"] - y[2]) < 1
    faint = np.asarray(table["flux_fit"]) < 3000
    assert np.abs(np.asarray(table["crowding"][single])).max() < 0.01
    assert np.asarray(table["crowding"][faint]).min() > 0.2
    assert np.abs(np.asarray(table["sharpness"])).max() < 0.3
    assert np.all(np.abs(np.asarray(table["chi"]) - 1) < 0.4)
    assert np.nanmax(np.asarray(table["blend_significance"])) < 3.5
    plain = photometry(maxiters=2)(data, error=error)
    assert not set(names) & set(plain.colnames)


def test_a_fitted_pair_too_close_to_be_found_shows_as_a_blend():
    x, y, flux = [50.0, 51.1], [40.0, 40.0], [20000.0, 20000.0]
    image = render(x, y, flux)
    error = np.sqrt(image + 25.0)
    data = image + np.random.default_rng(3).normal(0, 1, SHAPE) * error
    table = photometry(extra_columns=True, maxiters=1)(data, error=error)
    assert len(table) == 1
    assert table["blend_significance"][0] > 3
    assert table["sharpness"][0] > 0.1


def test_columns_of_the_user_are_kept(blends):
    data, error, x, y = blends
    init = Table({"id": [8, 3, 5], "x": x[:3], "y": y[:3], "flux": [9e3, 8e3, 7e3]})
    init["name"] = ["a", "b", "c"]
    init["colour"] = [0.1, 0.2, 0.3]
    finder = MatchedFilterFinder(PSF, 5.0)
    phot = photometry(finder=finder, keep_columns=True, maxiters=2)
    table = phot(data, error=error, init_params=init)
    assert table["id"].tolist() == [3, 5, 8, 9, 10]
    assert table["name"].tolist() == ["b", "c", "a", None, None]
    assert table["colour"].tolist() == [0.2, 0.3, 0.1, None, None]
    assert table.meta["psf_class"] == "IterativePSFPhotometry"
    with pytest.raises(ValueError, match="keep_columns needs management"):
        photometry(keep_columns=True, management=False)


def test_two_blends_of_six_stars_stay_six():
    """Photutils has 14 rows after ten rounds of a scene like this."""
    x = [20.0, 22.8, 60.0, 62.2, 90.0, 40.0]
    y = [20.0, 21.0, 50.0, 52.0, 80.0, 80.0]
    image = render(x, y, [9000.0, 4000.0, 12000.0, 5000.0, 7000.0, 3000.0])
    rng = np.random.default_rng(21)
    error = np.sqrt(image + 25.0)
    data = image + rng.normal(0, 1, SHAPE) * error
    finder = MatchedFilterFinder(PSF, 5.0)
    table = photometry(finder=finder, maxiters=10)(data, error=error)
    assert abs(len(table) - 6) <= 1
    assert_found(table, x, y)


@pytest.mark.parametrize("mode", ["new", "all"])
@pytest.mark.parametrize("management", [True, False])
def test_no_row_has_an_error_of_0_or_leaves_the_image_unflagged(mode, management):
    """Stars on the edges, a hole, and detections that are none."""
    rng = np.random.default_rng(5)
    x = np.append(rng.uniform(-2, 122, 60), [60.0, 60.0])
    y = np.append(rng.uniform(-2, 102, 60), [50.0, 50.2])
    image = render(x, y, rng.uniform(300, 9000, 62))
    error = np.sqrt(image + 25.0)
    data = image + rng.normal(0, 1, SHAPE) * error
    data[40:44, 30:36] = np.nan
    phot = photometry(mode=mode, management=management, maxiters=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)
        table = phot(data, error=error)
    flux_err = np.asarray(table["flux_err"])
    assert not np.any(flux_err == 0)
    off = ~(
        (np.asarray(table["x_fit"]) >= -0.5)
        & (np.asarray(table["x_fit"]) <= 120.5)
        & (np.asarray(table["y_fit"]) >= -0.5)
        & (np.asarray(table["y_fit"]) <= 100.5)
    )
    assert np.all(np.asarray(table["flags"])[off] != 0)
    assert len(set(table["id"].tolist())) == len(table)


def test_ctrl_c_or_an_error_leaves_no_half_results(blends):
    data, error, *_ = blends
    phot = photometry(maxiters=2)
    phot(data, error=error)
    with pytest.raises(ValueError, match="shape"):
        phot(data, error=error[1:])
    assert phot.results is None
    assert phot.fit_results == []
