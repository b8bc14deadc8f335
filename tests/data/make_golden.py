"""Make the golden data of this directory with photutils and scipy.

Everything here is synthetic: a formula for the PSFs (``golden_models.py``),
numpy's random numbers for stars and noise, and the answers of photutils 3.1.1
and scipy to compare with.  Run it with photutils 3.1.1 and scipy::

    python tests/data/make_golden.py

``README.md`` says what each file holds; ``iraf.npz`` has a script of its own.
photutils' fits run with the fitter's tolerances near rounding, because its
defaults stop early; how far that is, in error bars, is printed for every case,
and a fit that ends elsewhere from another start is an error.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import golden_detection
import golden_flags
import golden_images
import golden_mesh
import golden_models
import golden_photometry
import golden_stages
import golden_stdpsf

TARGET = "3.1.1"


def main():
    """Write all files next to this script."""
    directory = Path(__file__).parent
    for package in ("photutils", "astropy", "scipy", "numpy"):
        sys.stdout.write(f"{package} {version(package)}\n")
    if version("photutils") != TARGET:
        raise SystemExit(f"the golden data are photutils {TARGET}'s")

    golden_models.write_grid(directory / "grid_3x3_samp4.fits")
    golden_models.grid_read_golden(directory)
    golden_stdpsf.stdpsf_golden(directory)
    golden_models.spline_golden(directory)
    golden_models.analytic_golden(directory)
    golden_models.params_golden(directory)
    golden_images.images_golden(directory)

    image = golden_photometry.simulate(directory)
    found = golden_photometry.finder_golden(directory, image)
    golden_detection.detection_golden(directory, image)
    golden_photometry.photometry_golden(directory, image, found)
    golden_photometry.background_golden(directory, image)
    golden_flags.flags_golden(directory)
    golden_stages.stages_golden(directory, image)
    golden_mesh.mesh_golden(directory)

    for path in sorted(directory.glob("*.*")):
        if path.suffix in {".npz", ".txt", ".fits"}:
            sys.stdout.write(f"{path.name:22s} {path.stat().st_size / 1e3:8.1f} kB\n")


if __name__ == "__main__":
    main()
