"""Pairs closer than their PSF is wide: errors that are true as long as they are small.

Where the least error of the separation is a small part of it, the model is as good as
linear over the errors, and pulls must have a width of one. Closer pairs are not two
stars to these data, and no error of theirs is Gaussian.
"""

import numpy as np
from trials import make_scene

from psfphot.psf import CircularGaussianPRF, PSFPhotometry

from .least_errors import information, of_groups
from .rows import compare

FWHM, SIZE, SKY = 3.0, 7, 100
SEPARATIONS = (0.5, 0.75, 1.0, 1.5, 2.0)
BRIGHTER = 50_000
RATIOS = (1, 10)
#: The least error of the separation, in separations, up to which errors are held to
#: be true, and what the width of pulls may then be.
RESOLVED = 0.05
WIDTHS = (0.93, 1.07)


def rows(n_side):
    """Fit ``n_side**2`` pairs of each separation and ratio of fluxes."""
    for ratio in RATIOS:
        for separation in SEPARATIONS:
            yield from of_kind(separation, ratio, n_side)


def of_kind(separation, ratio, n_side):
    psf = CircularGaussianPRF(fwhm=FWHM)
    distance = separation * FWHM
    scene = make_scene(
        psf, (BRIGHTER, BRIGHTER / ratio), SKY, n_side=n_side, offset=distance
    )
    matrix = information(psf, scene.truth, scene.starts, scene.variance, SIZE)
    covariance = of_groups(matrix, 6)
    least = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)).reshape(-1, 2, 3)
    part = np.median(separation_error(scene, covariance)) / distance
    table = PSFPhotometry(psf, SIZE)(
        scene.poisson(np.random.default_rng(1)),
        error=np.sqrt(scene.variance),
        init_params=scene.starts,
    )
    name = f"pairs, {ratio}:1, {separation:g} FWHM"
    note = f"separation known to {100 * part:.2g} %"
    note += "" if part < RESOLVED else ": not resolved"
    for what, names in (("flux", ["flux"]), ("position", ["x", "y"])):
        columns = [["x", "y", "flux"].index(n) for n in names]
        offsets = np.stack([table[f"{n}_fit"] - scene.truth[n] for n in names], axis=-1)
        quoted = np.stack([table[f"{n}_err"] for n in names], axis=-1)
        yield compare(
            name,
            what,
            offsets,
            quoted,
            least[..., columns].reshape(quoted.shape),
            note=note,
        )


def separation_error(scene, covariance):
    """The least error of the distance of the two stars of each pair."""
    x, y = (np.asarray(scene.truth[c]).reshape(-1, 2) for c in "xy")
    along = np.stack([x[:, 1] - x[:, 0], y[:, 1] - y[:, 0]], axis=-1)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    zero = np.zeros((len(x), 1))
    direction = np.concatenate([-along, zero, along, zero], axis=-1)
    return np.sqrt(np.einsum("pa,pab,pb->p", direction, covariance, direction))


def is_resolved(row):
    return not row.note.endswith("not resolved")
