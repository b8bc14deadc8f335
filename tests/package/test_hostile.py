"""Calls of the public functions with whatever arrays: never a panic, a hang, or a
change of what was given; what cannot be used is a TypeError or a ValueError.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
from hostile.calls import ALLOWED, CALLS, guarded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXTREMES = [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-320, 1e30]
DTYPES = [">f8", "<f4", ">f4", "<i2", ">u2", "<i8", "u1", "?", "<f2", "<c16", "O"]


class Given(NamedTuple):
    """What every call may take of."""

    data: Any
    error: Any
    mask: Any
    x: Any
    y: Any


@st.composite
def planes(draw):
    """An image, its errors, a mask, positions: each perhaps not what it should be."""
    shape = draw(
        st.sampled_from([(0, 0), (1, 1), (1, 9), (9, 1), (7, 8), (21, 19), (4,), ()])
    )
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    data = np.asarray(
        rng.normal(0, 1, shape) + draw(st.sampled_from([0.0, 50.0, 1e12]))
    )
    if np.ndim(data) == 2 and min(shape) > 6:
        data[3, 4] += 500
    error = np.abs(np.asarray(rng.normal(2, 0.5, shape)))
    for plane in (data, error):
        for value in draw(st.lists(st.sampled_from(EXTREMES), max_size=4)):
            if plane.size:
                plane.flat[draw(st.integers(0, plane.size - 1))] = value
    if draw(st.integers(0, 5)) == 0:
        data = np.full(shape, draw(st.sampled_from(EXTREMES)))
    if draw(st.booleans()):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = data.astype(draw(st.sampled_from(DTYPES)))
    if np.ndim(data) == 2 and draw(st.booleans()):
        data = draw(st.sampled_from([data.T, data[::-1], data[:, ::2], data.tolist()]))
    mask = draw(st.sampled_from([None, "some", "all", "integers", "other shape"]))
    mask = {
        None: None,
        "some": rng.random(np.shape(data)) < 0.2,
        "all": np.ones(np.shape(data), dtype=bool),
        "integers": np.ones(np.shape(data), dtype=int),
        "other shape": np.zeros((3, 5), dtype=bool),
    }[mask]
    if draw(st.integers(0, 3)):
        error = np.abs(rng.normal(2, 0.5, np.shape(data)))
    n = draw(st.integers(0, 4))
    place = st.one_of(st.sampled_from(EXTREMES), st.floats(-5, 25))
    x, y = (np.array(draw(st.lists(place, min_size=n, max_size=n))) for _ in "xy")
    return Given(data, error, mask, x, y)


def copied(value):
    return value.copy() if isinstance(value, np.ndarray) else repr(value)


def same(value, copy):
    if not isinstance(value, np.ndarray):
        return repr(value) == copy
    return value.dtype == copy.dtype and value.tobytes() == copy.tobytes()


@pytest.mark.parametrize("name", CALLS)
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(given_planes=planes())
def test_nothing_panics_or_changes_what_it_got(name, given_planes):
    before = [copied(plane) for plane in given_planes]
    with guarded(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            CALLS[name](given_planes)
        except ALLOWED as exc:
            said = str(exc)
        else:
            said = "nothing"
    assert said
    assert all(same(*pair) for pair in zip(given_planes, before, strict=True))
