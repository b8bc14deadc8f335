"""What apertures on images and on the sky have in common: being one or many."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self


class Positioned(ABC):
    """Something at one position, or at each of several."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """(number of positions,), or () for one position that is no list."""

    @property
    def isscalar(self) -> bool:
        """Whether there is one position that is no list."""
        return self.shape == ()

    def __len__(self) -> int:
        if self.isscalar:
            raise TypeError(f"A scalar {type(self).__name__!r} object has no len()")
        return self.shape[0]

    def __getitem__(self, index: Any) -> Self:
        if self.isscalar:
            msg = f"A scalar {type(self).__name__!r} object cannot be indexed"
            raise TypeError(msg)
        return self._at(index)

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    @abstractmethod
    def _at(self, index: Any) -> Self:
        """Make the same at some of the positions."""
