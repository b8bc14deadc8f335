"""Cuts on the quality of rows, written as comparisons."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._operators import OPERATORS
from psfphot._validate import check_table, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from astropy.table import Table
    from numpy.typing import NDArray

_CUT = re.compile(
    r"\s*(?P<name>\w+)\s*(?:&\s*(?P<bits>\d+)\s*)?(?P<op>[=!<>]=|[<>])"
    r"\s*(?P<number>[^\s=!<>]+)\s*"
)


@dataclass(frozen=True)
class QualityCuts:
    """Which rows of a catalogue are taken: those of which all comparisons are true.

    It can be the ``selection`` of an `ArtificialStarTest` and, unlike a function
    of a script, goes to other processes.

    Parameters
    ----------
    texts : sequence of str
        ``COLUMN OP NUMBER`` or, of flags, ``COLUMN & BITS OP NUMBER``, with one of
        ``== != <= >= < >``.

    Raises
    ------
    ValueError
        If a text is no such comparison.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from psfphot.completeness import QualityCuts
    >>> cuts = QualityCuts(["qfit < 0.2", "flags & 5 == 0"])
    >>> cuts(Table({"qfit": [0.1, 0.1, 0.3], "flags": [2, 4, 0]})).tolist()
    [True, False, False]
    """

    texts: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", tuple(self.texts))
        for text in self.texts:
            _parse(text)

    def __call__(self, table: Table) -> NDArray[np.bool_]:
        """Tell which rows pass.

        Raises
        ------
        TypeError
            If it is no table.
        ValueError
            If the table has no such column.
        """
        check_table(table, "table")
        passes = np.ones(len(table), dtype=bool)
        for text in self.texts:
            name, bits, compare, number = _parse(text)
            if name not in table.colnames:
                known = ", ".join(table.colnames)
                msg = f"{text!r}: there is no column {name!r}; there are {known}"
                raise ValueError(msg)
            column = table[name]
            values = values_of(column) if bits is None else np.asarray(column) & bits
            passes &= np.asarray(compare(values, number), dtype=bool)
        return passes


def _parse(text: str) -> tuple[str, int | None, Callable[[Any, Any], Any], float]:
    found = _CUT.fullmatch(text)
    try:
        number = float(found["number"]) if found else np.nan
    except ValueError:
        number = np.nan
    if found is None or np.isnan(number):
        known = " ".join(OPERATORS)
        msg = (
            "a cut must be COLUMN OP NUMBER, as 'qfit < 0.2' or 'flags & 4 == 0', "
            f"with one of {known}, got {text!r}"
        )
        raise ValueError(msg)
    bits = None if found["bits"] is None else int(found["bits"])
    return found["name"], bits, OPERATORS[found["op"]], number
