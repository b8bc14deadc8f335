"""Images of Gaussians that examples use: always the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.modeling.models import Gaussian2D
from astropy.table import QTable

from psfphot._deprecated import by_keyword
from psfphot.psf._rendering.model_image import make_model_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The level of the sky in both images.
BACKGROUND = 5.0

# amplitude, x_mean, y_mean, x_stddev, y_stddev, theta in degrees
_FOUR = (
    (50, 160, 70, 15.2, 2.6, 145),
    (70, 25, 40, 5.1, 2.5, 20),
    (150, 150, 25, 3.0, 3.0, 0),
    (210, 90, 60, 8.1, 4.7, 60),
)

# The ranges of the hundred, in the order in which they are drawn.
_HUNDRED = {
    "flux": (500, 1000),
    "x_mean": (0, 500),
    "y_mean": (0, 300),
    "x_stddev": (1, 5),
    "y_stddev": (1, 5),
    "theta": (0, 2 * np.pi),
}
_HUNDRED_SEED = 12345


@by_keyword
def make_4gaussians_image(noise: bool = True) -> NDArray[np.float64]:
    """Make photutils' image of four elliptical Gaussians on a sky of 5.

    Parameters
    ----------
    noise : bool, optional
        Whether to add noise of sigma 5, always the same.

    Returns
    -------
    (100, 200) ndarray
        The image.

    Examples
    --------
    >>> from psfphot.datasets import make_4gaussians_image
    >>> print(make_4gaussians_image(noise=False).max().round(2))
    215.0
    """
    names = ("amplitude", "x_mean", "y_mean", "x_stddev", "y_stddev", "theta")
    sources = QTable(dict(zip(names, np.array(_FOUR, dtype=float).T, strict=True)))
    sources["theta"] = np.deg2rad(sources["theta"])
    return _draw((100, 200), sources, 5.0 if noise else 0.0, None)


@by_keyword
def make_100gaussians_image(noise: bool = True) -> NDArray[np.float64]:
    """Make photutils' image of a hundred elliptical Gaussians on a sky of 5.

    Parameters
    ----------
    noise : bool, optional
        Whether to add noise of sigma 2, always the same.

    Returns
    -------
    (300, 500) ndarray
        The image.
    """
    # The legacy generator: with it the hundred were drawn once.
    rng = np.random.RandomState(_HUNDRED_SEED)
    sources = QTable({name: rng.uniform(*ends, 100) for name, ends in _HUNDRED.items()})
    area = 2 * np.pi * sources["x_stddev"] * sources["y_stddev"]
    sources["amplitude"] = sources["flux"] / area
    return _draw((300, 500), sources, 2.0 if noise else 0.0, 6.0)


def _draw(
    shape: tuple[int, int], sources: QTable, stddev: float, bbox_factor: float | None
) -> NDArray[np.float64]:
    image: NDArray[np.float64] = make_model_image(
        shape,
        Gaussian2D(),
        sources,
        x_name="x_mean",
        y_name="y_mean",
        bbox_factor=bbox_factor,
    )
    image += BACKGROUND
    if stddev > 0:
        image += np.random.default_rng(0).normal(0.0, stddev, shape)
    return image
