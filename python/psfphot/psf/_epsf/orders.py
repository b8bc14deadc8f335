"""How a PSF may vary over the field: what is solved for, and the grid made of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import NDData

from psfphot.psf._epsf.held_out import is_better, measure_held_out
from psfphot.psf._epsf.solver import GridField, PolynomialField, Solution, solve
from psfphot.psf._models.gridded import GriddedPSFModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from psfphot.psf._epsf.sample import Sample
    from psfphot.psf._epsf.solver import Cutout

    Vector = NDArray[np.float64]

#: Without a library, and the deviation from one.
ORDERS = ("single", "linear", "quadratic", "nodes")
LIBRARY_ORDERS = ("library", "constant", "linear", "nodes")

# With fewer stars nothing is held out, and the PSF does not vary.
LEAST_TO_CHOOSE = 25

# Every fifth star is held out, and no more than these are looked at.
_EVERY, _MOST_HELD = 5, 300

# Nodes are tried where there are so many stars for each.
_PER_NODE = 4

_DEGREES = {"linear": 1, "quadratic": 2}


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be solved for.

    Attributes
    ----------
    orders : tuple of str
        The orders that are tried, the simplest first.
    nodes : (x, y)
        Columns and rows of the grid's nodes.
    low, high : (x, y)
        The corners of the field.
    library : PSF model or None
        What the PSF deviates from.
    options : dict
        For `solve`.
    """

    orders: tuple[str, ...]
    nodes: tuple[Vector, Vector]
    low: tuple[float, float]
    high: tuple[float, float]
    library: Any
    options: dict[str, Any]

    def solve(
        self, cutouts: Sequence[Cutout], order: str, **options: Any
    ) -> tuple[Solution, Any]:
        """Solve for an order; nodes deviate from what is linear.

        Returns
        -------
        Solution, GriddedPSFModel
            The solution, and the PSF.
        """
        told = {**self.options, **options}
        if order != "nodes":
            degree = _DEGREES.get(order)
            field = None if degree is None else self._polynomial(degree)
            solution = solve(cutouts, field=field, library=self.library, **told)
            return solution, self.make_model(solution, degree, self.library)
        base = self.library
        if base is None:
            _, base = self.solve(cutouts, "linear", **{**options, "with_error": False})
        # kappa is another thing where there is a library.
        told["kappa"] = None if self.library is None else told.get("kappa")
        x, y = self.nodes
        grid = GridField(x.tolist(), y.tolist())
        solution = solve(cutouts, field=grid, library=base, **told)
        return solution, self.make_model(solution, None, base)

    def _polynomial(self, degree: int) -> PolynomialField:
        center, scale = self._scaling()
        return PolynomialField(degree, center, scale)

    def _scaling(self) -> tuple[tuple[float, float], tuple[float, float]]:
        low, high = np.array(self.low), np.array(self.high)
        x, y = ((low + high) / 2).tolist()
        half_x, half_y = np.maximum((high - low) / 2, 1.0).tolist()
        return (x, y), (half_x, half_y)

    def make_model(
        self, solution: Solution, degree: int | None, base: Any
    ) -> GriddedPSFModel:
        """Make the grid of a solution, which may be the deviation from a base.

        Without a library each PSF sums to the product of the oversampling; with one
        the light within the images is the library's.
        """
        samples, positions = solution.samples, solution.positions
        if positions is None:
            positions = self._positions(degree)
            samples = self._evaluate(samples, positions, degree or 0)
        if base is not None:
            shape = samples.shape[1:]
            known = sample_psf(base, positions, shape, solution.oversampling)
            samples = samples + known
        light: Any = 1.0
        if self.library is not None:
            # The solver keeps the fluxes of stars, not the light of the images.
            light = known.sum(axis=(1, 2), keepdims=True)
            light /= np.prod(solution.oversampling)
        return make_grid(samples, positions, solution.oversampling, light=light)

    def _positions(self, degree: int | None) -> Vector:
        """Tell the nodes of a polynomial: one is enough for what does not vary."""
        is_varied = degree is not None or getattr(self.library, "grid_xypos", None)
        if is_varied is None:
            center, _ = self._scaling()
            return np.array([center])
        columns, rows = np.meshgrid(*self.nodes)
        return np.column_stack([columns.ravel(), rows.ravel()])

    def _evaluate(self, planes: Vector, positions: Vector, degree: int) -> Vector:
        """Make the PSFs at positions of the coefficients of polynomials."""
        center, scale = self._scaling()
        # Beyond the field that of its edge, as the solver has it.
        u, v = np.clip((positions - center) / scale, -1.0, 1.0).T
        terms = [u**i * v**j for j in range(degree + 1) for i in range(degree + 1 - j)]
        return np.tensordot(np.array(terms), planes, axes=(0, 0))


