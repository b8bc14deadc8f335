"""Pickles between a driver and its workers, each after its length."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import IO

_LENGTH = struct.Struct("<Q")


def send(stream: IO[bytes], packed: bytes) -> None:
    """Write a message.

    Raises
    ------
    OSError
        If the other side is gone.
    """
    stream.write(_LENGTH.pack(len(packed)))
    stream.write(packed)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """Wait for a message and read it.

    Raises
    ------
    EOFError
        If the other side is gone.
    """
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    return _read(stream, length)


def _read(stream: IO[bytes], length: int) -> bytes:
    packed = stream.read(length)
    if len(packed) < length:
        raise EOFError
    return packed
