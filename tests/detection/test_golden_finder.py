"""The finders' tables against photutils' and IRAF's, column by column."""

import numpy as np
import pytest

from psfphot import detection
from psfphot.detection import DAOStarFinder, IRAFStarFinder

IRAF_NAMES = [
    "default",
    "masked",
    "no_separation",
    "no_border",
    "brightest",
    "peak_max",
    "no_sky_pixels",
    "wide",
]
NAMES = [
    "dao",
    "dao_masked",
    "dao_daophot",
    "dao_plain_threshold",
    "dao_elliptical",
    "dao_no_border",
    "dao_few",
    "dao_any",
    "star",
    "star_masked",
    "star_few",
    "star_constant",
    "peaks",
    "peaks_masked",
    "peaks_apart",
    "peaks_few",
    "peaks_footprint",
]
# In pixels, magnitudes and numbers of order 1; relative for peak and flux.
TOLERANCE = 1e-6


def assert_same(table, expected):
    assert tuple(table.colnames) == expected.dtype.names
    assert len(table) == len(expected)
    for column in table.colnames:
        got, want = np.asarray(table[column]), expected[column]
        if want.dtype.kind == "i":
            np.testing.assert_array_equal(got, want, err_msg=column)
        elif column in ("peak", "flux", "max_value", "peak_value"):
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


def iraf_call(golden, name):
    call = golden["cases"][name]
    return {k: tuple(v) if isinstance(v, list) else v for k, v in call.items()}


@pytest.mark.parametrize("name", IRAF_NAMES)
def test_irafstarfinder(load_golden, simulation, name):
    golden = load_golden("finder")
    mask = simulation["mask"] if name == "masked" else None
    finder = IRAFStarFinder(**iraf_call(golden, name))
    assert_same(finder(simulation["data"], mask=mask), golden[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_other_finders(load_golden, simulation, name):
    golden = load_golden("detection")
    function, call = golden["cases"][name]
    mask = simulation["mask"] if name.endswith("masked") else None
    data = simulation["data"]
    if function == "find_peaks":
        table = detection.find_peaks(data, mask=mask, **call)
    else:
        table = getattr(detection, function)(**call)(data, mask=mask)
    assert_same(table, golden[name])


def test_threshold_may_be_an_image(load_golden, simulation):
    data = simulation["data"]
    call = iraf_call(load_golden("finder"), "default")
    call["threshold"] = np.full(data.shape, call["threshold"])
    assert_same(IRAFStarFinder(**call)(data), load_golden("finder")["default"])
    call = load_golden("detection")["cases"]["dao"][1]
    call["threshold"] = np.full(data.shape, call["threshold"])
    assert_same(DAOStarFinder(**call)(data), load_golden("detection")["dao"])


def test_all_cases_are_tested(load_golden):
    assert sorted(IRAF_NAMES) == sorted(load_golden("finder")["cases"])
    assert sorted(NAMES) == sorted(load_golden("detection")["cases"])


@pytest.mark.parametrize("dtype", ["i2", "f4", "f8"])
def test_the_stars_of_daofind_in_a_crowded_field(load_golden, dtype):
    golden = load_golden("iraf")
    call, theirs = golden["call"], golden["stars"].astype(float)
    find, noise = call["findpars"], call["datapars"]
    finder = DAOStarFinder(
        find["threshold"] * noise["sigma"],
        noise["fwhmpsf"],
        ratio=find["ratio"],
        theta=find["theta"],
        sigma_radius=find["nsigma"],
        sharpness_range=(find["sharplo"], find["sharphi"]),
        roundness_range=(find["roundlo"], find["roundhi"]),
        min_separation=0,
    )
    table = finder(golden["data"].astype(dtype))
    # Its list is in the same order, has three decimals and counts from 1.
    assert len(table) == len(theirs)
    distance = np.hypot(
        table["x_centroid"] + 1 - theirs[:, 0], table["y_centroid"] + 1 - theirs[:, 1]
    )
    same = distance < 0.05
    # Where a blend pulls the fit off the kernel, they fall back differently.
    assert np.count_nonzero(~same) <= 1
    assert np.all(distance[same] < 0.001)
    for k, column in enumerate(
        ("daofind_mag", "sharpness", "roundness1", "roundness2"), start=2
    ):
        difference = np.abs(table[column] - theirs[:, k])
        assert np.all(difference < 0.0011), column
