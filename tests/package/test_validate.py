"""Numbers that are arguments: one check each, in the words of whoever asks."""

import math

import numpy as np
import pytest

from psfphot._validate import (
    MAX_INT,
    as_count,
    as_finite,
    as_positive,
    as_positive_int,
    as_whole,
    is_increasing,
)


def message(error, check, *args, **kwargs):
    with pytest.raises(error) as caught:
        check(*args, **kwargs)
    assert caught.type is error
    return str(caught.value)


def test_a_positive_number():
    assert as_positive(np.float32(2.5), "a") == 2.5
    for bad in (0, -1, math.nan, math.inf):
        assert message(ValueError, as_positive, bad, "a") == (
            f"a must be positive and finite, got {bad!r}"
        )
        assert message(ValueError, as_positive, bad, "a", "no") == "no"
    words = {"or_else": "low", "infinite": "large"}
    assert message(ValueError, as_positive, math.inf, "a", **words) == "large"
    assert message(ValueError, as_positive, -math.inf, "a", **words) == "low"
    assert message(ValueError, as_positive, math.nan, "a", **words) == "low"


def test_one_message_whatever_is_wrong():
    for bad in ("2", [2.0], None, -1, math.inf):
        assert message(ValueError, as_positive, bad, "a", always="no") == "no"
    for bad in ("2", [2], None, 2.0, True, -1, 2**31):
        assert message(ValueError, as_count, bad, "a", always="no") == "no"


def test_a_finite_number():
    assert as_finite(-3, "a") == -3
    assert message(ValueError, as_finite, math.nan, "a") == (
        "a must be finite, got nan"
    )
    assert message(ValueError, as_finite, math.inf, "a", "no") == "no"


def test_a_count():
    assert as_count(np.int16(0), "a") == 0
    assert as_count(MAX_INT, "a") == MAX_INT
    assert message(ValueError, as_count, -1, "a") == "a must be >= 0, got -1"
    assert message(ValueError, as_count, 2, "a", least=3) == "a must be >= 3, got 2"
    assert message(ValueError, as_count, 2, "a", least=3, too_few="few") == "few"
    assert message(ValueError, as_count, 2**31, "a").startswith("a must be <= ")
    assert message(TypeError, as_count, 1.0, "a") == "a must be an integer, got 1.0"
    assert message(ValueError, as_positive_int, 0, "a") == (
        "a must be a strictly-positive integer, got 0"
    )


def test_a_whole_number_may_be_a_float():
    words = {"least": 1, "too_few": "few"}
    assert as_whole(3.0, "a", **words) == 3
    for bad in (0.5, -2, math.nan):
        assert message(ValueError, as_whole, bad, "a", **words) == "few"
    assert message(ValueError, as_whole, 1.5, "a", **words) == "a must be an integer"
    assert message(TypeError, as_whole, True, "a", **words) == "a must be an integer"
    assert message(TypeError, as_whole, [1], "a", not_scalar="no", **words) == "no"


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_labels_that_grow(dtype):
    for growing in ([], [7], [1, 2, 9], [0, 250]):
        assert is_increasing(np.array(growing, dtype)) is True
    for others in ([1, 1], [1, 3, 2], [250, 0], [2, 1, 3]):
        assert is_increasing(np.array(others, dtype)) is False
    assert not is_increasing([1.0, math.nan])
    # Names are no numbers.
    assert not is_increasing(["a", "b"])
