"""The least errors that fits can have (Cramér-Rao), independently of the package.

J^T W J at the true parameters, with the true variances and the pixels of the fits, a
pixel of two boxes once; J by central differences of the PSF. Of psfphot only the
PSF's values are used, not its derivatives, systems or solvers.
"""

import numpy as np
from scipy.sparse import csc_matrix, diags
from scipy.sparse.linalg import splu
from trials import box_pixels

NAMES = ("x", "y", "flux")
OWN = {"x": "x_0", "y": "y_0", "flux": "flux"}


def information(psf, truth, starts, variance, box, *, reach=8, has_sky=False):
    """Compute J^T W J; the parameters of a star follow one another.

    With ``has_sky`` each star, far from all others, has a constant of its own too.
    """
    n, shape = len(truth), variance.shape
    is_fitted = np.zeros(shape, dtype=bool)
    x, y = (
        np.clip(c, 0, m - 1)
        for c, m in zip(box_pixels(starts, box), shape[::-1], strict=True)
    )
    is_fitted[y, x] = True
    wide_x, wide_y = box_pixels(truth, 2 * reach + 1)
    inside = (wide_x >= 0) & (wide_y >= 0) & (wide_x < shape[1]) & (wide_y < shape[0])
    inside[inside] = is_fitted[wide_y[inside], wide_x[inside]]
    slopes = [slope(psf, truth, wide_x, wide_y, name) for name in NAMES]
    if has_sky:
        slopes.append(np.ones_like(slopes[0]))
    pixel = (wide_y * shape[1] + wide_x)[inside]
    star = np.broadcast_to(np.arange(n)[:, None], inside.shape)[inside]
    rows = np.tile(pixel, len(slopes))
    columns = np.concatenate([len(slopes) * star + k for k in range(len(slopes))])
    values = np.concatenate([each[inside] for each in slopes])
    jacobian = csc_matrix(
        (values, (rows, columns)), shape=(variance.size, len(slopes) * n)
    )
    return (jacobian.T @ diags(1 / variance.ravel()) @ jacobian).tocsc()


def slope(psf, truth, x, y, name):
    """The derivative of the stars' light by one parameter."""
    true = {OWN[c]: np.asarray(truth[c], dtype=float)[:, None] for c in NAMES}
    true |= {n: getattr(psf, n).value for n in psf.param_names if n not in true}
    own = OWN[name]
    step = 1e-4 * np.maximum(1, true[own]) if name == "flux" else 1e-4
    low, high = (
        psf.evaluate(
            x * 1.0,
            y * 1.0,
            *((true | {own: true[own] + sign * step})[n] for n in psf.param_names),
        )
        for sign in (-1, 1)
    )
    return (high - low) / (2 * step)


def of_groups(matrix, size):
    """Covariances of groups of ``size`` parameters that have nothing in common."""
    n = matrix.shape[0] // size
    blocks = np.zeros((n, size, size))
    coordinates = matrix.tocoo()
    group, other = coordinates.row // size, coordinates.col // size
    if np.any(coordinates.data[group != other]):
        raise ValueError("the groups are not independent")
    blocks[group, coordinates.row % size, coordinates.col % size] = coordinates.data
    return np.linalg.inv(blocks)


def of_some(matrix, parameters):
    """Errors of some parameters of one large system."""
    solver = splu(matrix)
    errors = np.empty(len(parameters))
    for begin in range(0, len(parameters), 100):
        some = parameters[begin : begin + 100]
        sides = np.zeros((matrix.shape[0], len(some)))
        sides[some, np.arange(len(some))] = 1
        solution = solver.solve(sides)
        errors[begin : begin + 100] = np.sqrt(solution[some, np.arange(len(some))])
    return errors
