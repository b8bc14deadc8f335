"""Pulls of crowded fields whose faint stars cannot be found, by the pipeline.

Five of each of the scenes of ``tests/frames/floor.py`` and, with the path of the frame
as argument, stars injected into fields of WFPC2's NGC 1261 in F336W with the PSF of
``tests/data/wfpc2_psf.npz``, as it is and 1 and 2 % wider, fitted without robust
weights. With the noise that the frame has, and with 0.35 counts, which a median
deviation makes of it: see docs/algorithms.md.
Against the brightest star of each row within 0.7 px, and with the light of unmatched
stars within half of a full width at half maximum; in the frame also of stars with none
of its own within a pixel.
Usage: python benches/python/confusion.py [WFPC2 FRAME]
"""

import sys
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import vstack

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from frames.floor import FWHM, crowd, measured
from frames.score import brightest_near, nearest, robust_width, values

from psfphot import _core
from psfphot.io import Psf, measure_fwhm, read_psf
from psfphot.pipeline import Settings
from psfphot.psf import PSF_FLAGS, ImagePSF
from psfphot.psf._models.convert import to_core

ROOT = Path(__file__).parents[2]
BINS = (60, 200, 600, 2000, np.inf)
#: Of WFPC2's PC at ATODGAIN 15: electrons in a count, and the noise of read-out and
#: rounding: the standard deviation about the mean of the other 48 of 7 x 7 pixels where
#: that is least (0.555 in 5 % of the frame, 0.559 in 10 %) without the sky's photons.
GAIN, NOISE = 14.0, 0.55
#: Less than it is: what a median deviation makes of counts that were rounded.
TOO_LITTLE = 0.35
#: Fields of so many pixels to a side where it is not vignetted, by column and row of
#: such fields, and the distance of injected stars.
FIRST, SIDE, LATTICE = 90, 175, 22.0
FIELDS = ((0, 0), (2, 1), (1, 2), (3, 3), (1, 0), (3, 1), (0, 2), (2, 3))
#: The distance of fields, and which crowds are made.
FAR = 2000.0
CROWDS = range(7, 12)
#: How often others are injected: 392 stars at a time.
SEEDS = range(1, 6)


def grade(table, flux, stars, bins=BINS, known=None):
    """One line of pulls, by flux; ``known`` are stars of the frame itself."""
    rows = np.column_stack([values(table, "x_fit"), values(table, "y_fit")])
    fitted, error = values(table, "flux_fit"), values(table, "flux_err")
    to_star, _ = nearest(rows, stars)
    brightest, distance, row = brightest_near(stars, rows, flux, 0.7)
    hidden = np.zeros(len(rows))
    taken = np.zeros(len(stars), dtype=bool)
    taken[brightest[brightest >= 0]] = True
    near = ~taken & (distance < FWHM / 2)
    np.add.at(hidden, row[near], flux[near])
    truth = np.where(brightest >= 0, flux[brightest], 0)
    has = np.isfinite(error) & (truth > bins[0])
    # Beyond a factor 2 the row is another star's, of a real frame.
    has &= (fitted < 2 * truth) & (fitted > truth / 2)
    pull = (fitted - truth)[has] / error[has]
    whole = (fitted - truth - hidden)[has] / error[has]
    flagged = np.asarray(table["flags"])[has] & PSF_FLAGS.UNMODELLED_COMPANION > 0
    parts = [(truth[has] >= low) & (truth[has] < high) for low, high in pairwise(bins)]
    by_flux = ", ".join(f"{robust_width(pull[part]):.2f}" for part in parts)
    medians = ", ".join(f"{np.median(pull[part]):+.2f}" for part in parts)
    beyond = {
        "beyond 3": pull,
        "with hidden light": whole,
        "unflagged": pull[~flagged],
    }
    if known is not None:
        apart, _ = nearest(stars[brightest[has]], known)
        beyond["no star of the frame within a pixel"] = pull[apart > 1]
    said = ", ".join(f"{k} {np.mean(abs(p) > 3):.1%}" for k, p in beyond.items())
    print(
        f"  {len(pull)} of {len(rows)} rows, pulls {by_flux} (medians {medians}); "
        f"{said} ({flagged.mean():.1%} flagged); "
        f"no star within a pixel: {np.mean(to_star > 1):.2%}",
        flush=True,
    )