def sample_psf(
    psf: Any, positions: Vector, shape: tuple[int, int], oversampling: tuple[int, int]
) -> Vector:
    """Sample a PSF at positions of the field, (N, ny, nx)."""
    rows, columns = np.indices(shape, dtype=np.float64)
    y = (rows - (shape[0] - 1) / 2) / oversampling[0]
    x = (columns - (shape[1] - 1) / 2) / oversampling[1]
    return np.array(
        [
            np.asarray(psf.evaluate(x + x_0, y + y_0, 1.0, x_0, y_0, *shape_of(psf)))
            for x_0, y_0 in positions
        ]
    )


def shape_of(psf: Any) -> list[float]:
    """Tell the parameters of a PSF's shape, in the order of its own."""
    return [
        float(getattr(psf, name).value)
        for name in psf.param_names
        if name not in {"flux", "x_0", "y_0"}
    ]


def make_grid(
    samples: Vector,
    positions: Vector,
    oversampling: tuple[int, int],
    *,
    light: Any = 1.0,
) -> GriddedPSFModel:
    """Make a grid of PSFs, each of which holds this part of a star's light."""
    total = samples.sum(axis=(1, 2), keepdims=True)
    images = samples * (light * np.prod(oversampling) / total)
    meta = {"grid_xypos": positions, "oversampling": tuple(oversampling)}
    return GriddedPSFModel(NDData(images, meta=meta))


@dataclass(frozen=True, eq=False)
class Choice:
    """The order that was chosen, and why.

    Attributes
    ----------
    order : str
        The order.
    held_out : dict
        The mean chi-squared of the stars that were held out, by order.
    is_starved : bool
        Whether there were too few stars for a higher one.
    """

    order: str
    held_out: dict[str, float]
    is_starved: bool = False


def choose_order(sample: Sample, plan: Plan) -> Choice:
    """Choose an order by how well stars that had no part in it are fitted.

    From the simplest on, each order must be better than the one before by more than
    the scatter of the stars makes; the first that is not is the last to be tried.

    Parameters
    ----------
    sample : Sample
        The stars.
    plan : Plan
        The orders.
    """
    simplest = plan.orders[0]
    if len(plan.orders) == 1:
        return Choice(simplest, {})
    kept, held = sample.split(_EVERY)
    if len(sample.cutouts) < LEAST_TO_CHOOSE or not held:
        # With a library the least that can be asked is that it is moved as a whole.
        few = "constant" if "constant" in plan.orders else simplest
        return Choice(few, {}, is_starved=True)
    build = [sample.cutouts[k] for k in kept]
    judges = [sample.cutouts[k] for k in held[:_MOST_HELD]]
    trial = _Trial(plan, build, judges)
    n_nodes = math.prod(map(len, plan.nodes))
    best = simplest
    for order in plan.orders[1:]:
        if order == "nodes" and len(build) < _PER_NODE * n_nodes:
            return Choice(best, trial.means, is_starved=True)
        if not trial.is_better(order, best):
            break
        best = order
    return Choice(best, trial.means)


class _Trial:
    """Orders tried on some stars, and judged by others."""

    def __init__(self, plan: Plan, build: list[Cutout], judges: list[Cutout]) -> None:
        self.plan = plan
        self.build = build
        self.judges = judges
        self.models: dict[str, Any] = {}
        self.solutions: dict[str, Solution] = {}
        self.means: dict[str, float] = {}

    def is_better(self, order: str, best: str) -> bool:
        """Tell whether an order fits the judges better than the best so far."""
        for one in (best, order):
            if one not in self.models:
                self._solve(one)
        told = [self.solutions[one] for one in (order, best) if one in self.solutions]
        # The weights must be the same for both.
        model_error = min(one.model_error for one in told)
        found, before = (
            measure_held_out(
                self.models[one],
                self.judges,
                model_error=model_error,
                noise=told[0].noise,
            )
            for one in (order, best)
        )
        self.means[best] = float(np.nanmean(before))
        self.means[order] = float(np.nanmean(found))
        return is_better(found, before)

    def _solve(self, order: str) -> None:
        if order == "library":
            self.models[order] = self.plan.library
            return
        solution, model = self.plan.solve(self.build, order, with_error=False)
        self.models[order], self.solutions[order] = model, solution
        if self.plan.library is None:
            # The roughness is the same for all; it is searched for once.
            options = self.plan.options | {"kappa": solution.kappa}
            self.plan = replace(self.plan, options=options)
