"""PSFPhotometry: its arguments, its table, its answers to bad input."""

import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import CCDData, NDData, StdDevUncertainty, VarianceUncertainty
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.background import LocalBackground
from psfphot.detection import IRAFStarFinder
from psfphot.psf import CircularGaussianPRF, PSFPhotometry, SourceGrouper
from psfphot.utils import NoDetectionsWarning

SHAPE = (80, 90)
COLUMNS = [
    "id",
    "group_id",
    "group_size",
    "local_bkg",
    "x_init",
    "y_init",
    "flux_init",
    "x_fit",
    "y_fit",
    "flux_fit",
    "x_err",
    "y_err",
    "flux_err",
    "n_pixels_fit",
    "qfit",
    "cfit",
    "reduced_chi2",
    "flags",
]
INTEGERS = {"id", "group_id", "group_size", "n_pixels_fit", "flags"}


@pytest.fixture
def psf():
    return CircularGaussianPRF(fwhm=2.7)


@pytest.fixture
def truth():
    table = QTable()
    table["x"] = [20.2, 50.7, 70.1, 25.4]
    table["y"] = [20.4, 40.9, 60.3, 22.3]
    table["flux"] = [900.0, 700.0, 1500.0, 600.0]
    return table


@pytest.fixture
def data(psf, truth):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.random.default_rng(3).normal(0, 1, SHAPE)
    for star in truth:
        image += psf.evaluate(x, y, star["flux"], star["x"], star["y"], 2.7)
    return image


def assert_recovers(table, truth, n_sigma=5):
    for name in ("x", "y", "flux"):
        pull = (table[f"{name}_fit"] - truth[name]) / table[f"{name}_err"]
        assert np.all(np.abs(np.asarray(pull)) < n_sigma), name


def test_columns_and_types(psf, truth, data):
    phot = PSFPhotometry(psf, 7)
    table = phot(data, error=np.ones(SHAPE), init_params=truth)
    assert table.colnames == COLUMNS
    for name in COLUMNS:
        expected = np.int64 if name in INTEGERS else np.float64
        assert table[name].dtype == expected, name
    assert_recovers(table, truth)
    assert np.all(table["flags"] == 0)
    assert phot.results is table
    for key in ("date", "version", "psf_class", "fit_shape", "finder"):
        assert key in table.meta


def test_finder_and_grouper(psf, truth, data):
    finder = IRAFStarFinder(6.0, 2.7, min_separation=4)
    grouper = SourceGrouper(8)
    phot = PSFPhotometry(psf, 7, finder=finder, grouper=grouper, aperture_radius=4)
    table = phot(data, error=np.ones(SHAPE))
    assert len(table) == 4
    order = np.argsort(table["x_fit"])
    assert_recovers(table[order], truth[np.argsort(truth["x"])])
    assert sorted(table["group_size"]) == [1, 1, 2, 2]
    assert len(phot.finder_results) == 4


def test_nothing_found_gives_none(psf):
    phot = PSFPhotometry(psf, 5, finder=IRAFStarFinder(50, 3), aperture_radius=3)
    with pytest.warns(NoDetectionsWarning, match="No sources were found"):
        assert phot(np.random.default_rng(0).normal(0, 1, SHAPE)) is None
    with pytest.raises(ValueError, match="No results available"):
        phot.make_model_image(SHAPE)


def test_residual_is_noise(psf, truth, data):
    phot = PSFPhotometry(psf, 7)
    phot(data, init_params=truth)
    residual = phot.make_residual_image(data, psf_shape=(21, 21))
    assert abs(residual.std() - 1) < 0.05
    model = phot.make_model_image(SHAPE)
    np.testing.assert_allclose(data - model, phot.make_residual_image(data))
    assert phot.make_model_image((10, 12)).shape == (10, 12)


def test_a_pair_is_fitted_jointly(psf, truth, data):
    # Stars 0 and 3 overlap: alone each is biased by the other, jointly not.
    grouped = Table(truth, copy=True)
    grouped["group_id"] = [1, 2, 3, 1]
    joint = PSFPhotometry(psf, 9)(data, error=np.ones(SHAPE), init_params=grouped)
    assert_recovers(joint, truth)
    assert list(joint["group_size"]) == [2, 1, 1, 2]


