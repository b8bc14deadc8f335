"""Image, model and residual side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy import units as u
from astropy.visualization import AsinhStretch, ImageNormalize
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from psfphot._files import replacing
from psfphot._validate import as_image

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from psfphot.io import Sky

#: Colours that neither scale has.
_MASKED, _FRAME = "gold", "tab:green"

_LIGHT, _DIFFERENCE = "gray", "RdBu_r"

#: The residuals' scale ends at so many sigma on both sides.
_MOST_SIGMA = 5.0

#: Height of the detail's cutout in pixels; less where that is more than half of
#: the image, all of images smaller than the second.
_DETAIL, _TOO_SMALL = 96, 16


class Window(NamedTuple):
    """A part of an image: first pixel and size."""

    x: int
    y: int
    nx: int
    ny: int


class _Panel(NamedTuple):
    """What is drawn in one column."""

    title: str
    plane: NDArray[Any]
    norm: Normalize
    cmap: str


def plot_residual(
    data: NDArray[Any],
    model: NDArray[Any],
    sky: Sky,
    *,
    error: NDArray[Any] | None = None,
    unit: u.UnitBase | None = None,
) -> Figure:
    """Draw image, model and the residual in sigma, whole and in detail.

    Parameters
    ----------
    data, model : 2D array
        The image with its sky, NaN where it is masked, and the fitted stars
        without sky.
    sky : `~psfphot.io.Sky`
        Its map, or its level where it has none, is taken off the image; its noise
        sets the stretch.
    error : 2D array, optional
        1-sigma errors of the pixels, which the residual is divided by; by default
        the noise of the sky.
    unit : `~astropy.units.UnitBase`, optional
        For the colour bar.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        Above, the whole; below, the busiest part, marked above by a frame. The
        residual's scale is symmetric; masked pixels have a colour of their own.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be, or there are no pixels.
    """
    data, model = as_image(data, "data"), as_image(model, "model")
    if 0 in data.shape:
        msg = f"data must have pixels, got the shape {data.shape}"
        raise ValueError(msg)
    if not hasattr(sky, "level"):
        msg = f"sky must be a Sky or SkyMaps, got {type(sky).__name__}"
        raise TypeError(msg)
    unit = None if unit is None else u.Unit(unit)
    ny, nx = data.shape
    width = 5.0
    height = width * min(max(ny / nx, 0.3), 2.0)
    figure = Figure(figsize=(3 * width + 1.8, 2 * height + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    draw_triptych(figure, data, model, sky, error=error, unit=unit)
    return figure


def draw_triptych(
    figure: FigureBase,
    data: NDArray[Any],
    model: NDArray[Any],
    sky: Sky,
    *,
    error: NDArray[Any] | None = None,
    unit: u.UnitBase | None = None,
) -> None:
    """Draw 2 x 3 panels, their colour bars and a legend; see `plot_residual`."""
    axes = figure.subplots(2, 3)
    image = np.asarray(data, dtype=float) - getattr(sky, "background", sky.level)
    panels = _panels(image, np.asarray(model), sky, error)
    detail = _busiest(np.asarray(model), _detail_shape(image.shape))
    drawn = [
        _draw_column(axes[:, column], panel, detail)
        for column, panel in enumerate(panels)
    ]
    axes[0, 0].set_ylabel("y (pixels)")
    axes[1, 0].set_ylabel("y (pixels)")
    label = "above the sky" + ("" if unit is None else f" ({unit.to_string()})")
    bar: dict[str, Any] = {"pad": 0.01, "fraction": 0.05, "aspect": 40}
    figure.colorbar(drawn[0], ax=axes[:, :2], label=label, extend="both", **bar)
    label = "(image - sky - model) / error of the pixel"
    figure.colorbar(drawn[2], ax=axes[:, 2], label=label, extend="both", **bar)
    n_masked = np.count_nonzero(~np.isfinite(image))
    handles = [Patch(fill=False, edgecolor=_FRAME, label="the detail below")]
    if n_masked:
        label = f"masked, {n_masked} pixels"
        handles.append(Patch(color=_MASKED, label=label))
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)


def save_figure(figure: Figure, path: Path) -> None:
    """Save a figure, whole or not at all; the extension tells the format."""
    with replacing(path) as part:
        figure.savefig(part, dpi=130)


def _panels(
    image: NDArray[Any], model: NDArray[Any], sky: Sky, error: NDArray[Any] | None
) -> list[_Panel]:
    light = _norm(image, sky.noise)
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = (image - model) / (sky.noise if error is None else error)
    return [
        _Panel("image without sky", image, light, _LIGHT),
        _Panel("model of the stars", model, light, _LIGHT),
        _Panel(
            "residual in sigma",
            sigma,
            Normalize(-_MOST_SIGMA, _MOST_SIGMA),
            _DIFFERENCE,
        ),
    ]


def _draw_column(axes: NDArray[Any], panel: _Panel, detail: Window) -> AxesImage:
    """Draw the whole and, below it, the detail."""
    whole, part = axes
    drawn = _draw(whole, panel, Window(0, 0, *panel.plane.shape[::-1]))
    _draw(part, panel, detail)
    whole.set_title(panel.title)
    part.set_title(f"{panel.title}, detail")
    frame = (detail.x - 0.5, detail.y - 0.5), detail.nx, detail.ny
    whole.add_patch(Rectangle(*frame, fill=False, edgecolor=_FRAME, lw=1.5))
    for spine in part.spines.values():
        spine.set(edgecolor=_FRAME, linewidth=1.5)
    for axis in axes:
        axis.set_xlabel("x (pixels)")
    return drawn


def _draw(axis: Axes, panel: _Panel, window: Window) -> AxesImage:
    x, y, nx, ny = window
    axis.set_facecolor(_MASKED)
    return axis.imshow(
        np.ma.masked_invalid(panel.plane[y : y + ny, x : x + nx]),
        origin="lower",
        extent=(x - 0.5, x + nx - 0.5, y - 0.5, y + ny - 0.5),
        norm=panel.norm,
        cmap=panel.cmap,
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
    smallest = min(shape)
    scale = 1.0 if smallest < _TOO_SMALL else min(0.5, _DETAIL / smallest)
    return round(shape[0] * scale), round(shape[1] * scale)


def _busiest(model: NDArray[Any], shape: tuple[int, int]) -> Window:
    """Return the window with most light, the brightest stars counting little."""
    ny, nx = shape
    light = np.sqrt(np.clip(np.nan_to_num(model), 0, None))
    sums = np.pad(light.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes = sums[ny:, nx:] - sums[:-ny, nx:] - sums[ny:, :-nx] + sums[:-ny, :-nx]
    y, x = np.unravel_index(np.argmax(boxes), boxes.shape)
    return Window(int(x), int(y), nx, ny)
