"""The compiled forms of models: shared by copies, known again by their content."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from psfphot import _core

# Bytes of spline coefficients that are kept for models to come: a grid of 36
# STPSF images takes 12 to 60 MB.
_MOST_BYTES = 128 * 2**20


class Compiled:
    """Holds the compiled form of a model, once that is made.

    The compiled form is immutable, so copies of a model share the holder: the
    first that needs the splines computes them for all. Pickles leave it out;
    those of sampled models bring a digest of what it is made of (see `Packed`).
    """

    __slots__ = ("content", "psf")

    def __init__(self, content: bytes | None = None) -> None:
        self.psf: _core.Psf | None = None
        self.content = content

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        return self

    def __reduce__(self) -> tuple[type[Compiled], tuple[()]]:
        return Compiled, ()


class Packed:
    """A holder on its way into a copy, which shares it, or into a pickle.

    The digest is that of what is pickled with it, taken then and there.
    """

    def __init__(self, compiled: Compiled, digest: Callable[[], bytes]) -> None:
        self._compiled = compiled
        self._digest = digest

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        return self._compiled

    def __reduce__(self) -> tuple[type[Compiled], tuple[bytes]]:
        return Compiled, (self._digest(),)


class SplineCache:
    """The splines that this process computed last, by the digest of their samples.

    Parameters
    ----------
    most_bytes : int
        Bytes of coefficients that are kept; the last splines are in any case.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        # The last used is the last.
        self._known: dict[bytes, tuple[_core.Psf, int]] = {}
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._unlock)

    def _unlock(self) -> None:
        # A thread that held it is not in this process.
        self._lock = threading.Lock()

    def get(
        self,
        content: bytes | None,
        digest: Callable[[], bytes],
        compute: Callable[[], _core.Psf],
        n_bytes: int,
    ) -> _core.Psf:
        """Find splines, or compute them.

        Parameters
        ----------
        content : bytes or None
            The digest, where a pickle brought it.
        digest : callable
            Computes it; what is put into the cache never goes by a pickle's word.
        compute : callable
            Computes the splines.
        n_bytes : int
            How many bytes these take.
        """
        if content is not None and (found := self._find(content)):
            return found
        content = digest()
        found = self._find(content)
        if found is None:
            # Of two threads that come at once both compute the same.
            found = compute()
            self._put(content, found, n_bytes)
        return found

    def _find(self, content: bytes) -> _core.Psf | None:
        with self._lock:
            entry = self._known.pop(content, None)
            if entry is None:
                return None
            self._known[content] = entry
            return entry[0]

    def _put(self, content: bytes, psf: _core.Psf, n_bytes: int) -> None:
        with self._lock:
            self._known.pop(content, None)
            self._known[content] = (psf, n_bytes)
            total = sum(size for _, size in self._known.values())
            while total > self._most_bytes and len(self._known) > 1:
                _, size = self._known.pop(next(iter(self._known)))
                total -= size


SPLINES = SplineCache(_MOST_BYTES)


def digest_of(arrays: Sequence[NDArray[Any]], settings: Any) -> bytes:
    """Compute a digest of arrays and of settings that have a ``repr``."""
    digest = hashlib.sha256(usedforsecurity=False)
    digest.update(repr((settings, [(a.shape, a.dtype.str) for a in arrays])).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()
