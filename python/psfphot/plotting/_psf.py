"""A PSF, how well it is known and what it leaves of stars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.visualization import AsinhStretch, ImageNormalize
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

_LIGHT, _DIFFERENCE, _ERROR = "gray", "RdBu_r", "viridis"

#: Columns of the montage, and its most stars.
_COLUMNS, _MOST = 8, 40

#: The core, pixels, whose light is compared by the place in the pixel.
_CORE = 2.5

#: Cells of the place in the pixel.
_CELLS = 8


def plot_psf(
    model: Any,
    *,
    error: Any = None,
    stars: Table | None = None,
    residuals: Sequence[Vector] | None = None,
    title: str = "",
) -> Figure:
    """Draw a PSF, its variation and its errors, and what it leaves of stars.

    Parameters
    ----------
    model : `~psfphot.psf.GriddedPSFModel` or `~psfphot.psf.ImagePSF`
        The PSF.
    error : (P, ny, nx) or (ny, nx) array, optional
        1-sigma errors of its samples.
    stars : `~astropy.table.Table`, optional
        Columns x, y, flux of the stars of ``residuals``, in the same order.
    residuals : sequence of 2D array, optional
        What is left of stars, over their flux.
    title : str, optional
        Above all.

    Returns
    -------
    `~matplotlib.figure.Figure`
        The figure: the PSF, its deviations over the field and its errors; below, if
        there are stars, their residuals and the light left by the place in the pixel.

    Raises
    ------
    TypeError
        If the model has no samples.
    """
    if not (hasattr(model, "data") and hasattr(model, "oversampling")):
        given = type(model).__name__
        msg = f"model must be an ImagePSF or a GriddedPSFModel, got {given}"
        raise TypeError(msg)
    has_stars = bool(residuals)
    figure = Figure(figsize=(12.0, 8.2 if has_stars else 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, fontsize=10)
    parts: Any = figure.subfigures(2 if has_stars else 1, 1, squeeze=False)
    images = _images_of(model)
    middle = np.mean(images, axis=0)
    axes = parts[0, 0].subplots(1, 3)
    _draw_psf(parts[0, 0], axes[0], middle, model)
    _draw_variation(parts[0, 0], axes[1], images, middle)
    _draw_error(parts[0, 0], axes[2], error, float(middle.max()))
    if residuals:
        left, right = parts[1, 0].subfigures(1, 2, width_ratios=[3, 2])
        _draw_montage(left, residuals)
        _draw_phases(right, residuals, stars)
    return figure


def _images_of(model: Any) -> Vector:
    data = np.asarray(model.data, dtype=np.float64)
    return data[None] if data.ndim == 2 else data  # noqa: PLR2004


def _draw_psf(figure: FigureBase, axes: Axes, image: Vector, model: Any) -> None:
    part = image / image.max()
    lowest = min(float(part.min()), 0.0)
    norm = ImageNormalize(vmin=lowest, vmax=1.0, stretch=AsinhStretch(0.01))
    shown = axes.imshow(part, norm=norm, origin="lower", cmap=_LIGHT)
    figure.colorbar(shown, ax=axes, shrink=0.8)
    over_y, over_x = (int(n) for n in model.oversampling)
    axes.set_title(f"PSF / peak, {over_x} x {over_y} samples per pixel", fontsize=9)


def _draw_variation(
    figure: FigureBase, axes: Axes, images: Vector, middle: Vector
) -> None:
    """Draw how far the nodes' PSFs are from their mean."""
    if len(images) == 1:
        axes.axis("off")
        axes.text(0.5, 0.5, "one PSF for all\nof the image", ha="center", va="center")
        return
    spread = np.sqrt(np.mean((images - middle) ** 2, axis=0)) / middle.max()
    shown = axes.imshow(spread, origin="lower", cmap=_ERROR)
    figure.colorbar(shown, ax=axes, shrink=0.8)
    axes.set_title(f"rms over {len(images)} nodes / peak", fontsize=9)


def _draw_error(figure: FigureBase, axes: Axes, error: Any, peak: float) -> None:
    if error is None:
        axes.axis("off")
        axes.text(0.5, 0.5, "errors are not known", ha="center", va="center")
        return
    planes = np.asarray(error, dtype=np.float64)
    plane = planes if planes.ndim == 2 else np.sqrt(np.mean(planes**2, axis=0))  # noqa: PLR2004
    part = np.where(plane > 0, plane, np.nan) / peak
    norm = LogNorm() if np.isfinite(part).any() else Normalize()
    shown = axes.imshow(part, origin="lower", cmap=_ERROR, norm=norm)
    figure.colorbar(shown, ax=axes, shrink=0.8)
    axes.set_title("1-sigma error / peak", fontsize=9)


def _draw_montage(figure: FigureBase, residuals: Sequence[Vector]) -> None:
    shown = list(residuals)[:_MOST]
    rows = -(-len(shown) // _COLUMNS)
    ny, nx = np.max([np.shape(one) for one in shown], axis=0)
    sheet = np.full((rows * (ny + 1) - 1, _COLUMNS * (nx + 1) - 1), np.nan)
    for k, one in enumerate(shown):
        # The brightest is at the upper left.
        row, column = rows - 1 - k // _COLUMNS, k % _COLUMNS
        top, left = row * (ny + 1), column * (nx + 1)
        sheet[top : top + one.shape[0], left : left + one.shape[1]] = one
    limit = float(np.nanpercentile(np.abs(sheet), 99.5)) or 1.0
    axes = figure.subplots()
    drawn = axes.imshow(
        sheet, origin="lower", cmap=_DIFFERENCE, vmin=-limit, vmax=limit
    )
    figure.colorbar(drawn, ax=axes, shrink=0.8)
    axes.set_axis_off()
    axes.set_title(f"what is left of {len(shown)} stars / flux", fontsize=9)


def _draw_phases(
    figure: FigureBase, residuals: Sequence[Vector], stars: Table | None
) -> None:
    """Draw the light left in the core by the place in the pixel."""
    axes = figure.subplots()
    if stars is None:
        axes.axis("off")
        return
    left = 100 * np.array([_sum_core(one) for one in residuals])
    for name, colour in (("x", "tab:blue"), ("y", "tab:orange")):
        phase = (np.asarray(stars[name], dtype=float)[: left.size] + 0.5) % 1.0 - 0.5
        axes.plot(phase, left, ".", color=colour, alpha=0.5, label=name)
        cell = np.minimum(((phase + 0.5) * _CELLS).astype(int), _CELLS - 1)
        for k in np.unique(cell):
            middle = (k + 0.5) / _CELLS - 0.5
            axes.plot(middle, np.nanmedian(left[cell == k]), "s", color=colour)
    axes.axhline(0.0, color="gray", linewidth=0.8)
    axes.set_xlabel("place in the pixel")
    axes.set_ylabel("light left in the core, % of the flux")
    axes.set_title("by pixel phase, and its medians", fontsize=9)
    axes.legend(fontsize=8)


def _sum_core(residual: Vector) -> float:
    y, x = np.indices(residual.shape)
    row, column = (side // 2 for side in residual.shape)
    return float(np.nansum(residual[np.hypot(x - column, y - row) <= _CORE]))
