"""Axes that several plots have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import FixedLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def scale_percents(axes: Axes, *, linear: float) -> None:
    """Make the y axis one of percents off: logarithmic on both sides of a line at 0.

    Parameters
    ----------
    axes : `~matplotlib.axes.Axes`
        Whose axis it is.
    linear : float
        The percents below which it is linear.
    """
    axes.axhline(0, color="k", lw=0.8)
    axes.set_yscale("symlog", linthresh=linear, linscale=0.7)
    axes.yaxis.set_major_locator(FixedLocator([-100, -10, -1, 0, 1, 10, 100]))
    axes.yaxis.set_major_formatter("{x:g}")
