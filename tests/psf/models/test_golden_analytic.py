"""The analytic models against golden values of photutils 3.1.1."""

import json
from pathlib import Path

import numpy as np
import pytest

from psfphot import psf

GOLDEN = np.load(Path(__file__).parents[2] / "data" / "analytic.npz")
CASES = json.loads(str(GOLDEN["cases"]))
each_case = pytest.mark.parametrize(
    ("number", "case"), list(enumerate(CASES)), ids=list(CASES)
)


def make(case):
    return getattr(psf, case.partition(",")[0])(**CASES[case]["call"])


@each_case
def test_values(number, case):
    model, x, y = make(case), GOLDEN["x"], GOLDEN["y"]
    for values, name in [
        (model(x, y), "values"),
        (model(x + 0.37, y - 0.21), "off_pixels"),
    ]:
        expected = GOLDEN[f"{name}{number}"]
        atol = 1e-12 * expected.max()
        np.testing.assert_allclose(values, expected, rtol=0, atol=atol)


@each_case
def test_derivatives(number, case):
    model = make(case)
    planes = model.fit_deriv(GOLDEN["x"], GOLDEN["y"], *model.parameters)
    expected = GOLDEN[f"derivatives{number}"]
    for plane, golden, name in zip(planes, expected, model.param_names, strict=True):
        atol = 1e-11 * np.abs(golden).max()
        np.testing.assert_allclose(plane, golden, rtol=0, atol=atol, err_msg=name)


@each_case
def test_attributes(number, case):
    del number
    model = make(case)
    assert repr(model) == CASES[case]["repr"]
    np.testing.assert_allclose(
        model.bounding_box.bounding_box(), CASES[case]["bounding_box"], rtol=1e-13
    )
