"""Stars on a lattice, for the tests of finders."""

import numpy as np

SIGMA = 1.3


def make_field(shape=(120, 150), noise=0.3, seed=7, y_shift=0.5):
    """Each star is shifted a little: (image, x, y).

    With shifts in y of less than half a pixel the order of rows stays.
    """
    rng = np.random.default_rng(seed)
    y, x = (
        grid.ravel() for grid in np.mgrid[15 : shape[0] - 9 : 25, 15 : shape[1] : 25]
    )
    x = x + rng.uniform(-0.5, 0.5, x.size)
    y = y + rng.uniform(-y_shift, y_shift, y.size)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    data = rng.normal(0.0, noise, shape)
    for x0, y0 in zip(x, y, strict=True):
        r2 = (xx - x0) ** 2 + (yy - y0) ** 2
        data += rng.uniform(40, 200) * np.exp(-r2 / (2 * SIGMA**2))
    return data, x, y
