"""The flags of fitted sources, and what they mean."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot import _core
from psfphot._deprecated import by_keyword
from psfphot._warnings import PhotutilsDeprecationWarning

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PSF_FLAGS", "PSFFlagDefinition", "decode_psf_flags"]


class PSFFlagDefinition(NamedTuple):
    """A flag: its bit, its name and what it says of a source."""

    bit_value: int
    name: str
    description: str
    detailed_description: str


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


def _definition(bit: int, name: str, description: str) -> PSFFlagDefinition:
    said = f"{description[0].upper()}{description[1:]}."
    detailed = " ".join([said, *filter(None, [_CONSEQUENCES.get(name)])])
    return PSFFlagDefinition(bit, name, description, detailed)


class _PSFFlags:
    """All flags of PSF photometry; each is an attribute in upper case.

    The names of before photutils 3.1 work too, and warn.

    Attributes
    ----------
    FLAG_DEFINITIONS : list of PSFFlagDefinition
        The flags, by bit.
    domain : str
        What the flags are about, ``'psf'``.
    N_PIXELS_FIT_PARTIAL, POSITION_OUTSIDE_IMAGE, ... : int
        The bit of each flag.

    Examples
    --------
    >>> from psfphot.psf import PSF_FLAGS
    >>> PSF_FLAGS.NO_CONVERGENCE
    8
    >>> PSF_FLAGS.get_name(8)
    'no_convergence'
    """

    domain = "psf"

    def __init__(self) -> None:
        self.FLAG_DEFINITIONS = [
            _definition(*flag) for flag in _core.flag_definitions()
        ]
        for flag in self.FLAG_DEFINITIONS:
            setattr(self, flag.name.upper(), flag.bit_value)

    def __getattr__(self, name: str) -> int:
        old = name.lower()
        if name != old.upper() or old not in _OLD_NAMES:
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(msg, name=name, obj=self)
        new = _new_name(old, "constant", str.upper, stacklevel=3)
        bit: int = getattr(self, new.upper())
        return bit

    @property
    def all_flags(self) -> list[PSFFlagDefinition]:
        """All flags, by bit; the list is a copy."""
        return self.FLAG_DEFINITIONS.copy()

    @property
    def bit_values(self) -> list[int]:
        """All bits."""
        return [flag.bit_value for flag in self.FLAG_DEFINITIONS]

    @property
    def names(self) -> list[str]:
        """All names, by bit."""
        return [flag.name for flag in self.FLAG_DEFINITIONS]

    @property
    def flag_dict(self) -> dict[int, str]:
        """Names by bit."""
        return {flag.bit_value: flag.name for flag in self.FLAG_DEFINITIONS}

    def get_definition(self, identifier: int | str) -> PSFFlagDefinition:
        """Return the flag of a bit or of a name.

        Raises
        ------
        KeyError
            If there is none.
        TypeError
            If ``identifier`` is neither an integer nor a string.
        """
        return self._find(identifier, stacklevel=4)

    def get_name(self, bit_value: int) -> str:
        """Return the name of a bit; see `get_definition`."""
        return self._find(bit_value, stacklevel=4).name

    def get_bit_value(self, name: str) -> int:
        """Return the bit of a name; see `get_definition`."""
        return self._find(name, stacklevel=4).bit_value

    def get_description(self, bit_value: int | str) -> str:
        """Return what a flag says; see `get_definition`."""
        return self._find(bit_value, stacklevel=4).description

    def get_detailed_description(self, bit_value: int | str) -> str:
        """Return what a flag says and what follows; see `get_definition`."""
        return self._find(bit_value, stacklevel=4).detailed_description

    def _find(self, identifier: Any, stacklevel: int) -> PSFFlagDefinition:
        is_bit = isinstance(identifier, int | np.integer)
        if isinstance(identifier, bool) or not (is_bit or isinstance(identifier, str)):
            msg = f"a flag is known by its bit or its name, got {identifier!r}"
            raise TypeError(msg)
        if identifier in _OLD_NAMES:
            identifier = _new_name(identifier, "flag", str, stacklevel)
        for flag in self.FLAG_DEFINITIONS:
            if identifier == (flag.bit_value if is_bit else flag.name):
                return flag
        kind = "bit value" if is_bit else "name"
        raise KeyError(f"No flag with {kind} {identifier!r}")


def _new_name(old: str, kind: str, show: Callable[[str], str], stacklevel: int) -> str:
    new, since = _OLD_NAMES[old]
    msg = (
        f"The {kind} {show(old)!r} was deprecated in photutils {since}. "
        f"Use {show(new)!r} instead."
    )
    warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=stacklevel)
    return new


PSF_FLAGS = _PSFFlags()


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
    values = np.asarray(flags)
    if values.dtype.kind not in "iu" and values.size > 0:
        msg = f"Flag value must be an integer, got {flags!r}"
        raise TypeError(msg)
    if np.any(values < 0):
        msg = f"Flag value must be a nonnegative integer, got {flags!r}"
        raise ValueError(msg)
    known = [
        (flag.bit_value, flag.bit_value if return_bit_values else flag.name)
        for flag in PSF_FLAGS.FLAG_DEFINITIONS
    ]

    def decoded(values: Any) -> Any:
        if isinstance(values, list):
            return [decoded(value) for value in values]
        return [shown for bit, shown in known if values & bit]

    return decoded(values.tolist())


def _list_of_flags(indent: str) -> str:
    lines = [
        f"* **{flag.bit_value}** (``'{flag.name}'``): {flag.detailed_description}"
        for flag in PSF_FLAGS.FLAG_DEFINITIONS
    ]
    return f"\n{indent}".join(lines)


# Python 3.13 takes the indentation off docstrings.
_doc = decode_psf_flags.__doc__ or ""
_indent = _doc.partition("{flags}")[0].rpartition("\n")[2]
decode_psf_flags.__doc__ = _doc.replace("{flags}", _list_of_flags(_indent))
