"""Builds ePSFs of stars whose PSF is known, beside photutils' EPSFBuilder.

For each class and number of stars: the error of the PSF in its core (r < 2.5
pixels) and wing (2.5 to 8), in thousandths of its peak, after shift and scale; the
bias of positions (thousandths of a pixel) and fluxes (per cent) over the phases of
the pixel; and the processor's time.

    python benches/python/epsf.py [--classes nircam under] [--numbers 50 200]
        [--seeds 1 2] [--defect neighbour|cosmic] [--offset 0.4] [--photutils]
        [--dithers]
"""

import argparse
import warnings

import numpy as np
from _timing import timed
from epsf_fields import CLASSES, READ_NOISE, SKY, make_stars, value
from scipy.interpolate import RectBivariateSpline

from psfphot.psf._epsf.solver import Cutout, solve

OVERSAMPLING = 4
DITHERS = [(0.0, 0.0), (0.48, 0.03), (-0.02, 0.51), (0.52, 0.47)]


class Sampled:
    """An oversampled PSF between its samples."""

    def __init__(self, samples):
        ny, nx = samples.shape
        y, x = ((np.arange(n) - (n - 1) / 2) / OVERSAMPLING for n in (ny, nx))
        self.spline = RectBivariateSpline(y, x, samples)

    def at(self, x, y, dx=0, dy=0):
        return self.spline(y, x, dx=dy, dy=dx)


def shape_errors(psf, truth, place):
    """Core and wing error, thousandths of the peak."""
    axis = np.arange(-32, 33) / 4
    radius = np.hypot(*np.meshgrid(axis, axis))
    true = value(truth, axis, axis, place)
    inside = radius < 8
    dx = dy = 0.0
    for _ in range(4):
        planes = [psf.at(axis + dx, axis + dy, *by) for by in ((0, 0), (1, 0), (0, 1))]
        design = np.array([plane[inside] for plane in planes]).T
        solution, *_ = np.linalg.lstsq(design, true[inside], rcond=None)
        dx, dy = dx + solution[1] / solution[0], dy + solution[2] / solution[0]
    error = sum(s * plane for s, plane in zip(solution, planes, strict=True)) - true
    core, wing = radius < 2.5, inside & (radius >= 2.5)
    return [1e3 * np.sqrt(np.mean(error[of] ** 2)) / true.max() for of in (core, wing)]


def fit_star(psf, data, variance, *start):
    """Flux and position in 5 x 5 pixels, by Gauss-Newton from x, y and flux."""
    x, y, flux = start
    for _ in range(12):
        i, j = round(y) - 2, round(x) - 2
        px, py = np.arange(j, j + 5) - x, np.arange(i, i + 5) - y
        planes = [
            psf.at(px, py),
            -flux * psf.at(px, py, dx=1),
            -flux * psf.at(px, py, dy=1),
        ]
        design = np.array([plane.ravel() for plane in planes]).T
        weight = 1 / np.sqrt(variance[i : i + 5, j : j + 5].ravel())
        residual = (data[i : i + 5, j : j + 5] - flux * planes[0]).ravel()
        step, *_ = np.linalg.lstsq(
            design * weight[:, None], residual * weight, rcond=None
        )
        flux, x, y = flux + step[0], x + step[1], y + step[2]
        if max(abs(step[1]), abs(step[2])) < 1e-6:
            break
    inverse = np.linalg.inv((design * weight[:, None]).T @ (design * weight[:, None]))
    chi2 = np.sum((residual * weight) ** 2) / (25 - 3)
    return flux, x, y, np.sqrt(np.diag(inverse)), chi2


def phase_errors(psf, truth, place, n=8, flux=5e4):
    """Rms bias of positions (mpx) and fluxes (%) over the phases of the pixel."""
    pixels = np.arange(15)
    biases = []
    for v in (np.arange(n) + 0.5) / n - 0.5:
        for u in (np.arange(n) + 0.5) / n - 0.5:
            x, y = 7 + u, 7 + v
            data = flux * value(truth, pixels - x, pixels - y, place)
            variance = np.maximum(data, 0) + SKY + READ_NOISE**2
            fitted = fit_star(psf, data, variance, x, y, flux)
            biases.append((fitted[1] - x, fitted[2] - y, fitted[0] / flux))
    biases = np.array(biases)
    biases[:, 2] /= biases[:, 2].mean()
    x, y, f = biases.std(axis=0)
    return 1e3 * np.hypot(x, y) / np.sqrt(2), 100 * f


