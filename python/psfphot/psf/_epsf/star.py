"""A star's cutout, of which an ePSF is built."""

from __future__ import annotations

import warnings
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.aperture import BoundingBox

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


class EPSFStar:
    """A cutout of an image around a star.

    Parameters
    ----------
    data : (ny, nx) ndarray
        The cutout, without background. What is not finite is masked, with a
        warning.
    weights : (ny, nx) array_like, optional
        1/error of each pixel, 0 where it is to be ignored; all the same by
        default.
    cutout_center : (x, y), optional
        Where the star is in the cutout, pixels; by default its middle.
    flux : float, optional
        Its flux; by default the sum of the cutout, `estimate_flux`.
    origin : (x, y), optional
        The pixel of the image that is the cutout's first.
    wcs_large : optional
        The image's WCS.
    id_label : int or str, optional
        The star's name.

    Attributes
    ----------
    shape : (ny, nx)
        The cutout's.
    weights : (ny, nx) float64 ndarray
        A copy of the weights, 0 where data or weights are not finite.
    mask : (ny, nx) bool ndarray
        `True` where the weight is not positive.
    origin : (2,) int ndarray
        See above, as ``wcs_large`` and ``id_label``.

    Raises
    ------
    TypeError
        If the data have a unit or are a masked array.
    ValueError
        If an argument cannot be used, or there is no flux and all is masked.
    """

    def __init__(
        self,
        data: Any,
        *,
        weights: Any = None,
        cutout_center: Any = None,
        flux: float | None = None,
        origin: Any = (0, 0),
        wcs_large: Any = None,
        id_label: Any = None,
    ) -> None:
        self._data = _as_cutout(data)
        self.shape: tuple[int, int] = self._data.shape
        self.weights = _as_weights(weights, self._data)
        self.mask: NDArray[np.bool_] = self.weights <= 0.0
        self.origin = _as_origin(origin)
        self.wcs_large = wcs_large
        self.id_label = id_label
        if cutout_center is None:
            cutout_center = (self.shape[1] - 1) / 2.0, (self.shape[0] - 1) / 2.0
        self.cutout_center = cutout_center
        self._center_original = self.center
        self._excluded_from_fit = False
        self._fit_error_status = 0
        self._fit_info: Any = None
        self._has_all_zero_data = False
        if flux is None:
            flux = self._sum_flux()
        self.flux = flux

    def _sum_flux(self) -> float:
        if self.mask.all():
            raise ValueError(
                "Star cutout is completely masked. No valid data available"
            )
        self._has_all_zero_data = not self._data[~self.mask].any()
        if self._has_all_zero_data:
            msg = "All unmasked data values in star cutout are zero"
            warnings.warn(msg, AstropyUserWarning, stacklevel=4)
        return self.estimate_flux()

    def __repr__(self) -> str:
        name = type(self).__name__
        x, y = self.center
        return f"<{name}(id_label={self.id_label}, center=({x:.3f}, {y:.3f}))>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Give the cutout."""
        if copy is False:
            return np.asarray(self._data, dtype=dtype)
        return np.array(self._data, dtype=dtype)

    @property
    def data(self) -> NDArray[Any]:
        """The cutout."""
        return self._data

    @property
    def flux(self) -> float:
        """The star's flux.

        Raises
        ------
        ValueError
            If what replaces it is not finite.
        """
        return self._flux

    @flux.setter
    def flux(self, flux: float) -> None:
        number = float(flux)
        if not np.isfinite(number):
            raise ValueError(f"flux must be a finite value, got {flux!r}")
        self._flux = number

    @property
    def cutout_center(self) -> Vector:
        """Where the star is in the cutout, (x, y), pixels.

        Off the cutout there is a warning.

        Raises
        ------
        ValueError
            If what replaces it is not two finite numbers.
        """
        return self._cutout_center

    @cutout_center.setter
    def cutout_center(self, center: Any) -> None:
        at = np.array(center, dtype=np.float64)
        if at.shape != (2,):
            msg = (
                "cutout_center must have exactly two elements in (x, y) form, "
                f"got shape {at.shape}"
            )
            raise ValueError(msg)
        if not np.isfinite(at).all():
            msg = f"All cutout_center coordinates must be finite, got {center!r}"
            raise ValueError(msg)
        for name, value, side in zip("xy", at, self.shape[::-1], strict=True):
            if not 0 <= value < side:
                msg = (
                    f"cutout_center {name}-coordinate {value} is outside the cutout "
                    f"bounds [0, {side})"
                )
                warnings.warn(msg, AstropyUserWarning, stacklevel=2)
        self._cutout_center = at

    @property
    def center(self) -> Vector:
        """Where the star is in the image, (x, y), pixels."""
        return self.cutout_center + self.origin

    @cached_property
    def slices(self) -> tuple[slice, slice]:
        """The part of the image that the cutout is."""
        (x, y), (ny, nx) = self.origin.tolist(), self.shape
        return slice(y, y + ny), slice(x, x + nx)

    @cached_property
    def bbox(self) -> BoundingBox:
        """The same as a `~psfphot.aperture.BoundingBox`."""
        rows, columns = self.slices
        return BoundingBox(columns.start, columns.stop, rows.start, rows.stop)

    def estimate_flux(self) -> float:
        """Tell the sum of the cutout; what is masked is interpolated.

        Returns
        -------
        float
            The sum.
        """
        if not self.mask.any():
            return float(np.sum(self._data))
        return float(np.sum(_fill_holes(self._data, self.mask)))

    def register_epsf(self, epsf: Any) -> Vector:
        """Make the star's image of an ePSF.

        Parameters
        ----------
        epsf : ImagePSF
            The ePSF.

        Returns
        -------
        (ny, nx) float64 ndarray
            The ePSF at the star's place, times its flux.
        """
        y, x = np.indices(self.shape, dtype=np.float64)
        x_0, y_0 = self.cutout_center
        image: Vector = epsf.evaluate(x, y, flux=self.flux, x_0=x_0, y_0=y_0)
        return image

    def compute_residual_image(self, epsf: Any) -> Vector:
        """Subtract the star's image of an ePSF from the cutout.

        Parameters
        ----------
        epsf : ImagePSF
            The ePSF.

        Returns
        -------
        (ny, nx) float64 ndarray
            What is left.
        """
        residual: Vector = self._data - self.register_epsf(epsf)
        return residual


