"""A table of fits against photutils' of the same stars.

Tolerances: positions and fluxes 1 % of an error bar, errors 0.1 %.
"""

import numpy as np


def assert_same_fit(table, expected, names=("x", "y", "flux")):
    for p in names:
        fitted, error = np.asarray(table[f"{p}_fit"]), np.asarray(table[f"{p}_err"])
        want, want_error = expected[f"{p}_fit"], expected[f"{p}_err"]
        np.testing.assert_array_equal(np.isnan(fitted), np.isnan(want), err_msg=p)
        good = np.isfinite(want)
        assert np.all(np.abs(fitted - want)[good] <= 0.01 * want_error[good]), p
        np.testing.assert_allclose(error, want_error, rtol=1e-3, err_msg=p)


def assert_same_metrics(table, expected):
    np.testing.assert_allclose(table["qfit"], expected["qfit"], rtol=2e-3)
    np.testing.assert_allclose(
        table["reduced_chi2"], expected["reduced_chi2"], rtol=1e-3
    )
    # NaN where the pixel of the start is masked.
    np.testing.assert_array_equal(np.isnan(table["cfit"]), np.isnan(expected["cfit"]))
    # A difference of nearly equal numbers: measured against the residuals.
    difference = np.abs(np.asarray(table["cfit"]) - expected["cfit"])
    good = np.isfinite(difference)
    assert np.all(difference[good] <= 2e-3 * np.abs(expected["qfit"][good]))