def held_out(psf, truth, seed):
    """Pulls of 600 stars, and the reduced chi-squared of the bright ones."""
    stars = make_stars(truth, 600, seed + 7000)
    pulls, chi2 = [], []
    for k in range(600):
        true = stars.flux[k] * value(
            truth, np.arange(25) - stars.true_x[k], np.arange(25) - stars.true_y[k]
        )
        variance = np.maximum(true, 0) + SKY + READ_NOISE**2
        start = (stars.x[k], stars.y[k], stars.flux[k])
        flux, x, y, errors, reduced = fit_star(psf, stars.data[k], variance, *start)
        values = [x - stars.true_x[k], y - stars.true_y[k], flux / stars.flux[k]]
        pulls.append([*values, errors[1], errors[2], errors[0] / stars.flux[k]])
        if stars.flux[k] > 8e4:
            chi2.append(reduced)
    pulls = np.array(pulls)
    # The flux zero and the centre are the PSF's own.
    pulls[:, :3] -= np.median(pulls[:, :3], axis=0)
    return (pulls[:, :3] / pulls[:, 3:]).std(axis=0), np.mean(chi2)


def with_psfphot(stars, *, is_linked=False, **settings):
    columns = (stars.data, stars.error, stars.x, stars.y, stars.star)
    cutouts = [
        Cutout(data=d, x=x, y=y, error=e, link=int(star) if is_linked else None)
        for d, e, x, y, star in zip(*columns, strict=True)
    ]
    solution, _, seconds = timed(
        lambda: solve(cutouts, oversampling=OVERSAMPLING, n_threads=1, **settings)
    )
    told = (
        f"kappa {solution.kappa:g} eps {solution.model_error:.4f} knots "
        f"{solution.knots_per_pixel} fwhm {solution.fwhm:.2f} "
        f"rounds {solution.n_rounds} cg {solution.n_cg}"
    )
    if not solution.converged:
        told += " NOT CONVERGED"
    return Sampled(solution.samples[0]), seconds, told


def with_photutils(stars):
    from astropy.nddata import NDData  # noqa: F401, PLC0415
    from photutils.psf import EPSFBuilder, EPSFStar, EPSFStars  # noqa: PLC0415

    made = [
        EPSFStar(d, weights=1 / e, cutout_center=(x, y))
        for d, e, x, y in zip(stars.data, stars.error, stars.x, stars.y, strict=True)
    ]
    builder = EPSFBuilder(oversampling=OVERSAMPLING, progress_bar=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result, _, seconds = timed(lambda: builder(EPSFStars(made)))
    told = "" if result.converged else "not converged"
    return Sampled(result.epsf.data), seconds, told


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", nargs="+", default=list(CLASSES))
    parser.add_argument("--numbers", nargs="+", type=int, default=[50, 200])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--defect", choices=["neighbour", "cosmic"])
    parser.add_argument("--offset", type=float, default=0.05)
    parser.add_argument("--kappa", type=float)
    parser.add_argument("--knots", type=int)
    parser.add_argument("--cutoff", type=float)
    parser.add_argument("--no-error", action="store_true", help="without the error map")
    parser.add_argument("--pulls", action="store_true", help="fit 600 other stars")
    parser.add_argument("--photutils", action="store_true", help="run EPSFBuilder too")
    parser.add_argument(
        "--dithers",
        action="store_true",
        help="4 cutouts of each star, half a pixel apart; linked, and as if each were "
        "a star",
    )
    options = parser.parse_args()
    settings = {
        "kappa": options.kappa,
        "knots_per_pixel": options.knots,
        "cutoff": options.cutoff,
        "with_error": not options.no_error,
    }
    builders = {"psfphot": lambda stars: with_psfphot(stars, **settings)}
    if options.dithers:
        builders["linked"] = lambda stars: with_psfphot(
            stars, is_linked=True, **settings
        )
    if options.photutils:
        builders["EPSFBuilder"] = with_photutils
    print("class     N    builder      core   wing   xy mpx flux %  CPU s")
    for name in options.classes:
        truth = CLASSES[name]
        for n in options.numbers:
            for builder, build in builders.items():
                rows, told = [], ""
                for seed in options.seeds:
                    stars = make_stars(
                        truth,
                        n,
                        seed,
                        offset=options.offset,
                        defect=options.defect,
                        dithers=DITHERS if options.dithers else DITHERS[:1],
                    )
                    psf, seconds, told = build(stars)
                    place = (0.0, 0.0)
                    row = [
                        *shape_errors(psf, truth, place),
                        *phase_errors(psf, truth, place),
                    ]
                    rows.append([*row, seconds])
                    if options.pulls:
                        pulls, chi2 = held_out(psf, truth, seed)
                        told += f" pulls {np.round(pulls, 2)} bright chi2 {chi2:.3f}"
                mean = np.mean(rows, axis=0)
                numbers = " ".join(f"{v:6.3f}" for v in mean)
                print(f"{name:8} {n:4}  {builder:12} {numbers}  {told}", flush=True)


if __name__ == "__main__":
    main()
