"""Which stars a PSF is built from, and why not the others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.table import QTable, Table

from psfphot import _core
from psfphot._columns import find_column
from psfphot._matched_filter import MatchedFilter
from psfphot._robust import robust_sigma
from psfphot._validate import (
    as_frame,
    as_n_threads,
    as_odd_pair,
    as_positive,
    as_positive_int,
    as_scalar,
    values_of,
)
from psfphot.psf._epsf.cores import OUTER, measure_cores, reach_of
from psfphot.psf._models.convert import to_core
from psfphot.psf._models.gaussian import CircularGaussianPRF
from psfphot.psf._photometry.measure_psf import measure_psf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot._validate import Frame

    Vector = NDArray[np.float64]
    Mask = NDArray[np.bool_]

# Cells of the field along each axis, and of the pixel: stars are taken from all.
_FIELD_CELLS, _PHASE_CELLS = 4, 4

# A star's concentration is not farther from the median than this many robust
# standard deviations, nor by more than this part (which the place in the pixel makes).
_OUTLIER, _PART = 5.0, 0.15

# A star is alone without neighbours of more than this part of its flux.
_ALONE = 0.02

# A neighbour that is fitted may have this part of the flux, within so many FWHM.
_FITTED_NEIGHBOUR, _FITTED_WITHIN = 0.5, 2.0

_BAD_FLAGS = ("saturated", "near_saturated", "duplicate_source")


class PSFStarSelection(NamedTuple):
    """Stars to build a PSF from.

    `select_psf_stars` makes it; `build_psf_grid` takes it.

    Attributes
    ----------
    stars : `~astropy.table.QTable`
        The stars, the best first: id, x, y (pixels), flux, snr (NaN if it is not
        known), neighbour (the brightest neighbour's part of the flux within half a
        cutout).
    dropped : `~astropy.table.QTable`
        The others: id, x, y, flux, reason.
    fwhm : float
        The stars' width, pixels.
    size : (ny, nx)
        The cutouts, pixels.
    """

    stars: QTable
    dropped: QTable
    fwhm: float
    size: tuple[int, int]

    @property
    def counts(self) -> dict[str, int]:
        """How many stars were dropped, by the reason, most first."""
        return dict(Counter(self.dropped["reason"].tolist()).most_common())

    def __repr__(self) -> str:
        n_stars, n_dropped = len(self.stars), len(self.dropped)
        dropped = ", ".join(f"{n} {reason}" for reason, n in self.counts.items())
        return (
            f"<{type(self).__name__}({n_stars} of {n_stars + n_dropped} stars; "
            f"dropped: {dropped or 'none'})>"
        )


def select_psf_stars(
    data: Any = None,
    catalog: Any = None,
    *,
    error: Any = None,
    mask: Any = None,
    fwhm: float | None = None,
    size: Any = 25,
    n_stars: int = 400,
    min_snr: float = 50.0,
    max_neighbour: float = 0.02,
    fits_neighbours: bool = False,
    saturation: float | None = None,
    n_threads: int | None = None,
) -> PSFStarSelection:
    """Choose stars to build a PSF from: bright, whole, alone, and everywhere.

    Parameters
    ----------
    data : (ny, nx) array_like, optional
        The image; the sky need not be subtracted. A table is taken for the
        catalogue.
    catalog : `~astropy.table.Table`, optional
        The stars, all that there are: x, y and flux by any name that `PSFPhotometry`
        takes or gives, and flux_err (or snr) and flags if there are such. By default
        they are found with a matched filter.
    error : (ny, nx) array_like, optional
        1-sigma errors, in the unit of the data.
    mask : (ny, nx) bool array, optional
        `True` where a pixel is to be ignored.
    fwhm : float, optional
        The stars' full width at half maximum, pixels; by default it is measured.
        Needed for a catalogue without data.
    size : int or (ny, nx), optional
        The cutouts that are wanted, pixels: odd.
    n_stars : int, optional
        The most stars to choose.
    min_snr : float, optional
        The least S/N.
    max_neighbour : float, optional
        The most flux, as a part of the star's, of any neighbour within half a
        cutout.
    fits_neighbours : bool, optional
        Whether neighbours will be fitted: then those of half the flux within 2 FWHM
        are refused alone.
    saturation : float, optional
        The value from which on pixels are full.
    n_threads : int, optional
        Threads; by default all.

    Returns
    -------
    PSFStarSelection
        The stars, and what was dropped and why.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used, or there is neither image nor catalogue.

    Notes
    -----
    Of more stars than are wanted those are taken that fill the cells of the field
    (4 x 4) and of the pixel (4 x 4) evenly, in each cell the brightest first.

    Examples
    --------
    >>> from psfphot.datasets import make_noise_image
    >>> from psfphot.psf import (CircularGaussianPRF, make_psf_model_image,
    ...     select_psf_stars)
    >>> image, stars = make_psf_model_image((200, 200), CircularGaussianPRF(fwhm=3),
    ...     20, flux=(2000, 9000), model_shape=(25, 25), min_separation=20)
    >>> image += make_noise_image(image.shape, mean=0, stddev=2, seed=1)
    >>> selection = select_psf_stars(image, stars, fwhm=3)
    >>> set(selection.counts) <= {"too near to an edge", "with a neighbour"}
    True
    """
    if isinstance(data, Table) and catalog is None:
        data, catalog = None, data
    if data is None and catalog is None:
        raise ValueError("data or catalog must be given: an image or a table of stars")
    frame = None if data is None else as_frame(data, error, mask)
    box = as_odd_pair(size, "size")
    most = as_positive_int(n_stars, "n_stars")
    min_snr = as_scalar(min_snr, "min_snr")
    threads = as_n_threads(n_threads)
    width = _find_width(fwhm, frame, threads)
    if catalog is None:
        found = _find_stars(frame, width, threads)
    else:
        found = _read_stars(catalog)
    reasons = _Reasons(found, frame, width, box)
    reasons.judge_brightness(min_snr)
    if frame is not None:
        reasons.judge_pixels(frame, saturation)
    reasons.judge_neighbours(max_neighbour, fits_neighbours=fits_neighbours)
    reasons.judge_shape()
    chosen = _spread_out(found, reasons.left, most)
    is_chosen = np.zeros(found.x.size, dtype=bool)
    is_chosen[chosen] = True
    reasons.drop(~is_chosen, "not needed")
    return _make_selection(reasons, chosen)


def _make_selection(reasons: _Reasons, chosen: NDArray[np.intp]) -> PSFStarSelection:
    found = reasons.found
    table = QTable(
        {
            "id": found.id,
            "x": found.x,
            "y": found.y,
            "flux": found.flux,
            "snr": found.snr,
            "neighbour": reasons.neighbour,
        }
    )
    is_chosen = np.zeros(found.x.size, dtype=bool)
    is_chosen[chosen] = True
    others = table[~is_chosen]["id", "x", "y", "flux"]
    others["reason"] = reasons.words[~is_chosen]
    return PSFStarSelection(table[chosen], others, reasons.fwhm, reasons.size)


class _Found(NamedTuple):
    """Stars that there are."""

    id: Any
    x: Vector
    y: Vector
    flux: Vector
    snr: Vector
    is_bad: Mask


class _Reasons:
    """Why stars are not taken: the first reason of each, or an empty word."""

    def __init__(
        self, found: _Found, frame: Frame | None, fwhm: float, size: tuple[int, int]
    ) -> None:
        self.found = found
        self.frame = frame
        self.fwhm = fwhm
        self.size = size
        self.words = np.full(found.x.size, "", dtype="U32")
        self.whole = (
            np.isfinite(found.x) & np.isfinite(found.y) & np.isfinite(found.flux)
        )
        self.neighbour = _find_neighbours(found, max(size) / 2, self.whole)
        self.light = np.full(found.x.size, np.nan)

    @property
    def left(self) -> NDArray[np.intp]:
        """Those without a reason."""
        return np.flatnonzero(self.words == "")

    def drop(self, which: Mask, reason: str) -> None:
        self.words[which & (self.words == "")] = reason

    def judge_brightness(self, min_snr: float) -> None:
        self.drop(~self.whole | ~(self.found.flux > 0), "without place or flux")
        self.drop(self.found.is_bad, "flagged")
        self.drop(self.found.snr < min_snr, "too faint")

    def judge_pixels(self, frame: Frame, saturation: float | None) -> None:
        self.drop(
            _is_near_edge(self.found, frame.data.shape, self.size),
            "too near to an edge",
        )
        at = self.left
        x, y = self.found.x[at], self.found.y[at]
        cores = measure_cores(frame, x, y, self.fwhm, saturation)
        self.light[at] = cores.light
        self.words[at[~cores.is_whole]] = "saturated or masked"
        self.words[at[cores.is_whole & cores.is_needle]] = "no point source"

    def judge_neighbours(self, most: float, *, fits_neighbours: bool) -> None:
        if fits_neighbours:
            reach = _FITTED_WITHIN * self.fwhm
            near = _find_neighbours(self.found, reach, self.whole)
            self.drop(near > _FITTED_NEIGHBOUR, "with a neighbour")
        else:
            self.drop(self.neighbour > most, "with a neighbour")

    def judge_shape(self) -> None:
        """Drop what is much sharper or wider than most; neighbours make it so, too."""
        reach = reach_of(self.fwhm) + OUTER * self.fwhm
        near = _find_neighbours(self.found, reach, self.whole)
        at = self.left
        at = at[(near[at] < _ALONE) & np.isfinite(self.light[at])]
        if at.size == 0:
            return
        light = self.light[at]
        middle = float(np.median(light))
        spread = robust_sigma(light, middle)
        far = np.abs(light - middle) > max(_OUTLIER * spread, _PART * abs(middle))
        self.words[at[far]] = "no point source"


def _find_width(fwhm: Any, frame: Frame | None, n_threads: int | None) -> float:
    if fwhm is not None:
        return as_positive(fwhm, "fwhm")
    if frame is None:
        raise ValueError("fwhm must be given for a catalogue without data")
    data, error, mask = frame.arrays
    return measure_psf(data, error=error, mask=mask, n_threads=n_threads).fwhm


def _find_stars(frame: Frame | None, fwhm: float, n_threads: int | None) -> _Found:
    if frame is None:
        raise ValueError("data must be given to find stars on")
    search = MatchedFilter(to_core(CircularGaussianPRF(fwhm=fwhm)), n_threads=n_threads)
    stars, _ = _core.find_matched_stars(search, *frame.arrays, None)
    x, y, flux, snr = (
        np.asarray(stars[name], dtype=np.float64)
        for name in ("x_centroid", "y_centroid", "flux", "snr")
    )
    return _Found(
        np.arange(1, x.size + 1), x, y, flux, snr, np.zeros(x.size, dtype=bool)
    )


def _read_stars(catalog: Any) -> _Found:
    if not isinstance(catalog, Table):
        msg = f"catalog must be a Table, got {type(catalog).__name__}"
        raise TypeError(msg)
    x, y, flux = (read_column(catalog, name) for name in ("x", "y", "flux"))
    snr = np.full(x.size, np.nan)
    if "snr" in catalog.colnames:
        snr = values_of(catalog["snr"])
    elif "flux_err" in catalog.colnames:
        noise = values_of(catalog["flux_err"])
        np.divide(flux, noise, out=snr, where=noise > 0)
    is_bad = np.zeros(x.size, dtype=bool)
    if "flags" in catalog.colnames:
        bits = sum(
            bit for bit, name, _ in _core.flag_definitions() if name in _BAD_FLAGS
        )
        is_bad = (np.asarray(catalog["flags"]) & bits) != 0
    has_id = "id" in catalog.colnames
    names = np.asarray(catalog["id"]) if has_id else np.arange(1, x.size + 1)
    return _Found(names, x, y, flux, snr, is_bad)


def read_column(catalog: Table, parameter: str) -> Vector:
    """Tell a parameter of a catalogue's stars; what was fitted before what was not.

    Raises
    ------
    ValueError
        If there is no column of it.
    """
    fitted = f"{parameter}_fit"
    names = catalog.colnames
    name = fitted if fitted in names else find_column(names, parameter)
    if name is None:
        msg = f"catalog must have a column of {parameter}, got {', '.join(names)}"
        raise ValueError(msg)
    column = np.ma.filled(np.ma.asarray(values_of(catalog[name])), np.nan)
    return np.asarray(column, dtype=np.float64)


def _is_near_edge(found: _Found, shape: tuple[int, ...], box: tuple[int, int]) -> Mask:
    near = np.zeros(found.x.size, dtype=bool)
    for at, side, length in zip((found.y, found.x), shape, box, strict=True):
        near |= ~((at >= length // 2) & (at <= side - 1 - length // 2))
    return near


def _find_neighbours(found: _Found, radius: float, whole: Mask) -> Vector:
    """Tell the brightest neighbour's part of each star's flux within a radius."""
    part = np.zeros(found.x.size)
    at = np.flatnonzero(whole)
    points = np.column_stack([found.x[at], found.y[at]])
    star, near = (at[k] for k in _core.near_pairs(points, points, radius))
    is_pair = (star != near) & (found.flux[star] > 0)
    star, near = star[is_pair], near[is_pair]
    np.maximum.at(part, star, found.flux[near] / found.flux[star])
    return part


def _spread_out(found: _Found, at: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Take stars of all parts of the field and of the pixel, the brightest first."""
    brightness = np.where(np.isfinite(found.snr), found.snr, found.flux)[at]
    at = at[np.argsort(-brightness, kind="stable")]
    if at.size <= most:
        return at
    field, phase = np.zeros((2, at.size), dtype=int)
    for axis in (found.x[at], found.y[at]):
        part = (axis - axis.min()) / max(float(np.ptp(axis)), 1.0)
        cell = np.minimum((part * _FIELD_CELLS).astype(int), _FIELD_CELLS - 1)
        field = field * _FIELD_CELLS + cell
        place = (axis + 0.5) % 1.0
        phase = phase * _PHASE_CELLS + (place * _PHASE_CELLS).astype(int)
    # In each part of the field the phases in turn, and of these parts in turn.
    by_phase = np.argsort(_rank_within(field * _PHASE_CELLS**2 + phase), kind="stable")
    by_field = np.argsort(_rank_within(field[by_phase]), kind="stable")
    return at[np.sort(by_phase[by_field][:most])]


def _rank_within(cells: NDArray[np.int_]) -> NDArray[np.int_]:
    """Tell how many before each are in the same cell."""
    seen: Counter[int] = Counter()
    rank = np.empty(cells.size, dtype=int)
    for k, one in enumerate(cells.tolist()):
        rank[k] = seen[one]
        seen[one] += 1
    return rank
