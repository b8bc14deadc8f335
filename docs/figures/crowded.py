"""The picture at the head of the README: a crowded field, and what the fits leave.

Usage: python docs/figures/crowded.py [PNG]
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from psfphot.datasets import make_nircam_psf_grid
from psfphot.detection import MatchedFilterFinder
from psfphot.psf import IterativePSFPhotometry, OverlapGrouper, make_psf_model_image

SIDE, N_STARS, SKY = 320, 700, 100.0
HERE = Path(__file__).parent


def observe():
    """Simulate a field with more stars than anybody would like."""
    psf_model = make_nircam_psf_grid(16, fov_pixels=51, seed=0)
    stars, truth = make_psf_model_image(
        (SIDE, SIDE), psf_model, N_STARS, flux=(300, 60_000), min_separation=0, seed=4
    )
    error = np.sqrt(stars + SKY + 25.0)
    data = stars + np.random.default_rng(4).normal(0, error)
    return psf_model, data, error, truth


def draw(data, error, photometry, found):
    """Draw the image, its model, and the residual in units of the errors."""
    model = photometry.make_model_image(data.shape)
    figure = Figure(figsize=(12, 4.3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    titles = (
        f"image, {N_STARS} stars",
        f"model, {len(found)} stars found and fitted together",
        "residual / error, -5 to 5",
    )
    for axis, plane, title in zip(
        axes, (data, model, (data - model) / error), titles, strict=True
    ):
        is_residual = title.startswith("residual")
        shown = plane if is_residual else np.arcsinh(plane / 30)
        low, high = (-5, 5) if is_residual else (-0.5, np.arcsinh(3000 / 30))
        axis.imshow(
            shown,
            origin="lower",
            cmap="RdBu_r" if is_residual else "gray",
            vmin=low,
            vmax=high,
            interpolation="nearest",
        )
        axis.set_title(title)
        axis.set_axis_off()
    return figure


def main():
    """Simulate, fit and draw."""
    path = sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "images" / "crowded.png"
    psf_model, data, error, _ = observe()
    photometry = IterativePSFPhotometry(
        psf_model,
        (7, 7),
        finder=MatchedFilterFinder(psf_model, n_sigma=5),
        grouper=OverlapGrouper(),
        aperture_radius=3,
        mode="all",
        maxiters=5,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = photometry(data, error=error)
    draw(data, error, photometry, found).savefig(path, dpi=100)


if __name__ == "__main__":
    main()
