"""A simulated field, and what was found against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from psfphot._axes import scale_percents
from psfphot.plotting._residual import draw_triptych

if TYPE_CHECKING:
    from astropy import units as u
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from psfphot.io import Sky
    from psfphot.pipeline import Recovery

_OTHERS, _ALONE = "tab:orange", "tab:blue"


def plot_recovery(
    data: NDArray[Any],
    model: NDArray[Any],
    sky: Sky,
    recovery: Recovery,
    *,
    error: NDArray[Any] | None = None,
    unit: u.UnitBase | None = None,
) -> Figure:
    """Draw image, model and residual, and below them the recovery.

    Parameters
    ----------
    data, model, sky, error, unit
        As for `plot_residual`.
    recovery : `~psfphot.pipeline.Recovery`
        The catalogue against the truth.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
    """
    figure = Figure(figsize=(14, 12.8), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.add_gridspec(2, 1, height_ratios=(2.1, 1))
    above, below = (figure.add_subfigure(row) for row in (rows[0], rows[1]))
    draw_triptych(above, data, model, sky, error=error, unit=unit)
    completeness, fluxes, pulls = below.subplots(1, 3)
    _draw_completeness(completeness, recovery)
    _draw_fluxes(fluxes, recovery)
    _draw_pulls(pulls, recovery)
    return figure


def _draw_completeness(axis: Axes, recovery: Recovery) -> None:
    edges = np.arange(np.floor(recovery.true_magnitude.min()), 27, 0.5)
    every, _ = np.histogram(recovery.true_magnitude, edges)
    found, _ = np.histogram(recovery.true_magnitude[recovery.found], edges)
    axis.stairs(every, edges, fill=True, color="0.85", label="true stars")
    axis.stairs(found, edges, fill=True, color="tab:blue", alpha=0.5, label="found")
    axis.set(xlabel="true magnitude", ylabel="stars", title="completeness")
    axis.legend(loc="center left", frameon=False)
    share = axis.twinx()
    centres = (edges[1:] + edges[:-1])[every > 0] / 2
    share.plot(centres, 100 * found[every > 0] / every[every > 0], "k.-")
    share.set(ylabel="found (%), black line", ylim=(0, 105))


def _draw_fluxes(axis: Axes, recovery: Recovery) -> None:
    offset, alone = 100 * recovery.flux_offset, recovery.alone
    for chosen, colour, label in (
        (alone, _ALONE, "alone"),
        (~alone, _OTHERS, "in a group or flagged"),
    ):
        axis.plot(
            recovery.magnitude[chosen], offset[chosen], ".",
            color=colour, ms=3, alpha=0.5, mew=0, label=label, rasterized=True,
        )  # fmt: skip
    scale_percents(axis, linear=1)
    axis.set(
        xlabel="true magnitude", ylabel="fitted / true flux - 1 (%)", title="fluxes",
        ylim=(-100, 300),
    )  # fmt: skip
    axis.legend(loc="upper left", frameon=False, markerscale=4)


def _draw_pulls(axis: Axes, recovery: Recovery) -> None:
    edges = np.linspace(-5, 5, 51)
    alone = recovery.alone
    position = np.concatenate([recovery.x_pull[alone], recovery.y_pull[alone]])
    for values, colour, label in (
        (recovery.flux_pull, "0.6", "flux, all"),
        (recovery.flux_pull[alone], "tab:blue", "flux, alone"),
        (position, "tab:orange", "x and y, alone"),
    ):
        inside = values[np.abs(values) < edges[-1]]
        weights = np.full(len(inside), 1 / max(len(values), 1) / (edges[1] - edges[0]))
        axis.hist(
            inside, edges.tolist(), weights=weights, histtype="step", color=colour,
            lw=1.6, label=label,
        )  # fmt: skip
    x = np.linspace(-5, 5, 201)
    axis.plot(
        x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), "k--", lw=1, label="unit Gaussian"
    )
    axis.set_ylim(0, 0.55)
    axis.set(xlabel="(fitted - true) / quoted error", ylabel="share", title="errors")
    axis.legend(loc="upper left", frameon=False)
