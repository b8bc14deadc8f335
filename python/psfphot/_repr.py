"""How objects show themselves."""

from __future__ import annotations

from typing import Any

import numpy as np


def make_repr(instance: Any, names: tuple[str, ...]) -> str:
    """Make ``Class(name=value, ...)`` of attributes; arrays give their shape."""
    return show_call(type(instance), {name: getattr(instance, name) for name in names})


def show_call(cls: type, arguments: dict[str, Any]) -> str:
    """Make ``Class(name=value, ...)`` of arguments; arrays give their shape."""
    shown = ", ".join(f"{name}={_shown(value)}" for name, value in arguments.items())
    return f"{cls.__name__}({shown})"


def make_str(instance: Any, names: tuple[str, ...]) -> str:
    """Make lines of the class and of attributes ``name: value``."""
    kind = type(instance)
    lines = [f"<{kind.__module__}.{kind.__qualname__}>"]
    lines += [f"{name}: {_shown(getattr(instance, name))}" for name in names]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim == 2:  # noqa: PLR2004
        return f"<array; shape={value.shape}>"
    return repr(value)
