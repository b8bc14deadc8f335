"""Numbers of sources that are one source's alone, among all frames."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from psfphot._output import describe_columns

if TYPE_CHECKING:
    from astropy.table import Table

#: So that ids up to as much can be added to what a frame's name comes to.
_BITS = 62


def add_source_ids(catalog: Table, frame: str) -> None:
    """Add columns ``frame`` and ``source_id`` around ``id``, in place.

    A source's number is the hash of its frame's name and its ``id`` added: of the
    sources of a frame each has its own, and any two of a billion sources in a hundred
    thousand frames are the same with a probability of 1e-5.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        With ``id``. ``source_id`` is of 64 bits and not negative.
    frame : str
        The frame's name.
    """
    digest = hashlib.blake2b(frame.encode(), digest_size=8).digest()
    base = np.uint64(int.from_bytes(digest, "big") >> (64 - _BITS))
    ids = np.asarray(catalog["id"]).astype(np.uint64)
    # Of numbers without a sign sums wrap round.
    sums = (base + ids) & np.uint64(2**63 - 1)
    where = catalog.colnames.index("id")
    columns = [np.full(len(catalog), frame), sums.astype(np.int64)]
    catalog.add_columns(
        columns, indexes=[where, where + 1], names=["frame", "source_id"]
    )
    describe_columns(catalog)
