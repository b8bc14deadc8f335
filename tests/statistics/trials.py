"""Many stars on one image, and what can be known of them at best."""

from typing import NamedTuple

import numpy as np
from astropy.table import QTable, vstack

from psfphot.datasets import make_model_image

NAMES = {"x": "x_0", "y": "y_0", "flux": "flux"}


class Scene(NamedTuple):
    """Noiseless stars over a flat sky, and where the fits start."""

    psf: object
    truth: QTable
    starts: QTable
    image: np.ndarray
    # Of each pixel: that of the photons.
    variance: np.ndarray

    def poisson(self, rng):
        """Draw an image of photons, minus the mean sky."""
        return rng.poisson(self.variance) - (self.variance - self.image)


def make_scene(psf, flux, sky, *, n_side=50, offset=None, seed=0):
    """Put ``n_side**2`` stars, or pairs, at random phases, far from one another.

    The second star of a pair is ``offset`` pixels away at a random angle; its flux
    may be another than the first's.
    """
    rng = np.random.default_rng(seed)
    spacing, n = 26, n_side**2
    places = (np.arange(n_side) + 0.5) * spacing
    centres = np.array([c.ravel() for c in np.meshgrid(places, places)])
    first = centres + rng.uniform(-0.5, 0.5, (2, n))
    stars = [first]
    if offset is not None:
        angle = rng.uniform(0, 2 * np.pi, n)
        stars.append(first + offset * np.array([np.cos(angle), np.sin(angle)]))
    tables = [
        QTable({"x": x, "y": y, "flux": np.full(n, float(light)), "group_id": k})
        for (x, y), light in zip(stars, np.broadcast_to(flux, len(stars)), strict=True)
        for k in [np.arange(n) + 1]
    ]
    truth = vstack(tables)
    truth.sort("group_id", kind="stable")
    starts = truth.copy()
    starts["x"] += rng.uniform(-0.2, 0.2, len(truth))
    starts["y"] += rng.uniform(-0.2, 0.2, len(truth))
    starts["flux"] *= rng.uniform(0.8, 1.2, len(truth))
    image = make_model_image(
        (n_side * spacing,) * 2,
        psf,
        truth,
        model_shape=(25, 25),
        params_map={v: k for k, v in NAMES.items()},
    )
    return Scene(psf, truth, starts, image, image + sky)


def box_pixels(starts, size):
    """Return x and y of the pixels of square fit boxes, a row for each star."""
    step = np.arange(size)
    x0, y0 = (np.ceil(np.asarray(starts[c]) - size / 2).astype(int) for c in "xy")
    x = x0[:, None, None] + step
    y = y0[:, None, None] + step[:, None]
    shape = (len(starts), size, size)
    return [np.broadcast_to(c, shape).reshape(len(starts), -1) for c in (x, y)]


def cramer_rao(scene, size, names=("x", "y", "flux")):
    """Compute the least errors that isolated stars can have.

    They come of J^T W J at the true parameters, with the true variances and the
    pixels of the fits; J by central differences.
    """
    x, y = box_pixels(scene.starts, size)
    weight = 1 / scene.variance[y, x]
    model = scene.psf
    true = {n: np.asarray(scene.truth[c])[:, None] for c, n in NAMES.items()}
    true |= {n: getattr(model, n).value for n in model.param_names if n not in true}
    jacobian = []
    for name in names:
        own = NAMES.get(name, name)
        step = 1e-4 * np.maximum(1, true[own])
        low, high = (
            model.evaluate(
                x * 1.0,
                y * 1.0,
                *((true | {own: true[own] + s * step})[n] for n in model.param_names),
            )
            for s in (-1, 1)
        )
        jacobian.append((high - low) / (2 * step))
    fisher = np.einsum("asp,bsp,sp->sab", jacobian, jacobian, weight)
    variance = np.diagonal(np.linalg.inv(fisher), axis1=1, axis2=2)
    return dict(zip(names, np.sqrt(variance).T, strict=True))


def width(values):
    """Half the range from 16 to 84 %: 1 for a standard normal distribution."""
    low, high = np.percentile(values, [15.865, 84.135])
    return (high - low) / 2


def pulls_of(fit, scene, n_draws):
    """Fit drawn images: (fit - true) / quoted error and that error, by name."""
    rng = np.random.default_rng(6)
    error = np.sqrt(scene.variance)
    pulls = {name: [] for name in ("x", "y", "flux")}
    errors = {name: [] for name in pulls}
    for _ in range(n_draws):
        table = fit(scene.poisson(rng), error=error, init_params=scene.starts)
        for name, drawn in pulls.items():
            offset = table[f"{name}_fit"] - scene.truth[name]
            drawn.append(np.asarray(offset / table[f"{name}_err"]))
            errors[name].append(np.asarray(table[f"{name}_err"]))
    return pulls, errors
