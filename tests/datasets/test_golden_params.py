"""make_model_params draws exactly photutils' stars."""

from contextlib import nullcontext

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.datasets import make_model_params

NAMES = ["seed", "defaults", "no_separation", "many_parameters", "too_crowded"]


@pytest.mark.parametrize("name", NAMES)
def test_same_stars(load_golden, name):
    golden = load_golden("model_params")
    case = golden["cases"][name]
    call = {k: tuple(v) if isinstance(v, list) else v for k, v in case["call"].items()}
    (message,) = case["warnings"] or [None]
    expectation = nullcontext()
    if message is not None:
        expectation = pytest.warns(AstropyUserWarning, match=f"^{message}$")
    with expectation:
        table = make_model_params(**call)
    assert table.colnames == case["columns"]
    expected = golden[name]
    for column in case["columns"]:
        np.testing.assert_array_equal(table[column], expected[column])


def test_all_cases_are_tested(load_golden):
    assert sorted(NAMES) == sorted(load_golden("model_params")["cases"])
