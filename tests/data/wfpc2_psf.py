"""Build the PSF of a WFPC2 frame of NGC 1261 by photutils' EPSFBuilder.

Usage: python wfpc2_psf.py wfpc2_ngc1261_f336w.fits, in an environment with photutils
3.1.1; writes wfpc2_psf.npz beside this script: ``psf``, 4 x oversampled, with a sum of
16. The frame is one exposure of HST/WFPC2's PC in F336W, public at MAST.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.nddata import NDData
from astropy.table import Table
from photutils.background import Background2D, MedianBackground
from photutils.detection import DAOStarFinder
from photutils.psf import EPSFBuilder, extract_stars

#: The part of the frame that is not vignetted, and what is full.
INSIDE, FULL = slice(90, 790), 3000.0
OVERSAMPLING, SIDE, N_STARS = 4, 17, 120


def main(path):
    """Build and write the PSF."""
    data = np.asarray(fits.getdata(path, 1), dtype=float)[INSIDE, INSIDE]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sky = Background2D(data, 50, bkg_estimator=MedianBackground())
        data = data - sky.background
        noise = float(np.median(sky.background_rms))
        found = DAOStarFinder(threshold=10 * noise, fwhm=1.8)(data)
        x, y = (np.asarray(found[f"{axis}_centroid"]) for axis in "xy")
        chosen = select(data, x, y, np.asarray(found["peak"]))
        stars = extract_stars(
            NDData(data), Table({"x": x[chosen], "y": y[chosen]}), size=SIDE
        )
        builder = EPSFBuilder(
            oversampling=OVERSAMPLING, maxiters=10, progress_bar=False
        )
        result = builder(stars)
    psf = np.asarray(result[0].data, dtype=float)
    psf *= OVERSAMPLING**2 / psf.sum()
    np.savez_compressed(Path(__file__).parent / "wfpc2_psf.npz", psf=psf.astype("f4"))


def select(data, x, y, peak):
    """Choose bright stars without bright neighbours that are no cosmic rays."""
    half = SIDE // 2
    chosen = []
    for k in np.argsort(-peak):
        i, j = round(y[k]), round(x[k])
        inside = min(i, j, data.shape[0] - 1 - i, data.shape[1] - 1 - j) > half + 1
        apart = np.hypot(x - x[k], y - y[k])
        is_alone = not np.any((apart > 0) & (apart < half) & (peak > 0.1 * peak[k]))
        if not inside or not is_alone or peak[k] > FULL:
            continue
        # The four beside the brightest hold much of a star, little of a ray.
        beside = data[[i - 1, i + 1, i, i], [j, j, j - 1, j + 1]]
        if np.sort(beside)[1] < 0.15 * peak[k]:
            continue
        chosen.append(k)
        if len(chosen) == N_STARS:
            break
    return np.array(chosen)


if __name__ == "__main__":
    main(sys.argv[1])
