"""ALLSTAR beside our joint fit: a crowded scene, from the same starts.

IRAF's `phot` and `psf` come before and are not timed; the PSF is made of lone, bright
stars of the scene's PSF with little noise. Of ALLSTAR's time that of starting the
CL and loading its packages is taken off. Without IRAF there are no rows.
Usage: python benches/python/iraf.py [n_stars]
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import scenes
from _timing import Row, median_seconds, print_rows
from astropy.io import fits
from astropy.table import QTable

from psfphot.psf import PSFPhotometry

PACKAGES = "noao\ndigiphot\ndaophot\nptools\n"
SETTINGS = f"""set imtype = "fits"
datapars.fwhmpsf = {scenes.FWHM}
datapars.sigma = 11
datapars.datamin = INDEF
datapars.datamax = INDEF
datapars.readnoise = {scenes.READ_NOISE}
datapars.epadu = 1
centerpars.calgorithm = "none"
fitskypars.salgorithm = "constant"
fitskypars.skyvalue = {scenes.SKY}
photpars.apertures = "3"
photpars.zmag = 25
daopars.function = "auto"
daopars.varorder = 0
daopars.psfrad = 10
daopars.fitrad = {scenes.FWHM}
daopars.flaterr = 0
daopars.proferr = 0
daopars.maxnstar = 50000
"""
PREPARE = """phot lone.fits coords=lone.coo output=lone.mag \
interactive- verify- verbose-
psf lone.fits photfile=lone.mag pstfile=lone.mag psfimage=psf.fits \
opstfile=out.pst \
groupfile=out.psg interactive- verify- verbose- showplots-
phot field.fits coords=field.coo output=field.mag interactive- verify- verbose-
"""
ALLSTAR = """allstar field.fits photfile=field.mag psfimage=psf.fits \
allstarfile=field.als \
rejfile=field.arj subimage=field.sub.fits verify- verbose-
"""
DUMP = "txdump field.als ID,XCENTER,YCENTER,MAG,MERR yes > field.txt\n"
MAX_SECONDS = 240


def cl(folder, commands):
    """Run commands of the CL; seconds."""
    own = os.environ | {"HOME": str(folder), "USER": "bench"}
    begin = time.perf_counter()
    subprocess.run(
        ["irafcl", "-c"],  # noqa: S607
        input=f"{PACKAGES}{SETTINGS}{commands}logout\n",
        cwd=folder,
        env=own,
        text=True,
        capture_output=True,
        timeout=MAX_SECONDS,
        check=True,
    )
    return time.perf_counter() - begin


def write(folder, name, data, x, y):
    fits.writeto(folder / f"{name}.fits", (data + scenes.SKY).astype("f4"))
    np.savetxt(folder / f"{name}.coo", np.column_stack([x, y]) + 1, fmt="%.4f")


def lone_stars(psf_model):
    """Make the bright stars that IRAF makes its PSF of."""
    y, x = np.mgrid[:5, :5] * 40.0 + 30
    rng = np.random.default_rng(0)
    stars = QTable()
    stars["x_0"], stars["y_0"] = (
        c.ravel() + rng.uniform(-0.5, 0.5, 25) for c in (x, y)
    )
    stars["flux"] = np.full(25, 1e5)
    # Without noise IRAF's fit of the PSF does not converge.
    noise = rng.normal(0, 3, (220, 220))
    return scenes.model_image((220, 220), psf_model, stars) + noise, stars


def allstar(scene):
    """ALLSTAR's seconds, and its fluxes and errors by star; NaN of the rejected."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        lone, stars = lone_stars(scene.psf_model)
        write(folder, "lone", lone, stars["x_0"], stars["y_0"])
        write(folder, "field", scene.data, scene.starts["x"], scene.starts["y"])
        cl(folder, PREPARE)
        seconds = cl(folder, ALLSTAR) - cl(folder, "")
        cl(folder, DUMP)
        lines = (folder / "field.txt").read_text(encoding="ascii").splitlines()
    table = QTable()
    table["flux_fit"] = np.full(len(scene.starts), np.nan)
    table["flux_err"] = np.nan
    for line in lines:
        number, *_, magnitude, error = line.split()
        if "INDEF" in (magnitude, error):
            continue
        flux = 10 ** (0.4 * (25 - float(magnitude)))
        table["flux_fit"][int(number) - 1] = flux
        table["flux_err"][int(number) - 1] = flux * float(error) * np.log(10) / 2.5
    return seconds, table


def accuracy(table, truth):
    """Pulls, and the scatter of the magnitudes."""
    pull, told = scenes.pulls(table, truth)
    # ALLSTAR's zero point is that of its aperture.
    ratio = np.asarray(table["flux_fit"] / truth["flux"])
    ratio = ratio[np.isfinite(ratio)] / np.nanmedian(ratio)
    low, high = np.percentile(ratio, [15.865, 84.135])
    return (
        f"{len(pull):,} fitted, scatter of the fluxes {50 * (high - low):.2f} %, "
        f"pulls {told['width']:.3f}, median {told['median']:+.2f}"
    )


def rows(n_stars=5000):
    if shutil.which("irafcl") is None:
        print("IRAF is not installed: no ALLSTAR to compare with")
        return
    scene = scenes.crowded(n_stars)
    task = f"joint fit beside ALLSTAR, {n_stars:,} on 2048^2"
    for n_threads in (1, 2):
        fit = PSFPhotometry(
            scene.psf_model, 7, group_warning_threshold=n_stars, n_threads=n_threads
        )
        table = fit(scene.data, error=scene.error, init_params=scene.starts)
        seconds = median_seconds(
            lambda fit=fit: fit(
                scene.data, error=scene.error, init_params=scene.starts
            ),
            3,
        )
        told = accuracy(table, scene.truth)
        yield Row(task, "psfphot", seconds, n_threads, n_stars, told)
    seconds, table = allstar(scene)
    told = accuracy(table, scene.truth)
    yield Row(task, "IRAF allstar", seconds, 1, n_stars, told)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print_rows(rows(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
