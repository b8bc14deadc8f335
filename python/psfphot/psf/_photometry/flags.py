"""The flags of fitted sources, and what they mean."""

from __future__ import annotations

from typing import Any

from psfphot import _core
from psfphot._deprecated import by_keyword
from psfphot._flags import FlagDefinition, FlagRegistry

__all__ = ["PSF_FLAGS", "decode_psf_flags"]

# What a flag of the core's table means for the user of that row, by name.
_CONSEQUENCES = {
    "n_pixels_fit_partial": "Part of the box is off the image, masked or without a "
    "finite value: errors are larger, and the centre may be among what is missing.",
    "position_outside_image": "Light of the star may be on the image all the same.",
    "non_positive_flux": "There is no star, or its neighbours' models took its light.",
    "no_convergence": "Iterations ran out before the steps became small; more "
    "(``fitter_maxiters``) or better starts may help.",
    "no_covariance": "The pixels do not determine all parameters.",
    "parameter_near_bound": "The bound, not the pixels, may have set it.",
    "no_overlap": "The row keeps its starting values.",
    "fully_masked": "The row keeps its starting values.",
    "too_few_pixels": "The row keeps its starting values.",
    "non_finite_position": "Either where the fit starts or where it ended.",
    "non_finite_flux": "Either where the fit starts or where it ended.",
    "non_finite_local_bkg": "Its annulus has no usable pixels, or the table says so.",
    "position_outside_fit_region": "The fit ran away from its start: the row may be "
    "of another star.",
    "duplicate_source": "Keep one of the two rows.",
    "saturated": "The flux is that of the wings, extended by the model.",
    "near_saturated": "What is found there may be an artefact of the bright star.",
    "neighbour_in_box": "Group the two, so that they are fitted together.",
    "start_outside_image": "Neither the place nor the errors mean much.",
    "on_trail": "What is found there may be the trail.",
    "unmodelled_companion": "Its flux may hold that of the other: of the rows of a "
    "deep field whose errors are above 3 sigma every third has it.",
    "low_snr": "The flux is a measurement, but not a detection.",
}

# What the flags of earlier versions of photutils were called, and until when.
_OLD_NAMES = {
    "npixfit_partial": ("n_pixels_fit_partial", "3.0"),
    "outside_bounds": ("position_outside_image", "3.1"),
    "negative_flux": ("non_positive_flux", "3.1"),
    "near_bound": ("parameter_near_bound", "3.1"),
    "non_finite_localbkg": ("non_finite_local_bkg", "3.1"),
}


def _definition(bit: int, name: str, description: str) -> FlagDefinition:
    said = f"{description[0].upper()}{description[1:]}."
    detailed = " ".join([said, *filter(None, [_CONSEQUENCES.get(name)])])
    return FlagDefinition(bit, name, description, detailed)


PSF_FLAGS = FlagRegistry(
    "psf", (_definition(*flag) for flag in _core.flag_definitions()), _OLD_NAMES
)
"""All flags of PSF photometry; each is an attribute in upper case.

>>> from psfphot.psf import PSF_FLAGS
>>> PSF_FLAGS.NO_CONVERGENCE
8
>>> PSF_FLAGS.get_name(8)
'no_convergence'
"""


@by_keyword
def decode_psf_flags(flags: Any, return_bit_values: bool = False) -> Any:
    """Take flags apart.

    Parameters
    ----------
    flags : int or array_like of int
        The flags of one source or of many.
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

    Examples
    --------
    >>> from psfphot.psf import decode_psf_flags
    >>> decode_psf_flags([0, 5])
    [[], ['n_pixels_fit_partial', 'non_positive_flux']]
    """
    return PSF_FLAGS.decode(flags, return_bit_values)


PSF_FLAGS.put_into_docstring(decode_psf_flags)
