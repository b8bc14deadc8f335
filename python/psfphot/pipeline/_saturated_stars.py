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
from psfphot.pipeline._light import LightImages
from psfphot.pipeline._profile_error import measure_misfits
from psfphot.pipeline._wings import Window, Wings
from psfphot.psf import PSF_FLAGS, PSFPhotometry
from psfphot.psf._models.convert import to_core
from psfphot.psf._photometry.residuals import quiet_frame, residual_for_core

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from psfphot.pipeline._cores import Cores
    from psfphot.pipeline._saturation import Saturation

#: By which part of its value the PSF may be wrong, where nothing tells.
MISMATCH = 0.02

# The fits go this many FWHM beyond a core.
REACH = 2.0

# How often all stars are fitted before the last time, and companions and the stars
# of each blob decided.
ROUNDS = 2

# How far a fit may go from where it starts, in pixels.
FARTHEST = 2.0


@dataclass(frozen=True)
class SaturatedStars:
    """What `fit_saturated_stars` found.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        One row for each star, with the columns of `~psfphot.psf.PSFPhotometry`;
        all are flagged ``saturated``. A star that could not be fitted has NaN, or
        a flux that is not positive. Errors are those that the wings' residuals make;
        that all of a star's wings may be off alike is not in them; ``flux_by_widening``
        and ``flux_by_chance`` tell what that does, see `Misfits`.
    model : 2D ndarray
        Their image, over the whole support of the PSF.
    is_near : 2D ndarray of bool
        Where what is left of a star after its subtraction may be above the
        noise: other stars there are to be flagged ``near_saturated``.
    n_dropped : int
        How many stars that could not be fitted were taken out of the table.
    """

    table: QTable
    model: NDArray[np.float64]
    is_near: NDArray[np.bool_]
    n_dropped: int = 0


def is_fitted(table: QTable) -> NDArray[np.bool_]:
    """Tell the rows that have a position and a flux above 0."""
    x, y, flux = (np.asarray(table[f"{name}_fit"]) for name in ("x", "y", "flux"))
    fitted: NDArray[np.bool_] = np.isfinite(x + y + flux) & (flux > 0)
    return fitted


