"""Flags: bits with a name and a meaning."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot._docstrings import put_into_docstring
from psfphot._warnings import PhotutilsDeprecationWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class FlagDefinition(NamedTuple):
    """A flag: its bit, its name and what it says of a source."""

    bit_value: int
    name: str
    description: str
    detailed_description: str


class FlagRegistry:
    """The flags of a domain; each is an attribute in upper case.

    Parameters
    ----------
    domain : str
        What the flags are about.
    definitions : iterable of FlagDefinition
        The flags, by bit.
    old_names : dict, optional
        For each name of earlier versions of photutils the present one, and the
        version that gave it up. They work too, and warn.

    Attributes
    ----------
    FLAG_DEFINITIONS : list of FlagDefinition
        The flags, by bit.
    domain : str
        What the flags are about.
    """

    def __init__(
        self,
        domain: str,
        definitions: Iterable[FlagDefinition],
        old_names: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        self.domain = domain
        self.FLAG_DEFINITIONS = [*definitions]
        self._old_names = dict(old_names or {})
        for flag in self.FLAG_DEFINITIONS:
            setattr(self, flag.name.upper(), flag.bit_value)

    def __getattr__(self, name: str) -> int:
        old = name.lower()
        # Looked up without this method, which a copy in the making would call again.
        if name != old.upper() or old not in vars(self).get("_old_names", ()):
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(msg, name=name, obj=self)
        new = self._renamed(old, "constant", str.upper, stacklevel=4)
        bit: int = getattr(self, new.upper())
        return bit

    @property
    def all_flags(self) -> list[FlagDefinition]:
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

    def get_definition(self, identifier: int | str) -> FlagDefinition:
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

    def _find(self, identifier: Any, stacklevel: int) -> FlagDefinition:
        is_bit = isinstance(identifier, int | np.integer)
        if isinstance(identifier, bool) or not (is_bit or isinstance(identifier, str)):
            msg = f"a flag is known by its bit or its name, got {identifier!r}"
            raise TypeError(msg)
        if identifier in self._old_names:
            identifier = self._renamed(identifier, "flag", str, stacklevel + 1)
        for flag in self.FLAG_DEFINITIONS:
            if identifier == (flag.bit_value if is_bit else flag.name):
                return flag
        kind = "bit value" if is_bit else "name"
        raise KeyError(f"No flag with {kind} {identifier!r}")

    def _renamed(
        self, old: str, kind: str, show: Callable[[str], str], stacklevel: int
    ) -> str:
        new, since = self._old_names[old]
        msg = (
            f"The {kind} {show(old)!r} was deprecated in photutils {since}. "
            f"Use {show(new)!r} instead."
        )
        warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=stacklevel - 1)
        return new

    def decode(self, flags: Any, return_bit_values: bool) -> Any:
        """Take flags apart; see `psfphot.psf.decode_psf_flags`."""
        values = np.asarray(flags)
        if values.dtype.kind not in "iu" and values.size > 0:
            msg = f"Flag value must be an integer, got {flags!r}"
            raise TypeError(msg)
        if np.any(values < 0):
            msg = f"Flag value must be a nonnegative integer, got {flags!r}"
            raise ValueError(msg)
        known = [
            (flag.bit_value, flag.bit_value if return_bit_values else flag.name)
            for flag in self.FLAG_DEFINITIONS
        ]

        def decoded(values: Any) -> Any:
            if isinstance(values, list):
                return [decoded(value) for value in values]
            return [shown for bit, shown in known if values & bit]

        return decoded(values.tolist())

    def put_into_docstring(self, function: Callable[..., Any]) -> None:
        """Put a list of the flags where the docstring says ``{flags}``."""
        items = (
            f"**{flag.bit_value}** (``'{flag.name}'``): {flag.detailed_description}"
            for flag in self.FLAG_DEFINITIONS
        )
        put_into_docstring(function, "flags", items)
