"""What a run is made with, from what was typed and from the PSF's width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psfphot.cli._defaults import (
    ANNULUS,
    GROUPING,
    LARGEST_GROUP,
    ROUNDNESS,
    SEPARATION,
    SMALLEST_BOX,
    SMALLEST_SHIFT,
    THRESHOLD,
)

if TYPE_CHECKING:
    from psfphot.io import Psf


@dataclass(frozen=True)
class Settings:
    """What a run is made with; lengths are in pixels.

    Attributes
    ----------
    threshold : float
        Detection threshold in sigma of the background noise.
    fwhm : float
        The finder's FWHM.
    roundness : float
        Largest roundness of a detection: 0 is round, blends are not.
    min_separation : float
        A detection has no brighter pixel nearer than this.
    fit_shape : tuple of int
        Sides (ny, nx) of the box of pixels that each star is fitted in.
    aperture_radius : float
        Radius for the first guess of the flux.
    group : float or `None`
        Stars nearer to each other than this are fitted together; `None`
        fits each alone.
    largest_group : int or `None`
        ``group`` is lowered until no group has more stars; `None` keeps it.
    local_bkg : tuple of float or `None`
        Radii of the annulus for the local background; `None` subtracts one
        level from the whole image.
    max_shift : tuple of float or `None`
        How far (x, y) a star may go from where it starts; `None` for any
        distance.
    forced : bool
        Whether the positions are fixed.
    zero_point : float or `None`
        The magnitude of a flux of 1; `None` asks the header.
    n_threads : int or `None`
        Threads to use; `None` takes all CPUs.
    """

    threshold: float
    fwhm: float
    roundness: float
    min_separation: float
    fit_shape: tuple[int, int]
    aperture_radius: float
    group: float | None
    largest_group: int | None
    local_bkg: tuple[float, float] | None
    max_shift: tuple[float, float] | None = None
    forced: bool = False
    zero_point: float | None = None
    n_threads: int | None = None


def default_settings(
    psf: Psf,
    *,
    threshold: float = THRESHOLD,
    fwhm: float | None = None,
    roundness: float = ROUNDNESS,
    min_separation: float | None = None,
    fit_shape: tuple[int, int] | None = None,
    aperture_radius: float | None = None,
    group: float | None = None,
    grouped: bool = True,
    local_bkg: tuple[float, float] | None = None,
    local: bool = True,
    max_shift: float | None = None,
    forced: bool = False,
    zero_point: float | None = None,
    n_threads: int | None = None,
) -> Settings:
    """Fill in what was not given, from the PSF's width.

    Parameters
    ----------
    psf : `~psfphot.io.Psf`
        The PSF, for its FWHM.
    threshold, fwhm, roundness, min_separation, fit_shape, aperture_radius, \
group, local_bkg, forced, zero_point, n_threads
        As in `Settings`; `None` takes the default.
    grouped, local : bool, optional
        `False` turns grouping or the local background off.
    max_shift : float, optional
        Along x and y; infinity for any distance, `None` for half of the box.

    Returns
    -------
    settings : `Settings`
    """
    fwhm = fwhm or psf.fwhm
    # The core and half as much around it; narrower PSFs still need the pixels.
    default_side = max(SMALLEST_BOX, 2 * round(fwhm) + 1)
    shape = fit_shape or (default_side, default_side)
    side = max(shape)
    limit = LARGEST_GROUP if group is None and grouped else None
    annulus = (ANNULUS[0] * side, ANNULUS[1] * side)
    return Settings(
        threshold=threshold,
        fwhm=fwhm,
        roundness=roundness,
        min_separation=SEPARATION * fwhm if min_separation is None else min_separation,
        fit_shape=shape,
        aperture_radius=aperture_radius or side / 2,
        group=(group or GROUPING * side) if grouped else None,
        largest_group=limit,
        local_bkg=(local_bkg or annulus) if local else None,
        max_shift=None if forced else _max_shift(shape, max_shift),
        forced=forced,
        zero_point=zero_point,
        n_threads=n_threads,
    )


def _max_shift(
    shape: tuple[int, int], given: float | None
) -> tuple[float, float] | None:
    if given is None:
        y, x = (max((side - 1) / 2, SMALLEST_SHIFT) for side in shape)
        return x, y
    return None if given == float("inf") else (given, given)
