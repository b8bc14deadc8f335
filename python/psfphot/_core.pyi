"""The compiled core; private, see the documented classes that wrap it."""

from collections.abc import Callable, Sequence
from typing import Any, TypedDict, final, type_check_only

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
    ) -> Psf: ...
    @staticmethod
    def gridded(
        data: NDArray[np.float32] | NDArray[np.float64],
        positions: NDArray[np.float64],
        oversampling: tuple[float, float],
        origin: tuple[float, float] | None = None,
        n_threads: int | None = None,
        part_of: tuple[tuple[int, int], tuple[int, int]] | None = None,
    ) -> Psf: ...
    @staticmethod
    def polynomial(
        data: NDArray[np.float32] | NDArray[np.float64],
        center: tuple[float, float],
        scale: tuple[float, float],
        oversampling: tuple[float, float],
        origin: tuple[float, float] | None = None,
        n_threads: int | None = None,
    ) -> Psf: ...
    @staticmethod
    def analytic(kind: str, shape: Sequence[float], n_nodes: int = 9) -> Psf: ...
    @staticmethod
    def callback_model(model: Any, shape: Sequence[float]) -> Psf: ...
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
    call: dict[str, Any],
    *,
    n_threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]: ...

@final
class Covariances:
    """The covariances of the sources of a fit; immutable."""

    def __new__(cls, state: bytes) -> Covariances: ...
    def of(self, rows: list[int]) -> NDArray[np.float64]: ...
    def flux_inflation(
        self, rows: list[int], n_threads: int | None
    ) -> NDArray[np.float64]: ...

def judge_sources(
    call: dict[str, Any],
    fitted: NDArray[np.float64],
    errors: NDArray[np.float64],
    has_converged: list[bool],
) -> dict[str, NDArray[Any]]: ...
def terminations() -> list[tuple[int, str]]: ...
def flag_definitions() -> list[tuple[int, str, str]]: ...
def find_iraf_stars(
    scene: Any,
    positions: list[tuple[float, float]] | None,
    *,
    fwhm: float,
    sigma_radius: float,
    sharpness_range: tuple[float, float] | None,
    roundness_range: tuple[float, float] | None,
    min_n_pixels: int,
) -> tuple[dict[str, NDArray[Any]], int]: ...
def find_dao_stars(
    scene: Any,
    positions: list[tuple[float, float]] | None,
    *,
    fwhm: float,
    ratio: float,
    theta: float,
    sigma_radius: float,
    scale_threshold: bool,
    sharpness_range: tuple[float, float] | None,
    roundness_range: tuple[float, float] | None,
) -> tuple[dict[str, NDArray[Any]], int]: ...
def gaussian_kernel(
    fwhm: float, ratio: float, theta: float, sigma_radius: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_], float]: ...
