"""Properties with one value for each aperture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class per_aperture:  # noqa: N801  (used as a decorator)
    """A property of a catalogue: computed once, for all rows.

    The catalogue has ``isscalar`` and a dict ``_cache``. Its method ``column(name)``
    gives all rows; as an attribute a scalar catalogue has the one value.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, catalogue: Any, owner: type) -> Any:
        if catalogue is None:
            return self
        values = self.of(catalogue)
        return values[0] if catalogue.isscalar and values is not None else values

    def of(self, catalogue: Any) -> Any:
        """Give the values of all rows."""
        if self._name not in catalogue._cache:
            catalogue._cache[self._name] = self._function(catalogue)
        return catalogue._cache[self._name]
