"""Bad pixels, errors, starts and scales: said, and never at other stars' cost.

What is refused by an exception stands in ``test_bad_input.py`` and
``test_photometry.py``, with dtypes, layouts and units.
"""

import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.psf import PSF_FLAGS as FLAGS
from psfphot.psf import CircularGaussianPRF, PSFPhotometry

SHAPE = (60, 70)
FWHM = 2.7
SIZE = 7
NUMBERS = ("x_fit", "y_fit", "flux_fit", "x_err", "y_err", "flux_err")
OTHERS = [1, 2]

no_convergence = pytest.mark.filterwarnings("ignore:One or more fit")


@pytest.fixture
def psf():
    return CircularGaussianPRF(fwhm=FWHM)


@pytest.fixture
def truth():
    """The first star is the one that something happens to."""
    return QTable(
        {
            "x": [20.2, 50.7, 33.1],
            "y": [20.4, 40.9, 45.3],
            "flux": [900.0, 700.0, 1500.0],
        }
    )


@pytest.fixture
def data(psf, truth):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.random.default_rng(3).normal(0, 1, SHAPE)
    for star in truth:
        image += psf.evaluate(x, y, star["flux"], star["x"], star["y"], FWHM)
    return image


@pytest.fixture
def error():
    return np.ones(SHAPE)


@pytest.fixture
def good(psf, truth, data, error):
    table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=truth)
    assert_true(table, truth)
    return table


def box(star):
    """Return the fit box of a star."""
    return tuple(
        np.s_[(first := int(np.ceil(star[c] - SIZE / 2))) : first + SIZE] for c in "yx"
    )


def assert_true(table, truth):
    assert np.all(table["flags"] & ~FLAGS.N_PIXELS_FIT_PARTIAL == 0)
    for name in ("x", "y", "flux"):
        pull = (table[f"{name}_fit"] - truth[name]) / table[f"{name}_err"]
        assert np.all(np.abs(np.asarray(pull)) < 5), name


def assert_same(table, good, rows):
    """Check that rows have not changed, to the last bit."""
    for name in (*NUMBERS, "flags", "n_pixels_fit", "qfit", "cfit", "reduced_chi2"):
        np.testing.assert_array_equal(table[name][rows], good[name][rows], name)


def names(table, row=0):
    return {n for n in FLAGS.names if table["flags"][row] & FLAGS.get_bit_value(n)}


LOST = {
    "n_pixels_fit_partial",
    "no_covariance",
    "non_finite_position",
    "non_finite_flux",
}


