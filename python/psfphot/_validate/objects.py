"""Arguments that are objects of some class, and tables with some columns."""

from __future__ import annotations

from typing import Any

from astropy.table import Table


def check_instance(value: Any, kind: type, name: str) -> None:
    """Refuse what is not of a class.

    Raises
    ------
    TypeError
        If the value is of another class.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        msg = f"{name} must be {article} {kind.__name__}, got {type(value).__name__}"
        raise TypeError(msg)


def check_table(table: Any, name: str, *columns: str) -> None:
    """Refuse what is no table, or one that lacks a column.

    Raises
    ------
    TypeError
        If it is no table of astropy's.
    ValueError
        If it does not have all of the columns.
    """
    if not isinstance(table, Table):
        msg = f"{name} must be an astropy Table, got {type(table).__name__}"
        raise TypeError(msg)
    lacks = [column for column in columns if column not in table.colnames]
    if lacks:
        msg = f"{name} must have the columns {', '.join(columns)}; it lacks "
        raise ValueError(msg + ", ".join(lacks))