def test_units(psf, truth, data):
    phot = PSFPhotometry(psf, 7, aperture_radius=4)
    starts = truth["x", "y"]
    plain = phot(data, error=np.ones(SHAPE), init_params=starts)
    error = np.full(SHAPE, 1e6) * u.uJy
    table = phot(data * u.Jy, error=error, init_params=starts)
    for name in ("local_bkg", "flux_init", "flux_fit", "flux_err"):
        assert table[name].unit == u.Jy
    np.testing.assert_allclose(table["flux_fit"].value, plain["flux_fit"], rtol=1e-12)
    assert phot.make_model_image(SHAPE).unit == u.Jy
    assert phot.make_residual_image(data * u.Jy).unit == u.Jy
    with pytest.raises(ValueError, match="unit of the fitted data"):
        phot.make_residual_image(data)
    with pytest.raises(ValueError, match="same units"):
        phot(data * u.Jy, error=np.ones(SHAPE), init_params=starts)
    with pytest.raises(ValueError, match="same units"):
        phot(data * u.Jy, error=np.ones(SHAPE) * u.s, init_params=starts)
    with pytest.raises(ValueError, match=r"flux_init column does not.*QTable"):
        phot(data * u.Jy, init_params=truth)
    mixed = truth.copy()
    mixed["flux"] = mixed["flux"] * u.s
    with pytest.raises(ValueError, match="incompatible"):
        phot(data * u.Jy, init_params=mixed)
    with pytest.raises(ValueError, match="input data does not have units"):
        phot(data, init_params=mixed)


@pytest.mark.parametrize("kind", [NDData, CCDData])
def test_nddata(psf, truth, data, kind):
    error = np.full(SHAPE, 1.0)
    mask = np.zeros(SHAPE, bool)
    mask[20, 21] = True
    unit = u.adu
    expected = PSFPhotometry(psf, 7, aperture_radius=4)(
        data * unit, error=error * unit, mask=mask, init_params=truth["x", "y"]
    )
    for uncertainty in (StdDevUncertainty(error), VarianceUncertainty(error**2)):
        nddata = kind(data, uncertainty=uncertainty, mask=mask, unit=unit)
        phot = PSFPhotometry(psf, 7, aperture_radius=4)
        table = phot(nddata, init_params=truth["x", "y"])
        assert np.all(table["flux_fit"] == expected["flux_fit"])
        assert np.all(table["flux_err"] == expected["flux_err"])
        residual = phot.make_residual_image(nddata)
        assert type(residual) is kind
        assert residual.unit == unit
        with pytest.raises(ValueError, match="mask and error keywords must be None"):
            phot(nddata, error=error, init_params=truth["x", "y"])


@pytest.mark.parametrize("dtype", [">f4", ">f8", "f4", "f2", "i2", "u1"])
def test_dtypes(psf, truth, data, dtype):
    # Whole numbers from 0 to 255 mean the same in all of them.
    image = np.clip(np.round(data / 3 + 20), 0, 255)
    expected = PSFPhotometry(psf, 7)(image - 0.0, init_params=truth)
    table = PSFPhotometry(psf, 7)(image.astype(dtype), init_params=truth)
    np.testing.assert_allclose(table["flux_fit"], expected["flux_fit"], rtol=1e-12)


def test_layouts(psf, truth, data):
    expected = PSFPhotometry(psf, 7)(data, init_params=truth)["flux_fit"]
    wide = np.zeros((160, 180))
    wide[::2, ::2] = data
    read_only = data.copy()
    read_only.flags.writeable = False
    for image in (np.asfortranarray(data), wide[::2, ::2], read_only, data.tolist()):
        table = PSFPhotometry(psf, 7)(image, init_params=truth)
        assert np.all(table["flux_fit"] == expected)


