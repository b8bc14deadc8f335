"""The compiled core; private, see the documented classes that wrap it."""

from collections.abc import Callable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__version__: str

class InternalError(RuntimeError): ...

@final
class Psf:
    """A PSF of unit flux; immutable."""

    @staticmethod
    def sampled(
        data: NDArray[np.float32] | NDArray[np.float64],
        oversampling: tuple[float, float],
        origin: tuple[float, float] | None = None,
        fill_value: float = 0.0,
    ) -> Psf: ...
    @staticmethod
    def gridded(
        data: NDArray[np.float32] | NDArray[np.float64],
        positions: NDArray[np.float64],
        oversampling: tuple[float, float],
        origin: tuple[float, float] | None = None,
        fill_value: float = 0.0,
        n_threads: int | None = None,
    ) -> Psf: ...
    @staticmethod
    def gaussian_prf(fwhm: float) -> Psf: ...
    @property
    def shape_names(self) -> list[str]: ...
    def evaluate(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        *parameters: float | NDArray[np.float64],
    ) -> NDArray[np.float64]: ...
    def gradient(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        *parameters: float | NDArray[np.float64],
    ) -> NDArray[np.float64]: ...
    def support(self, x_0: float, y_0: float) -> tuple[int, int, int, int]: ...

def fit_sources(
    data: NDArray[np.float32] | NDArray[np.float64],
    error: NDArray[np.float32] | NDArray[np.float64] | None,
    mask: NDArray[np.bool_] | None,
    psf: Psf,
    starts: dict[str, Any],
    settings: dict[str, Any],
    *,
    n_threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, NDArray[Any]]: ...
def flag_definitions() -> list[tuple[int, str, str]]: ...
