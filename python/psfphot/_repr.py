"""How objects show themselves."""

from __future__ import annotations

from typing import Any

import numpy as np


def make_repr(instance: Any, names: tuple[str, ...]) -> str:
    """Make ``Class(name=value, ...)`` of attributes; arrays give their shape."""
    values = ((name, getattr(instance, name)) for name in names)
    shown = ", ".join(f"{name}={_shown(value)}" for name, value in values)
    return f"{type(instance).__name__}({shown})"


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim == 2:  # noqa: PLR2004
        return f"<array; shape={value.shape}>"
    return repr(value)
