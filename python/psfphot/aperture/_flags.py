"""The flags of measurements in apertures, and what they mean."""

from __future__ import annotations

from typing import Any

from psfphot._flags import FlagDefinition, FlagRegistry

# The bits and names are photutils'; its bits 64 and 128 are of segmentation images.
_MEANINGS = {
    1: ("no_overlap", "off the image", "Nothing is measured."),
    2: ("partial_overlap", "partly off the image", "Sums are of the part on it."),
    4: (
        "no_pixels",
        "no pixel of the image is in the aperture",
        "It is off the image, or so small that it has no pixel's centre.",
    ),
    8: ("masked_pixels", "masked pixels in the aperture", "They are left out."),
    16: (
        "non_finite_data",
        "values in the aperture that are not finite",
        "They are left out.",
    ),
    32: (
        "non_finite_error",
        "errors in the aperture that are not finite",
        "The error of the sum is not finite either.",
    ),
    256: (
        "all_masked",
        "no usable pixel in the aperture",
        "All are masked or without a finite value.",
    ),
    512: ("sigma_clipped", "clipped pixels in the aperture", "They are left out."),
    1024: ("all_clipped", "all pixels were clipped", "Nothing is measured."),
    2048: (
        "too_few_pixels",
        "too few pixels for a statistic",
        "One pixel has no standard error, and no more than ``ddof`` no variance.",
    ),
    4096: (
        "undefined_shape",
        "the moments are those of no shape",
        "The net flux or a variance is negative: centroid and widths mean nothing.",
    ),
    8192: (
        "singular_covariance",
        "narrower than a pixel along an axis",
        "That axis was given the variance of a pixel, 1/12.",
    ),
    16384: (
        "centroid_outside_bbox",
        "the centroid is outside of the aperture's box",
        "Negative pixels can do that: centroid and widths mean nothing.",
    ),
}

APERTURE_FLAGS = FlagRegistry(
    "aperture",
    (
        FlagDefinition(bit, name, said, f"{said[0].upper()}{said[1:]}. {consequence}")
        for bit, (name, said, consequence) in _MEANINGS.items()
    ),
)
"""All flags of measurements in apertures; each is an attribute in upper case."""


def decode_aperture_flags(flags: Any, *, return_bit_values: bool = False) -> Any:
    """Take flags apart.

    Parameters
    ----------
    flags : int or array_like of int
        The flags of one aperture or of many.
    return_bit_values : bool, optional
        Whether to return bits instead of names.

    Returns
    -------
    list
        The names (or bits) that are set. Of an array: a nested list of its
        shape with such a list for each element. The flags are:

        {flags}

    Raises
    ------
    TypeError
        If a value is not an integer.
    ValueError
        If a value is negative.
    """
    return APERTURE_FLAGS.decode(flags, return_bit_values)


APERTURE_FLAGS.put_into_docstring(decode_aperture_flags)
