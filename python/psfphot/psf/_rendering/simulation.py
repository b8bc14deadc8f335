"""Simulated images of random sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psfphot.psf._models.convert import as_psf_model, parameter_names
from psfphot.psf._rendering.model_image import make_model_image
from psfphot.psf._rendering.random_sources import make_model_params
from psfphot.psf._rendering.rendering import rendering_box

if TYPE_CHECKING:
    import numpy as np
    from astropy import units as u
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.psf._models.base import ParameterNames

__all__ = ["make_psf_model_image"]


def make_psf_model_image(
    shape: int | tuple[int, int],
    psf_model: Any,
    n_sources: int,
    *,
    model_shape: int | tuple[int, int] | None = None,
    min_separation: float = 1,
    border_size: int | tuple[int, int] | None = None,
    seed: Any = 0,
    progress_bar: bool = False,
    n_threads: int | None = None,
    **kwargs: tuple[float, float],
) -> tuple[NDArray[np.float64] | u.Quantity, QTable]:
    """Make an image of random sources.

    The same seed gives the same sources as photutils 3.x does.

    Parameters
    ----------
    shape : int or (int, int)
        The image's (ny, nx).
    psf_model : `~astropy.modeling.Model`
        The PSF. It is evaluated at the pixel centres. Models of any kind will
        do whose parameters are ``x_0``, ``y_0`` and ``flux``, or are named by
        the attributes ``x_name``, ``y_name`` and ``flux_name``.
    n_sources : int
        How many sources to draw; there will be fewer, with a warning, if they
        do not fit with that separation.
    model_shape : int or (int, int), optional
        Rows and columns of the box around each source in which the PSF is
        evaluated; `None` takes the model's bounding box.
    min_separation : float, optional
        The least distance between two sources, pixels; 0 for any.
    border_size : int or (int, int), optional
        Rows and columns (ny, nx) at each edge of the image without sources;
        `None` takes half the size of the model's box.
    seed : int or None or any seed of `numpy.random.default_rng`, optional
        The seed of the random numbers.
    progress_bar : bool, optional
        Whether to show a progress bar.
    n_threads : int or None, optional
        How many threads to use; `None` for all processors. The result does not
        depend on it.
    **kwargs : (float, float)
        For each parameter of the model the range, (lower, upper), in which it
        is uniformly distributed; ``flux`` stands for the model's flux, by
        whatever name. Others than the model's, and those of the position, are
        ignored. A parameter without a range keeps the model's value.

    Returns
    -------
    data : 2D ndarray of float64 or `~astropy.units.Quantity`
        The image; a quantity if the model's flux has a unit.
    table : `~astropy.table.QTable`
        The sources: the columns ``id``, x, y and one for each parameter with a
        range, by the model's names.

    Warns
    -----
    AstropyUserWarning
        If fewer than ``n_sources`` sources fit.

    Raises
    ------
    TypeError
        If an argument is not of its type.
    ValueError
        If an argument is out of its range, or ``model_shape`` is missing and
        the model has no bounding box.

    Examples
    --------
    >>> from psfphot.psf import CircularGaussianPRF, make_psf_model_image
    >>> psf_model = CircularGaussianPRF(fwhm=3.5)
    >>> data, params = make_psf_model_image(
    ...     (150, 200), psf_model, 10, flux=(100, 250), min_separation=10
    ... )
    >>> data.shape, params.colnames
    ((150, 200), ['id', 'x_0', 'y_0', 'flux'])
    """
    psf_model = as_psf_model(psf_model)
    names = parameter_names(psf_model)
    box = rendering_box(psf_model, model_shape, name="model_shape")
    if border_size is None:
        border_size = ((box[0] - 1) // 2, (box[1] - 1) // 2)
    table = make_model_params(
        shape,
        n_sources,
        x_name=names.x,
        y_name=names.y,
        min_separation=min_separation,
        border_size=border_size,
        seed=seed,
        **_ranges_of_model(kwargs, names),
    )
    image = make_model_image(
        shape,
        psf_model,
        table,
        model_shape=box,
        x_name=names.x,
        y_name=names.y,
        progress_bar=progress_bar,
        n_threads=n_threads,
    )
    return image, table


def _ranges_of_model(
    ranges: dict[str, tuple[float, float]], names: ParameterNames
) -> dict[str, tuple[float, float]]:
    """Keep those that are parameters of the model, by their names there."""
    ours = {
        names.flux if name == "flux" else name: limits
        for name, limits in ranges.items()
    }
    drawn = (names.flux, *names.shape)
    return {name: limits for name, limits in ours.items() if name in drawn}
