"""Images of many sources."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core
from psfphot._progress import progress_callback
from psfphot._validate import as_n_threads, as_pair, as_points, as_vector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray


# Boxes beyond all images are cut, so that their sizes are integers of the core's.
_MAX_BOX = 2**40


def rendering_box(
    psf_model: Any,
    psf_shape: Any = None,
    *,
    name: str = "psf_shape",
    bbox_factor: float | None = None,
) -> tuple[int, int]:
    """Find the size of the box in which each source is rendered.

    Parameters
    ----------
    psf_model : `~astropy.modeling.Model`
        The PSF model.
    psf_shape : int or (int, int), optional
        The size (ny, nx); `None` takes that of the model's bounding box,
        rounded up.
    name : str, optional
        How messages call ``psf_shape``.
    bbox_factor : float, optional
        Passed as ``factor`` to bounding boxes that take one.

    Returns
    -------
    (int, int)
        Rows and columns.

    Raises
    ------
    ValueError
        If the size is not positive, or there is none and the model has no
        finite bounding box.
    """
    if psf_shape is not None:
        return as_pair(psf_shape, name, lower=1)
    try:
        limits = _limits(psf_model, bbox_factor)
    except (AttributeError, NotImplementedError) as exc:
        msg = (
            "model_shape must be specified if the model does not have a "
            "bounding_box attribute"
        )
        raise ValueError(msg) from exc
    sizes = [float(getattr(high - low, "value", high - low)) for low, high in limits]
    if not np.isfinite(sizes).all():
        msg = f"{name} must be given: the bounding box of psf_model is {limits}"
        raise ValueError(msg)
    # The box is given by its ends, which lie about the model's position: what
    # rounding adds to a size of whole pixels is not another pixel.
    ny, nx = (min(max(1, math.ceil(round(size, 6))), _MAX_BOX) for size in sizes)
    return ny, nx


def _limits(psf_model: Any, bbox_factor: float | None) -> Any:
    """Return the bounding box, ((y, y), (x, x))."""
    box = psf_model.bounding_box
    if bbox_factor is not None:
        try:
            return box(factor=bbox_factor)
        except NotImplementedError:
            # Astropy's word for a box without such a parameter.
            pass
    return box.bounding_box()


def render_model_image(
    shape: Any,
    core_psf: _core.Psf,
    x: ArrayLike,
    y: ArrayLike,
    flux: ArrayLike,
    *,
    box_shape: tuple[int, int] | NDArray[np.int64],
    local_bkg: ArrayLike | None = None,
    psf_shapes: NDArray[np.float64] | None = None,
    progress_bar: bool = False,
    n_threads: int | None = None,
) -> NDArray[np.float64]:
    """Render sources into a new image.

    Sources with a parameter that is not finite are left out.

    Parameters
    ----------
    shape : int or (int, int)
        The image's (ny, nx).
    core_psf : _core.Psf
        The PSF.
    x, y, flux : float or 1D array_like of float
        The sources.
    box_shape : (int, int) or 2D ndarray of int
        Rows and columns of the box around each position that is rendered; of
        all sources, or one row for each.
    local_bkg : float or 1D array_like of float, optional
        Levels that are added over each source's box.
    psf_shapes : 2D ndarray, optional
        One row for each source: its own parameters of the PSF's shape.
    progress_bar : bool, optional
        Whether to show a progress bar.
    n_threads : int or None, optional
        How many threads to use; `None` for all processors. The result does not
        depend on it.

    Returns
    -------
    2D ndarray of float64
        The image.

    Raises
    ------
    TypeError
        If an argument is not numeric.
    ValueError
        If shapes are not positive or the columns differ in length.
    """
    image = np.zeros(as_pair(shape, "shape", lower=1))
    xs, ys = as_points(x, y)
    columns = {"x": xs, "y": ys, "flux": as_vector(flux, "flux")}
    if local_bkg is not None:
        columns["background"] = as_vector(local_bkg, "local_bkg")
    if psf_shapes is not None:
        columns["psf_shapes"] = psf_shapes
    threads = as_n_threads(n_threads)
    with progress_callback(
        len(xs), "Add model sources", enabled=progress_bar
    ) as progress:
        done = 0
        for box, chosen in _by_box(box_shape, len(xs)):
            _core.render_sources(
                image,
                core_psf,
                **{name: column[chosen] for name, column in columns.items()},
                window_shape=box,
                n_threads=threads,
                progress=_from(done, progress),
            )
            done += len(xs[chosen])
    return image


def _by_box(
    box_shape: tuple[int, int] | NDArray[np.int64], n_sources: int
) -> Iterator[tuple[tuple[int, int], Any]]:
    """Tell each size of box, and which sources have it."""
    if isinstance(box_shape, tuple):
        yield box_shape, slice(None)
        return
    boxes, kind = np.unique(box_shape, axis=0, return_inverse=True)
    # numpy 2.0 gives the inverse another shape.
    kind = kind.reshape(n_sources)
    for i, (ny, nx) in enumerate(boxes.tolist()):
        yield (ny, nx), np.flatnonzero(kind == i)


def _from(
    done: int, progress: Callable[[int], None] | None
) -> Callable[[int], None] | None:
    """Count on from the sources of the calls before."""
    return None if progress is None else lambda count: progress(done + count)
