"""What a fit tells of one source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_LATER = "param_cov"


class FitInfo(dict[str, Any]):
    """How the fit of a source ended.

    Its ``param_cov`` is computed when it is first asked for. A pickle is a plain
    dictionary, with it.

    Parameters
    ----------
    values : dict
        All else.
    param_cov : callable
        Computes the covariance of the source's free parameters.
    """

    def __init__(
        self, values: dict[str, Any], param_cov: Callable[[], NDArray[Any]]
    ) -> None:
        super().__init__(values)
        self._param_cov = param_cov

    def __missing__(self, key: str) -> Any:
        if key != _LATER:
            raise KeyError(key)
        self[key] = self._param_cov()
        return self[key]

    def __contains__(self, key: object) -> bool:
        return key == _LATER or super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Give a value, or ``default`` where there is none."""
        try:
            return self[key]
        except KeyError:
            return default

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, ({**self, _LATER: self[_LATER]},)
