"""Make ``iraf.npz``: a crowded field and the stars that IRAF's daofind finds.

IRAF has to be installed (on Debian: ``apt-get install iraf iraf-noao``)::

    python tests/data/golden_iraf.py

writes a crop of the field and its list.  With ``--compare`` it runs the whole
field of 2048 x 2048 pixels and 20,000 stars instead, and compares with psfphot.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

SHAPE = (2048, 2048)
CROP = np.s_[900:1156, 700:956]
N_STARS = 20_000
FWHM = 3.0
SKY, READ_NOISE = 100.0, 5.0
SIGMA = float(np.hypot(np.sqrt(SKY), READ_NOISE))

DATAPARS = {"fwhmpsf": FWHM, "sigma": round(SIGMA, 3), "scale": 1.0}
DATAPARS |= {"datamin": "INDEF", "datamax": "INDEF"}
FINDPARS = {"threshold": 4.0, "nsigma": 1.5, "ratio": 1.0, "theta": 0.0}
FINDPARS |= {"sharplo": 0.2, "sharphi": 1.0, "roundlo": -1.0, "roundhi": 1.0}
# Beyond the edges the image counts as 0, as in psfphot and photutils.
DAOFIND = {"boundary": "constant", "constant": 0.0}


def make_field():
    """Gaussians with fluxes from 160 to 32,000, Poisson and read-out noise.

    The sky is subtracted, and the counts are whole numbers.
    """
    rng = np.random.default_rng(20261)
    sigma = FWHM / (2 * np.sqrt(2 * np.log(2)))
    x, y = rng.uniform(0, SHAPE[1] - 1, N_STARS), rng.uniform(0, SHAPE[0] - 1, N_STARS)
    flux = 10 ** rng.uniform(2.2, 4.5, N_STARS)
    margin, half = 20, 9
    model = np.full([n + 2 * margin for n in SHAPE], SKY)
    dy, dx = np.mgrid[-half : half + 1, -half : half + 1]
    for x0, y0, f in zip(x, y, flux, strict=True):
        i, j = round(x0), round(y0)
        r2 = (dx + i - x0) ** 2 + (dy + j - y0) ** 2
        height = f / (2 * np.pi * sigma**2)
        box = np.s_[
            margin + j - half : margin + j + half + 1,
            margin + i - half : margin + i + half + 1,
        ]
        model[box] += height * np.exp(-r2 / (2 * sigma**2))
    model = model[margin:-margin, margin:-margin]
    data = rng.poisson(model) + rng.normal(0, READ_NOISE, SHAPE) - SKY
    return np.round(data).astype(np.int16)


def daofind(data):
    """IRAF's list: x, y (from 1), mag, sharpness, sround, ground; its version."""
    with tempfile.TemporaryDirectory() as directory:
        fits.writeto(Path(directory) / "field.fits", data.astype(np.float32))
        lines = ["noao", "digiphot", "apphot", "set imtype=fits"]
        lines += [f"datapars.{name}={value}" for name, value in DATAPARS.items()]
        lines += [f"findpars.{name}={value}" for name, value in FINDPARS.items()]
        lines.append(
            'daofind ("field.fits", output="stars.coo", starmap="", skymap="", '
            f'boundary="{DAOFIND["boundary"]}", constant={DAOFIND["constant"]}, '
            "interactive=no, verify=no, update=no, verbose=no)"
        )
        lines.append("logout")
        environment = os.environ | {"HOME": directory, "USER": "iraf"}
        subprocess.run(
            ["irafcl"],  # noqa: S607
            input="\n".join(lines) + "\n",
            cwd=directory,
            env=environment,
            text=True,
            check=True,
            capture_output=True,
        )
        text = (Path(directory) / "stars.coo").read_text()
        version = re.search(r"#K IRAF\s+= (\S+)", text)[1]
        return np.loadtxt(text.splitlines(), comments="#")[:, :6], version


def compare(data, stars):
    """Print how many of IRAF's stars are found, and how many others."""
    from psfphot.detection import DAOStarFinder  # noqa: PLC0415

    threshold = FINDPARS["threshold"] * DATAPARS["sigma"]
    table = DAOStarFinder(threshold, FWHM, min_separation=0)(data)
    ours = np.column_stack([table["x_centroid"], table["y_centroid"]]) + 1
    near = np.array([np.hypot(*(ours - star[:2]).T).min() < 0.05 for star in stars])
    far = np.array([np.hypot(*(stars[:, :2] - star).T).min() >= 0.05 for star in ours])
    sys.stdout.write(
        f"IRAF {len(stars)}, psfphot {len(ours)}; found {100 * near.mean():.2f} %, "
        f"others {100 * far.sum() / len(stars):.2f} %\n"
    )


def main():
    """Write ``iraf.npz`` next to this script, or compare."""
    field = make_field()
    if "--compare" in sys.argv:
        compare(field, daofind(field)[0])
        return
    data = np.ascontiguousarray(field[CROP])
    stars, version = daofind(data)
    call = {"iraf": version, "datapars": DATAPARS, "findpars": FINDPARS}
    path = Path(__file__).parent / "iraf.npz"
    np.savez_compressed(
        path,
        call=json.dumps(call | {"daofind": DAOFIND}),
        data=data,
        stars=stars.astype(np.float32),
    )
    sys.stdout.write(f"IRAF {version}: {len(stars)} stars\n")


if __name__ == "__main__":
    main()