def crowds():
    for label, has_floor, width in (
        ("9,000 stars", False, 1.0),
        ("with 35,000 below", True, 1.0),
        ("9,000 stars, 1 % wider than the PSF", False, 1.01),
        ("9,000 stars, 2 % wider than the PSF", False, 1.02),
    ):
        fields = []
        for k, seed in enumerate(CROWDS):
            scene = crowd(has_floor=has_floor, width=width, seed=seed)
            found = measured(scene.data, scene.error, read_psf(f"gaussian:{FWHM}"))
            print(f"{label}: {found.confusion}, sky {found.sky.level:.4f}")
            stars = np.column_stack([scene.x, scene.y])
            fields.append(apart(k, found.catalog, scene.flux, stars))
        grade(*together(fields))


def injected(frame, stretch, noise):
    """Stars in fields of a real frame, with a PSF wider than that of the fit.

    Together, and apart by whether the PSF was found to be right for a field's stars.
    """
    samples = np.load(ROOT / "tests/data/wfpc2_psf.npz")["psf"].astype(float)
    model = ImagePSF(samples, oversampling=4)
    psf = Psf(model, "EPSFBuilder", measure_fwhm(model))
    # The samples of a wider PSF are those of this one, farther apart.
    at = (np.arange(len(samples)) - len(samples) // 2) / stretch / 4
    columns, rows = np.meshgrid(at, at)
    wide = ImagePSF(
        model.evaluate(columns, rows, 1.0, 0.0, 0.0) / stretch**2, oversampling=4
    )
    fields, factors, own = {"right": [], "off": []}, [], {}
    for k, (seed, field) in enumerate(product(SEEDS, FIELDS)):
        column, row = (FIRST + SIDE * part for part in field)
        light = frame[row : row + SIDE, column : column + SIDE]
        x, y, flux, data = inject(light, wide, seed=len(FIELDS) * seed + k)
        error = np.sqrt(noise**2 + np.maximum(data, 0) / GAIN)
        found = measured(data, error, psf, Settings(robust=False))
        if field not in own:
            error = np.sqrt(noise**2 + np.maximum(light, 0) / GAIN)
            own[field] = measured(light, error, psf, Settings(robust=False)).catalog
        found_to_be = "off" if found.confusion.profile_error else "right"
        known = np.column_stack([values(own[field], f"{axis}_fit") for axis in "xy"])
        stars = np.column_stack([x, y])
        fields[found_to_be].append(apart(k, found.catalog, flux, stars, known))
        factors.append(found.confusion.factor)
    factors = np.percentile(factors, (0, 50, 100)).round(2)
    print(f"injected, stretched by {stretch}, noise {noise:.2f}: factors {factors}")
    fields["either"] = fields["right"] + fields["off"]
    for label, some in fields.items():
        if some:
            print(f" {len(some)} fields whose own stars find the PSF {label}")
            table, flux, stars, known = together(some)
            bins = (20, 60, 200, 1000, np.inf)
            grade(table, flux, stars, bins, known=known)


def apart(k, catalog, flux, *places):
    """Put the k-th field far from the others: its rows, fluxes, and places."""
    table = catalog["x_fit", "y_fit", "flux_fit", "flux_err", "flags"].copy()
    table["x_fit"] += FAR * k
    return (table, flux, *(np.add(one, (FAR * k, 0.0)) for one in places))


def together(fields):
    """Make one of fields that are apart."""
    tables, *arrays = zip(*fields, strict=True)
    table = vstack(list(tables), metadata_conflicts="silent")
    return (table, *(np.concatenate(each) for each in arrays))


def inject(light, model, seed):
    """Add stars on a lattice to an image; returns x, y, flux and the image."""
    rng = np.random.default_rng(seed)
    side = np.arange(20, light.shape[0] - 20, LATTICE)
    x, y = (plane.ravel() for plane in np.meshgrid(side, side))
    x, y = x + rng.uniform(-0.5, 0.5, x.size), y + rng.uniform(-0.5, 0.5, y.size)
    flux = np.exp(rng.uniform(np.log(20), np.log(5000), x.size))
    stars = np.zeros(light.shape)
    _core.render_sources(stars, to_core(model), x, y, flux)
    return x, y, flux, light + rng.poisson(np.maximum(stars, 0) * GAIN) / GAIN


def main():
    crowds()
    for path in sys.argv[1:]:
        frame = np.asarray(fits.getdata(path, 1), float)
        injected(frame, 1.0, TOO_LITTLE)
        for stretch in (1.0, 1.01, 1.02):
            injected(frame, stretch, NOISE)


if __name__ == "__main__":
    main()
