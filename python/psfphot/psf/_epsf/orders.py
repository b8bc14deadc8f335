"""How a PSF may vary over the field: what is solved for, and the grid made of it."""

from __future__ import annotations

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
            return solution, self.make_model(solution, degree)
        base = self.library
        if base is None:
            _, base = self.solve(cutouts, "linear", **options, with_error=False)
        # kappa is another thing where there is a library.
        told["kappa"] = None if self.library is None else told.get("kappa")
        x, y = self.nodes
        grid = GridField(x.tolist(), y.tolist())
        solution = solve(cutouts, field=grid, library=base, **told)
        return solution, self.make_model(solution, None)

    def _polynomial(self, degree: int) -> PolynomialField:
        center, scale = self._scaling()
        return PolynomialField(degree, center, scale)

    def _scaling(self) -> tuple[tuple[float, float], tuple[float, float]]:
        low, high = np.array(self.low), np.array(self.high)
        x, y = ((low + high) / 2).tolist()
        half_x, half_y = np.maximum((high - low) / 2, 1.0).tolist()
        return (x, y), (half_x, half_y)

    def make_model(self, solution: Solution, degree: int | None) -> GriddedPSFModel:
        """Make the grid of a solution: each of its PSFs sums to the oversampling."""
        samples, positions = solution.samples, solution.positions
        if positions is None:
            x, y = self.nodes
            if degree is None:
                center, _ = self._scaling()
                positions = np.array([center])
            else:
                columns, rows = np.meshgrid(x, y)
                positions = np.column_stack([columns.ravel(), rows.ravel()])
                samples = self._evaluate(samples, positions, degree)
        return make_grid(samples, positions, solution.oversampling)

    def _evaluate(self, planes: Vector, positions: Vector, degree: int) -> Vector:
        """Make the PSFs at positions of the coefficients of polynomials."""
        center, scale = self._scaling()
        u, v = ((positions - center) / scale).T
        terms = [u**i * v**j for j in range(degree + 1) for i in range(degree + 1 - j)]
        return np.tensordot(np.array(terms), planes, axes=(0, 0))


def make_grid(
    samples: Vector,
    positions: Vector,
    oversampling: tuple[int, int],
    *,
    light: float = 1.0,
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
    """

    order: str
    held_out: dict[str, float]


def choose_order(sample: Sample, plan: Plan) -> Choice:
    """Choose an order by how well stars that had no part in it are fitted.

    From the simplest on, each order must be better than the best one before by more
    than the scatter of the stars makes.

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
        return Choice(few, {})
    build = [sample.cutouts[k] for k in kept]
    judges = [sample.cutouts[k] for k in held[:_MOST_HELD]]
    models: dict[str, Any] = {}
    errors: list[float] = []
    noise = None
    told = plan
    for order in plan.orders:
        if order == "library":
            models[order] = plan.library
            continue
        solution, models[order] = told.solve(build, order, with_error=False)
        errors.append(solution.model_error)
        noise = noise or solution.noise
        if plan.library is None:
            # The roughness is the same for all; it is searched for once.
            told = replace(plan, options=plan.options | {"kappa": solution.kappa})
    told_by = {
        order: measure_held_out(model, judges, model_error=min(errors), noise=noise)
        for order, model in models.items()
    }
    best = simplest
    for order in plan.orders[1:]:
        if is_better(told_by[order], told_by[best]):
            best = order
    return Choice(best, {k: float(np.nanmean(v)) for k, v in told_by.items()})
