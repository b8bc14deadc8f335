"""The rows whose residuals are worst, as small pictures."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image, ImageColor

from psfphot.report._planes import Plane, light_planes, sigma_plane
from psfphot.report._stars import values

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

#: How many rows are shown.
_N_WORST = 8

#: A cutout reaches so many fit boxes from the star.
_REACH = 1.5


class Picture(NamedTuple):
    """A still picture: its title, and the address that holds it."""

    title: str
    address: str


def draw_worst(
    catalog: QTable,
    planes: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    noise: float,
    fit_shape: tuple[int, int],
) -> list[tuple[str, list[Picture]]]:
    """Draw image, model and residual of the rows with the worst residuals.

    Parameters
    ----------
    catalog : `~astropy.table.QTable`
        The rows.
    planes : tuple of 2D arrays
        The image without its sky, the model, the residual in sigma.
    noise : float
        Of the sky, for the scale.
    fit_shape : (ny, nx)
        Of the fit boxes: what counts is the mean square residual in that box, and
        pictures reach 1.5 times its size from the star.

    Returns
    -------
    worst : list of (title, pictures)
        Worst first.
    """
    image, model, sigma = planes
    scores = _mean_squares(catalog, sigma, fit_shape)
    worst = [row for row in np.argsort(-scores)[:_N_WORST] if scores[row] > 0]
    drawn = []
    for row in worst:
        x, y = (round(values(catalog, name)[row]) for name in ("x_fit", "y_fit"))
        half = round(_REACH * max(fit_shape))
        window = (
            slice(max(y - half, 0), y + half + 1),
            slice(max(x - half, 0), x + half + 1),
        )
        light, dark = light_planes(image[window], model[window], noise)
        cutouts = [light, dark, sigma_plane(sigma[window])]
        title = (
            f"id {catalog['id'][row]} at x {x}, y {y}: "
            f"rms {np.sqrt(scores[row]):.2g} sigma in its box"
        )
        drawn.append((title, [_picture(plane) for plane in cutouts]))
    return drawn


def _picture(plane: Plane) -> Picture:
    """Make a PNG of a plane, a pixel for a pixel, y upwards."""
    image = Image.fromarray(np.ascontiguousarray(plane.scaled[::-1]))
    image.putpalette(
        [part for color in plane.colors for part in ImageColor.getrgb(color)]
    )
    stream = io.BytesIO()
    image.save(stream, "png")
    encoded = base64.b64encode(stream.getvalue()).decode("ascii")
    return Picture(plane.title, f"data:image/png;base64,{encoded}")


def _mean_squares(
    catalog: QTable, sigma: NDArray[Any], fit_shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Mean square of the residuals in each row's box; 0 where there is none."""
    ny, nx = sigma.shape
    good = np.isfinite(sigma)
    squares = np.where(good, sigma, 0.0) ** 2
    sums = [np.pad(p.cumsum(0).cumsum(1), ((1, 0), (1, 0))) for p in (squares, good)]
    x, y = (values(catalog, name) for name in ("x_fit", "y_fit"))
    x, y = (np.nan_to_num(p, nan=-1.0).round().astype(int) for p in (x, y))
    is_inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
    column, row = (np.where(is_inside, p, 0) for p in (x, y))
    low_y, high_y = _box(row, fit_shape[0], ny)
    low_x, high_x = _box(column, fit_shape[1], nx)
    total, count = (
        p[high_y, high_x] - p[low_y, high_x] - p[high_y, low_x] + p[low_y, low_x]
        for p in sums
    )
    return np.asarray(
        np.where(is_inside & (count > 0), total / np.maximum(count, 1), 0)
    )


def _box(centre: NDArray[Any], side: int, n: int) -> tuple[NDArray[Any], NDArray[Any]]:
    low = np.clip(centre - side // 2, 0, n)
    return low, np.clip(centre + side // 2 + 1, 0, n)