def find_kernel_stars(
    scene: Any, kernel: NDArray[np.float64]
) -> tuple[dict[str, NDArray[Any]], int]: ...
def detect_cosmic_rays(
    data: NDArray[np.float32] | NDArray[np.float64],
    error: NDArray[np.float32] | NDArray[np.float64] | None,
    mask: NDArray[np.bool_] | None,
    psf: Psf,
    *,
    n_sigma: float,
    margin: float,
    noise: float | None,
    half_width: int | None,
    max_iterations: int,
    n_threads: int | None,
) -> NDArray[np.bool_]: ...
def find_matched_stars(
    settings: Any,
    data: NDArray[np.float32] | NDArray[np.float64],
    error: NDArray[np.float32] | NDArray[np.float64] | None,
    mask: NDArray[np.bool_] | None,
    positions: list[tuple[float, float]] | None,
) -> tuple[dict[str, NDArray[Any]], int]: ...
def matched_maps(
    settings: Any,
    data: NDArray[np.float32] | NDArray[np.float64],
    error: NDArray[np.float32] | NDArray[np.float64] | None,
    mask: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def measure_misfits(
    residual: Any, flux: NDArray[np.float64], fit_shape: tuple[int, int]
) -> list[NDArray[np.float64]]: ...
def profile_sources(
    data: NDArray[np.float32] | NDArray[np.float64],
    error: NDArray[np.float32] | NDArray[np.float64] | None,
    mask: NDArray[np.bool_] | None,
    model: NDArray[np.float64],
    psf: Psf,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    flux: NDArray[np.float64],
    *,
    fit_shape: tuple[int, int],
    psf_shapes: NDArray[np.float64] | None = None,
    n_threads: int | None = None,
) -> list[NDArray[np.float64]]: ...
def psf_fwhm(psf: Psf, x: float, y: float) -> float: ...
def score_maps(
    residual: Any,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
def scores_at(
    residual: Any, places: list[tuple[float, float]]
) -> dict[str, NDArray[Any]]: ...
def search_score(
    residual: Any,
    *,
    n_sigma: float,
    min_q: float,
    min_distance: float,
    min_separation: float,
    is_scaled: bool,
    width: ScoreWidth | None = None,
) -> dict[str, NDArray[Any]]: ...

@final
class ScoreWidth:
    """The width of the score in blocks of an image; immutable."""

    def __new__(
        cls,
        widths: NDArray[np.float64],
        weights: NDArray[np.float64],
        n_blocks: tuple[int, int],
        shape: tuple[int, int],
    ) -> ScoreWidth: ...
    def seen_from(self, x: float, y: float) -> ScoreWidth: ...
    @property
    def typical(self) -> float: ...

def score_block_edges(side: int, fwhm: float) -> list[int]: ...
def measure_score_blocks(
    residual: Any, rows: list[int], columns: list[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def measure_confusion(
    residual: Any, width: ScoreWidth | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]: ...
def companion_scores(residual: Any) -> NDArray[np.float64]: ...
def find_peaks(
    data: NDArray[np.float32] | NDArray[np.float64],
    mask: NDArray[np.bool_] | None,
    threshold: float | NDArray[np.float64],
    *,
    footprint: NDArray[np.bool_],
    min_separation: float | None,
    border_width: tuple[int, int],
    n_threads: int | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
def estimate_level(
    values: NDArray[np.float64],
    level: tuple[str, list[float]],
    clip: tuple[float, float, int | None, str, str] | None,
) -> float: ...
def annulus_values(
    data: NDArray[np.float32] | NDArray[np.float64],
    mask: NDArray[np.bool_] | None,
    position: tuple[float, float],
    radii: tuple[float, float],
) -> NDArray[np.float64]: ...
def aperture_photometry(
    data: NDArray[np.float32] | NDArray[np.float64],
    error: NDArray[np.float32] | NDArray[np.float64] | None,
    mask: NDArray[np.bool_] | None,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radii: tuple[float, float],
    method: str,
    subpixels: int,
    *,
    n_threads: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
def aperture_sums(
    data: NDArray[np.float32] | NDArray[np.float64],
    mask: NDArray[np.bool_] | None,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radius: float,
    *,
    n_threads: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def group_overlapping(
    x: NDArray[np.float64], y: NDArray[np.float64], box_shape: tuple[int, int]
) -> NDArray[np.int64]: ...
def aperture_weights(
    position: tuple[float, float],
    radii: tuple[float, float],
    method: str,
    subpixels: int,
) -> tuple[NDArray[np.float64], int, int]: ...
def group_sources(
    x: NDArray[np.float64], y: NDArray[np.float64], min_separation: float
) -> NDArray[np.int64]: ...
def is_finite(
    data: NDArray[np.float32] | NDArray[np.float64],
    mask: NDArray[np.bool_] | None,
    *,
    n_threads: int | None = None,
) -> bool: ...
def box_statistics(
    data: NDArray[np.float32] | NDArray[np.float64],
    mask: NDArray[np.bool_] | None,
    box_shape: tuple[int, int],
    level: tuple[str, list[float]],
    scatter: tuple[str, list[float]],
    clip: tuple[float, float, int | None, str, str] | None,
    *,
    n_threads: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]: ...
def fill_nodes(
    nodes: NDArray[np.float64],
    excluded: NDArray[np.bool_],
    *,
    n_threads: int | None = None,
) -> NDArray[np.float64]: ...
def flat_blocks(
    data: NDArray[np.float32] | NDArray[np.float64],
    side: int,
    limit: float,
    *,
    n_threads: int | None = None,
) -> NDArray[np.bool_]: ...
def interpolate_nodes(
    nodes: NDArray[np.float64],
    excluded: NDArray[np.bool_],
    box_shape: tuple[int, int],
    shape: tuple[int, int],
    weights: tuple[int, float, float, int],
    *,
    n_threads: int | None = None,
) -> NDArray[np.float64]: ...
def median_filter(
    nodes: NDArray[np.float64],
    window: tuple[int, int],
    *,
    n_threads: int | None = None,
) -> NDArray[np.float64]: ...

@type_check_only
class ResidualSettings(TypedDict):
    box_shape: tuple[int, int]
    level: tuple[str, list[float]]
    scatter: tuple[str, list[float]]
    clip: tuple[float, float, int | None, str, str] | None
    highest_degree: int
    rounds: int
    fwhm: float | None
    threshold: float

def residual_background(
    data: NDArray[np.float32] | NDArray[np.float64],
    mask: NDArray[np.bool_] | None,
    settings: ResidualSettings,
    *,
    n_threads: int | None = None,
) -> tuple[
    NDArray[Any],
    NDArray[Any],
    tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]],
    NDArray[np.bool_],
    int,
    NDArray[np.bool_] | None,
]: ...
def residual_sheets(
    data: NDArray[np.float32] | NDArray[np.float64],
    mask: NDArray[np.bool_] | None,
    settings: ResidualSettings,
    *,
    n_threads: int | None = None,
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    tuple[float, float],
    tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]],
]: ...
def sheet_window(
    coefficients: NDArray[np.float64],
    shape: tuple[int, int],
    rows: tuple[int, int],
    columns: tuple[int, int],
    limits: tuple[float, float],
    *,
    n_threads: int | None = None,
) -> NDArray[np.float64]: ...
def solve_epsf(
    cutouts: Sequence[Any],
    settings: Any,
    *,
    n_threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]: ...
def zoom_nodes(
    nodes: NDArray[np.float64],
    box_shape: tuple[int, int],
    shape: tuple[int, int],
    clip: bool,
    dtype: str,
    *,
    n_threads: int | None = None,
) -> NDArray[Any]: ...
def known_backgrounds(
    local_bkg: NDArray[np.float64], group_id: NDArray[np.int64]
) -> NDArray[np.float64]: ...
def local_background(
    data: NDArray[np.float32] | NDArray[np.float64],
    mask: NDArray[np.bool_] | None,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    radii: tuple[float, float],
    level: tuple[str, list[float]],
    clip: tuple[float, float, int | None, str, str] | None,
    *,
    n_threads: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def match_points(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    radius: float,
    *,
    n_threads: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
def near_pairs(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    radius: float,
    *,
    n_threads: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...
def render_sources(
    image: NDArray[np.float64],
    psf: Psf,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    flux: NDArray[np.float64],
    *,
    window_shape: tuple[int, int] | None = None,
    background: NDArray[np.float64] | None = None,
    psf_shapes: NDArray[np.float64] | None = None,
    n_threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[int, int]: ...
def thin_sources(
    x: NDArray[np.float64], y: NDArray[np.float64], min_separation: float
) -> NDArray[np.bool_]: ...
