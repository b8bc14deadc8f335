"""From the mesh of a background to its value at each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from psfphot import _core
from psfphot._repr import make_repr
from psfphot._validate import as_count, as_scalar, values_of

if TYPE_CHECKING:
    from astropy.units import Quantity
    from numpy.typing import NDArray

MODES = ("reflect", "mirror", "constant", "nearest", "wrap")

HIGHEST_ORDER = 5

# Nodes that scipy adds at each side before it filters a mesh that goes on with
# its outer values.
PADDING = 12


class BkgZoomInterpolator:
    """A spline through the mesh, as `scipy.ndimage.zoom` makes it.

    The nodes are the centres of the boxes (``grid_mode``). scipy is not needed.

    Parameters
    ----------
    order : int, optional
        The order of the spline, 0 to 5.
    mode : {'reflect', 'mirror', 'constant', 'nearest', 'wrap'}, optional
        How the mesh goes on beyond its edges, in scipy's words.
    cval : float, optional
        The value beyond the outer nodes if ``mode='constant'``.
    clip : bool, optional
        Whether to hold the result within the range of the mesh.

    Raises
    ------
    TypeError
        If a number is none.
    ValueError
        If order or mode is none of these.
    """

    _parameters: ClassVar = ("order", "mode", "cval", "clip")

    def __init__(
        self,
        *,
        order: int = 3,
        mode: str = "reflect",
        cval: float = 0.0,
        clip: bool = True,
    ) -> None:
        if as_count(order, "order") > HIGHEST_ORDER:
            msg = f"order must be <= {HIGHEST_ORDER}, got {order}"
            raise ValueError(msg)
        if mode not in MODES:
            msg = f"mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}"
            raise ValueError(msg)
        self.order = order
        self.mode = mode
        self.cval = as_scalar(cval, "cval")
        self.clip = clip

    def __repr__(self) -> str:
        return make_repr(self, self._parameters)

    def __call__(self, data: NDArray[Any] | Quantity, **kwargs: Any) -> NDArray[Any]:
        """Interpolate a mesh.

        Parameters
        ----------
        data : 2D ndarray or Quantity
            The mesh.
        **kwargs
            What `Background2D` says: ``shape`` and ``box_size`` (ny, nx) of the
            image and a box, ``dtype`` of the result, and ``n_threads``.

        Returns
        -------
        2D ndarray
            The map, without a unit.
        """
        nodes, dtype = values_of(data), np.dtype(kwargs["dtype"])
        shape, box_size = _pair(kwargs["shape"]), _pair(kwargs["box_size"])
        if np.ptp(nodes) == 0:
            return np.full(shape, nodes[0, 0], dtype)
        if (self.order, self.mode) == (3, "reflect"):
            return _core.zoom_nodes(
                nodes,
                box_size,
                shape,
                bool(self.clip),
                "float32" if dtype == np.float32 else "float64",
                n_threads=kwargs.get("n_threads"),
            ).astype(dtype, copy=False)
        axes = [
            zoom_matrix(*sizes, self.order, self.mode)
            for sizes in zip(nodes.shape, box_size, shape, strict=True)
        ]
        zoomed = axes[0] @ nodes @ axes[1].T
        if self.mode == "constant":
            # Nowhere do the weights of an inner pixel vanish.
            outside = [~matrix.any(axis=1) for matrix in axes]
            zoomed[outside[0], :] = self.cval
            zoomed[:, outside[1]] = self.cval
        if self.clip:
            zoomed = np.clip(zoomed, nodes.min(), nodes.max())
        return zoomed.astype(dtype, copy=False)


def _pair(values: Any) -> tuple[int, int]:
    return int(values[0]), int(values[1])


def zoom_matrix(
    n_nodes: int, factor: int, n_pixels: int, order: int, mode: str
) -> NDArray[np.float64]:
    """Make the matrix from nodes to the first pixels along one axis.

    Nodes lie in the centres of ``factor`` pixels. The spline through them has
    the coefficients that solve B c = f, with the B-splines beyond the edges
    folded back as the mode says (Unser 1999, IEEE Signal Processing Magazine 16,
    22).

    Parameters
    ----------
    n_nodes, factor, n_pixels, order : int
        Numbers of nodes, of pixels for each, of pixels, and the spline's order.
    mode : str
        See `BkgZoomInterpolator`; the weights of pixels that the mode
        ``'constant'`` takes for outside are 0.

    Returns
    -------
    (n_pixels, n_nodes) ndarray
        The weights.
    """
    padding = PADDING if mode == "nearest" else 0
    n = n_nodes + 2 * padding
    position = (np.arange(n_pixels) + 0.5) / factor - 0.5
    outside = np.zeros(n_pixels, bool)
    if mode == "constant":
        outside = (position < 0) | (position > n_nodes - 1)
    elif mode == "wrap":
        last = n_nodes - 1
        position = np.where(position < 0, position + last, position)
        position = np.where(position > last, position - last, position)
    spread = np.eye(n_nodes)[np.clip(np.arange(n) - padding, 0, n_nodes - 1)]
    filtered = np.linalg.solve(_basis(np.arange(n), n, order, mode), spread)
    matrix: NDArray[np.float64] = _basis(position + padding, n, order, mode) @ filtered
    matrix[outside] = 0
    return matrix


def _basis(position: Any, n: int, order: int, mode: str) -> NDArray[np.float64]:
    """Give the weights of n coefficients at positions, folded back at the edges."""
    first = np.floor(position + 0.5 * (order % 2 == 0)).astype(int) - order // 2
    matrix = np.zeros((len(position), n))
    for k in range(order + 1):
        weight = b_spline(position - (first + k), order)
        index = _fold(first + k, n, mode)
        np.add.at(matrix, (np.arange(len(position)), index), weight)
    return matrix


def _fold(index: NDArray[np.int64], n: int, mode: str) -> NDArray[np.int64]:
    """Fold indices back into 0..n: about the outer edges, or the outer nodes."""
    about_edges = mode == "reflect"
    period = 2 * n if about_edges else max(2 * (n - 1), 1)
    folded: NDArray[np.int64] = np.mod(index, period)
    return np.minimum(folded, period - about_edges - folded)


def b_spline(x: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Evaluate the centred B-spline of an order on whole knots."""
    if order == 0:
        return ((x >= -0.5) & (x < 0.5)).astype(float)  # noqa: PLR2004
    half = (order + 1) / 2
    rising = (half + x) * b_spline(x + 0.5, order - 1)
    return (rising + (half - x) * b_spline(x - 0.5, order - 1)) / order


