"""Sources that cannot be fitted, or end where they should not."""

import warnings

import numpy as np
import pytest
from astropy.table import QTable
from golden_fits import assert_same_fit, assert_same_metrics

from psfphot.psf import PSFPhotometry


@pytest.fixture(scope="module")
def golden(load_golden):
    return load_golden("flags")


@pytest.fixture(scope="module")
def table(golden, grid_model):
    """Our fit of all sources; their ids are not in order."""
    phot = PSFPhotometry(grid_model, (5, 5), aperture_radius=5)
    with warnings.catch_warnings():
        # A fit that fails is a flag, and no warning or error of the call.
        warnings.simplefilter("error")
        return phot(
            golden["data"].astype(float),
            error=golden["error"].astype(float),
            mask=golden["mask"],
            init_params=QTable(golden["init"]),
        )


def names(golden):
    """Name of each source, in the order of the table: by id."""
    return golden["names"][np.argsort(golden["init"]["id"])]


def test_rows_are_sorted_by_id(golden, table):
    np.testing.assert_array_equal(table["id"], np.sort(golden["init"]["id"]))
    np.testing.assert_array_equal(table["x_init"], golden["table"]["x_init"])


def test_flags(golden, table):
    """Those that photutils has; a flux that is not finite is measured here."""
    flags = np.asarray(table["flags"]) & 8191
    got = dict(zip(names(golden), flags.tolist(), strict=True))
    want = dict(zip(names(golden), golden["table"]["flags"].tolist(), strict=True))
    assert {n for n in got if got[n] != want[n]} == {"nan_flux"}


def test_n_pixels(golden, table):
    got = dict(zip(names(golden), table["n_pixels_fit"].tolist(), strict=True))
    expected = golden["table"]["n_pixels_fit"].tolist()
    want = dict(zip(names(golden), expected, strict=True))
    assert {n for n in got if got[n] != want[n]} <= {"nan_flux"}


@pytest.mark.parametrize("parameter", ["x", "y", "flux"])
def test_fitted_values(golden, table, parameter):
    """The fitted ones agree, the others are NaN."""
    same = names(golden) != "nan_flux"
    assert_same_fit(table[same], golden["table"][same], [parameter])


def test_metrics(golden, table):
    same = names(golden) != "nan_flux"
    assert_same_metrics(table[same], golden["table"][same])
