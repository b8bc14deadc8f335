"""Simulated images: the time and the memory of the seed's call, and many stars.

2048 x 2048 pixels; 500 stars in the 101 x 101 pixels of their ePSFs, and 20,000
stars in 25 x 25. Beside photutils where it is installed, in one run; medians.

Usage: python benches/python/rendering.py [grid.fits]

The grid is one that the package simulates, or the STPSF file that is given,
read in the order of its header, as photutils 3.1 reads it.
"""

import os
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from _timing import (
    Row,
    forget_peak,
    grid_as_nddata,
    median_seconds,
    megabytes,
    memory,
    photutils,
    print_machine,
    print_rows,
)
from astropy.nddata import NDData

from psfphot.datasets import make_model_image, make_model_params, make_nircam_psf_grid
from psfphot.psf import CircularGaussianPRF, GriddedPSFModel, make_psf_model_image

SHAPE = (2048, 2048)
SEED = {"n_sources": 500, "flux": (500, 20_000), "min_separation": 25, "seed": 0}
MANY = {"n_sources": 20_000, "flux": (500, 20_000), "min_separation": 2, "seed": 0}
BOX = 25


def read(path):
    if path is None:
        return make_nircam_psf_grid(16, fov_pixels=101, seed=0)
    return GriddedPSFModel.read(path, grid_order="header")


def cases(simulate, render, model, many):
    """The three calls, by what they are."""
    _, few = make_psf_model_image(SHAPE, model, **SEED)
    return {
        "make_psf_model_image, 500 stars": lambda **k: simulate(
            SHAPE, model, **SEED, **k
        ),
        "make_model_image, 500 stars": lambda **k: render(SHAPE, model, few, **k),
        f"make_model_image, 20,000 stars, {BOX} x {BOX}": lambda **k: render(
            SHAPE, model, many, model_shape=BOX, **k
        ),
    }


def rows(model=None):
    model = read(None) if model is None else model
    many = make_model_params(SHAPE, **MANY)
    psf, version = photutils("psf")
    others = {}
    if psf is not None:
        datasets, _ = photutils("datasets")
        theirs = psf.GriddedPSFModel(grid_as_nddata(model))
        others = cases(
            psf.make_psf_model_image, datasets.make_model_image, theirs, many
        )
    ours = cases(make_psf_model_image, make_model_image, model, many)
    for name, call in ours.items():
        call()
        for n_threads in (1, 2):
            seconds = median_seconds(partial(call, n_threads=n_threads), 9)
            yield Row(name, "psfphot", seconds, n_threads)
        if name in others:
            yield Row(name, f"photutils {version}", median_seconds(others[name], 1))


def measure_memory(path):
    """Print the memory of one simulation, in a process with nothing else."""
    with np.load(path) as file:
        meta = {"grid_xypos": file["positions"], "oversampling": file["oversampling"]}
        model = GriddedPSFModel(NDData(file["data"], meta=meta))
    # What is imported or allocated once.
    make_psf_model_image((9, 9), CircularGaussianPRF(), 1, n_threads=2)
    forget_peak()
    begin = memory("VmRSS")
    model(0.0, 0.0)
    coefficients = memory("VmRSS") - begin
    data, _ = make_psf_model_image(SHAPE, model, **SEED, n_threads=2)
    peak = memory("VmHWM") - begin
    image = megabytes(data)
    print(
        f"memory of the seed's call: {peak:.0f} MB at the most, of which the image "
        f"{image:.0f}, the splines {coefficients:.0f}, the rest "
        f"{peak - image - coefficients:.0f}"
    )


def main():
    if sys.argv[1:2] == ["--memory"]:
        measure_memory(sys.argv[2])
        return
    model = read(sys.argv[1] if len(sys.argv) > 1 else None)
    print_machine(f"{model.data.shape} ePSFs of {model.data.dtype}")
    print_rows(rows(model))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "grid.npz"
        np.savez(
            path,
            data=model.data,
            positions=model.grid_xypos,
            oversampling=model.oversampling,
        )
        command = [sys.executable, __file__, "--memory", str(path)]
        # Freed memory goes back to the system at once: glibc would keep some.
        own = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
        subprocess.run(command, check=True, env=own)  # noqa: S603  (this file)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
