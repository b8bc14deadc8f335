"""Image, model and residual side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.visualization import AsinhStretch, ImageNormalize
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from psfphot._files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from astropy import units as u
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from psfphot.io import Sky

_CMAP = "gray"
_MASKED = "tab:blue"

#: Height of the detail's cutout in pixels, where the image is larger.
_DETAIL = 96


class Window(NamedTuple):
    """A part of an image: first pixel and size."""

    x: int
    y: int
    nx: int
    ny: int


def plot_residual(
    data: NDArray[Any],
    model: NDArray[Any],
    sky: Sky,
    *,
    unit: u.UnitBase | None = None,
) -> Figure:
    """Draw image, model and residual, whole and in detail.

    Parameters
    ----------
    data, model : 2D array
        The image with its sky, and the fitted stars without sky.
    sky : `~psfphot.io.Sky`
        Its level is taken off the image; its noise sets the stretch, which is
        the same everywhere.
    unit : `~astropy.units.UnitBase`, optional
        For the colour bar.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        Above, the whole; below, the busiest part, marked above by a frame.
    """
    ny, nx = data.shape
    width = 5.0
    height = width * min(max(ny / nx, 0.3), 2.0)
    figure = Figure(figsize=(3 * width + 0.8, 2 * height + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3)
    drawn = draw_triptych(axes, data, model, sky)
    label = "above the sky" + ("" if unit is None else f" ({unit.to_string()})")
    figure.colorbar(drawn, ax=axes, label=label, pad=0.01, fraction=0.03, aspect=40)
    return figure


def draw_triptych(
    axes: NDArray[Any], data: NDArray[Any], model: NDArray[Any], sky: Sky
) -> AxesImage:
    """Draw into 2 x 3 axes; see `plot_residual`."""
    image = np.asarray(data, dtype=float) - sky.level
    norm = _norm(image, sky.noise)
    planes = {"image": image, "model": model, "residual": image - model}
    detail = _busiest(np.asarray(model), _detail_shape(image.shape))
    for column, (title, plane) in enumerate(planes.items()):
        whole, part = axes[0, column], axes[1, column]
        drawn = _draw(whole, plane, norm, Window(0, 0, *plane.shape[::-1]))
        whole.set_title(title)
        _draw(part, plane, norm, detail)
        frame = (detail.x - 0.5, detail.y - 0.5), detail.nx, detail.ny
        whole.add_patch(Rectangle(*frame, fill=False, edgecolor="tab:orange", lw=1))
        for spine in part.spines.values():
            spine.set(edgecolor="tab:orange", linewidth=1.5)
        for axis in (whole, part):
            if column:
                axis.set_yticklabels([])
    return drawn


def save_figure(figure: Figure, path: Path) -> None:
    """Save a figure, whole or not at all; the extension tells the format."""
    with replacing(path) as part:
        figure.savefig(part, dpi=130)


def _draw(
    axis: Axes, plane: NDArray[Any], norm: ImageNormalize, window: Window
) -> AxesImage:
    x, y, nx, ny = window
    axis.set_facecolor(_MASKED)
    return axis.imshow(
        np.ma.masked_invalid(plane[y : y + ny, x : x + nx]),
        origin="lower",
        extent=(x - 0.5, x + nx - 0.5, y - 0.5, y + ny - 0.5),
        norm=norm,
        cmap=_CMAP,
        # Shrinking without averaging would turn noise and stars into grain.
        interpolation="antialiased" if nx > _DETAIL * 2 else "nearest",
    )


def _norm(image: NDArray[Any], noise: float) -> ImageNormalize:
    """Stretch from below the sky to bright stars, linear about the noise."""
    low = -4 * noise
    high = max(float(np.nanpercentile(image, 99.7)), 20 * noise)
    return ImageNormalize(
        vmin=low, vmax=high, stretch=AsinhStretch(4 * noise / (high - low)), clip=False
    )


def _detail_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (ny, nx) of the detail, in the image's own proportions."""
    scale = min(1.0, _DETAIL / min(shape))
    return round(shape[0] * scale), round(shape[1] * scale)


def _busiest(model: NDArray[Any], shape: tuple[int, int]) -> Window:
    """Return the window with most light, the brightest stars counting little."""
    ny, nx = shape
    light = np.sqrt(np.clip(np.nan_to_num(model), 0, None))
    sums = np.pad(light.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes = sums[ny:, nx:] - sums[:-ny, nx:] - sums[ny:, :-nx] + sums[:-ny, :-nx]
    y, x = np.unravel_index(np.argmax(boxes), boxes.shape)
    return Window(int(x), int(y), nx, ny)
