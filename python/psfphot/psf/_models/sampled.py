"""What the models made of oversampled images share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy import units as u

from psfphot._validate import as_float_array, as_scalar, refuse_other_unit, split_mask
from psfphot.psf._models.base import PSFModel
from psfphot.psf._models.compiled import SPLINES, Packed, digest_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot import _core
    from psfphot._validate import Image
    from psfphot.psf._models.base import Points

# A cubic spline through fewer samples is not determined.
MIN_SAMPLES = 4

# The core's: more samples per pixel are a mistake.
MAX_OVERSAMPLING = 10**6


class _Axis(NamedTuple):
    """Points along one direction, and how the samples lie there."""

    points: NDArray[np.float64]
    source: Any
    oversampling: float
    origin: float
    last: int

    def samples(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sample coordinates, by the core's arithmetic."""
        return np.asarray(self.oversampling * (points - self.source) + self.origin)

    def off(self) -> NDArray[np.bool_]:
        """Tell which points are off the samples."""
        samples = self.samples(self.points)
        return (samples < 0) | (samples > self.last)

    def clamped(self) -> NDArray[np.float64]:
        """Return the nearest points on the samples, by the core's arithmetic."""
        low = self.source - self.origin / self.oversampling
        high = self.source + (self.last - self.origin) / self.oversampling
        middle = (low + high) / 2
        points = np.clip(self.points, low, high)
        # Rounding may leave an edge a few units of the last place outside.
        for _ in range(8):
            samples = self.samples(points)
            off = (samples < 0) | (samples > self.last)
            # The neighbour of 0 is less than a float with all of its digits.
            with np.errstate(under="ignore"):
                points = np.where(off, np.nextafter(points, middle), points)
        return points


