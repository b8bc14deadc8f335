"""Figures of an image, its model and what is left; needs matplotlib.

Figures are made without ``matplotlib.pyplot``: nothing pops up, no backend is
chosen, and nothing is kept after the figure is gone.
"""

from psfphot.plotting._psf import plot_psf
from psfphot.plotting._residual import plot_residual, save_figure

__all__ = ["plot_psf", "plot_residual", "save_figure"]
