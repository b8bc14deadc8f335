"""What a call comes to, to be held against photutils'."""

import re
import warnings


def called(function, *args, **options):
    """The result and the warnings' texts."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args, **options)
    return result, [str(one.message) for one in caught]


def outcome(function, *args, **options):
    """The result, or the kind of the error; and the warnings' texts, sorted."""

    def attempt():
        try:
            return function(*args, **options)
        except (AttributeError, TypeError, ValueError) as exc:
            return type(exc)

    result, texts = called(attempt)
    # numpy's integers show themselves as such.
    return result, sorted({re.sub(r"np.int64\((\d+)\)", r"\1", t) for t in texts})


def is_error(result):
    return isinstance(result, type)