def test_bad_pixels_are_left_out_and_said(psf, truth, data):
    error = np.ones(SHAPE)
    error[20, 21], error[19, 20], error[21, 20] = 0, -1, np.nan
    broken = data.copy()
    broken[41, 50] = np.nan
    mask = np.zeros(SHAPE, bool)
    mask[60, 70] = True
    phot = PSFPhotometry(psf, 7)
    with pytest.warns(AstropyUserWarning) as caught:
        table = phot(broken, error=error, mask=mask, init_params=truth)
    texts = sorted(str(w.message) for w in caught)
    assert len(texts) == 2
    assert texts[0].startswith("3 pixel(s) within the fit boxes have an error")
    assert texts[1].startswith("Input data contains unmasked non-finite values")
    assert list(table["n_pixels_fit"]) == [46, 48, 48, 49]
    assert list(table["flags"]) == [1, 1, 1, 0]
    assert_recovers(table, truth)


def test_masked_array_joins_the_mask(psf, truth, data):
    masked = np.ma.array(data, mask=np.zeros(SHAPE, bool))
    masked[20, 20] = np.ma.masked
    mask = np.zeros(SHAPE, int)
    mask[20, 21] = 1
    phot = PSFPhotometry(psf, 7)
    table = phot(masked, mask=mask, init_params=truth)
    assert table["n_pixels_fit"][0] == 47
    residual = phot.make_residual_image(masked)
    assert residual.mask.sum() == 1
    np.testing.assert_array_equal(residual.unmasked, phot.make_residual_image(data))