class TestPixels:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_some_not_finite(self, *, psf, truth, data, error, good, value):
        data[20, 20] = data[18, 21] = value
        with pytest.warns(AstropyUserWarning, match="unmasked non-finite values"):
            table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=truth)
        assert table["n_pixels_fit"][0] == SIZE**2 - 2
        assert names(table) == {"n_pixels_fit_partial"}
        assert np.isnan(table["cfit"][0])
        assert_true(table, truth)
        assert_same(table, good, OTHERS)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("place", [(0, 0), (0, -1), (33, 7), (-1, 0), (-1, -1)])
    @pytest.mark.parametrize("n_threads", [1, 2])
    def test_one_not_finite_anywhere(
        self, *, psf, truth, data, error, dtype, place, n_threads
    ):
        data = data.astype(dtype)
        data[place] = np.nan
        phot = PSFPhotometry(psf, SIZE, n_threads=n_threads)
        with pytest.warns(AstropyUserWarning, match="unmasked non-finite values") as of:
            seen = phot(data, error=error, init_params=truth)
        assert of[0].filename == __file__
        mask = np.zeros(data.shape, bool)
        mask[place] = True
        # Nothing is said of what is masked, wherever else there is a mask.
        masked = phot(data, error=error, mask=mask, init_params=truth)
        assert_same(seen, masked, slice(None))
        with pytest.warns(AstropyUserWarning, match="unmasked non-finite values"):
            phot(data, error=error, mask=np.roll(mask, 1, 1), init_params=truth)

    def test_none_finite(self, *, psf, truth, data, error, good):
        data[box(truth[0])] = np.nan
        with pytest.warns(AstropyUserWarning, match="unmasked non-finite values"):
            table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=truth)
        assert names(table) == {"fully_masked", *LOST}
        assert_same(table, good, OTHERS)

    def test_all_masked(self, *, psf, truth, data, error, good):
        mask = np.zeros(SHAPE, int)
        mask[box(truth[0])] = 3
        table = PSFPhotometry(psf, SIZE)(
            data, error=error, mask=mask, init_params=truth
        )
        assert names(table) == {"fully_masked", *LOST}
        assert_same(table, good, OTHERS)
        masked = np.ma.array(data, mask=mask)
        again = PSFPhotometry(psf, SIZE)(masked, error=error, init_params=truth)
        assert_same(again, table, [0, 1, 2])

    @pytest.mark.parametrize("fill", [np.nan, 0.0, -1.0, np.inf])
    def test_bad_errors(self, *, psf, truth, data, error, good, fill):
        error[19:21, 20] = fill
        with pytest.warns(
            AstropyUserWarning, match=r"^2 pixel\(s\) within the fit box"
        ):
            table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=truth)
        assert table["n_pixels_fit"][0] == SIZE**2 - 2
        assert names(table) == {"n_pixels_fit_partial"}
        assert_true(table, truth)
        assert_same(table, good, OTHERS)

    def test_all_errors_negative(self, psf, truth, data, error):
        with pytest.warns(AstropyUserWarning, match="not positive and finite"):
            table = PSFPhotometry(psf, SIZE)(data, error=-error, init_params=truth)
        for row in range(3):
            assert names(table, row) == {"fully_masked", *LOST}

    def test_saturated_plateau_masked(self, *, psf, truth, data, error, good):
        # The bright star's core is lost; its wings still tell position and flux.
        mask = data > 100
        assert 1 < np.count_nonzero(mask[box(truth[2])]) < SIZE**2 - 10
        clipped = np.minimum(data, 100)
        fit = PSFPhotometry(psf, SIZE)
        table = fit(clipped, error=error, mask=mask, init_params=truth)
        assert_true(table, truth)
        # Not masked it is a star of another shape, and chi^2 says so.
        flat = fit(clipped, error=error, init_params=truth)
        assert flat["reduced_chi2"][2] > 50
        assert flat["flux_fit"][2] < truth["flux"][2]
        assert_same(flat, good, [1])

    @no_convergence
    @pytest.mark.parametrize("level", [0.0, 5.0, -3.0])
    @pytest.mark.parametrize("has_error", [True, False])
    def test_constant_image(self, psf, truth, error, level, has_error):
        table = PSFPhotometry(psf, SIZE)(
            np.full(SHAPE, level), error=error if has_error else None, init_params=truth
        )
        assert np.all(table["flags"] != 0)
        assert np.all(np.isfinite(table["flux_fit"]))


class TestPlaces:
    def test_off_the_image(self, *, psf, truth, data, error, good):
        truth["x"][0] = -30
        table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=truth)
        assert names(table) == {"no_overlap", *LOST}
        assert_same(table, good, OTHERS)

    def test_a_pixel_off_the_edge(self, *, psf, truth, data, error, good):
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
        data += psf.evaluate(x, y, 1e5, -1.0, 25.0, FWHM)
        truth["x"][0], truth["y"][0], truth["flux"][0] = -1.0, 25.0, 8e4
        table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=truth)
        assert names(table) == {"n_pixels_fit_partial", "position_outside_image"} | {
            "position_outside_fit_region",
            "start_outside_image",
        }
        assert table["n_pixels_fit"][0] == 3 * SIZE
        truth["flux"][0] = 1e5
        for name in ("x", "y", "flux"):
            pull = (table[f"{name}_fit"] - truth[name]) / table[f"{name}_err"]
            assert abs(pull[0]) < 5, name
        assert_same(table, good, OTHERS)

    @pytest.mark.parametrize("shift", [0.0, 0.7])
    def test_the_same_star_twice_ungrouped(
        self, *, psf, truth, data, error, good, shift
    ):
        twice = truth[[0, 0, 1, 2]]
        twice["x"][1] += shift
        table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=twice)
        assert (
            names(table, 0)
            == names(table, 1)
            == {
                "duplicate_source",
                "neighbour_in_box",
            }
        )
        assert abs(table["x_fit"][1] - table["x_fit"][0]) < 0.1
        assert np.all(np.isfinite(table["flux_err"]))
        assert_same(table[[0, 2, 3]], good, OTHERS)

    @pytest.mark.filterwarnings("ignore:One or more fit")
    @pytest.mark.parametrize("shift", [0.0, 0.3])
    def test_the_same_star_twice_in_a_group(
        self, *, psf, truth, data, error, good, shift
    ):
        twice = truth[[0, 0, 1, 2]]
        twice["x"][1] += shift
        twice["group_id"] = [1, 1, 2, 3]
        table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=twice)
        # The data do not say which has how much: there are no two stars that
        # seem well measured.
        unsure = FLAGS.NO_COVARIANCE | FLAGS.NO_CONVERGENCE
        sure = (table["flags"][:2] & unsure == 0) & (
            table["flux_fit"][:2] > 5 * table["flux_err"][:2]
        )
        assert np.count_nonzero(sure) <= 1
        assert not np.any(table["flags"] & FLAGS.DUPLICATE_SOURCE)
        # Together they have the star's flux.
        total = table["flux_fit"][:2].sum()
        assert abs(total - truth["flux"][0]) < 0.2 * truth["flux"][0]
        assert_same(table[[0, 2, 3]], good, OTHERS)

    def test_neighbours_are_no_duplicates(self, psf, truth, data, error):
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
        data += psf.evaluate(x, y, 900.0, 22.7, 20.4, FWHM)
        pair = truth[[0, 0]]
        pair["x"][1] = 22.7
        for label in ([1, 1], [1, 2]):
            pair["group_id"] = label
            table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=pair)
            assert not np.any(table["flags"] & FLAGS.DUPLICATE_SOURCE)

    def test_forced_duplicates(self, psf, truth, data, error):
        psf.x_0.fixed = psf.y_0.fixed = True
        twice = truth[[0, 0, 1]]
        twice["x"][1] += 0.05
        table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=twice)
        both = FLAGS.DUPLICATE_SOURCE | FLAGS.NEIGHBOUR_IN_BOX
        assert list(table["flags"]) == [both, both, 0]


