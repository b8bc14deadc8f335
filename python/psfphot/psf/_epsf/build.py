"""PSFs over the field, built from an image's stars or refined from a library."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot._progress import progress_callback
from psfphot._validate import as_count, as_n_threads, as_pair, as_positive
from psfphot.psf._epsf.light import find_correction
from psfphot.psf._epsf.neighbours import free_of_neighbours
from psfphot.psf._epsf.orders import (
    LIBRARY_ORDERS,
    ORDERS,
    Choice,
    Plan,
    choose_order,
    make_grid,
)
from psfphot.psf._epsf.report import PSFReport, make_report
from psfphot.psf._epsf.sample import make_sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.psf._epsf.sample import Sample
    from psfphot.psf._epsf.solver import Solution
    from psfphot.psf._models.gridded import GriddedPSFModel

# Most rounds of fitting neighbours: the first takes most of their light away.
_MOST_ROUNDS = 3

# Change of the PSF, in units of its peak, that is enough before they are fitted: what
# that leaves of them is a hundredth of a star that is fainter.
_ROUGH = 1e-2

# The box to fit neighbours in, in FWHM, and the least, pixels.
_FIT_WIDTHS, _SMALLEST_FIT = 2.0, 5


class PSFBuild(NamedTuple):
    """A PSF over the field, and how good it is.

    Attributes
    ----------
    model : GriddedPSFModel
        The PSF: for `PSFPhotometry`, or to be written with ``model.write``.
    report : PSFReport
        What is known of it.
    """

    model: GriddedPSFModel
    report: PSFReport


def build_psf_grid(
    data: Any,
    error: Any = None,
    stars: Any = None,
    *,
    mask: Any = None,
    grid: Any = None,
    degree: int | None = None,
    order: str | None = None,
    neighbours: Any = None,
    n_rounds: int = 2,
    library: Any = None,
    cutoff: float | None = None,
    oversampling: Any = 4,
    size: Any = 25,
    kappa: float | None = None,
    aperture_correction: Any = None,
    apply_correction: bool = False,
    select: dict[str, Any] | None = None,
    n_threads: int | None = None,
    progress_bar: bool = False,
) -> PSFBuild:
    """Build a PSF that varies over the field from an image's own stars.

    Parameters
    ----------
    data : (ny, nx) array_like or None
        The image, without background. It may be `None` where ``stars`` are
        `EPSFStars`.
    error : (ny, nx) array_like, optional
        1-sigma errors, in the unit of the data; without, the noise is estimated.
    stars : Table, PSFStarSelection or EPSFStars, optional
        The stars: x and y, and flux if there is one. By default
        `select_psf_stars` chooses them. `EPSFStars` may be linked, over dithers.
    mask : (ny, nx) bool array, optional
        `True` where a pixel is to be ignored.
    grid : int or (ny, nx), optional
        Nodes of the grid, along y and x, from edge to edge; 4 x 4 without
        ``degree``.
    degree : {1, 2}, optional
        Instead of nodes, the PSF is a polynomial of the position at most; the grid
        has 2 x 2 or 5 x 5 nodes of it.
    order : str, optional
        The one order to take: "single", "linear", "quadratic" or "nodes", with a
        library "constant", "linear" or "nodes". By default stars that are held out
        choose, from the simplest up to what ``grid`` or ``degree`` says.
    neighbours : Table, optional
        All stars of the image: x, y and flux. They are fitted with the PSF, and each
        star's neighbours taken away before the next round.
    n_rounds : int, optional
        Rounds of that, 1 to 3.
    library : PSF model, optional
        A PSF of which the deviation is solved for: see `refine_psf`.
    cutoff : float, optional
        The highest spatial frequency that the optics pass (diameter times pixel
        scale over wavelength), cycles per pixel.
    oversampling : int or (y, x), optional
        Samples per pixel.
    size : int or (ny, nx), optional
        The cutouts' size, and so that of the PSF, pixels: odd.
    kappa : float, optional
        The factor of the roughness that is allowed, about 0.3 to 8; held-out stars
        tell it by default.
    aperture_correction : float or "measure", optional
        The light of a star over that within the PSF's images. It can be measured, in
        apertures twice as wide; from a library it is known.
    apply_correction : bool, optional
        Whether to make the PSF so that fluxes are total. Else they are those within
        the PSF's images.
    select : dict, optional
        Keywords for `select_psf_stars`, where it chooses.
    n_threads : int, optional
        Threads; by default all. No result depends on it.
    progress_bar : bool, optional
        Whether to show a bar.

    Returns
    -------
    PSFBuild
        ``model, report = ...`` unpacks it.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used, or there is no star.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        With each message of the report: few stars, phases that are not seen, nodes
        without stars, a lower order than was asked, no convergence.

    Notes
    -----
    Nodes deviate from a polynomial of degree 1; one without stars has its PSF. The
    algorithm is told in docs/algorithms.md.

    Examples
    --------
    >>> from psfphot.datasets import make_noise_image
    >>> from psfphot.psf import (CircularGaussianPRF, build_psf_grid,
    ...     make_psf_model_image)
    >>> image, stars = make_psf_model_image((300, 300), CircularGaussianPRF(fwhm=3),
    ...     40, flux=(2000, 9000), model_shape=(25, 25), min_separation=20)
    >>> image += make_noise_image(image.shape, mean=0, stddev=2, seed=1)
    >>> model, report = build_psf_grid(image, stars=stars, size=15, order="single")
    >>> report.order, report.flags
    ('single', ())
    """
    sample = make_sample((data, error, mask), stars, size, select or {})
    plan, asked = _make_plan(
        sample,
        grid=grid,
        degree=degree,
        order=order,
        library=library,
        options={
            "oversampling": as_pair(oversampling, "oversampling", lower=1),
            "shape": None,
            "kappa": None if kappa is None else as_positive(kappa, "kappa"),
            "cutoff": None if cutoff is None else as_positive(cutoff, "cutoff"),
            "n_threads": as_n_threads(n_threads),
        },
    )
    rounds = as_count(n_rounds, "n_rounds", least=1)
    if rounds > _MOST_ROUNDS:
        raise ValueError(f"n_rounds must be <= {_MOST_ROUNDS}, got {n_rounds}")
    if neighbours is not None:
        sample = _clean(sample, neighbours, plan, rounds)
    choice = choose_order(sample, plan)
    with progress_callback(12, "build_psf_grid", enabled=progress_bar) as progress:
        solution, model = plan.solve(sample.cutouts, choice.order, progress=progress)
    fitted = _with_fits(sample, solution)
    correction = find_correction(
        aperture_correction, fitted, model, is_library=library is not None
    )
    is_corrected = apply_correction and correction is not None
    if not (library is not None and aperture_correction is None and is_corrected):
        light = 1.0 / correction if is_corrected and correction is not None else 1.0
        model = _with_light(model, light)
    report = _report(
        fitted,
        solution,
        model,
        choice,
        asked,
        aperture_correction=correction,
        is_corrected=is_corrected,
    )
    report.warn()
    return PSFBuild(model, report)


def refine_psf(
    model: Any,
    data: Any,
    error: Any = None,
    stars: Any = None,
    *,
    order: int | None = 1,
    mask: Any = None,
    neighbours: Any = None,
    n_rounds: int = 2,
    size: Any = 25,
    kappa: float | None = None,
    cutoff: float | None = None,
    oversampling: Any = None,
    aperture_correction: Any = None,
    apply_correction: bool = True,
    select: dict[str, Any] | None = None,
    n_threads: int | None = None,
    progress_bar: bool = False,
) -> PSFBuild:
    """Make a library's PSF that of an image: solve for the deviation from it.

    Parameters
    ----------
    model : PSF model
        The library: a grid of PSFs, an image or a formula.
    data, error, stars, mask, neighbours, n_rounds, size, cutoff, n_threads
        See `build_psf_grid`, as for what follows but what is told here.
    order : {0, 1}, optional
        How the deviation varies: not, or linearly over the field. `None` lets stars
        that are held out choose: none, constant, linear, or one at each node.
    kappa : float, optional
        How far the PSF may deviate: 1 is a tenth of it.
    oversampling : int or (y, x), optional
        Samples per pixel; by default the library's, 4 for a formula.
    aperture_correction, apply_correction, select, progress_bar
        See `build_psf_grid`. The library's correction is known, and by default
        fluxes are total, as with the library.

    Returns
    -------
    PSFBuild
        ``model, report = ...`` unpacks it. Positions are the library's: its PSFs are
        not centred anew.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used, or there is no star.
    """
    names = {0: "constant", 1: "linear", None: None}
    if order not in names:
        raise ValueError(f"order must be 0, 1 or None, got {order!r}")
    samples = (
        getattr(model, "oversampling", 4) if oversampling is None else oversampling
    )
    shape = getattr(model, "grid_shape", None)
    return build_psf_grid(
        data,
        error,
        stars,
        mask=mask,
        order=names[order],
        grid=shape,
        neighbours=neighbours,
        n_rounds=n_rounds,
        library=model,
        cutoff=cutoff,
        oversampling=np.asarray(samples).tolist(),
        size=size,
        kappa=kappa,
        aperture_correction=aperture_correction,
        apply_correction=apply_correction,
        select=select,
        n_threads=n_threads,
        progress_bar=progress_bar,
    )


def _make_plan(
    sample: Sample,
    *,
    grid: Any,
    degree: int | None,
    order: str | None,
    library: Any,
    options: dict[str, Any],
) -> tuple[Plan, str]:
    """Make the plan, and tell the highest order of it."""
    if grid is not None and degree is not None:
        raise ValueError("grid and degree exclude each other; give one")
    known = ORDERS if library is None else LIBRARY_ORDERS
    if degree is not None and degree not in {1, 2}:
        raise ValueError(f"degree must be 1 or 2, got {degree!r}")
    if order is not None and order not in known:
        raise ValueError(f"order must be one of {', '.join(known)}, got {order!r}")
    if library is not None and degree == 2:  # noqa: PLR2004
        raise ValueError("degree must be 1 with a library, got 2")
    top = order or {None: "nodes", 1: "linear", 2: "quadratic"}[degree]
    if order is not None:
        orders: tuple[str, ...] = (order,)
    else:
        orders = known[: known.index(top) + 1]
        if top == "nodes":
            orders = tuple(one for one in orders if one != "quadratic")
    shape = as_pair(
        {None: (4, 4), 1: (2, 2), 2: (5, 5)}[degree] if grid is None else grid,
        "grid",
        lower=1,
    )
    known_nodes = getattr(library, "grid_xypos", None)
    if known_nodes is None:
        nodes = _place_nodes(sample, shape)
    else:
        # The library varies between its own nodes.
        columns, rows = np.asarray(known_nodes, dtype=np.float64).T
        nodes = np.unique(columns), np.unique(rows)
    return Plan(orders, nodes, sample.low, sample.high, library, options), top


def _place_nodes(
    sample: Sample, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place nodes from edge to edge; one alone is in the middle."""
    x, y = (
        np.linspace(low, high, n) if n > 1 else np.array([(low + high) / 2])
        for low, high, n in zip(sample.low, sample.high, shape[::-1], strict=True)
    )
    return x, y


