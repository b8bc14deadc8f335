"""The stars that a PSF over the field is built from, whatever they are given as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.table import Table

from psfphot._validate import as_frame, as_odd_pair
from psfphot.psf._epsf.cutouts import make_cutouts
from psfphot.psf._epsf.selection import (
    PSFStarSelection,
    read_column,
    select_psf_stars,
)
from psfphot.psf._epsf.solver import Cutout
from psfphot.psf._epsf.star_list import EPSFStars, LinkedEPSFStar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot._validate import Frame

    Vector = NDArray[np.float64]


class Sample(NamedTuple):
    """Cutouts of stars, and where they are from."""

    cutouts: list[Cutout]
    #: The corners of the field, (x, y): the lowest and the highest pixel.
    low: tuple[float, float]
    high: tuple[float, float]
    #: The image, if there is one.
    frame: Frame | None
    #: The cutouts' shape, pixels.
    size: tuple[int, int]
    #: Stars that were not chosen, by the reason.
    dropped: dict[str, int]

    @property
    def origins(self) -> Vector:
        """The cutouts' first pixels, (N, 2), as (x, y)."""
        return np.array([one.origin for one in self.cutouts]).reshape(-1, 2)

    @property
    def positions(self) -> Vector:
        """Where the stars are in the image, (N, 2), as (x, y)."""
        own = np.array([(one.x, one.y) for one in self.cutouts]).reshape(-1, 2)
        return own + self.origins

    def split(self, every: int) -> tuple[list[int], list[int]]:
        """Part the cutouts: every so many stars, from bright to faint, is held out.

        Cutouts of one star stay together.
        """
        groups: dict[Any, list[int]] = {}
        for k, one in enumerate(self.cutouts):
            key = ("alone", k) if one.link is None else ("linked", one.link)
            groups.setdefault(key, []).append(k)
        ranked = sorted(
            groups.values(), key=lambda group: -(self.cutouts[group[0]].flux or 0.0)
        )
        kept: list[int] = []
        held: list[int] = []
        for rank, group in enumerate(ranked):
            (held if rank % every == every // 2 else kept).extend(group)
        return sorted(kept), sorted(held)


def make_sample(
    image: tuple[Any, Any, Any], stars: Any, size: Any, options: dict[str, Any]
) -> Sample:
    """Make the cutouts of stars.

    Parameters
    ----------
    image : (data, error, mask)
        The image; data `None` where ``stars`` have their cutouts.
    stars : EPSFStars, PSFStarSelection, Table or None
        The stars; `None` chooses some.
    size : int or (ny, nx)
        The cutouts' shape, for those that are cut out here.
    options : dict
        For `select_psf_stars`.

    Raises
    ------
    TypeError, ValueError
        If what is given cannot be used, or there is no star.
    """
    if isinstance(stars, EPSFStars):
        return _from_cutouts(image, stars)
    if image[0] is None:
        raise ValueError("data must be given, unless the stars are EPSFStars")
    frame = as_frame(*image)
    dropped: dict[str, int] = {}
    if stars is None:
        box = as_odd_pair(size, "size")
        stars = select_psf_stars(
            frame.data, error=frame.error, mask=frame.mask, size=box, **options
        )
    if isinstance(stars, PSFStarSelection):
        dropped, stars = stars.counts, stars.stars
    if not isinstance(stars, Table):
        msg = (
            "stars must be a table, a PSFStarSelection or EPSFStars, "
            f"got {type(stars).__name__}"
        )
        raise TypeError(msg)
    if len(stars) == 0:
        why = ", ".join(f"{n} {reason}" for reason, n in dropped.items())
        raise ValueError(f"there are no stars to build a PSF from ({why or 'none'})")
    box = as_odd_pair(size, "size")
    x, y = read_column(stars, "x"), read_column(stars, "y")
    flux = read_column(stars, "flux") if _has_flux(stars) else np.full(x.size, np.nan)
    cutouts = cut_out(frame, (x, y, flux), box)
    return Sample(cutouts, *_corners(frame.data.shape), frame, box, dropped)


def _has_flux(stars: Table) -> bool:
    return any(name.startswith("flux") for name in stars.colnames)


def _corners(
    shape: tuple[int, ...],
) -> tuple[tuple[float, float], tuple[float, float]]:
    return (0.0, 0.0), (float(shape[1] - 1), float(shape[0] - 1))


def cut_out(
    frame: Frame, places: tuple[Vector, Vector, Vector], size: tuple[int, int]
) -> list[Cutout]:
    """Cut stars, at (x, y, flux), out of an image; what is off it is left away.

    Raises
    ------
    ValueError
        If a star is off the image.
    """
    data, error, mask = frame.arrays
    ny, nx = data.shape
    cutouts = []
    for column, row, light in zip(*places, strict=True):
        if not (0 <= round(column) < nx and 0 <= round(row) < ny):
            msg = f"stars must be on the image, got one at ({column}, {row})"
            raise ValueError(msg)
        low_x = round(column) - size[1] // 2
        low_y = round(row) - size[0] // 2
        box = (
            slice(max(low_y, 0), min(low_y + size[0], ny)),
            slice(max(low_x, 0), min(low_x + size[1], nx)),
        )
        corner_x, corner_y = box[1].start, box[0].start
        cutouts.append(
            Cutout(
                np.asarray(data[box], dtype=np.float64),
                column - corner_x,
                row - corner_y,
                flux=float(light) if np.isfinite(light) and light > 0 else None,
                error=None if error is None else np.asarray(error[box], dtype=float),
                mask=None if mask is None else mask[box],
                origin=(float(corner_x), float(corner_y)),
            )
        )
    return cutouts


def _from_cutouts(image: tuple[Any, Any, Any], stars: EPSFStars) -> Sample:
    if len(stars) == 0:
        raise ValueError("stars must have at least one star")
    for star in stars:
        if isinstance(star, LinkedEPSFStar):
            star.constrain_centers()
    cutouts = make_cutouts(stars)
    frame = None if image[0] is None else as_frame(*image)
    each = stars.all_stars
    shape = np.max([star.shape for star in each], axis=0)
    if frame is not None:
        low, high = _corners(frame.data.shape)
    else:
        origins = np.array([star.origin for star in each], dtype=float)
        ends = origins + np.array([star.shape[::-1] for star in each]) - 1
        low_x, low_y = origins.min(axis=0)
        high_x, high_y = ends.max(axis=0)
        low, high = (float(low_x), float(low_y)), (float(high_x), float(high_y))
    return Sample(cutouts, low, high, frame, (int(shape[0]), int(shape[1])), {})
