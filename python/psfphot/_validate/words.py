"""Arguments that may be words."""

from __future__ import annotations

from typing import Any


def is_auto(value: Any) -> bool:
    """Tell whether an argument is the word "auto"; arrays are compared by element."""
    return isinstance(value, str) and value == "auto"