def fit_saturated_stars(
    data: ArrayLike,
    psf_model: Any,
    saturation: Saturation,
    *,
    noise: ArrayLike,
    fwhm: float,
    error: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    mismatch: float = MISMATCH,
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
    noise = np.broadcast_to(np.asarray(noise), np.shape(data))
    frame = as_frame(data, noise if error is None else error, mask)
    errors = np.asarray(frame.error)
    bad = ~(np.isfinite(frame.data) & (errors > 0) & (errors < np.inf))
    if frame.mask is not None:
        bad |= frame.mask
    with np.errstate(divide="ignore", invalid="ignore"):
        above = frame.data / noise
    cores = find_cores(saturation.pixels, bad | saturation.pixels, above)
    wings = Wings(
        np.where(bad, 0, frame.data),
        np.where(bad, 1, errors),
        bad | saturation.mask,
        psf_model,
        fwhm=as_positive(fwhm, "fwhm"),
        mismatch=as_positive(mismatch, "mismatch"),
    )
    # Far wings may be less than what single precision, an image's own, can hold.
    with np.errstate(under="ignore"):
        return _fit_cores(wings, cores, noise, n_threads)


def _fit_cores(
    wings: Wings, cores: Cores, noise: NDArray[Any], n_threads: int | None
) -> SaturatedStars:
    """Fit the stars of all cores, and those that their wings ask for."""
    fitter = _Fitter(wings, noise, n_threads)
    stars = start_stars(wings, cores)
    if not len(stars):
        return SaturatedStars(
            QTable(), np.zeros(noise.shape), np.zeros(noise.shape, bool)
        )
    for _ in range(ROUNDS):
        fitted = fitter.fit(stars)[0]
        stars, light = fitter.with_companions(fitted)
        stars = decide_stars(wings, stars, cores, light)
        before, after = np.sort(fitted.flux), np.sort(stars.flux)
        if np.array_equal(before, after, equal_nan=True):
            break
    stars, table = fitter.fit(stars)
    fitter.add_misfits(table)
    stars, table = stars.select(stars.is_saturated), table[stars.is_saturated]
    table["id"] = np.arange(len(table)) + 1
    _hold_misfit(table, wings.fwhm)
    model = fitter.image(stars.select(is_fitted(table)))
    with np.errstate(invalid="ignore"):
        is_near = 2 * wings.mismatch * model > noise
    return SaturatedStars(table, model, is_near)


def _hold_misfit(table: QTable, fwhm: float) -> None:
    """Make errors larger where it is not noise that the wings leave.

    A sandwich takes pixels one by one. What a wrong PSF leaves hangs together over a
    square of one FWHM. The new column ``misfit_err`` is its part of ``flux_err``;
    ``flux_by_chance`` is made that of errors that hang together, too.
    """
    noise, chi2 = (np.asarray(table[n]) for n in ("noise_part", "reduced_chi2"))
    with np.errstate(invalid="ignore", divide="ignore"):
        misfit = np.nan_to_num(1 - np.minimum(noise / chi2, 1))
    area = max(fwhm**2, 1.0)
    larger = np.sqrt(1 + (area - 1) * misfit)
    table["misfit_err"] = np.sqrt(area * misfit) * table["flux_err"]
    table["flux_by_chance"] *= np.sqrt(area)
    for name in ("x", "y", "flux"):
        table[f"{name}_err"] = table[f"{name}_err"] * larger


class _Fitter:
    """Joint fits of stars whose boxes overlap, the others subtracted."""

    def __init__(
        self, wings: Wings, noise: NDArray[Any], n_threads: int | None
    ) -> None:
        self.wings = wings
        self.n_threads = n_threads
        self._render = LightImages(wings.psf_model, noise, n_threads, is_wide=True)
        self._data, self._error = wings.data.copy(), wings.error.copy()
        # Half of each one's box in the last fit.
        self._half = np.zeros(0, dtype=np.int64)

    def image(
        self, stars: StarList, boxes: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Render the stars over the whole PSF, or each in a box of its own."""
        return self._render(stars.x, stars.y, stars.flux, boxes)

    def with_companions(self, stars: StarList) -> tuple[StarList, NDArray[np.float64]]:
        """Add the stars that are seen in the boxes once all others are subtracted.

        Returns all, and their image.
        """
        stars = without_merged(stars, self.wings.fwhm)
        light = self.image(stars)
        more = find_companions(stars, light, self.wings)
        if len(more):
            light += self.image(more)
        return stars + more, light

    def fit(self, stars: StarList) -> tuple[StarList, QTable]:
        """Fit all stars once, from where they are."""
        reach = np.where(stars.is_saturated, REACH, 1.0) * self.wings.fwhm
        half = np.ceil(stars.radius + reach).astype(int)
        groups, half = _groups_of_boxes(stars, half)
        data, error = self._without_others(stars, half, groups)
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
                # The weights hold a mismatch; only residuals tell whether it is there.
                covariance="sandwich",
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
        self._half = half
        table["flags"][stars.is_saturated] |= PSF_FLAGS.SATURATED
        return stars.moved_to(table), table

    def add_misfits(self, table: QTable) -> None:
        """Add to the last fit's table what noise is of it, and errors of the PSF do.

        The new columns are ``noise_part``, what the reduced chi-squared is by noise
        alone, and two attributes of `Misfits`.
        """
        table["noise_part"] = self._noise_parts(table)
        x, y, flux = (
            np.asarray(table[f"{name}_fit"], dtype=float) for name in ("x", "y", "flux")
        )
        left = residual_for_core(
            quiet_frame(self._data, self.wings.excluded, self._error),
            (x, y),
            psf=to_core(self.wings.psf_model),
            fwhm=self.wings.fwhm,
            n_threads=self.n_threads,
        )
        # How fluxes follow does not depend on what is left of the stars.
        for name in ("flux_by_widening", "flux_by_chance"):
            table[name] = np.full(len(table), np.nan)
        for size in np.unique(self._half):
            chosen = self._half == size
            own = left._replace(x=x[chosen], y=y[chosen])
            misfits = measure_misfits(own, flux[chosen], (2 * int(size) + 1,) * 2)
            table["flux_by_widening"][chosen] = misfits.flux_by_widening
            table["flux_by_chance"][chosen] = misfits.flux_by_chance

    def _noise_parts(self, table: QTable) -> NDArray[np.float64]:
        """Tell the noise's part of the variances by which each star was weighted."""
        parts = np.ones(len(table))
        starts = zip(table["x_init"], table["y_init"], self._half, strict=True)
        for k, (x, y, reach) in enumerate(starts):
            box = self.wings.window(np.ceil(x - 0.5), np.ceil(y - 0.5), int(reach))
            good = ~self.wings.excluded[box]
            if good.any():
                ratio = self.wings.error[box][good] / self._error[box][good]
                parts[k] = np.mean(ratio**2)
        return parts

    def _without_others(
        self, stars: StarList, half: NDArray[np.int64], groups: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Subtract the light of other groups from each one's boxes.

        A fit has each of its stars in all of its boxes, so all of their light stays.
        Returns the image, in the boxes alone, and its errors with those of the PSF.
        """
        model = self.image(stars)
        for group in np.unique(groups):
            chosen = np.flatnonzero(groups == group)
            x, y, flux = (of[chosen] for of in (stars.x, stars.y, stars.flux))
            # The pixels of the boxes and no more: the next are another group's.
            columns, rows = np.ceil(x - 0.5), np.ceil(y - 0.5)
            around = self.wings.window(columns, rows, int(half[chosen].max()))
            rest = self.wings.data[around] - model[around]
            for a, b, one in zip(x, y, flux, strict=True):
                if np.isfinite(one):
                    rest += one * self.wings.stamp(a, b, around)
            for a, b, reach in zip(columns, rows, half[chosen], strict=True):
                box = self.wings.window(a, b, int(reach))
                self._data[box] = rest[_inside(box, around)]
                self._error[box] = np.hypot(
                    self.wings.error[box], self.wings.mismatch * model[box]
                )
        return self._data, self._error


def _inside(box: Window, around: Window) -> Window:
    """Where a part of an image is in a larger part."""
    rows, columns = (
        slice(part.start - whole.start, part.stop - whole.start)
        for part, whole in zip(box, around, strict=True)
    )
    return rows, columns


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