class TestStarts:
    @pytest.mark.parametrize(
        ("column", "flag"),
        [("x", "position"), ("y", "position")],
    )
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_not_finite(self, *, psf, truth, data, error, good, column, flag, value):
        truth[column][0] = value
        table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=truth)
        assert names(table) == {f"non_finite_{flag}", *LOST}
        assert_same(table, good, OTHERS)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    @pytest.mark.parametrize("group", [False, True])
    def test_a_flux_that_is_not_finite_is_measured(
        self, *, psf, truth, data, error, good, value, group
    ):
        """In a group its neighbours would pay for it, were it not fitted."""
        truth["flux"][0] = value
        if group:
            truth["group_id"] = 1
        table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=truth)
        assert np.all(table["flags"] == 0)
        assert 0.5 < table["flux_init"][0] / table["flux_fit"][0] < 1
        for name in NUMBERS:
            offset = (table[name] - good[name]) / good[name[:-3] + "err"]
            assert np.all(np.abs(offset) < 1e-3), name

    @pytest.mark.parametrize("flux", [0.0, -0.0, -5.0, -1e5, 1e12, 1e-12])
    @pytest.mark.parametrize("group", [False, True])
    def test_any_flux_leads_to_the_star(
        self, *, psf, truth, data, error, good, flux, group
    ):
        truth["flux"][0] = flux
        if group:
            truth["group_id"] = 1
        table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=truth)
        assert np.all(table["flags"] == 0)
        for name in NUMBERS:
            offset = (table[name] - good[name]) / good[name[:-3] + "err"]
            assert np.all(np.abs(offset) < 1e-3), name

    @no_convergence
    def test_a_flux_whose_square_overflows(self, *, psf, truth, data, error, good):
        truth["flux"][0] = 1e300
        table = PSFPhotometry(psf, SIZE)(data, error=error, init_params=truth)
        assert names(table) == {"no_convergence", "no_covariance"}
        assert_same(table, good, OTHERS)

    def test_a_negative_star(self, psf, truth, data, error):
        truth["flux"] *= -1
        table = PSFPhotometry(psf, SIZE)(-data, error=error, init_params=truth)
        for row in range(3):
            assert names(table, row) == {"non_positive_flux"}
        pull = (table["flux_fit"] - truth["flux"]) / table["flux_err"]
        assert np.all(np.abs(pull) < 5)


