"""Saturated stars, measured by their wings."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable, vstack

from psfphot import _core
from psfphot._validate import as_frame, as_positive
from psfphot.pipeline._blobs import lowest_of_component
from psfphot.pipeline._companions import find_companions, without_merged
from psfphot.pipeline._core_stars import StarList, decide_stars, start_stars
from psfphot.pipeline._cores import find_cores
from psfphot.pipeline._wings import Wings
from psfphot.psf import PSF_FLAGS, PSFPhotometry
from psfphot.psf._models.convert import to_core
from psfphot.psf._rendering.rendering import render_model_image, rendering_box

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from psfphot.pipeline._saturation import Saturation

# The fits go this many FWHM beyond a core.
REACH = 2.0

# How often all stars are fitted before the last time, and companions and the stars
# of each blob decided.
ROUNDS = 2

# For the median noise of an image every so many rows and columns do.
SPARSE = 8

# How far a fit may go from where it starts, in pixels.
FARTHEST = 2.0

# A star's wings end where they are this part of the noise.
FAINT = 0.1


@dataclass(frozen=True)
class SaturatedStars:
    """What `fit_saturated_stars` found.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        One row for each star, with the columns of `~psfphot.psf.PSFPhotometry`;
        all are flagged ``saturated``. A star that could not be fitted has NaN.
    model : 2D ndarray
        Their image, over the whole support of the PSF.
    is_near : 2D ndarray of bool
        Where what is left of a star after its subtraction may be above the
        noise: other stars there are to be flagged ``near_saturated``.
    """

    table: QTable
    model: NDArray[np.float64]
    is_near: NDArray[np.bool_]


def fit_saturated_stars(
    data: ArrayLike,
    psf_model: Any,
    saturation: Saturation,
    *,
    noise: ArrayLike,
    fwhm: float,
    error: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    mismatch: float = 0.02,
    n_threads: int | None = None,
) -> SaturatedStars:
    """Measure the saturated stars of an image by their wings.

    Each saturated blob is split into the cores of stars. The starting position
    of each is that of a raster of whole pixels about the core's centroid where the
    PSF and a constant fit the wings best; then `~psfphot.psf.PSFPhotometry` fits
    position and flux, jointly where boxes overlap, in a box that goes 2 FWHM
    beyond the core. That is done again with better weights; stars of a blob that
    the wings do not ask for are taken out, and such that they do ask for are put
    in.

    Parameters
    ----------
    data : 2D array_like
        The image without its sky.
    psf_model : PSF model
        A model of `psfphot.psf`.
    saturation : Saturation
        The saturated pixels, as `find_saturation` finds them.
    noise : float or 2D array_like
        The noise of the sky (1 sigma).
    fwhm : float
        The full width at half maximum of the PSF, pixels.
    error : 2D array_like, optional
        The errors (1 sigma) of the pixels; ``noise`` if not given.
    mask : 2D array_like of bool, optional
        `True` for pixels without data. Saturated ones need not be among them.
    mismatch : float, optional
        By which part of its value the PSF may be wrong: an error that is added
        to those of the pixels.
    n_threads : int or None, optional
        How many threads to use; `None` for all processors. The result does not
        depend on it.

    Returns
    -------
    SaturatedStars
        Their table and images.

    Raises
    ------
    TypeError
        If an argument is of another kind.
    ValueError
        If shapes do not go together, or ``fwhm`` or ``mismatch`` is not positive.
    """
    noise = np.broadcast_to(np.asarray(noise, float), np.shape(data))
    frame = as_frame(data, noise if error is None else error, mask)
    bad = ~np.isfinite(frame.data) | ~(np.asarray(frame.error) > 0)
    bad |= ~np.isfinite(np.asarray(frame.error))
    if frame.mask is not None:
        bad |= frame.mask
    with np.errstate(divide="ignore", invalid="ignore"):
        above = frame.data / noise
    cores = find_cores(saturation.pixels, bad | saturation.pixels, above)
    wings = Wings(
        np.where(bad, 0.0, frame.data),
        np.where(bad, 1.0, np.asarray(frame.error, float)),
        bad | saturation.mask,
        psf_model,
        fwhm=as_positive(fwhm, "fwhm"),
        mismatch=as_positive(mismatch, "mismatch"),
    )
    error_map = np.where(bad, 1.0, np.asarray(frame.error, float))
    fitter = _Fitter(wings, error_map, noise, n_threads)
    stars = start_stars(wings, cores)
    if not len(stars):
        return SaturatedStars(
            QTable(), np.zeros(noise.shape), np.zeros(noise.shape, bool)
        )
    for _ in range(ROUNDS):
        stars = fitter.with_companions(fitter.fit(stars)[0])
        stars = decide_stars(wings, stars, cores, fitter.image(stars))
    stars, table = fitter.fit(stars)
    stars, table = stars.select(stars.is_saturated), table[stars.is_saturated]
    table["id"] = np.arange(len(table)) + 1
    model = fitter.image(stars)
    with np.errstate(invalid="ignore"):
        is_near = 2 * mismatch * model > noise
    return SaturatedStars(table, model, is_near)


class _Fitter:
    """Joint fits of all stars, whose far wings are subtracted."""

    def __init__(
        self,
        wings: Wings,
        error: NDArray[np.float64],
        noise: NDArray[np.float64],
        n_threads: int | None,
    ) -> None:
        self.wings = wings
        self.error = error
        self.noise = float(np.median(noise[::SPARSE, ::SPARSE]))
        self.n_threads = n_threads
        self.core_psf = to_core(wings.psf_model)
        self._data, self._error = wings.data.copy(), error.copy()
        self._boxes, self._edges = self._supports()

    def image(self, stars: StarList, boxes: NDArray[np.int64] | None = None) -> Any:
        """Render the stars over the whole PSF, or each in a box of its own."""
        shape = self.wings.data.shape
        if boxes is None:
            boxes = self._boxes_of(stars)
        some = np.isfinite(stars.flux)
        if not some.any():
            return np.zeros(shape)
        return render_model_image(
            shape,
            self.core_psf,
            stars.x[some],
            stars.y[some],
            stars.flux[some],
            box_shape=boxes[some],
            n_threads=self.n_threads,
        )

    def _supports(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return boxes of the PSF, and the light at their edges for a flux of 1."""
        box = np.array(
            [side + 1 - side % 2 for side in rendering_box(self.wings.psf_model)]
        )
        ny, nx = self.wings.data.shape
        boxes, edges = [], []
        while True:
            boxes.append(box)
            x = nx // 2 + int(box.max()) // 2 + 1
            pixel = slice(ny // 2, ny // 2 + 1), slice(x, x + 1)
            edges.append(float(self.wings.stamp(nx // 2, ny // 2, pixel)[0, 0]))
            if edges[-1] <= 0 or box.max() > 2 * max(ny, nx):
                return np.array(boxes), np.array(edges)
            box = 2 * (3 * box // 4) + 1

    def _boxes_of(self, stars: StarList) -> NDArray[np.int64]:
        """Return boxes beyond which the wings are below the noise."""
        flux = np.where(np.isfinite(stars.flux), stars.flux, 0)
        bright = flux[:, None] * self._edges > FAINT * self.noise
        number = np.minimum(bright.sum(axis=1), len(self._boxes) - 1)
        return np.asarray(self._boxes[number])

    def with_companions(self, stars: StarList) -> StarList:
        """Add the stars that are seen in the boxes once all others are subtracted."""
        stars = without_merged(stars, self.wings.fwhm)
        return stars + find_companions(stars, self.image(stars), self.wings)

    def fit(self, stars: StarList) -> tuple[StarList, QTable]:
        """Fit all stars once, from where they are."""
        reach = np.where(stars.is_saturated, REACH, 1.0) * self.wings.fwhm
        half = np.ceil(stars.radius + reach).astype(int)
        groups, half = _groups_of_boxes(stars, half)
        sides = np.repeat((2 * half + 1)[:, None], 2, axis=1)
        data, error = self._without_far_wings(stars, half, sides)
        tables = []
        for size in np.unique(half):
            chosen = np.flatnonzero(half == size)
            init = QTable()
            init["id"] = chosen + 1
            init["group_id"] = groups[chosen]
            init["x_init"], init["y_init"] = stars.x[chosen], stars.y[chosen]
            init["flux_init"] = stars.flux[chosen]
            photometry = PSFPhotometry(
                self.wings.psf_model,
                (2 * int(size) + 1,) * 2,
                xy_bounds=FARTHEST,
                n_threads=self.n_threads,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tables.append(
                    photometry(
                        data, error=error, mask=self.wings.excluded, init_params=init
                    )
                )
        table = vstack(tables, metadata_conflicts="silent")
        table.sort("id")
        table["flags"][stars.is_saturated] |= PSF_FLAGS.SATURATED
        return stars.moved_to(table), table

    def _without_far_wings(
        self, stars: StarList, half: NDArray[np.int64], sides: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Subtract the stars' light outside their boxes; only boxes are made.

        Returns the image and its errors, with those of the PSF.
        """
        model, near = self.image(stars), self.image(stars, sides)
        for x, y, reach in zip(stars.x, stars.y, half, strict=True):
            box = self.wings.window(x, y, int(reach) + 2)
            self._data[box] = self.wings.data[box] - (model[box] - near[box])
            self._error[box] = np.hypot(
                self.error[box], self.wings.mismatch * model[box]
            )
        return self._data, self._error


def _groups_of_boxes(
    stars: StarList, half: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Group the stars whose boxes overlap; a group has the size of its largest box.

    Returns the groups, from 1, and half of each one's box.
    """
    x, y = np.round(stars.x), np.round(stars.y)
    root = np.arange(x.size)
    while True:
        first, second = _core.near_pairs(
            np.column_stack([x, y]),
            np.column_stack([x, y]),
            1.5 * (2 * float(half.max()) + 2),
        )
        apart = np.maximum(np.abs(x[first] - x[second]), np.abs(y[first] - y[second]))
        touch = apart <= half[first] + half[second] + 1
        root = lowest_of_component(x.size, first[touch], second[touch])
        largest = half.copy()
        np.maximum.at(largest, root, half)
        if np.array_equal(largest[root], half):
            return root + 1, half
        half = largest[root]
