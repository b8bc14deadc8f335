"""Rows on the page: what is told under the pointer, and diagrams of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure

from psfphot.psf import decode_psf_flags

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

#: Rings of rows without a flag, and with one.
_CLEAN, _FLAGGED = "#2f9e44", "#d6336c"

#: More rows than these make the page slow; the brightest are shown.
_MOST_ROWS = 20_000


def rows_of(catalog: QTable) -> ColumnDataSource:
    """Collect what the page tells of each row; of very many, of the brightest."""
    flux, error = values(catalog, "flux_fit"), values(catalog, "flux_err")
    flags = np.asarray(catalog["flags"])
    order = np.argsort(-np.nan_to_num(flux, nan=-np.inf), kind="stable")[:_MOST_ROWS]
    names = decode_psf_flags(flags.tolist())
    magnitude = values(catalog, "mag") if "mag" in catalog.colnames else None
    with np.errstate(divide="ignore", invalid="ignore"):
        snr = flux / error
        brightness = -2.5 * np.log10(flux) if magnitude is None else magnitude
        relative = 2.5 / np.log(10) * error / flux
    columns: dict[str, Any] = {
        "id": np.asarray(catalog["id"]),
        "x": values(catalog, "x_fit"),
        "y": values(catalog, "y_fit"),
        "snr": snr,
        "magnitude": brightness,
        "magnitude_error": np.where(relative > 0, relative, np.nan),
        "qfit": values(catalog, "qfit"),
        "position_error": values(catalog, "x_err"),
        "flags_text": np.array([", ".join(words) or "none" for words in names]),
        "flux_text": _texts(flux, error),
        "mag_text": (
            np.full(len(flux), "unknown")
            if magnitude is None
            else _texts(magnitude, relative)
        ),
        "color": np.where(flags == 0, _CLEAN, _FLAGGED),
    }
    return ColumnDataSource({name: column[order] for name, column in columns.items()})


def values(catalog: QTable, name: str) -> NDArray[np.float64]:
    """Return the numbers of a column, without its unit; masked ones are NaN."""
    column = catalog[name]
    plain = np.ma.filled(
        np.ma.asarray(getattr(column, "value", column)).astype(float), np.nan
    )
    return np.asarray(plain, dtype=float)


def draw_diagrams(rows: ColumnDataSource, *, has_magnitudes: bool) -> list[Any]:
    """Draw errors and the quality of the fits against brightness."""
    label = "magnitude" if has_magnitudes else "-2.5 log10 flux"
    return [
        _diagram(rows, label, "magnitude_error", "error of the magnitude"),
        _diagram(rows, label, "position_error", "error of x (pixels)"),
        _diagram(rows, label, "qfit", "qfit: sum of |residual| over flux"),
        _histogram(rows, label),
    ]


def _diagram(rows: ColumnDataSource, label: str, column: str, title: str) -> Any:
    drawn = figure(
        title=title,
        y_axis_type="log",
        sizing_mode="stretch_width",
        height=320,
        tools="pan,wheel_zoom,box_zoom,reset",
    )
    drawn.scatter(
        "magnitude",
        column,
        source=rows,
        size=4,
        color="color",
        alpha=0.5,
        line_color=None,
    )
    drawn.add_tools(HoverTool(tooltips=[("id", "@id"), ("flags", "@flags_text")]))
    drawn.xaxis.axis_label = label
    return drawn


def _histogram(rows: ColumnDataSource, label: str) -> Any:
    drawn = figure(
        title="rows by brightness",
        sizing_mode="stretch_width",
        height=320,
        tools="pan,wheel_zoom,box_zoom,reset",
    )
    magnitude = np.asarray(rows.data["magnitude"])
    magnitude = magnitude[np.isfinite(magnitude)]
    if magnitude.size:
        counts, edges = np.histogram(magnitude, bins="auto")
        drawn.quad(
            top=counts,
            bottom=0,
            left=edges[:-1],
            right=edges[1:],
            color=_CLEAN,
            alpha=0.6,
        )
    drawn.xaxis.axis_label = label
    return drawn


def _texts(value: NDArray[Any], error: NDArray[Any]) -> NDArray[Any]:
    """Write values with their errors."""
    pairs = zip(value, error, strict=True)
    return np.array([f"{number:.5g} ± {err:.2g}" for number, err in pairs])
