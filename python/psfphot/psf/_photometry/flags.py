"""The flags of fitted sources, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot import _core

__all__ = ["PSF_FLAGS", "PSFFlagDefinition", "decode_psf_flags"]


class PSFFlagDefinition(NamedTuple):
    """A flag: its bit, its name and what it says of a source."""

    bit_value: int
    name: str
    description: str


# What the flags of photutils 3.0 were called.
_OLD_NAMES = {
    "OUTSIDE_BOUNDS": "POSITION_OUTSIDE_IMAGE",
    "NEGATIVE_FLUX": "NON_POSITIVE_FLUX",
    "NEAR_BOUND": "PARAMETER_NEAR_BOUND",
    "NON_FINITE_LOCALBKG": "NON_FINITE_LOCAL_BKG",
}


class _PSFFlags:
    """All flags of PSF photometry; each is an attribute in upper case.

    Attributes
    ----------
    FLAG_DEFINITIONS : list of PSFFlagDefinition
        The flags, by bit.
    N_PIXELS_FIT_PARTIAL, POSITION_OUTSIDE_IMAGE, ... : int
        The bit of each flag. The names of photutils 3.0 work too.

    Examples
    --------
    >>> from psfphot.psf import PSF_FLAGS
    >>> PSF_FLAGS.NO_CONVERGENCE
    8
    >>> PSF_FLAGS.get_name(8)
    'no_convergence'
    """

    def __init__(self) -> None:
        self.FLAG_DEFINITIONS = [
            PSFFlagDefinition(*flag) for flag in _core.flag_definitions()
        ]
        for flag in self.FLAG_DEFINITIONS:
            setattr(self, flag.name.upper(), flag.bit_value)
        for old, new in _OLD_NAMES.items():
            setattr(self, old, getattr(self, new))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> int: ...

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

    def get_definition(self, key: int | str) -> PSFFlagDefinition:
        """Return the flag of a bit or of a name.

        Raises
        ------
        KeyError
            If there is none.
        """
        for flag in self.FLAG_DEFINITIONS:
            if key in (flag.bit_value, flag.name):
                return flag
        kind = "name" if isinstance(key, str) else "bit value"
        raise KeyError(f"No flag with {kind} {key!r}")

    def get_name(self, bit_value: int) -> str:
        """Return the name of a bit; raises KeyError if it is none."""
        return self.get_definition(bit_value).name

    def get_bit_value(self, name: str) -> int:
        """Return the bit of a name; raises KeyError if there is none."""
        return self.get_definition(name).bit_value

    def get_description(self, key: int | str) -> str:
        """Return what a flag says; raises KeyError if there is none."""
        return self.get_definition(key).description


PSF_FLAGS = _PSFFlags()


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
        shape with such a list for each element.

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