def test_lost_sources_lose_nobody(psf, truth, data):
    starts = QTable()
    starts["x"] = [20.0, np.nan, -30.0, 50.0]
    starts["y"] = [20.0, 20.0, 20.0, 41.0]
    grouper = SourceGrouper(3)
    phot = PSFPhotometry(psf, 7, grouper=grouper, aperture_radius=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = phot(data, error=np.ones(SHAPE), init_params=starts)
    assert_recovers(table[[0, 3]], truth[[0, 1]])
    assert table["flags"][1] & 512
    assert table["flags"][2] & 64
    assert np.all(np.isnan(table["flux_err"][1:3]))
    assert len(set(table["group_id"])) == 4


def test_all_lost(psf):
    starts = QTable({"x": [5.0], "y": [5.0], "flux": [1.0]})
    with pytest.warns(AstropyUserWarning, match="non-finite"):
        table = PSFPhotometry(psf, 5)(np.full((20, 20), np.nan), init_params=starts)
    assert table["flags"][0] & 128
    with pytest.warns(AstropyUserWarning, match="may not have converged"):
        table = PSFPhotometry(psf, 5)(np.zeros((20, 20)), init_params=starts)
    assert table["flags"][0] != 0


def test_local_background(psf, truth, data):
    estimator = LocalBackground(9, 15)
    phot = PSFPhotometry(psf, 7, aperture_radius=4, local_bkg_estimator=estimator)
    table = phot(data + 25, error=np.ones(SHAPE), init_params=truth["x", "y"])
    assert np.all(np.abs(table["local_bkg"] - 25) < 1)
    alone = [1, 2]
    assert np.all(np.abs(table["flux_init"][alone] - truth["flux"][alone]) < 150)
    given = truth.copy()
    given["local_bkg"] = 25.0
    table = PSFPhotometry(psf, 7)(data + 25, error=np.ones(SHAPE), init_params=given)
    assert_recovers(table[alone], truth[alone])
    lit = PSFPhotometry(psf, 7)
    lit(data + 25, init_params=given)
    model = lit.make_model_image(SHAPE, psf_shape=7, include_local_bkg=True)
    bare = lit.make_model_image(SHAPE, psf_shape=7)
    assert model[60, 70] - bare[60, 70] == pytest.approx(25)


def test_fixed_and_free_parameters(psf, truth, data):
    psf.x_0.fixed = psf.y_0.fixed = True
    table = PSFPhotometry(psf, 7)(data, error=np.ones(SHAPE), init_params=truth)
    assert np.all(table["x_fit"] == truth["x"])
    assert np.all(np.isnan(table["x_err"]))
    alone = [1, 2]
    pull = (table["flux_fit"] - truth["flux"]) / table["flux_err"]
    assert np.all(np.abs(pull[alone]) < 5)

    wide = CircularGaussianPRF(fwhm=3.2)
    wide.fwhm.fixed = False
    table = PSFPhotometry(wide, 9)(data, error=np.ones(SHAPE), init_params=truth)
    assert table.colnames[7:14] == [
        "fwhm_init",
        *COLUMNS[7:10],
        "fwhm_fit",
        "x_err",
        "y_err",
    ]
    pull = (table["fwhm_fit"] - 2.7) / table["fwhm_err"]
    assert np.all(np.abs(pull[alone]) < 5)

    # Each is rendered with its own width.
    phot = PSFPhotometry(wide, 9)
    phot(data, init_params=truth[2:3])
    residual = phot.make_residual_image(data, psf_shape=15)
    assert abs(residual[53:68, 63:78].std() - 1) < 0.15

    for name in psf.param_names:
        getattr(psf, name).fixed = True
    with pytest.raises(ValueError, match="no free parameters"):
        PSFPhotometry(psf, 7)(data, init_params=truth)


def test_ties_are_refused_not_ignored(psf, truth, data):
    psf.y_0.tied = lambda model: model.x_0
    with pytest.raises(NotImplementedError, match="y_0 is tied"):
        PSFPhotometry(psf, 5)
    psf.y_0.fixed = True  # then it does not matter
    assert len(PSFPhotometry(psf, 5)(data, init_params=truth)) == len(truth)


def test_widths_stay_positive(psf, truth, data):
    psf.fwhm.fixed = False
    phot = PSFPhotometry(psf, 9)
    for start in (0.3, 30.0):
        starts = truth["x", "y", "flux"]
        starts["fwhm"] = start
        table = phot(data, error=np.ones(SHAPE), init_params=starts)
        np.testing.assert_allclose(table["fwhm_fit"][1:3], 2.7, rtol=0.05)
    starts["fwhm"] = -1.0
    with pytest.raises(ValueError, match="fwhm must be positive and finite, got -1"):
        phot(data, init_params=starts)


def test_a_model_changed_after_construction_is_the_one_that_is_used(truth, data):
    model = CircularGaussianPRF(fwhm=1.5)
    phot = PSFPhotometry(model, 7)
    model.fwhm = 2.7
    table = phot(data, error=np.ones(SHAPE), init_params=truth)
    assert_recovers(table[[1, 2]], truth[[1, 2]])
    residual = phot.make_residual_image(data, psf_shape=15)
    assert abs(residual[50:70, 60:80].std() - 1) < 0.15


def test_rows_are_sorted_by_id(psf, truth, data):
    shuffled = truth.copy()
    shuffled["id"] = [7, 3, 9, 1]
    table = PSFPhotometry(psf, 7)(data, init_params=shuffled)
    assert list(table["id"]) == [1, 3, 7, 9]
    np.testing.assert_array_equal(table["x_init"], truth["x"][[3, 1, 0, 2]])


@pytest.mark.parametrize(
    "names", [("x_init", "y_init"), ("xcentroid", "ycentroid"), ("x_fit", "y_fit")]
)
def test_names_of_positions(psf, truth, data, names):
    starts = QTable([truth["x"], truth["y"], truth["flux"]], names=[*names, "flux_0"])
    table = PSFPhotometry(psf, 7)(data, init_params=starts)
    np.testing.assert_array_equal(table["x_init"], truth["x"])


def test_threads_change_nothing(psf, truth, data):
    tables = [
        PSFPhotometry(psf, 7, n_threads=n)(data, init_params=truth) for n in (1, 2, 8)
    ]
    for table in tables[1:]:
        for name in COLUMNS:
            np.testing.assert_array_equal(table[name], tables[0][name])


def test_progress_bar(psf, truth, data, capsys):
    PSFPhotometry(psf, 7, progress_bar=True)(data, init_params=truth)
    assert "4/4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"fit_shape": 4}, ValueError, "fit_shape must have an odd value"),
        ({"fit_shape": (3, 4)}, ValueError, "fit_shape must have an odd value"),
        ({"fit_shape": 0}, ValueError, "fit_shape must be >= 1"),
        ({"fit_shape": (3, 3, 3)}, ValueError, "fit_shape must have 1 or 2 elements"),
        ({"fit_shape": 5.0}, ValueError, "fit_shape must have integer values"),
        ({"psf_model": 3}, TypeError, "psf_model must be an Astropy Model"),
        ({"finder": 3}, TypeError, "'finder' must be a callable"),
        ({"grouper": 3}, TypeError, "'grouper' must be a callable"),
        ({"aperture_radius": 0}, ValueError, "aperture_radius must be a strictly-pos"),
        ({"aperture_radius": np.nan}, ValueError, "aperture_radius must be a strictly"),
        ({"aperture_radius": [1, 2]}, ValueError, "aperture_radius must be a strictly"),
        ({"local_bkg_estimator": 3}, ValueError, "local_bkg_estimator must be a Local"),
        ({"fitter_maxiters": 0}, ValueError, "fitter_maxiters must be a strictly-pos"),
        ({"group_warning_threshold": 1.5}, ValueError, "group_warning_threshold must"),
        ({"n_threads": 0}, ValueError, "n_threads must be None or at least 1"),
        ({"fitter": object()}, TypeError, "'fitter' must be a callable object"),
        ({"xy_bounds": (0, 1)}, ValueError, "xy_bounds must be strictly positive"),
        ({"xy_bounds": (1, 1, 1)}, ValueError, "xy_bounds must have 1 or 2 elements"),
        ({"xy_bounds": [[1]]}, ValueError, "xy_bounds must be a 1D array"),
        ({"xy_bounds": np.nan}, ValueError, "xy_bounds must be finite"),
        ({"xy_bounds": "a"}, ValueError, "xy_bounds must be numeric"),
    ],
)
def test_bad_arguments(psf, arguments, error, message):
    with pytest.raises(error, match=message):
        PSFPhotometry(**({"psf_model": psf, "fit_shape": 5} | arguments))


