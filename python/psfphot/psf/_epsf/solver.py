"""The joint solver of ePSFs: cutouts of stars in, samples of the PSF out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot import _core
from psfphot.psf._epsf.coordinates import shape_of_epsf
from psfphot.psf._models.convert import to_core

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from psfphot.psf._models.base import PSFModel


@dataclass(frozen=True)
class Cutout:
    """The pixels of one star in one image, and where the star about is.

    Parameters
    ----------
    data : 2-D array
        Background-subtracted pixels; those that are not finite are ignored.
    x, y : float
        The star's position to begin with, in pixels of the cutout.
    flux : float or None
        Its flux to begin with; `None` takes the sum of the pixels.
    error : 2-D array or None
        1-sigma errors; pixels without a positive and finite one are ignored.
        Errors that follow the noise of the data are recognised, and the fit
        takes those of the model instead. `None`: the noise is estimated.
    mask : 2-D array of bool or None
        `True` = ignore.
    origin : (float, float)
        (x, y) of the cutout's pixel [0, 0] in the frame, for PSFs that vary.
    link : int or None
        Cutouts with the same number show the same star (dithers): they share one
        flux and one correction of the position. `None` shares with nobody.
    scale : float
        The flux in this cutout over that of the star, as exposures differ.
    jacobian : 2 x 2 array or None
        What the common correction (x, y) of a linked star is in this cutout;
        `None` is the unit matrix.
    """

    data: ArrayLike
    x: float
    y: float
    flux: float | None = None
    error: ArrayLike | None = None
    mask: ArrayLike | None = None
    origin: tuple[float, float] = (0.0, 0.0)
    link: int | None = None
    scale: float = 1.0
    jacobian: ArrayLike | None = None


@dataclass(frozen=True)
class PolynomialField:
    """The PSF's samples are polynomials of the position in the frame.

    Parameters
    ----------
    degree : int
        1 or 2.
    center, scale : (float, float)
        (x, y): the variables are (position - center) / scale, from -1 to 1.
    """

    degree: int
    center: tuple[float, float]
    scale: tuple[float, float]


@dataclass(frozen=True)
class GridField:
    """PSFs at the nodes of a rectangular grid, bilinear between them.

    Parameters
    ----------
    x, y : sequence of float
        Columns and rows of the nodes in the frame, increasing.
    """

    x: Sequence[float]
    y: Sequence[float]


class Round(NamedTuple):
    """How far a round has come.

    Attributes
    ----------
    samples : (ny, nx) array
        The mean PSF after the round; the deviation from a library's.
    x, y : (N,) array
        The star's position in each cutout, fitted before the PSF's step.
    """

    samples: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True)
class Solution:
    """What the solver found.

    Attributes
    ----------
    samples : (P, ny, nx) array
        The PSF on its oversampled grid, each plane normalised to the product of
        the oversampling over the grid: one plane; or the coefficients of
        1, u, u**2, v, u v, v**2 (degree 1: 1, u, v), of which the first is
        normalised; or one plane for each node, the nodes' x fastest. With a
        library these are the samples of the deviation from it, to be added to it.
    error : (P, ny, nx) array or None
        1-sigma errors of the samples, for given positions and fluxes of the
        stars; for polynomials those of the planes.
    positions : (P, 2) array or None
        (x, y) of the nodes.
    oversampling : (int, int)
        Samples per pixel (y, x).
    x, y, flux : (N,) array
        The stars' fitted values in each cutout; the flux is the star's times the
        cutout's scale.
    chi2 : (N,) array
        Reduced chi-squared of each cutout's core (within 3 pixels), the model
        error included.
    n_pixels, n_rejected : (N,) array of int
        Pixels used in each cutout, and those among them without weight at last.
    is_used : (N,) array of bool
        `False`: the cutout had no part in the PSF (no valid core, or no flux).
    converged : bool
        Whether the last round changed no sample by more than the accuracy.
    n_rounds : int
        Rounds of the joint fit.
    rounds : list of Round
        What each of them came to.
    last_change : float
        Largest change of the last round, in units of the peak.
    n_cg : int
        Steps of conjugate gradients in all rounds.
    kappa : float
        Factor of the roughness that is allowed a priori.
    held_out : list of (float, float)
        (kappa, mean capped chi-squared of the held-out stars' pixels), empty
        if kappa was given.
    model_error : float
        The fraction of the PSF's peak by which stars were found to differ from it. The
        weights count with it in all of the star (to 1 % of the peak) where one PSF is
        solved for and errors are given; else it falls like the root of the PSF.
    noise : (float, float) or None
        Constant and slope of the variance against the flux in a pixel, where
        they were estimated.
    data_slope : float or None
        By how much the variance rises with the flux, where the errors were found
        to follow the data's noise; the fit then took those of the model.
    fwhm : float
        Full width at half maximum of the PSF, pixels.
    knots_per_pixel : int
        Spacing of the spline's knots.
    phase_counts : (k, k) array of int
        Cutouts by the position of their star in the pixel (y, x), in cells of
        one knot.
    n_stars : (P,) array of float
        Stars that determine each plane; for nodes the sum of their weights.
    alias : dict of str to array
        The alias functionals (``order``, ``frequency_x``, ``frequency_y``), their
        ``value`` (mean plane), ``prior`` and ``posterior`` standard deviation
        (NaN where it was not computed). A posterior as large as the prior: the
        stars' phases say nothing about it.
    warnings : list of str
        What a user must be told, in words.
    """

    samples: NDArray[np.float64]
    error: NDArray[np.float64] | None
    positions: NDArray[np.float64] | None
    oversampling: tuple[int, int]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    chi2: NDArray[np.float64]
    n_pixels: NDArray[np.int64]
    n_rejected: NDArray[np.int64]
    is_used: NDArray[np.bool_]
    converged: bool
    n_rounds: int
    rounds: list[Round]
    last_change: float
    n_cg: int
    kappa: float
    held_out: list[tuple[float, float]]
    model_error: float
    noise: tuple[float, float] | None
    data_slope: float | None
    fwhm: float
    knots_per_pixel: int
    phase_counts: NDArray[np.int64]
    n_stars: NDArray[np.float64]
    alias: dict[str, NDArray[np.float64]]
    warnings: list[str] = field(default_factory=list)


def solve(
    cutouts: Sequence[Cutout],
    *,
    oversampling: int | tuple[int, int] = 4,
    shape: tuple[int, int] | None = None,
    kappa: float | None = None,
    cutoff: float | None = None,
    field: PolynomialField | GridField | None = None,
    library: PSFModel | None = None,
    knots_per_pixel: int | None = None,
    model_error: float | None = None,
    fit_background: bool = False,
    max_rounds: int = 12,
    accuracy: float = 1e-3,
    with_error: bool = True,
    n_threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Solution:
    """Solve for the ePSF, jointly with every star's position and flux.

    Parameters
    ----------
    cutouts : sequence of Cutout
        At least one; from 25 stars on the result is good.
    oversampling : int or (int, int)
        Samples per pixel (y, x) of the result.
    shape : (int, int) or None
        Samples (y, x) of the result, odd; by default the largest cutout times the
        oversampling, made odd.
    kappa : float or None
        Roughness that is allowed a priori, about 0.3 to 8; `None` chooses it by
        stars that are held out. With a library, or for nodes, it scales the
        allowed deviation (1: a tenth of the PSF).
    cutoff : float or None
        Highest spatial frequency that the optics pass (D * pixel scale /
        wavelength), cycles per pixel; it tells how strictly flux and centroid
        must not depend on the position in the pixel.
    field : PolynomialField, GridField or None
        How the PSF varies over the frame.
    library : PSF model or None
        A PSF (image, grid, polynomial) of which the deviation is solved for, in
        the library's coordinates and with its flux zero.
    knots_per_pixel : int or None
        Knots of the spline per pixel, 1 to 4; by default by the FWHM.
    model_error : float or None
        Error of the model at its peak, relative to that, that the weights count
        with; `None` estimates it.
    fit_background : bool
        Fit a constant for each cutout as well.
    max_rounds : int
        Most rounds of the joint fit.
    accuracy : float
        Change of the PSF, in units of its peak, that ends the rounds; so does a fifth
        of the model's error.
    with_error : bool
        Compute ``error`` and the posterior of the alias functionals.
    n_threads : int or None
        Threads; the result does not depend on it.
    progress : callable or None
        Called with the rounds done so far.

    Returns
    -------
    solution : Solution
        The PSF, the stars and how well all is known.

    Raises
    ------
    ValueError
        An argument that cannot be used, named; no usable star.
    """
    if len(cutouts) == 0:
        msg = "cutouts must hold at least one star, got none"
        raise ValueError(msg)
    ratio = _pair(oversampling)
    packed = [_pack(cutout) for cutout in cutouts]
    if shape is None:
        shape = shape_of_epsf([np.shape(cutout.data) for cutout in packed], ratio)
    settings = _Settings(
        oversampling=ratio,
        shape=shape,
        kappa=kappa,
        cutoff=cutoff,
        field=_pack_field(field),
        library=None if library is None else to_core(library),
        knots_per_pixel=knots_per_pixel,
        model_error=model_error,
        fit_background=fit_background,
        max_rounds=max_rounds,
        accuracy=accuracy,
        with_error=with_error,
    )
    found = _core.solve_epsf(packed, settings, n_threads=n_threads, progress=progress)
    nodes = found.pop("nodes")
    rounds = [Round(*one) for one in found.pop("rounds")]
    names = ("order", "frequency_x", "frequency_y", "value", "prior", "posterior")
    columns = zip(*found.pop("alias"), strict=True)
    alias = {
        name: np.array(column) for name, column in zip(names, columns, strict=True)
    }
    solution = Solution(
        **found,
        rounds=rounds,
        positions=np.array(nodes) if nodes else None,
        oversampling=ratio,
        alias=alias,
    )
    solution.warnings.extend(_judge(solution, packed, max_rounds))
    return solution


@dataclass(frozen=True)
class _Settings:
    """What the core reads of a call."""

    oversampling: tuple[int, int]
    shape: tuple[int, int]
    kappa: float | None
    cutoff: float | None
    field: tuple[Any, ...] | None
    library: _core.Psf | None
    knots_per_pixel: int | None
    model_error: float | None
    fit_background: bool
    max_rounds: int
    accuracy: float
    with_error: bool


def _pair(oversampling: int | tuple[int, int]) -> tuple[int, int]:
    pair = np.broadcast_to(np.asarray(oversampling), 2)
    if pair.dtype.kind not in "iu" or (pair < 1).any():
        msg = f"oversampling must be one or two positive integers, got {oversampling!r}"
        raise ValueError(msg)
    return int(pair[0]), int(pair[1])


def _pack(cutout: Cutout) -> Cutout:
    """Return the cutout with arrays as the core reads them."""
    data = np.ascontiguousarray(cutout.data, dtype=float)
    try:
        _, _ = data.shape
    except ValueError:
        msg = f"cutouts must hold 2-D data, got {data.ndim} dimensions"
        raise ValueError(msg) from None
    error = mask = None
    if cutout.error is not None:
        error = np.ascontiguousarray(cutout.error, dtype=float)
    if cutout.mask is not None:
        mask = np.ascontiguousarray(cutout.mask, dtype=bool)
    jacobian = np.eye(2) if cutout.jacobian is None else np.asarray(cutout.jacobian)
    return Cutout(
        data=data,
        x=float(cutout.x),
        y=float(cutout.y),
        flux=None if cutout.flux is None else float(cutout.flux),
        error=error,
        mask=mask,
        origin=(float(cutout.origin[0]), float(cutout.origin[1])),
        link=cutout.link,
        scale=float(cutout.scale),
        jacobian=jacobian.astype(float).tolist(),
    )


def _pack_field(field: PolynomialField | GridField | None) -> tuple[Any, ...] | None:
    if isinstance(field, PolynomialField):
        center = (float(field.center[0]), float(field.center[1]))
        scale = (float(field.scale[0]), float(field.scale[1]))
        return (field.degree, center, scale)
    if isinstance(field, GridField):
        return ([float(x) for x in field.x], [float(y) for y in field.y])
    if field is not None:
        msg = f"field must be a PolynomialField, a GridField or None, got {field!r}"
        raise ValueError(msg)
    return None


#: With fewer stars a PSF, or a plane of one, is hardly determined.
FEWEST_STARS = 3
# Only a PSF with fine structure in the pixel, which takes more knots than this,
# needs stars at all phases of it.
_WELL_SAMPLED = 2


def _judge(solution: Solution, cutouts: Sequence[Cutout], max_rounds: int) -> list[str]:
    """Say what a user must be told."""
    told = []
    n_used = int(solution.is_used.sum())
    if n_used < len(cutouts):
        told.append(
            f"{len(cutouts) - n_used} of {len(cutouts)} cutouts could not be fitted"
        )
    if n_used < FEWEST_STARS:
        told.append(f"{n_used} stars are too few to build a PSF from")
    starved = np.flatnonzero(solution.n_stars < FEWEST_STARS)
    if solution.positions is not None and len(starved):
        told.append(f"nodes with fewer than {FEWEST_STARS} stars: {starved.tolist()}")
    if not solution.converged:
        told.append(
            f"the PSF still changed by {solution.last_change:.2g} of its peak after "
            f"{solution.n_rounds} of {max_rounds} rounds"
        )
    if solution.knots_per_pixel > _WELL_SAMPLED and (solution.phase_counts == 0).any():
        told.append(
            "the PSF is undersampled, and no star is at some positions in the pixel: "
            f"counts of {solution.phase_counts.tolist()}"
        )
    return told
