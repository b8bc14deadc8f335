"""ePSFs that vary over the frame: accuracy of polynomials, nodes and a mended library.

The truth is a grid of 4 x 4 PSFs, blended bilinearly. For each number of stars and
each way: mean and worst error of the core (thousandths of the peak) and the mean
bias of positions (mpx) and fluxes (%) over the phases of the pixel, at 9 places.

    python benches/python/epsf_grid.py [--numbers 50 400] [--speed 5000]
"""

import argparse

import numpy as np
from _timing import forget_peak, memory, timed
from astropy.nddata import NDData
from epsf import OVERSAMPLING, Sampled, phase_errors, shape_errors
from epsf_fields import Diffraction, make_stars

from psfphot.psf import GriddedPSFModel, PolynomialPSFModel
from psfphot.psf._epsf.solver import Cutout, GridField, PolynomialField, solve

HALF = 512
NODES = np.linspace(0, 2 * HALF, 4)
DEGREES = {"poly 1": 1, "poly 2": 2}
PLACES = [(u, v) for v in (-0.7, 0.1, 0.6) for u in (-0.6, 0.2, 0.8)]


def truth_grid(waves, drift):
    """PSFs at 4 x 4 nodes, x fastest."""
    psf = Diffraction(0.53, 0.3, waves=waves, is_segmented=True, drift=drift)
    places = [(u, v) for v in np.linspace(-1, 1, 4) for u in np.linspace(-1, 1, 4)]
    return [Fixed(psf, place) for place in places]


class Fixed:
    """The PSF of one place."""

    def __init__(self, psf, place):
        self.psf, self.place = psf, place

    def at(self, x, y, place=None):  # noqa: ARG002
        return self.psf.at(x, y, self.place)


def cutouts_of(stars):
    made = []
    for k in range(len(stars.flux)):
        origin = np.round(HALF * (1 + stars.places[k])) - 12
        made.append(
            Cutout(
                data=stars.data[k],
                x=stars.x[k],
                y=stars.y[k],
                error=stars.error[k],
                origin=tuple(origin),
            )
        )
    return made


def polynomial(degree):
    return PolynomialField(degree, (HALF, HALF), (HALF, HALF))


def polynomial_model(solution):
    return PolynomialPSFModel(
        solution.samples, (HALF, HALF), (HALF, HALF), oversampling=OVERSAMPLING
    )


def sampled_model(model):
    """The samples of a model at a place in -1..1."""
    axis = np.arange(-50, 51) / OVERSAMPLING

    def at(place):
        x, y = (HALF * (1 + p) for p in place)
        px, py = np.meshgrid(x + axis, y + axis)
        return model.evaluate(px, py, 1.0, x, y)

    return at


def polynomial_samples(solution, degree):
    def at(place):
        powers = [
            place[0] ** i * place[1] ** j
            for j in range(degree + 1)
            for i in range(degree + 1 - j)
        ]
        return sum(p * s for p, s in zip(powers, solution.samples, strict=True))

    return at


def ways(stars, library):
    """Names and what gives the samples at a place."""
    cutouts = cutouts_of(stars)
    single = solve(cutouts, with_error=False)
    yield "single", lambda _: single.samples[0]
    for name, degree in DEGREES.items():
        found = solve(cutouts, field=polynomial(degree), with_error=False)
        yield name, polynomial_samples(found, degree)
        if degree == 1:
            first = polynomial_samples(found, 1)
            model = polynomial_model(found)
    nodes = GridField(NODES, NODES)
    around = solve(cutouts, field=nodes, library=model, with_error=False)
    yield "4 x 4 around poly 1", lambda place: first(place) + blend(around, place)
    known = sampled_model(library)
    yield "library", known
    mended = solve(cutouts, field=polynomial(1), library=library, with_error=False)
    change = polynomial_samples(mended, 1)
    yield "library + poly 1", lambda place: known(place) + change(place)
    noded = solve(cutouts, field=nodes, library=library, with_error=False)
    yield "library + 4 x 4", lambda place: known(place) + blend(noded, place)


def blend(solution, place):
    weights = node_weights(place)
    return sum(w * solution.samples[k] for k, w in weights)


def node_weights(place):
    """Numbers and bilinear weights of the 4 x 4 nodes."""
    column, row = ((p + 1) / 2 * 3 for p in place)
    return [
        (4 * j + i, max(0, 1 - abs(column - i)) * max(0, 1 - abs(row - j)))
        for j in range(4)
        for i in range(4)
    ]


def library_of(grid):
    axis = np.arange(-64, 65) / OVERSAMPLING
    data = np.array([psf.at(axis, axis) for psf in grid])
    positions = [(x, y) for y in NODES for x in NODES]
    meta = {"grid_xypos": positions, "oversampling": OVERSAMPLING}
    return GriddedPSFModel(NDData(data, meta=meta))


def speed(n):
    truth = truth_grid(0.09, (0.3, 0.3))
    stars = make_stars(truth, 500, 1, varies=True)
    cutouts = (cutouts_of(stars) * -(-n // 500))[:n]
    forget_peak()
    before = memory("VmRSS")

    def both():
        first = solve(cutouts, field=polynomial(1), kappa=1, with_error=False)
        found = solve(
            cutouts,
            field=GridField(NODES, NODES),
            library=polynomial_model(first),
            kappa=1,
            with_error=False,
        )
        return first, found

    (first, found), wall, cpu = timed(both)
    print(f"{n} stars, linear then 4 x 4 nodes: {wall:.1f} s, {cpu:.1f} s of CPU")
    print(f"memory {before:.0f} MB before, {memory('VmHWM'):.0f} MB at the most")
    print(f"rounds {first.n_rounds}, {found.n_rounds}, cg {first.n_cg}, {found.n_cg}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--numbers", nargs="*", type=int, default=[50, 400])
    parser.add_argument("--speed", type=int)
    options = parser.parse_args()
    truth = truth_grid(0.09, (0.3, 0.3))
    library = library_of(truth_grid(0.11, (0.2, 0.4)))
    for n in options.numbers:
        stars = make_stars(truth, n, 1, varies=True)
        for name, samples in ways(stars, library):
            rows = []
            for place in PLACES:
                psf = Sampled(samples(place))
                core, _ = shape_errors(psf, truth, place)
                rows.append([core, *phase_errors(psf, truth, place, n=4)])
            core, xy, flux = np.transpose(rows)
            print(
                f"{n:4} {name:20} {core.mean():6.2f} {core.max():6.2f} "
                f"{xy.mean():6.2f} {flux.mean():6.3f}",
                flush=True,
            )
    if options.speed:
        speed(options.speed)


if __name__ == "__main__":
    main()