class TestSmallBoxes:
    def test_one_pixel_is_too_few_for_three_parameters(self, psf, truth, data, error):
        table = PSFPhotometry(psf, 1)(data, error=error, init_params=truth)
        for row in range(3):
            # The whole box was there.
            expected = {"too_few_pixels", *LOST} - {"n_pixels_fit_partial"}
            assert names(table, row) == expected
            assert table["n_pixels_fit"][row] == 1

    def test_one_pixel_forced(self, psf, truth, data, error):
        psf.x_0.fixed = psf.y_0.fixed = True
        table = PSFPhotometry(psf, 1)(data, error=error, init_params=truth)
        x, y = (np.round(np.asarray(truth[c])) for c in "xy")
        value = data[y.astype(int), x.astype(int)]
        peak = psf.evaluate(x, y, 1.0, truth["x"], truth["y"], FWHM)
        np.testing.assert_allclose(table["flux_fit"], value / peak)
        # As with any straight line through one point, there are no errors.
        assert [names(table, row) for row in range(3)] == [{"no_covariance"}] * 3

    def test_as_many_pixels_as_parameters(self, *, psf, truth, data, error, good):
        mask = np.ones(SHAPE, bool)
        mask[20:22, 20] = mask[20, 21] = False
        mask[box(truth[1])] = mask[box(truth[2])] = False
        fit = PSFPhotometry(psf, SIZE)
        table = fit(data, error=error, mask=mask, init_params=truth)
        assert "no_covariance" in names(table)
        assert np.isnan(table["flux_err"][0])
        assert_same(table, good, OTHERS)


class TestScales:
    @pytest.mark.parametrize("scale", [1e-30, 1e-20, 2.0**-300, 1e20, 1e100])
    @pytest.mark.parametrize("has_error", [True, False])
    @pytest.mark.parametrize("group", [False, True])
    def test_results_scale_with_the_data(
        self, *, psf, truth, data, error, scale, has_error, group
    ):
        if group:
            truth["group_id"] = 1
        scaled = truth.copy()
        scaled["flux"] *= scale
        fit = PSFPhotometry(psf, SIZE)
        tables = [
            fit(data * s, error=error * s if has_error else None, init_params=starts)
            for s, starts in ((1.0, truth), (scale, scaled))
        ]
        for name in ("flux_fit", "flux_err"):
            np.testing.assert_allclose(
                tables[1][name] / scale, tables[0][name], rtol=1e-9
            )
        for name in ("x_fit", "x_err", "y_err", "qfit", "reduced_chi2"):
            np.testing.assert_allclose(tables[1][name], tables[0][name], rtol=1e-8)
        np.testing.assert_array_equal(tables[1]["flags"], tables[0]["flags"])

    @no_convergence
    @pytest.mark.parametrize("group", [False, True])
    def test_beyond_the_squares_of_floats(self, psf, truth, data, error, group):
        # 1/error^2 is not a number that can be used, nor is chi^2.
        if group:
            truth["group_id"] = 1
        truth["flux"] *= 1e300
        fit = PSFPhotometry(psf, SIZE)
        with pytest.warns(AstropyUserWarning, match="error that is not positive"):
            table = fit(data * 1e300, error=error * 1e300, init_params=truth)
        for row in range(3):
            assert names(table, row) == {"fully_masked", *LOST}
        table = fit(data * 1e300, init_params=truth)
        for row in range(3):
            assert names(table, row) == {"no_convergence", "no_covariance"}

    def test_a_variance_that_overflows_is_no_error(self, psf, truth, data, error):
        psf.x_0.fixed = psf.y_0.fixed = True
        truth["flux"] *= 1e153
        fit = PSFPhotometry(psf, SIZE)
        table = fit(data * 1e153, error=error * 1e154, init_params=truth)
        np.testing.assert_allclose(table["flux_fit"], truth["flux"], rtol=0.1)
        assert np.all(np.isnan(table["flux_err"]))
        assert [names(table, row) for row in range(3)] == [{"no_covariance"}] * 3
        assert np.all(np.isnan(fit.group_covariance(1).covariance))

    @no_convergence
    @pytest.mark.parametrize("has_error", [True, False])
    def test_one_huge_pixel(self, *, psf, truth, data, error, good, has_error):
        data[20, 20] = 1e300
        fit = PSFPhotometry(psf, SIZE)
        if not has_error:
            good = fit(np.where(data > 1e5, 0, data), init_params=truth)
            error = None
        table = fit(data, error=error, init_params=truth)
        assert names(table) >= {"no_convergence", "no_covariance"}
        assert_same(table, good, OTHERS)