def _as_cutout(data: Any) -> NDArray[Any]:
    if isinstance(data, u.Quantity):
        msg = "data must be a plain ndarray. Quantity inputs are not supported"
        raise TypeError(msg)
    if isinstance(data, np.ma.MaskedArray):
        msg = (
            "data must be a plain ndarray. MaskedArray inputs are not supported: "
            "give weights of 0"
        )
        raise TypeError(msg)
    array = np.asanyarray(data)
    if array.ndim != 2:  # noqa: PLR2004
        raise ValueError(f"Input data must be 2-dimensional, got {array.ndim}D")
    if array.size == 0:
        raise ValueError("Input data cannot be empty")
    cutout: NDArray[Any] = array
    return cutout


def _as_weights(weights: Any, data: NDArray[Any]) -> Vector:
    """Make the weights: a copy, 0 where weights or data are not finite."""
    if weights is None:
        copy = np.ones(data.shape)
    else:
        copy = np.array(weights, dtype=np.float64)
        if copy.shape != data.shape:
            msg = f"Weights shape {copy.shape} must match data shape {data.shape}"
            raise ValueError(msg)
        is_bad = ~np.isfinite(copy)
        if is_bad.any():
            msg = "Nonfinite weight values detected. These will be set to zero."
            warnings.warn(msg, AstropyUserWarning, stacklevel=3)
            copy[is_bad] = 0.0
    is_bad = ~np.isfinite(data)
    if is_bad.any():
        msg = "Input data array contains invalid data that will be masked."
        warnings.warn(msg, AstropyUserWarning, stacklevel=3)
        copy[is_bad] = 0.0
    return copy


def _as_origin(origin: Any) -> NDArray[np.int_]:
    corner = np.asarray(origin)
    if corner.shape != (2,):
        raise ValueError(f"Origin must have exactly 2 elements, got {corner.size}")
    if not np.isfinite(corner).all():
        raise ValueError(f"Origin coordinates must be finite, got {origin!r}")
    if (corner % 1 != 0).any():
        raise ValueError(f"origin must have integer values, got {origin!r}")
    return corner.astype(int)


def _fill_holes(data: NDArray[Any], mask: NDArray[np.bool_]) -> Vector:
    """Fill in what is masked: cubic between pixels, else as the nearest one."""
    from scipy.interpolate import (  # noqa: PLC0415  (slow to import)
        CloughTocher2DInterpolator,
        NearestNDInterpolator,
    )
    from scipy.spatial import QhullError  # noqa: PLC0415  (slow to import)

    filled = np.where(mask, np.nan, data).astype(np.float64)
    for surface in (CloughTocher2DInterpolator, NearestNDInterpolator):
        holes = np.isnan(filled)
        if holes.all() or not holes.any():
            break
        # As (x, y): which of a square's two diagonals is taken depends on it.
        known, missing = (np.argwhere(at)[:, ::-1] for at in (~holes, holes))
        with suppress(QhullError):  # pixels on a line
            filled[holes] = surface(known, filled[~holes])(missing)
    return filled
