"""Docstrings that lists are put into, each of which is kept in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def put_into_docstring(documented: Any, key: str, items: Iterable[str]) -> None:
    """Put a list of items where the docstring of something says ``{key}``."""
    text = documented.__doc__ or ""
    place = f"{{{key}}}"
    # Python 3.13 takes the indentation off docstrings.
    indent = text.partition(place)[0].rpartition("\n")[2]
    lines = f"\n{indent}".join(f"* {item}" for item in items)
    documented.__doc__ = text.replace(place, lines)