def _clean(sample: Sample, neighbours: Any, plan: Plan, rounds: int) -> Sample:
    """Take the stars' neighbours away, with a PSF that gets better each time."""
    # A single PSF does, until the last.
    order = "single" if plan.library is None else "constant"
    raw = sample
    told: dict[str, Any] = {"with_error": False, "accuracy": _ROUGH, "max_rounds": 6}
    for _ in range(rounds):
        solution, model = plan.solve(sample.cutouts, order, **told)
        if plan.library is None:
            told["kappa"] = solution.kappa
        side = max(_SMALLEST_FIT, int(_FIT_WIDTHS * solution.fwhm) // 2 * 2 + 1)
        sample = free_of_neighbours(
            raw,
            neighbours,
            model,
            fit_shape=side,
            n_threads=plan.options["n_threads"],
        )
        if len(plan.orders) > 1 and plan.library is None:
            order = "linear" if len(sample.cutouts) >= 100 else "single"  # noqa: PLR2004
    return sample


def _with_fits(sample: Sample, solution: Solution) -> Sample:
    """Put the fitted positions and fluxes into the sample."""
    cutouts = [
        replace(one, x=float(x), y=float(y), flux=float(flux))
        for one, x, y, flux in zip(
            sample.cutouts, solution.x, solution.y, solution.flux, strict=True
        )
    ]
    return sample._replace(cutouts=cutouts)


def _with_light(model: GriddedPSFModel, light: float) -> GriddedPSFModel:
    """Make the same grid of PSFs that hold another part of a star's light."""
    over_y, over_x = model.oversampling.tolist()
    images = np.asarray(model.data, dtype=np.float64)
    return make_grid(images, model.grid_xypos, (over_y, over_x), light=light)


def _report(
    sample: Sample,
    solution: Solution,
    model: GriddedPSFModel,
    choice: Choice,
    asked: str,
    **more: Any,
) -> PSFReport:
    flags, messages = [], []
    # What stars that were held out have chosen is no fault.
    if choice.order != asked and choice.is_starved:
        flags.append("lower_order")
        messages.append(
            f"the PSF is {choice.order}, not {asked}: {len(sample.cutouts)} stars are "
            "too few for that"
        )
    is_nodes = choice.order == "nodes"
    return make_report(
        solution,
        order=choice.order,
        asked=asked,
        origins=sample.origins,
        nodes=np.asarray(model.grid_xypos, dtype=np.float64),
        peak=float(np.max(model.data)),
        node_stars=solution.n_stars if is_nodes else None,
        held_out=choice.held_out,
        dropped=sample.dropped,
        flags=flags,
        messages=messages,
        **more,
    )
