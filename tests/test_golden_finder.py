"""IRAFStarFinder's table against photutils', column by column."""

import numpy as np
import pytest

from psfphot.detection import IRAFStarFinder

NAMES = [
    "default",
    "masked",
    "no_separation",
    "no_border",
    "brightest",
    "peak_max",
    "no_sky_pixels",
    "wide",
]
COLUMNS = [
    "id",
    "x_centroid",
    "y_centroid",
    "fwhm",
    "sharpness",
    "roundness",
    "orientation",
    "n_pixels",
    "peak",
    "flux",
    "mag",
]
# In pixels, magnitudes and numbers of order 1; relative for peak and flux.
TOLERANCE = 1e-6


def call_of(golden, name):
    call = golden["cases"][name]
    return {k: tuple(v) if isinstance(v, list) else v for k, v in call.items()}


@pytest.mark.parametrize("name", NAMES)
def test_same_table(load_golden, simulation, name):
    golden = load_golden("finder")
    mask = simulation["mask"] if name == "masked" else None
    finder = IRAFStarFinder(**call_of(golden, name))
    table = finder(simulation["data"], mask=mask)
    expected = golden[name]
    assert list(table.colnames) == COLUMNS == list(expected.dtype.names)
    assert len(table) == len(expected)
    for column in COLUMNS:
        got, want = np.asarray(table[column]), expected[column]
        if column in ("id", "n_pixels"):
            np.testing.assert_array_equal(got, want, err_msg=column)
        elif column in ("peak", "flux"):
            np.testing.assert_allclose(got, want, rtol=TOLERANCE, err_msg=column)
        elif column == "orientation":
            # An angle of a round star is noise: it counts by its roundness.
            turn = np.deg2rad(2 * (got - want))
            move = expected["roundness"] * np.abs(np.sin(turn / 2))
            assert move.max() < TOLERANCE
            assert np.all((got > -90) & (got <= 90))
        else:
            np.testing.assert_allclose(
                got, want, rtol=0, atol=TOLERANCE, err_msg=column
            )


def test_threshold_may_be_an_image(load_golden, simulation):
    golden = load_golden("finder")
    call = call_of(golden, "default")
    call["threshold"] = np.full(simulation["data"].shape, call["threshold"])
    table = IRAFStarFinder(**call)(simulation["data"])
    np.testing.assert_allclose(
        table["x_centroid"], golden["default"]["x_centroid"], rtol=0, atol=TOLERANCE
    )


def test_all_cases_are_tested(load_golden):
    assert sorted(NAMES) == sorted(load_golden("finder")["cases"])
