"""Arguments made into what the compiled core takes, once and in one place."""

from psfphot._validate.arrays import (
    Image,
    as_float_array,
    as_image,
    as_mask,
    as_points,
    as_vector,
    split_mask,
    values_of,
)
from psfphot._validate.frame import (
    Frame,
    as_frame,
    nddata_values,
    unpack_nddata,
)
from psfphot._validate.numbers import (
    MAX_INT,
    MAX_THREADS,
    as_count,
    as_finite,
    as_n_threads,
    as_pair,
    as_positive,
    as_positive_int,
    as_scalar,
    as_whole,
)

__all__ = [
    "MAX_INT",
    "MAX_THREADS",
    "Frame",
    "Image",
    "as_count",
    "as_finite",
    "as_float_array",
    "as_frame",
    "as_image",
    "as_mask",
    "as_n_threads",
    "as_pair",
    "as_points",
    "as_positive",
    "as_positive_int",
    "as_scalar",
    "as_vector",
    "as_whole",
    "nddata_values",
    "split_mask",
    "unpack_nddata",
    "values_of",
]
