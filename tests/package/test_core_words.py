"""The core's errors, which name the arguments that a user of Python gave."""

import numpy as np
import pytest

from psfphot import _core
from psfphot.detection import DAOStarFinder

PSF = _core.Psf.analytic("CircularGaussianPRF", [3.0])


def fit(starts=None, settings=None):
    """Fit two stars, with some of the call replaced."""
    call = {
        "data": np.ones((20, 20)),
        "error": None,
        "mask": None,
        "noise": None,
        "psf": PSF,
        "starts": {
            "x": np.array([5.0, 12.0]),
            "y": np.array([5.0, 12.0]),
            "flux": np.ones(2),
            "local_bkg": np.zeros(2),
            "bkg_variance": None,
            "group_id": None,
            "shape": np.full((2, 1), 3.0),
            **(starts or {}),
        },
        "settings": {
            "fit_shape": (5, 5),
            "is_fixed": [False, False, False, True],
            "bounds": [],
            "xy_bounds": (None, None),
            "max_iterations": 100,
            "step_tolerance": 1e-4,
            "robust": None,
            "covariance": None,
            "fit_background": False,
            **(settings or {}),
        },
    }
    return _core.fit_sources(call)


def evaluate(**parameters):
    """Evaluate at three points, with a column of the wrong length."""
    values = {"flux": 1.0, "x_0": 0.0, "y_0": 0.0, **parameters}
    return PSF.evaluate(np.arange(3.0), np.zeros(3), *values.values())


def grid():
    positions = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    return _core.Psf.gridded(np.ones((3, 4, 4)), positions, (4.0, 4.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: fit({"group_id": np.array([1])}),
            "group_id must have the shape [2], got [1]",
        ),
        (
            lambda: fit({"local_bkg": np.zeros(3)}),
            "local_bkg must have the shape [2], got [3]",
        ),
        (
            lambda: fit(settings={"xy_bounds": (None, -1.0)}),
            "xy_bounds must be positive and finite, got -1",
        ),
        (
            grid,
            (
                "grid_xypos must form a rectangular grid, got 3 positions with 3 "
                "different x and 3 different y"
            ),
        ),
        (
            lambda: evaluate(x_0=np.zeros(2)),
            "x_0 must have the shape [3], got [2]",
        ),
        (
            lambda: evaluate(y_0=np.zeros(4)),
            "y_0 must have the shape [3], got [4]",
        ),
        (
            lambda: DAOStarFinder(5.0, 3.0, xycoords=[(1.0, 99.0)])(np.ones((20, 30))),
            (
                "xycoords must be within the bounds of the input data with shape "
                "(20, 30), got (1, 99)"
            ),
        ),
    ],
)
def test_errors_name_what_was_typed(call, message):
    with pytest.raises(ValueError, match="must") as caught:
        call()
    assert str(caught.value) == message


def test_every_end_of_a_fit_has_a_status_and_a_message():
    ends = _core.terminations()
    assert [status for status, _ in ends] == [1, 0, -1, -2, -3, -4]
    assert all(message.endswith(".") for _, message in ends)
