"""Stars cut out of images."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.nddata import NDData, NoOverlapError, PartialOverlapError, overlap_slices
from astropy.nddata import StdDevUncertainty as StdDev
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._validate import as_mask, as_odd_pair
from psfphot.psf._epsf.star import EPSFStar
from psfphot.psf._epsf.star_list import EPSFStars, LinkedEPSFStar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# The least side of a cutout.
_SMALLEST = 3


def extract_stars(data: Any, catalogs: Any, *, size: Any = (11, 11)) -> EPSFStars:
    """Cut stars out of images.

    Parameters
    ----------
    data : 2D ndarray, `~astropy.nddata.NDData` or a list of them
        The images, without background. A mask gives weights of 0; an uncertainty
        is made into weights, 1/error, or is the weights themselves; one of no known
        kind is taken for 1-sigma errors. Units are passed over.
    catalogs : `~astropy.table.Table` or a list of them
        The stars: columns ``x`` and ``y``, pixels, or ``skycoord``, and if there
        are such ``id`` and ``flux``. One table for each image; or one for all, by
        ``skycoord``: then what is seen in several images is a `LinkedEPSFStar`.
    size : int or (ny, nx), optional
        The size of the cutouts, pixels: odd, at least 3.

    Returns
    -------
    EPSFStars
        The stars.

    Raises
    ------
    TypeError
        If what is given is neither image nor table.
    ValueError
        If an image is not 2D, a position cannot be had, numbers of images and
        tables differ, or the size cannot be used.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        With what is left out: stars too near to an edge, without a finite position
        or flux, or masked altogether; weights that are not finite; empty tables.
    """
    images = [data] if isinstance(data, NDData | np.ndarray) else data
    if not isinstance(images, list):
        msg = (
            "data must be a 2D array, an NDData object, or a list of 2D arrays or "
            f"NDData objects, got {type(data).__name__}"
        )
        raise TypeError(msg)
    tables = [catalogs] if isinstance(catalogs, Table) else catalogs
    if not isinstance(tables, list):
        msg = (
            "catalogs must be a single Table object or list of Table objects, "
            f"got {type(catalogs).__name__}"
        )
        raise TypeError(msg)
    frames = [_as_frame(image, k) for k, image in enumerate(images)]
    _check_tables(tables)
    is_shared = len(tables) == 1 and len(frames) > 1
    _check_positions(frames, tables, is_shared=is_shared)
    shape = as_odd_pair(size, "size")
    if min(shape) < _SMALLEST:
        raise ValueError(f"size must be >= {_SMALLEST}, got {size!r}")

    each = tables * len(frames) if is_shared else tables
    cuts = [
        _cut_stars(frame, table, shape, by_sky=is_shared)
        for frame, table in zip(frames, each, strict=True)
    ]
    n_over = sum(n for _, n in cuts)
    if n_over:
        msg = (
            f"{n_over} star cutout(s) were not extracted because their cutout region "
            "extended beyond the input image."
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=2)
    found = [stars for stars, _ in cuts]
    if is_shared:
        return EPSFStars(_link(found))
    return EPSFStars([star for stars in found for star in stars if star is not None])


def _link(
    found: Sequence[Sequence[EPSFStar | None]],
) -> list[EPSFStar | LinkedEPSFStar]:
    """Make one star of the cutouts of each row."""
    linked: list[EPSFStar | LinkedEPSFStar] = []
    for row in zip(*found, strict=True):
        seen = [star for star in row if star is not None]
        if len(seen) == 1:
            linked += seen
        elif seen:
            linked.append(LinkedEPSFStar(seen))
    return linked


class _StarFrame(NamedTuple):
    """An image of stars with its weights."""

    data: NDArray[Any]
    weights: NDArray[np.float64] | None
    mask: NDArray[np.bool_] | None
    wcs: Any


def _as_frame(image: Any, index: int) -> _StarFrame:
    if isinstance(image, np.ndarray):
        image = NDData(image)
    if not isinstance(image, NDData):
        msg = (
            "All data elements must be 2D arrays or NDData objects. "
            f"Element {index} is {type(image)}"
        )
        raise TypeError(msg)
    data = np.asarray(image.data)
    if data.ndim != 2:  # noqa: PLR2004
        msg = (
            f"All input images must be 2D. The image at index {index} has "
            f"{data.ndim}D data"
        )
        raise ValueError(msg)
    mask = as_mask(image.mask, data.shape, "the mask of data")
    return _StarFrame(data, _find_weights(image), mask, image.wcs)


def _find_weights(image: NDData) -> NDArray[np.float64] | None:
    """Tell the weights, 1/error, of an image; finite or not."""
    uncertainty = image.uncertainty
    if uncertainty is None:
        return None
    if uncertainty.uncertainty_type == "weights":
        return np.array(uncertainty.array, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        try:
            error = uncertainty.represent_as(StdDev).array
        except (AttributeError, TypeError):  # of no known kind
            error = uncertainty.array
        weights: NDArray[np.float64] = 1.0 / np.asarray(error, dtype=np.float64)
    return weights


def _check_tables(tables: list[Any]) -> None:
    for k, table in enumerate(tables):
        if not isinstance(table, Table):
            msg = (
                "All catalog elements must be Table objects. "
                f"Element {k} is {type(table)}"
            )
            raise TypeError(msg)
        if len(table) == 0:
            msg = (
                f"Catalog at index {k} is empty. No stars will be extracted from this "
                "catalog."
            )
            warnings.warn(msg, AstropyUserWarning, stacklevel=3)


def _check_positions(
    frames: list[_StarFrame], tables: list[Table], *, is_shared: bool
) -> None:
    if is_shared:
        several = "When inputting a single catalog with multiple images, "
        if "skycoord" not in tables[0].colnames:
            raise ValueError(f"{several}the catalog must have a 'skycoord' column.")
        if any(frame.wcs is None for frame in frames):
            msg = f"{several}each image must be an NDData object with a wcs attribute."
            raise ValueError(msg)
        return
    for k, table in enumerate(tables):
        if {"x", "y"} <= {*table.colnames}:
            continue
        if "skycoord" not in table.colnames:
            msg = (
                f"Catalog at index {k} must have either 'x' and 'y' columns or a "
                "'skycoord' column."
            )
            raise ValueError(msg)
        if k < len(frames) and frames[k].wcs is None:
            msg = (
                f"When catalog at index {k} contains only skycoord positions, the "
                "corresponding image must be an NDData object with a wcs attribute."
            )
            raise ValueError(msg)
    if len(frames) != len(tables):
        msg = (
            "When inputting multiple catalogs, the number of catalogs must match the "
            f"number of input images, got {len(tables)} and {len(frames)}"
        )
        raise ValueError(msg)


def _cut_stars(
    frame: _StarFrame, table: Table, shape: tuple[int, int], *, by_sky: bool
) -> tuple[list[EPSFStar | None], int]:
    """Cut out a table's stars, `None` for each that is left out.

    Also tells how many are left out since they are too near to an edge.
    """
    x, y = _find_positions(frame, table, by_sky=by_sky)
    names = table["id"] if "id" in table.colnames else np.arange(1, len(table) + 1)
    fluxes = table["flux"] if "flux" in table.colnames else [None] * len(table)
    stars: list[EPSFStar | None] = [None] * len(table)
    count = dict.fromkeys(("position", "flux", "edge", "weights"), 0)
    said: list[str] = []
    for k, (at, flux, name) in enumerate(
        zip(zip(x, y, strict=True), fluxes, names, strict=True)
    ):
        if not np.isfinite(at).all():
            count["position"] += 1
            continue
        if flux is not None and not np.isfinite(flux):
            count["flux"] += 1
            continue
        try:
            box, _ = overlap_slices(frame.data.shape, shape, at[::-1], mode="strict")
        except (PartialOverlapError, NoOverlapError):
            count["edge"] += 1
            continue
        weights, is_clean = _cut_weights(frame, box)
        count["weights"] += not is_clean
        origin = np.array([box[1].start, box[0].start])
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "All unmasked data values in star")
                star = EPSFStar(
                    frame.data[box],
                    weights=weights,
                    cutout_center=np.array(at) - origin,
                    flux=flux,
                    origin=origin,
                    wcs_large=frame.wcs,
                    id_label=name,
                )
        except ValueError as exc:
            place = f"({at[0]:.2f}, {at[1]:.2f})"
            said.append(f"Failed to create EPSFStar for object at {place}: {exc}")
            continue
        stars[k] = star
        if star._has_all_zero_data:
            place = f"({at[0]:.1f}, {at[1]:.1f})"
            said.append(f"Star at {place} has all unmasked data values equal to zero")
    for msg in (*_tell(count), *said):
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)
    return stars, count["edge"]


def _find_positions(
    frame: _StarFrame, table: Table, *, by_sky: bool
) -> tuple[Any, Any]:
    if by_sky or not {"x", "y"} <= {*table.colnames}:
        x, y = frame.wcs.world_to_pixel(table["skycoord"])
        return np.atleast_1d(x), np.atleast_1d(y)
    x, y = (
        np.ma.filled(np.ma.asarray(table[name], dtype=np.float64), np.nan)
        for name in ("x", "y")
    )
    return x, y


def _cut_weights(
    frame: _StarFrame, box: tuple[slice, slice]
) -> tuple[NDArray[np.float64], bool]:
    """Tell the weights of a cutout, 0 for what is masked or not finite."""
    shape = frame.data[box].shape
    weights = np.ones(shape) if frame.weights is None else frame.weights[box].copy()
    is_finite = np.isfinite(weights)
    weights[~is_finite] = 0.0
    if frame.mask is not None:
        weights[frame.mask[box]] = 0.0
    return weights, bool(is_finite.all())


def _tell(count: dict[str, int]) -> list[str]:
    sentences = {
        "position": "star(s) were not extracted because their (x, y) positions were "
        "not finite.",
        "flux": "star(s) were not extracted because their catalog flux values were "
        "not finite.",
        "weights": "star cutout(s) had nonfinite weight values which were set to zero. "
        "Please check the input uncertainty values in the NDData object.",
    }
    return [f"{count[key]} {words}" for key, words in sentences.items() if count[key]]
