"""The figure of a test of artificial stars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from psfphot._axes import scale_percents
from psfphot._validate import values_of
from psfphot.completeness._statistics import bin_edges, pull_of

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


_STARS, _BINS, _CURVE, _FALSE = "0.6", "tab:blue", "k", "tab:red"

#: Cells of the map, along the longer side: no more, and so many stars in each.
_CELLS, _STARS_OF_CELL = 8, 200


def draw_results(results: Any, bins: Any) -> Figure:
    """Draw completeness, residuals, errors and the map.

    Parameters
    ----------
    results : `ArtificialStarResults`
        The test.
    bins : int or 1D array_like
        Bins of magnitude.
    """
    figure = Figure(figsize=(12, 9), layout="constrained")
    FigureCanvasAgg(figure)
    edges = bin_edges(results.table["mag_in"], bins)
    (top_left, top_right), (low_left, low_right) = figure.subplots(2, 2)
    _draw_completeness(top_left, results, edges)
    _draw_residuals(top_right, results, edges)
    _draw_errors(low_left, results, edges)
    _draw_map(figure, low_right, results)
    return figure


def _draw_completeness(axis: Axes, results: Any, edges: NDArray[np.float64]) -> None:
    table = results.completeness(edges)
    centre, half = _centres(table)
    share = np.asarray(table["completeness"])
    known = np.isfinite(share)
    axis.errorbar(
        centre[known], share[known],
        [
            (share - table["lower"])[known].clip(0),
            (table["upper"] - share)[known].clip(0),
        ],
        half[known], fmt="o", ms=4, color=_BINS, label="recovered",
    )  # fmt: skip
    try:
        curve = results.fit_completeness()
    except ValueError:
        # All or none were recovered.
        pass
    else:
        magnitude = np.linspace(edges[0], edges[-1], 300)
        said = f"m50 = {curve.m50:.3f} ± {curve.m50_err:.3f},\nwidth {curve.width:.2f}"
        axis.plot(magnitude, curve(magnitude), color=_CURVE, lw=1, label=said)
    if results.noise_table is not None:
        false = results.false_rate(edges)
        rate = np.asarray(false["false_rate"])
        axis.plot(centre, rate, "s--", ms=4, color=_FALSE, label="false rows")
    axis.axhline(results.chance_rate, color="0.7", lw=0.8, ls=":", label="by chance")
    axis.set(
        xlabel="input magnitude", ylabel="share", ylim=(-0.03, 1.05),
        title=f"completeness, {len(results.table)} artificial stars",
    )  # fmt: skip
    axis.legend(frameon=False, loc="center left")


def _draw_residuals(axis: Axes, results: Any, edges: NDArray[np.float64]) -> None:
    table = results.table[np.asarray(results.table["recovered"])]
    flux = values_of(table["flux_in"])
    off = 100 * (values_of(table["flux_fit"]) / flux - 1)
    axis.plot(
        values_of(table["mag_in"]), off, ".", ms=2, mew=0, color=_STARS,
        rasterized=True,
    )  # fmt: skip
    bins = results.residuals(edges)
    centre, half = _centres(bins)
    median = values_of(bins["flux"])
    bias, scatter = (
        100 * values_of(bins[name]) / median for name in ("bias", "scatter")
    )
    axis.errorbar(
        centre, bias, scatter, half, fmt="o", ms=4, color=_BINS,
        label="median and 68 %",
    )  # fmt: skip
    scale_percents(axis, linear=2)
    axis.set(
        xlabel="input magnitude", ylabel="measured / input flux - 1 (%)",
        ylim=(-110, 110), title="fluxes of the stars recovered",
    )  # fmt: skip
    axis.legend(frameon=False, loc="upper left")


def _draw_errors(axis: Axes, results: Any, edges: NDArray[np.float64]) -> None:
    if "flux_err" not in results.table.colnames:
        axis.set_axis_off()
        axis.text(0.5, 0.5, "the photometry has no errors", ha="center")
        return
    bins = results.error_calibration(edges)
    centre, _ = _centres(bins)
    axis.plot(centre, bins["width"], "o-", ms=4, color=_BINS, label="68 %: width")
    axis.plot(centre, bins["width_95"], "^--", ms=4, color="tab:orange", label="95 %")
    axis.plot(
        centre, (bins["x_width"] + bins["y_width"]) / 2, "v:", ms=4,
        color="tab:green", label="x and y, 68 %",
    )  # fmt: skip
    axis.axhline(1, color="k", lw=0.8)
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, 0.5), max(high, 2))
    axis.yaxis.set_major_locator(FixedLocator([0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50]))
    axis.yaxis.set_minor_locator(FixedLocator([]))
    axis.yaxis.set_major_formatter("{x:g}")
    pull = pull_of(results.table, "flux")[np.asarray(results.table["recovered"])]
    beyond = 100 * np.mean(np.abs(pull[np.isfinite(pull)]) > 5)  # noqa: PLR2004
    axis.set(
        xlabel="input magnitude", ylabel="width of (measured - input) / error",
        title=f"errors; {beyond:.1f} % of the fluxes are off by more than 5",
    )  # fmt: skip
    axis.legend(frameon=False)


def _draw_map(figure: Figure, axis: Axes, results: Any) -> None:
    ny, nx = results.settings["shape"]
    side = np.sqrt(_STARS_OF_CELL * ny * nx / max(len(results.table), 1))
    scale = 1 / max(side, max(ny, nx) / _CELLS)
    cells = max(1, round(ny * scale)), max(1, round(nx * scale))
    made = results.map(cells)
    image = axis.imshow(
        made.completeness, origin="lower", vmin=0, vmax=1, cmap="viridis",
        extent=(made.x_edges[0], made.x_edges[-1], made.y_edges[0], made.y_edges[-1]),
    )  # fmt: skip
    figure.colorbar(image, ax=axis, label="share recovered, all magnitudes")
    axis.set(xlabel="x (pixels)", ylabel="y (pixels)", title="over the frame")


def _centres(
    table: QTable,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = np.asarray(table["low"]), np.asarray(table["high"])
    return (low + high) / 2, (high - low) / 2
