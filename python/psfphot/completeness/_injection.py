"""Artificial stars put into an image, with the noise of their photons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.table import Table

from psfphot.datasets import make_model_image
from psfphot.psf._models.convert import parameter_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.completeness._plan import Batch

#: Of more electrons in a pixel the Poisson distribution is drawn as a normal one; of
#: fewer there is no noise, a variance far below that of any reading.
_MANY, _FEW = 1e9, 1e-2


class Pixels(NamedTuple):
    """An image and its 1-sigma errors, without units.

    Attributes
    ----------
    data : 2D array
        The image.
    error : 2D array or `None`
        Its errors.
    """

    data: NDArray[Any]
    error: NDArray[Any] | None


def add_stars(
    pixels: Pixels, psf_model: Any, batch: Batch, gain: float | None
) -> Pixels:
    """Add the stars of a batch to an image.

    Parameters
    ----------
    pixels : `Pixels`
        The image; it is not changed.
    psf_model : `~astropy.modeling.Model`
        The PSF of the stars, drawn over its whole bounding box.
    batch : `Batch`
        The stars.
    gain : float or `None`
        Electrons in one unit of the image. `None` adds the stars without the noise
        of their photons.

    Returns
    -------
    pixels : `Pixels`
        New arrays, of the types of the old ones.
    """
    data, error = pixels
    stars = draw_stars(data.shape, psf_model, batch.x, batch.y, batch.flux)
    if gain is not None:
        lit = np.flatnonzero(stars > _FEW / gain)
        light = stars.ravel()[lit]
        rng = np.random.default_rng(batch.seed)
        stars.ravel()[lit] = _poisson(light * gain, rng) / gain
        if error is not None:
            error = error.copy()
            own = error.ravel()[lit]
            # Errors that are not usable stay so.
            usable = np.isfinite(own) & (own > 0)
            own[usable] = np.sqrt(own[usable] ** 2 + light[usable] / gain)
            error.ravel()[lit] = own
    # In single precision where the image is.
    stars += data
    return Pixels(stars.astype(data.dtype, copy=False), error)


def draw_stars(
    shape: tuple[int, ...], psf_model: Any, x: Any, y: Any, flux: Any
) -> NDArray[np.float64]:
    """Draw stars into an empty image."""
    names = parameter_names(psf_model)
    table = Table({names.x: x, names.y: y, names.flux: flux})
    ny, nx = shape
    image = make_model_image((ny, nx), psf_model, table, x_name=names.x, y_name=names.y)
    return np.asarray(image)


def _poisson(
    mean: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    drawn = rng.poisson(np.minimum(mean, _MANY)).astype(np.float64)
    many = mean > _MANY
    if many.any():
        drawn[many] = rng.normal(mean[many], np.sqrt(mean[many]))
    return drawn