def test_bad_input(psf, truth, data):
    phot = PSFPhotometry(psf, 5)
    with pytest.raises(ValueError, match="finder must be defined"):
        phot(data)
    with pytest.raises(ValueError, match="aperture_radius must be defined"):
        phot(data, init_params=truth["x", "y"])
    with pytest.raises(ValueError, match="valid column names for the x and y"):
        phot(data, init_params=truth["x", "flux"])
    with pytest.raises(TypeError, match="init_params must be an astropy Table"):
        phot(data, init_params=[1, 2])
    with pytest.raises(ValueError, match="at least one row"):
        phot(data, init_params=truth[:0])
    for bad in (data[0], data[None]):
        with pytest.raises(ValueError, match="data must be a 2D array"):
            phot(bad, init_params=truth)
    with pytest.raises(TypeError, match="data must be an array of real numbers"):
        phot(data + 1j, init_params=truth)
    with pytest.raises(ValueError, match="data and error must have the same shape"):
        phot(data, error=np.ones((3, 3)), init_params=truth)
    with pytest.raises(ValueError, match="data and mask must have the same shape"):
        phot(data, mask=np.ones((3, 3), bool), init_params=truth)
    words = truth.copy()
    words["x"] = ["a", "b", "c", "d"]
    with pytest.raises(TypeError, match="init_params x column must hold numbers"):
        phot(data, init_params=words)
    twice = truth.copy()
    twice["id"] = [1, 1, 2, 3]
    with pytest.raises(ValueError, match="unique"):
        phot(data, init_params=twice)
    for label, error, message in (
        ([1.5, 1, 1, 1], TypeError, "group_id must be an integer array"),
        ([np.nan, 1, 1, 1], ValueError, "group_id must be finite"),
        ([0, 1, 1, 1], ValueError, "only positive"),
    ):
        grouped = truth.copy()
        grouped["group_id"] = label
        with pytest.raises(error, match=message):
            phot(data, init_params=grouped)

    def find_nowhere(data, mask=None):
        return Table({"a": [1]})

    phot = PSFPhotometry(psf, 5, finder=find_nowhere)
    with pytest.raises(ValueError, match="must contain columns for x and y"):
        phot(data)


def test_no_convergence_is_warned_about(psf, truth, data):
    phot = PSFPhotometry(psf, 7, fitter_maxiters=1)
    starts = truth.copy()
    starts["x"] += 0.4
    with pytest.warns(AstropyUserWarning, match="may not have converged"):
        table = phot(data, init_params=starts)
    assert np.all(table["flags"] & 8)
    assert np.all(np.isfinite(table["flux_err"]))
