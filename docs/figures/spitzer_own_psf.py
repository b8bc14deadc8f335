"""The picture of docs/spitzer.md with the PSF of the mosaic's own stars.

Usage: python docs/figures/spitzer_own_psf.py IMAGE LIBRARY [PNG]

IMAGE is the mosaic, LIBRARY its PSF at 4 times the sampling: what it leaves, blurred
as docs/spitzer.md tells, is drawn beside what the PSF of the image's own stars leaves.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from psfphot.io import read_image, read_psf
from psfphot.pipeline import measure

DETAIL = slice(180, 340), slice(430, 630)
HERE = Path(__file__).parent


def residuals(image, library):
    """Fit with either PSF: titles, and the residuals in the image's unit."""
    blurred = read_psf(library, oversampling=4, blur_sigma=0.375)
    for name, psf in (
        ("the library's PSF, blurred", blurred),
        ("the PSF of the image's own stars", read_psf("image")),
    ):
        run = measure(image, psf)
        title = f"{name}\n{100 * run.bright_qfit:.1f} % left of the brightest tenth"
        print(title.replace("\n", ": "), run.exposure.psf.description, sep="\n  ")
        yield title, np.where(run.exposure.mask, np.nan, run.residual)


def draw(image, planes):
    """Draw the image and what is left of it, a detail."""
    figure = Figure(figsize=(14, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    shown = np.arcsinh((image.data - np.nanmedian(image.data)) / 5)
    span = np.nanpercentile(shown[DETAIL], (2, 99.9))
    axes[0].imshow(shown[DETAIL], origin="lower", cmap="gray", clim=span)
    axes[0].set_title("the mosaic, a detail")
    for axis, (title, plane) in zip(axes[1:], planes, strict=True):
        drawn = axis.imshow(
            plane[DETAIL],
            origin="lower",
            cmap="RdBu_r",
            clim=(-15, 15),
            interpolation="nearest",
        )
        axis.set_title(f"residual with {title}", fontsize=10)
    for axis in axes:
        axis.set_axis_off()
    figure.colorbar(drawn, ax=axes[2], label=str(image.unit))
    return figure


def main():
    """Fit, draw and write the picture."""
    image_path, library, *more = sys.argv[1:]
    path = more[0] if more else HERE.parent / "images" / "spitzer_own_psf.png"
    image = read_image(Path(image_path))
    draw(image, list(residuals(image, library))).savefig(path, dpi=75)


if __name__ == "__main__":
    main()
