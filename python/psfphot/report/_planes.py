"""Images on the page: scaled to a byte a pixel, with the stars over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from bokeh.models import ColorBar, HoverTool, LinearColorMapper, Range1d
from bokeh.palettes import RdBu11, Viridis256, interp_palette
from bokeh.plotting import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bokeh.models import ColumnDataSource
    from numpy.typing import NDArray

#: The longest side of an image on the page: more would make it heavy, not clearer.
_MOST_PIXELS = 1000

#: The byte of pixels without a value, and their colour.
_MASKED, _MASKED_COLOR = 255, "#e8b400"

#: The residuals' scale ends at so many sigma on both sides.
_MOST_SIGMA = 5.0

_GRAYS = [f"#{level:02x}{level:02x}{level:02x}" for level in range(255)]
_DIFFERENCES = list(interp_palette(RdBu11, 255))

_TOOLTIPS = [
    ("id", "@id"),
    ("x, y", "@x{0.00}, @y{0.00}"),
    ("flux", "@flux_text"),
    ("mag", "@mag_text"),
    ("S/N", "@snr{0.0}"),
    ("flags", "@flags_text"),
]


class Plane(NamedTuple):
    """An image of the page: title, bytes, colours, and the values of the ends."""

    title: str
    scaled: NDArray[np.uint8]
    palette: Sequence[str]
    ends: tuple[float, float] | None = None

    @property
    def colors(self) -> list[str]:
        """A colour for each byte."""
        return [*self.palette, _MASKED_COLOR]


def light_planes(
    image: NDArray[Any], model: NDArray[Any], noise: float
) -> tuple[Plane, Plane]:
    """Scale image and model alike: linear about the noise, bright stars compressed."""
    with np.errstate(invalid="ignore"):
        finite = image[np.isfinite(image)]
    top = max(float(np.percentile(finite, 99.7)), 20 * noise) if finite.size else 1.0
    low, high = np.arcsinh(-1.0), np.arcsinh(top / (4 * noise))

    def scaled(plane: NDArray[Any]) -> NDArray[np.uint8]:
        return _bytes((np.arcsinh(_shrunk(plane) / (4 * noise)) - low) / (high - low))

    return (
        Plane("image without its sky", scaled(image), _GRAYS),
        Plane("model of the stars", scaled(model), _GRAYS),
    )


def sigma_plane(sigma: NDArray[Any]) -> Plane:
    """Scale residuals in units of the pixels' errors."""
    shares = 0.5 + _shrunk(sigma, extremes=True) / (2 * _MOST_SIGMA)
    ends = (-_MOST_SIGMA, _MOST_SIGMA)
    return Plane("residual in sigma", _bytes(shares), _DIFFERENCES, ends)


def map_plane(title: str, values: NDArray[Any]) -> Plane:
    """Scale a map between its extremes."""
    shrunk = _shrunk(values)
    finite = shrunk[np.isfinite(shrunk)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    span = high - low if high > low else 1.0
    ends = (float(low), float(low + span))
    return Plane(title, _bytes((shrunk - low) / span), Viridis256[:255], ends)


def draw_plane(
    plane: Plane,
    shape: tuple[int, int],
    stars: ColumnDataSource | None = None,
    like: Any = None,
) -> Any:
    """Draw one image, with a ring around each star that tells its row.

    Parameters
    ----------
    plane : `Plane`
        What to draw.
    shape : (ny, nx)
        The image's, in its own pixels.
    stars : `~bokeh.models.ColumnDataSource`, optional
        The rows to mark.
    like : figure, optional
        One that is zoomed and moved together with this.
    """
    ny, nx = shape
    ranges = (
        {"x_range": Range1d(-0.5, nx - 0.5), "y_range": Range1d(-0.5, ny - 0.5)}
        if like is None
        else {"x_range": like.x_range, "y_range": like.y_range}
    )
    drawn = figure(
        title=plane.title,
        match_aspect=True,
        aspect_ratio=nx / ny,
        sizing_mode="stretch_width",
        tools="pan,wheel_zoom,box_zoom,reset,save",
        active_scroll="wheel_zoom",
        toolbar_location="above",
        **ranges,
    )
    colors = LinearColorMapper(palette=plane.colors, low=0, high=255)
    drawn.image([plane.scaled], color_mapper=colors, x=-0.5, y=-0.5, dw=nx, dh=ny)
    drawn.grid.visible = False
    if plane.ends is not None:
        low, high = plane.ends
        scale = LinearColorMapper(palette=list(plane.palette), low=low, high=high)
        drawn.add_layout(ColorBar(color_mapper=scale, width=10), "right")
    if stars is not None:
        _mark_stars(drawn, stars)
    return drawn


def _mark_stars(drawn: Any, stars: ColumnDataSource) -> None:
    # Where there are thousands the image shows through; the pointer's own is bright.
    alpha = min(0.6, max(0.1, 100 / max(len(stars.data["id"]), 1)))
    rings = drawn.scatter(
        "x",
        "y",
        source=stars,
        size=9,
        fill_alpha=0.0,
        line_color="color",
        line_alpha=alpha,
        hover_line_alpha=1.0,
        hover_line_color="color",
        hover_fill_alpha=0.0,
    )
    drawn.add_tools(HoverTool(renderers=[rings], tooltips=_TOOLTIPS))


def _shrunk(plane: NDArray[Any], *, extremes: bool = False) -> NDArray[np.float64]:
    """Shrink a large image by whole pixels: means, or what is farthest from 0."""
    values = np.asarray(plane, dtype=float)
    step = -(-max(values.shape) // _MOST_PIXELS)
    if step <= 1:
        return values
    ny, nx = (-(-n // step) * step for n in values.shape)
    padded = np.full((ny, nx), np.nan)
    padded[: values.shape[0], : values.shape[1]] = values
    parts = padded.reshape(ny // step, step, nx // step, step).swapaxes(1, 2)
    blocks = parts.reshape(ny // step, nx // step, step * step)
    good = np.isfinite(blocks)
    filled = np.where(good, blocks, 0.0)
    if extremes:
        farthest = np.abs(filled).argmax(axis=-1)[..., None]
        shrunk = np.take_along_axis(filled, farthest, axis=-1)[..., 0]
    else:
        shrunk = filled.sum(axis=-1) / np.maximum(good.sum(axis=-1), 1)
    shrunk[~good.any(axis=-1)] = np.nan
    return shrunk


def _bytes(shares: NDArray[Any]) -> NDArray[np.uint8]:
    """Turn shares from 0 to 1 into bytes below that of masked pixels."""
    good = np.isfinite(shares)
    levels = np.clip(np.where(good, shares, 0.0), 0.0, 1.0) * (_MASKED - 1)
    levels[~good] = _MASKED
    return levels.round().astype(np.uint8)