class SampledPSFModel(PSFModel):
    """A PSF given as oversampled image data, whose last two axes are (y, x)."""

    _data: Image
    _oversampling: NDArray[Any]
    _origin: NDArray[np.float64]
    _fill_value: float | None

    @property
    def data(self) -> Image:
        """The samples; read-only, a copy of what was given."""
        return self._data

    @property
    def oversampling(self) -> NDArray[Any]:
        """Samples per pixel, (y, x)."""
        return self._oversampling

    @oversampling.setter
    def oversampling(self, value: Any) -> None:
        self._oversampling = as_oversampling(value)
        self._forget_compiled()

    @property
    def origin(self) -> NDArray[np.float64]:
        """Sample coordinates (x, y) of the source; set `None` for the centre."""
        return self._origin

    @origin.setter
    def origin(self, value: Any) -> None:
        self._origin = self._as_origin(value)
        self._forget_compiled()

    @property
    def fill_value(self) -> float | None:
        """The value off the samples; `None` continues that of the nearest edge."""
        return self._fill_value

    @fill_value.setter
    def fill_value(self, value: float | None) -> None:
        self._fill_value = value if value is None else as_scalar(value, "fill_value")

    def _as_origin(self, value: Any) -> NDArray[np.float64]:
        if value is None:
            ny, nx = self._data.shape[-2:]
            return np.array([(nx - 1) / 2, (ny - 1) / 2])
        origin = as_unmasked_pixels(value, "origin").astype(np.float64)
        if origin.shape != (2,):
            msg = "origin must be 1D and have 2-elements"
            raise ValueError(msg)
        if not np.isfinite(origin).all():
            msg = "All elements of origin must be finite"
            raise ValueError(msg)
        return origin

    def _sampling(self) -> dict[str, Any]:
        """Tell the core how the samples lie.

        The fill value is not the core's: here it does not scale with the flux,
        as in photutils, and no fit uses it.
        """
        return {
            "oversampling": tuple(map(float, self._oversampling)),
            "origin": tuple(map(float, self._origin)),
        }

    def _points(self, *args: Any) -> Points:
        points = super()._points(*args)
        # Samples lie on pixels, and of no other unit is it told how large they are.
        if points.length_unit not in (None, u.pixel, u.dimensionless_unscaled):
            msg = (
                f"x, y, x_0 and y_0 of {type(self).__name__} must be in pixels, "
                f"got {points.length_unit}"
            )
            raise u.UnitsError(msg)
        return points

    def _axes(self, points: Points) -> list[_Axis]:
        """Tell x and then y: points, the source, oversampling, origin, last sample."""
        _, x_0, y_0, *_ = points.parameters
        (os_y, os_x), (origin_x, origin_y) = self._oversampling, self._origin
        ny, nx = self._data.shape[-2:]
        return [
            _Axis(points.x, x_0, os_x, origin_x, nx - 1),
            _Axis(points.y, y_0, os_y, origin_y, ny - 1),
        ]

    def _clamped(self, points: Points) -> Points:
        x, y = self._axes(points)
        return _point_by_point(points._replace(x=x.clamped(), y=y.clamped()))

    def _values(self, points: Points) -> NDArray[np.float64]:
        if self._fill_value is None:
            return super()._values(self._clamped(points))
        if self._fill_value == 0:
            return super()._values(points)
        values = super()._values(_point_by_point(points))
        x, y = self._axes(points)
        values[x.off() | y.off()] = self._fill_value
        return values

    def _gradient(self, points: Points) -> NDArray[np.float64]:
        if self._fill_value is not None:
            return super()._gradient(points)
        x, y = self._axes(points)
        planes = super()._gradient(self._clamped(points))
        # The nearest edge moves with the source (for a grid this leaves out
        # the small change of the blend).
        planes[1][x.off()] = 0
        planes[2][y.off()] = 0
        return planes

    def _shared(self) -> list[Any]:
        return [self._data]

    def _splines(self) -> _core.Psf:
        """Compute the splines, as `_digest` tells them."""
        raise NotImplementedError

    def _digest(self) -> bytes:
        """Tell what the splines are made of, in 32 bytes."""
        return digest_of(self._shared(), self._sampling())

    def _compile(self) -> _core.Psf:
        n_bytes = self._data.size * np.dtype(np.float64).itemsize
        return SPLINES.get(self._compiled.content, self._digest, self._splines, n_bytes)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_compiled": Packed(self._compiled, self._digest)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Pickles and deep copies of read-only arrays are writeable.
        self.__dict__.update(state)
        self._data.flags.writeable = False

    def evaluate(self, x: Any, y: Any, flux: Any, x_0: Any, y_0: Any) -> Any:
        """Evaluate the model; everything broadcasts.

        Parameters
        ----------
        x, y : array_like
            Where, pixels.
        flux, x_0, y_0 : array_like
            The parameters.

        Returns
        -------
        ndarray or Quantity
            The values, in the unit of ``flux``.
        """
        return self._evaluate(x, y, flux, x_0, y_0)

    def fit_deriv(self, x: Any, y: Any, flux: Any, x_0: Any, y_0: Any) -> list[Any]:
        """Differentiate the model by its parameters; see `evaluate`.

        Returns
        -------
        list of ndarray
            The derivatives by flux, x_0 and y_0.
        """
        return self._derivatives(x, y, flux, x_0, y_0)

    def bounding_box(self) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Limits in y and x: the image, from edge to edge of its samples."""
        ny, nx = self._data.shape[-2:]
        os_y, os_x = self._oversampling
        left, low = -(self._origin + 0.5) / (os_x, os_y)
        return (
            (self.y_0 + low, self.y_0 + (low + ny / os_y)),
            (self.x_0 + left, self.x_0 + (left + nx / os_x)),
        )


def _point_by_point(points: Points) -> Points:
    """Give each point a position of its own.

    The core then computes each point by itself, by the arithmetic of `_Axis`;
    one source on a rectangle of pixels it computes by steps from the nearest
    pixel, and a point just at an edge might lie on its other side.
    """
    flux, x_0, y_0 = points.parameters
    return points._replace(
        parameters=[flux, np.broadcast_to(x_0, points.x.shape).copy(), y_0]
    )


def as_samples(
    values: Any, what: str, *, is_own: bool = False, is_finite: bool = False
) -> Image:
    """Make a read-only float copy of finite samples, last two axes >= 4.

    Parameters
    ----------
    values : array_like
        The samples.
    what : str
        What messages say before "x- and y-axes".
    is_own : bool, optional
        Whether nobody else holds the array, which then need not be copied.
    is_finite : bool, optional
        Whether the samples are known to be finite.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If there are too few samples, or some that are masked or not finite.
    """
    values, mask = split_mask(values)
    if mask is not None and mask.any():
        msg = "data must not have masked values"
        raise ValueError(msg)
    samples = as_float_array(values, "data")
    if min(samples.shape[-2:]) < MIN_SAMPLES:
        msg = f"The length of the {what}x- and y-axes must both be at least 4"
        raise ValueError(msg)
    if not is_finite and not np.isfinite(samples).all():
        msg = "All elements of input data must be finite"
        raise ValueError(msg)
    # The splines are computed once: what they are made of must not change.
    if not is_own and np.may_share_memory(samples, values):
        samples = samples.copy()
    samples.flags.writeable = False
    return samples


def as_unmasked_pixels(value: Any, name: str) -> NDArray[Any]:
    """Make an array of numbers that are pixels, whether or not they say so.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If they are in another unit, or masked.
    """
    value, mask = split_mask(value)
    if mask is not None and mask.any():
        msg = f"{name} must not have masked values"
        raise ValueError(msg)
    refuse_other_unit(value, name)
    try:
        array = np.array(getattr(value, "value", value))
    except (TypeError, ValueError) as exc:  # ragged, or with units inside
        raise TypeError(f"{name} must be real numbers, got {value!r}") from exc
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name} must be real numbers, got {value!r}")
    return array


def as_oversampling(value: Any) -> NDArray[np.int_]:
    """Make an oversampling, one number or (y, x), an array of two integers.

    Raises
    ------
    ValueError
        Unless there are one or two integers from 1 to 10**6, without a unit.
    """
    array = as_samples_per_pixel(value)
    if (array != np.floor(array)).any():
        msg = f"oversampling must have integer values, got {value!r}"
        raise ValueError(msg)
    return array.astype(int)


def as_samples_per_pixel(value: Any) -> NDArray[Any]:
    """Make an oversampling, one number or (y, x), an array of two numbers.

    Raises
    ------
    ValueError
        Unless there are one or two numbers above 0, at most 10**6, without a
        unit.
    """
    unit = getattr(value, "unit", None)
    if unit not in (None, u.dimensionless_unscaled):
        msg = f"oversampling must be without a unit, got the unit {unit}"
        raise ValueError(msg)
    value, mask = split_mask(value)
    msg = f"oversampling must be a finite value, got {value!r}"
    try:
        array = np.atleast_1d(np.asarray(value))
    except ValueError as exc:  # ragged
        raise ValueError(msg) from exc
    masked = mask is not None and mask.any()
    if masked or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError(msg)
    if array.ndim != 1:
        msg = f"oversampling must be 1D, got {array.ndim} dimensions"
        raise ValueError(msg)
    if len(array) not in (1, 2):
        msg = f"oversampling must have 1 or 2 elements, got {len(array)}"
        raise ValueError(msg)
    if (array <= 0).any():
        msg = f"oversampling must be > 0, got {value!r}"
        raise ValueError(msg)
    if (array > MAX_OVERSAMPLING).any():
        msg = f"oversampling must be <= {MAX_OVERSAMPLING}, got {value!r}"
        raise ValueError(msg)
    return np.array(np.broadcast_to(array, 2))