class BkgIDWInterpolator:
    """Nodes weighted by the inverse of their distances (Shepard 1968).

    Parameters
    ----------
    leafsize : int, optional
        How many nodes the search looks at one by one; decides which of equally
        far nodes take part.
    n_neighbors : int, optional
        How many of the nearest nodes take part, at most.
    power : float, optional
        The power of the distance.
    regularization : float, optional
        What is added to the power of the distance.

    Raises
    ------
    TypeError
        If a number is none.
    ValueError
        If ``leafsize`` or ``n_neighbors`` is below 1.
    """

    _parameters: ClassVar = ("leafsize", "n_neighbors", "power", "regularization")

    def __init__(
        self,
        *,
        leafsize: int = 10,
        n_neighbors: int = 10,
        power: float = 1.0,
        regularization: float = 0.0,
    ) -> None:
        for name, value in (("leafsize", leafsize), ("n_neighbors", n_neighbors)):
            if as_count(value, name) < 1:
                msg = f"{name} must be at least 1, got {value}"
                raise ValueError(msg)
        self.leafsize = leafsize
        self.n_neighbors = n_neighbors
        self.power = as_scalar(power, "power")
        self.regularization = as_scalar(regularization, "regularization")

    def __repr__(self) -> str:
        return make_repr(self, self._parameters)

    def __call__(self, data: NDArray[Any] | Quantity, **kwargs: Any) -> NDArray[Any]:
        """Interpolate a mesh.

        Parameters
        ----------
        data : 2D ndarray or Quantity
            The mesh.
        **kwargs
            What `Background2D` says: ``shape`` and ``box_size`` (ny, nx) of the
            image and a box, ``dtype`` of the result, ``mesh_nan_mask`` (the
            nodes that take no part) and ``n_threads``.

        Returns
        -------
        2D ndarray
            The map, without a unit.
        """
        values = _core.interpolate_nodes(
            values_of(data),
            np.ascontiguousarray(kwargs["mesh_nan_mask"], dtype=bool),
            _pair(kwargs["box_size"]),
            _pair(kwargs["shape"]),
            (
                int(self.n_neighbors),
                float(self.power),
                float(self.regularization),
                int(self.leafsize),
            ),
            n_threads=kwargs.get("n_threads"),
        )
        return values.astype(kwargs["dtype"], copy=False)
