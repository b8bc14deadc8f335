"""The names that photutils 3.0 renamed: they work here too, and warn.

Tables of results are `RenamedColumnsTable`; `old_arguments` and `by_keyword` decorate
functions.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

from astropy.table import QTable, Row

from psfphot._future_columns import has_future_column_names
from psfphot._warnings import PhotutilsDeprecationWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

P = ParamSpec("P")
R = TypeVar("R")

SINCE = "3.0"

# Of all tables of the package, so that tables of several stages can be joined.
NEW_COLUMN_NAMES = {
    "xcentroid": "x_centroid",
    "ycentroid": "y_centroid",
    "xcenter": "x_center",
    "ycenter": "y_center",
    "pa": "orientation",
    "npix": "n_pixels",
    "npixfit": "n_pixels_fit",
}


def results_table(meta: dict[str, Any]) -> QTable:
    """Make an empty table of results, one that knows old names unless told not to."""
    table_class = QTable if has_future_column_names() else RenamedColumnsTable
    return table_class(meta=meta)


class _RenamedRow(Row):  # type: ignore[misc]
    """A row of a `RenamedColumnsTable`."""

    def __getitem__(self, item: Any) -> Any:
        return super().__getitem__(self._table._current(item))

    def __setitem__(self, item: Any, value: Any) -> None:
        super().__setitem__(self._table._current(item), value)


class RenamedColumnsTable(QTable):  # type: ignore[misc]
    """A `~astropy.table.QTable` whose columns can be had by their old names.

    An old name stands for the new one where the table has a column of the new
    name and none of the old; it gives a
    `~psfphot.utils.exceptions.PhotutilsDeprecationWarning`. ``colnames`` and what
    is written to files have the new names alone.
    """

    Row = _RenamedRow

    new_names: ClassVar[dict[str, str]] = NEW_COLUMN_NAMES

    def _current(self, names: Any, stacklevel: int = 3) -> Any:
        """Make the present name or names of those given; all else stays.

        By default the warning points to the caller of this method's caller.
        """
        if isinstance(names, list | tuple):
            current = []
            for name in names:  # no comprehension, which may be a frame
                current.append(self._current(name, stacklevel + 1))  # noqa: PERF401
            return type(names)(current)
        new = self.new_names.get(names) if isinstance(names, str) else None
        if new is None or names in self.columns or new not in self.columns:
            return names
        msg = (
            f"The column name {names!r} was deprecated in photutils {SINCE}. "
            f"Use {new!r} instead."
        )
        warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=stacklevel)
        return new

    def __contains__(self, name: object) -> bool:
        return self._current(name) in self.columns

    def __getitem__(self, item: Any) -> Any:
        return super().__getitem__(self._current(item))

    def __setitem__(self, item: Any, value: Any) -> None:
        super().__setitem__(self._current(item), value)

    def __delitem__(self, item: Any) -> None:
        super().__delitem__(self._current(item))

    def index_column(self, name: str) -> int:
        """Give the position of a column; see `astropy.table.Table`."""
        return int(super().index_column(self._current(name)))

    def keep_columns(self, names: Any) -> None:
        """Keep only these columns; see `astropy.table.Table`."""
        super().keep_columns(self._current(names))

    def remove_column(self, name: str) -> None:
        """Remove a column; see `astropy.table.Table`."""
        super().remove_column(self._current(name))

    def remove_columns(self, names: Any) -> None:
        """Remove columns; see `astropy.table.Table`."""
        super().remove_columns(self._current(names))

    def rename_column(self, name: str, new_name: str) -> None:
        """Rename a column; see `astropy.table.Table`."""
        super().rename_column(self._current(name), new_name)

    def rename_columns(self, names: Any, new_names: Any) -> None:
        """Rename columns; see `astropy.table.Table`."""
        super().rename_columns(self._current(names), new_names)

    def replace_column(self, name: str, col: Any, **options: Any) -> None:
        """Replace a column; see `astropy.table.Table`."""
        super().replace_column(self._current(name), col, **options)

    def sort(self, keys: Any = None, **options: Any) -> None:
        """Sort by columns; see `astropy.table.Table`."""
        super().sort(self._current(keys), **options)

    def argsort(self, keys: Any = None, **options: Any) -> Any:
        """Give the order by columns; see `astropy.table.Table`."""
        return super().argsort(self._current(keys), **options)

    def group_by(self, keys: Any) -> Any:
        """Group by columns; see `astropy.table.Table`."""
        return super().group_by(self._current(keys))

    def add_index(self, colnames: Any, **options: Any) -> None:
        """Index columns; see `astropy.table.Table`."""
        super().add_index(self._current(colnames), **options)


def old_arguments(
    *positional: str,
    renamed: Mapping[str, str] | None = None,
    ranges: Mapping[tuple[str, str], str] | None = None,
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Make a decorator that takes arguments as they were before photutils 3.0.

    Every old use gives a `~psfphot.utils.exceptions.PhotutilsDeprecationWarning`.

    Parameters
    ----------
    *positional : str
        Keyword-only arguments, in the order in which they were positional.
    renamed : dict, optional
        The present keyword of each old one.
    ranges : dict, optional
        For two old keywords (lower, upper), the present one, which is a pair. An
        end that is not given is that of the pair, or of its default.
    """

    def decorator(function: Callable[..., R]) -> Callable[..., R]:
        parameters = inspect.signature(function).parameters
        n_required = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters.values())

        @functools.wraps(function)
        def wrapper(*args: Any, **options: Any) -> R:
            extra = dict(zip(positional, args[n_required:], strict=False))
            # Too many, or one twice: the function itself says so.
            if len(extra) == len(args[n_required:]) and not extra.keys() & options:
                _warn_positional(function.__qualname__, tuple(extra))
                args, options = args[:n_required], extra | options
            for (lower, upper), pair in (ranges or {}).items():
                if lower in options or upper in options:
                    _warn(
                        f"arguments {lower!r} and {upper!r} were",
                        f"{pair}=(lower, upper)",
                    )
                    low, high = options.get(pair) or parameters[pair].default
                    options[pair] = options.pop(lower, low), options.pop(upper, high)
            for old, new in (renamed or {}).items():
                if old in options and new not in options:
                    _warn(f"argument {old!r} was", new)
                    options[new] = options.pop(old)
            return function(*args, **options)

        return wrapper

    return decorator


def by_keyword(function: Callable[P, R]) -> Callable[P, R]:
    """Warn where an optional argument is given by position.

    The warning is a `~psfphot.utils.exceptions.PhotutilsDeprecationWarning`.
    """
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    n_required = sum(
        p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty for p in parameters
    )

    @functools.wraps(function)
    def wrapper(*args: P.args, **options: P.kwargs) -> R:
        _warn_positional(function.__qualname__, tuple(names[n_required : len(args)]))
        return function(*args, **options)

    return wrapper


def _warn(what: str, new: str) -> None:
    """Warn, for the caller of a wrapper that calls this."""
    msg = f"The {what} deprecated in photutils {SINCE}. Use {new!r} instead."
    warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=3)


def _warn_positional(function: str, names: tuple[str, ...]) -> None:
    if names:
        msg = (
            f"Passing {', '.join(map(repr, names))} positionally to {function!r} was "
            f"deprecated in photutils {SINCE}. Use keyword arguments instead: "
            f"{', '.join(f'{name}=...' for name in names)}"
        )
        warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=3)
