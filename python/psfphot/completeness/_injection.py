"""Artificial stars put into an image, with the noise of their photons."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.table import Table

from psfphot.datasets import make_model_image
from psfphot.psf._models.convert import parameter_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from psfphot.completeness._plan import Batch

#: Of more electrons in a pixel the Poisson distribution is drawn as a normal one; of
#: fewer there is no noise, a variance far below that of any reading.
_MANY, _FEW = 1e4, 1e-2

#: So, too, in pixels whose own noise is more electrons than this: there the skewness of
#: both together is below 0.08 for any light. Poisson's takes four times as long.
_NOISY = 5.0

#: Stars are added to so many pixels at a time, which fit into the processor's cache
#: with all that is computed of them: a third faster than to an image of 2048 x 2048.
_BAND = 2**17


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


class Room:
    """Memory that images with artificial stars are made in, one after another.

    To add stars takes less time than to have an image's worth of memory from the
    system.

    Parameters
    ----------
    pixels : `Pixels`
        The image; it is not changed.
    """

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels
        self._free: list[Pixels] = []

    def __reduce__(self) -> tuple[type[Room], tuple[Pixels]]:
        return Room, (self._pixels,)

    @contextmanager
    def with_stars(
        self, psf_model: Any, batch: Batch, gain: float | None
    ) -> Iterator[Pixels]:
        """Lend the image with the stars of a batch.

        Parameters
        ----------
        psf_model : `~astropy.modeling.Model`
            The PSF of the stars, drawn over its whole bounding box.
        batch : `Batch`
            The stars.
        gain : float or `None`
            Electrons in one unit of the image. `None` adds the stars without the
            noise of their photons.

        Yields
        ------
        pixels : `Pixels`
            Arrays of the types of the image's, which others will be made in later.
        """
        # Threads of one process each have their own.
        made = self._free.pop() if self._free else _empty_like(self._pixels)
        stars = draw_stars(made.data.shape, psf_model, batch.x, batch.y, batch.flux)
        _add(self._pixels, stars, gain, np.random.default_rng(batch.seed), made)
        yield made
        self._free.append(made)


def _empty_like(pixels: Pixels) -> Pixels:
    data, error = pixels
    own = None if error is None else np.empty(error.shape, error.dtype)
    return Pixels(np.empty(data.shape, data.dtype), own)


def _add(
    pixels: Pixels,
    stars: NDArray[np.float64],
    gain: float | None,
    rng: np.random.Generator,
    into: Pixels,
) -> None:
    """Add an image of stars, and the noise of their photons, to an image."""
    n_rows = max(1, _BAND // stars.shape[1])
    for start in range(0, len(stars), n_rows):
        rows = slice(start, start + n_rows)
        light = stars[rows].ravel()
        error = None
        if pixels.error is not None and into.error is not None:
            into.error[rows] = pixels.error[rows]
            error = into.error[rows].ravel()
        if gain is not None:
            _add_noise(light, error, gain, rng)
        # In single precision where the image is.
        np.add(stars[rows], pixels.data[rows], into.data[rows], casting="unsafe")


def _add_noise(
    light: NDArray[np.float64],
    error: NDArray[Any] | None,
    gain: float,
    rng: np.random.Generator,
) -> None:
    """Draw the photons of some pixels, and let their errors grow, in place."""
    lit = np.flatnonzero(light > _FEW / gain)
    mean = light[lit]
    if error is None:
        light[lit] = _photons(mean * gain, mean * gain > _MANY, rng) / gain
        return
    own = error[lit]
    # Errors that are not usable stay so.
    usable = np.isfinite(own) & (own > 0)
    drowned = (mean * gain > _MANY) | (usable & (own * gain > _NOISY))
    light[lit] = _photons(mean * gain, drowned, rng) / gain
    error[lit] = np.sqrt(own**2 + mean / gain, out=own, where=usable, casting="unsafe")


def draw_stars(
    shape: tuple[int, ...], psf_model: Any, x: Any, y: Any, flux: Any
) -> NDArray[np.float64]:
    """Draw stars into an empty image."""
    names = parameter_names(psf_model)
    table = Table({names.x: x, names.y: y, names.flux: flux})
    ny, nx = shape
    image = make_model_image((ny, nx), psf_model, table, x_name=names.x, y_name=names.y)
    return np.asarray(image)


def _photons(
    mean: NDArray[np.float64], is_normal: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw numbers of photons: normal ones where that is enough, else Poisson's."""
    drawn = rng.standard_normal(len(mean))
    drawn *= np.sqrt(mean)
    drawn += mean
    exact = np.flatnonzero(~is_normal)
    drawn[exact] = rng.poisson(mean[exact])
    return drawn
