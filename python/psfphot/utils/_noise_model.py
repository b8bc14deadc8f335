"""A model of an image's noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from psfphot._repr import make_repr
from psfphot._validate import as_float_array, values_of
from psfphot.utils._noise_slope import (
    filled_variances,
    gain_of_errors,
    variance_levels,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_NAMES = ("read_noise", "effective_gain", "background", "flat_error", "profile_error")


class NoiseModel:
    r"""What the variance of a pixel is made of, for fits that weigh by their model.

    Given as the ``error`` of `psfphot.psf.PSFPhotometry` and its like, the variance of
    a pixel is

    .. math::

        \max(m + b, 0) / g + (r / g)^2 + (f m)^2 + (p m)^2

    with the light m that the *model* of the stars puts there, the background b, the
    gain g, the read noise r, and the errors f of the flat field and p of the PSF. The
    last is in no weight: it is in the error of each flux. The weights are made
    from the model and made anew as it changes, never from the data: errors that are
    made from the data (``sqrt(abs(data))``, or a pipeline's error image) give pixels
    that came out low more weight, and make faint fluxes too low.

    Parameters
    ----------
    read_noise : float, 2D array_like or Quantity
        1-sigma read noise, electrons.
    effective_gain : float, 2D array_like or Quantity
        Electrons per unit of the image, as in `calc_total_error`.
    background : float, 2D array_like or Quantity
        The level under the stars, in the unit of the image, whether it has been
        subtracted from the image or not. What a ``local_bkg_estimator`` measures is
        not added to it.
    flat_error : float or 2D array_like, optional
        1-sigma error of the flat field, as a part of the light.
    profile_error : float or 2D array_like, optional
        1-sigma error of the PSF, as a part of its values (rms). What the flux takes of
        it, as it is fitted, is added to its error (in quadrature): of a PSF of another
        width or that is off in each pixel by chance, whichever is more, with the
        star's own weights (in most fits less than 0.7 of it times the flux). The pixels
        of a star share it: with it in their weights the cores of bright stars would
        count no more than their wings, and a PSF that is 5 % too wide would bias
        fluxes by -10 % and not by +1 %. Searches of residuals and robust fits have it
        in the variance of pixels.

    Raises
    ------
    TypeError
        If an argument is not numeric.
    ValueError
        If a gain is not positive, another term negative, any not finite, images have
        different shapes, or a pixel has neither read noise nor background.
    `~astropy.units.UnitsError`
        If a unit does not fit.

    Examples
    --------
    >>> from psfphot.utils import NoiseModel
    >>> noise = NoiseModel(read_noise=6.0, effective_gain=2.0, background=100.0)
    >>> float(noise.variance(50.0))
    84.0
    """

    def __init__(
        self,
        *,
        read_noise: ArrayLike | u.Quantity,
        effective_gain: ArrayLike | u.Quantity,
        background: ArrayLike | u.Quantity,
        flat_error: ArrayLike = 0.0,
        profile_error: ArrayLike = 0.0,
    ) -> None:
        self.read_noise = _part(read_noise, "read_noise")
        self.effective_gain = _gain(effective_gain)
        self.background = _part(background, "background")
        self.flat_error = _part(flat_error, "flat_error")
        self.profile_error = _part(profile_error, "profile_error")
        _to_electrons(self.read_noise)
        for name in ("flat_error", "profile_error"):
            if getattr(getattr(self, name), "unit", None) not in (None, ""):
                raise u.UnitsError(f"{name} must be without a unit")
        self._shape = _common_shape({name: getattr(self, name) for name in _NAMES})
        is_silent = (_plain(self.read_noise) == 0) & (_plain(self.background) == 0)
        if np.any(is_silent):
            msg = (
                "read_noise must be positive where background is 0: a pixel without "
                "light would have no noise"
            )
            raise ValueError(msg)

    @classmethod
    def from_error(
        cls,
        error: ArrayLike | u.Quantity,
        data: ArrayLike | u.Quantity,
        *,
        flat_error: ArrayLike = 0.0,
        profile_error: ArrayLike = 0.0,
    ) -> NoiseModel:
        r"""Make a model of errors that were made from the noisy data.

        The square of such an error is a straight line over the data: its slope is the
        inverse of the gain, and what is left is the noise of each pixel without any
        star, read noise and background together. (That of an electron-counting image
        with a subtracted background is as good as one with it.)

        Parameters
        ----------
        error : (ny, nx) array_like or Quantity
            1-sigma errors of ``data``, made from ``data``.
        data : (ny, nx) array_like or Quantity
            The image.
        flat_error, profile_error : float or 2D array_like, optional
            See `NoiseModel`.

        Returns
        -------
        NoiseModel
            Its background is 0, and its ``read_noise`` an image.

        Raises
        ------
        ValueError
            If the errors do not follow the data from pixel to pixel: then they are no
            worse than a model, and can be given as they are.
        """
        unit = getattr(data, "unit", None)
        values = as_float_array(data, "data").astype(float, copy=False)
        noise = u.Quantity(error, unit).value if unit is not None else error
        variance = as_float_array(noise, "error").astype(float) ** 2
        gain, empty = gain_of_errors(values, variance)
        return cls._of_empty(
            empty, gain, unit, flat_error=flat_error, profile_error=profile_error
        )

    @classmethod
    def from_variances(
        cls,
        data: ArrayLike | u.Quantity,
        *,
        var_poisson: ArrayLike | u.Quantity,
        var_rnoise: ArrayLike | u.Quantity,
        background: ArrayLike | u.Quantity = 0.0,
        flat_error: ArrayLike = 0.0,
        profile_error: ArrayLike = 0.0,
    ) -> NoiseModel:
        """Make a model of the planes of a JWST file.

        VAR_POISSON was made from SCI: their ratio is the inverse of the gain of each
        pixel, without its noise. Where SCI is not positive it is that of its
        surroundings.

        Parameters
        ----------
        data : (ny, nx) array_like or Quantity
            SCI, as it is in the file.
        var_poisson, var_rnoise : (ny, nx) array_like or Quantity
            VAR_POISSON and VAR_RNOISE, the square of the unit of SCI.
        background : float, (ny, nx) array_like or Quantity, optional
            The level under the stars, see `NoiseModel`; of images whose background was
            not subtracted, it is part of ``data``.
        flat_error, profile_error : float or 2D array_like, optional
            See `NoiseModel`.

        Returns
        -------
        NoiseModel
            Its gain and its read noise are images.

        Raises
        ------
        ValueError
            If the shapes differ, or no pixel tells the gain.
        """
        unit = getattr(data, "unit", None)
        square = None if unit is None else unit**2
        values = as_float_array(data, "data").astype(float, copy=False)
        poisson, read = (
            as_float_array(
                each if square is None else u.Quantity(each, square).value, name
            ).astype(float, copy=False)
            for each, name in ((var_poisson, "var_poisson"), (var_rnoise, "var_rnoise"))
        )
        levels = variance_levels(values, poisson, read)
        inverse, empty = filled_variances(values, poisson, read, levels)
        return cls._of_empty(
            empty,
            1 / inverse,
            unit,
            background=background,
            flat_error=flat_error,
            profile_error=profile_error,
        )

    @classmethod
    def _of_empty(
        cls, empty: NDArray[np.float64], gain: Any, unit: Any, **terms: Any
    ) -> NoiseModel:
        """Make a model of the variances of pixels without any star."""
        read_noise, background = np.sqrt(empty) * gain, terms.pop("background", 0.0)
        if unit is not None:
            gain = gain * (u.electron / unit)
            read_noise = read_noise * u.electron
            if getattr(background, "unit", None) is None:
                background = background * unit
        return cls(
            read_noise=read_noise, effective_gain=gain, background=background, **terms
        )

    def __repr__(self) -> str:
        """Show the class with its arguments; images give their shape."""
        return make_repr(self, _NAMES)

    @property
    def shape(self) -> tuple[int, int] | None:
        """(ny, nx) of its images; `None` if it has none, and fits any image."""
        return self._shape

    def variance(self, model: ArrayLike = 0.0) -> NDArray[np.float64]:
        """Tell the variance of pixels in which stars have so much light.

        Parameters
        ----------
        model : float or 2D array_like, optional
            The stars' light, without noise and without the background, as a number in
            the unit of the image.

        Returns
        -------
        ndarray
            Variances, numbers in the square of the unit of the image.
        """
        return self.variance_of(self.levels(None, None), model)

    @staticmethod
    def variance_of(levels: dict[str, Any], model: Any) -> NDArray[np.float64]:
        """Tell the variance that terms without units give; see `variance`."""
        model = np.asarray(model, dtype=float)
        gain, background = levels["effective_gain"], levels["background"]
        read = (levels["read_noise"] / gain) ** 2
        photons = np.maximum(model + background, 0) / gain
        relative = np.hypot(levels["flat_error"], levels["profile_error"]) * model
        # As the core has it: no model is so negative that nothing is left.
        least = 0.25 * (background / gain + read)
        return np.asarray(np.maximum(photons + read, least) + relative**2)

    def with_light(self, light: ArrayLike) -> NoiseModel:
        """Add the noise of light that has been subtracted from the image.

        Parameters
        ----------
        light : 2D array_like
            The light, without noise, in the unit of the image.

        Returns
        -------
        NoiseModel
            The model of what is left of the image.
        """
        levels = self.levels(None, None)
        gain = levels["effective_gain"]
        taken = np.nan_to_num(np.asarray(getattr(light, "value", light), dtype=float))
        empty = self.variance_of(levels, taken)
        others = {name: getattr(self, name) for name in ("flat_error", "profile_error")}
        unit = getattr(self.background, "unit", None)
        return self._of_empty(empty, gain, unit, **others)

    def levels(
        self, shape: tuple[int, ...] | None, unit: u.UnitBase | None
    ) -> dict[str, Any]:
        """Make its terms what the core takes: floats or float64 images.

        Parameters
        ----------
        shape : tuple of int or None
            (ny, nx) of the image; `None` for any.
        unit : unit or None
            That of the image; numbers without a unit are taken to be in it.

        Raises
        ------
        ValueError
            If the shapes differ.
        `~astropy.units.UnitsError`
            If a term cannot be converted to the unit of the image.
        """
        if shape is not None and self._shape not in (None, tuple(shape)):
            msg = (
                "the images of a NoiseModel must have the shape of data, "
                f"got {self._shape} and data {shape}"
            )
            raise ValueError(msg)
        own = getattr(self.background, "unit", None)
        if shape is None:
            unit = own
        terms = {name: getattr(self, name) for name in _NAMES}
        terms["read_noise"] = _to_electrons(self.read_noise)
        if own is not None:
            terms["background"] = _converted(self.background, unit, "background")
        gain_unit = getattr(self.effective_gain, "unit", None)
        if gain_unit is not None and unit is not None:
            terms["effective_gain"] = _gain_in(self.effective_gain, unit)
        elif gain_unit is not None and own is None and shape is not None:
            msg = f"data must have a unit, as effective_gain has {gain_unit}"
            raise u.UnitsError(msg)
        return {name: _plain(value) for name, value in terms.items()}


def _part(value: Any, name: str) -> Any:
    """Check a term: a number or an image, finite and not negative."""
    array = as_float_array(value, name)
    if np.ndim(value) not in (0, 2):
        msg = (
            f"{name} must be a number or a 2D array, got {np.ndim(value)} dimension(s)"
        )
        raise ValueError(msg)
    bad = ~(np.isfinite(array) & (array >= 0))
    if bad.any():
        msg = f"{name} must be finite and not negative, got {array[bad].flat[0]}"
        raise ValueError(msg)
    if np.ndim(value) == 0:
        number = float(array.reshape(()))
        unit = getattr(value, "unit", None)
        return number if unit is None else u.Quantity(number, unit)
    if isinstance(value, u.Quantity):
        return u.Quantity(value, dtype=float, copy=True)
    return np.array(array, dtype=float)


def _gain(value: Any) -> Any:
    gain = _part(value, "effective_gain")
    if not np.all(_plain(gain) > 0):
        msg = "effective_gain must be positive, got 0.0"
        raise ValueError(msg)
    return gain


def _common_shape(terms: dict[str, Any]) -> tuple[int, int] | None:
    shapes = {name: np.shape(value) for name, value in terms.items() if np.ndim(value)}
    if len(set(shapes.values())) > 1:
        shown = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"the images of a NoiseModel must have one shape, got {shown}")
    return next(((ny, nx) for ny, nx in shapes.values()), None)


def _plain(value: Any) -> Any:
    """Take the unit off: a float or a contiguous float64 image."""
    return values_of(value) if np.ndim(value) else float(getattr(value, "value", value))


def _to_electrons(read_noise: Any) -> Any:
    unit = getattr(read_noise, "unit", None)
    if unit in (None, "", u.photon):
        return read_noise
    return _converted(read_noise, u.electron, "read_noise")


def _gain_in(gain: u.Quantity, unit: u.UnitBase) -> Any:
    for counts in (u.electron, u.photon):
        if gain.unit.is_equivalent(counts / unit):
            return gain.to(counts / unit)
    msg = (
        "effective_gain must have the unit electron per unit of data "
        f"({unit}), got {gain.unit}"
    )
    raise u.UnitsError(msg)


def _converted(value: Any, unit: u.UnitBase | None, name: str) -> Any:
    if unit is None:
        raise u.UnitsError(f"data must have a unit, as {name} has {value.unit}")
    try:
        return value.to(unit)
    except u.UnitConversionError as exc:
        msg = f"{name} must be convertible to {unit}, got {value.unit}"
        raise u.UnitsError(msg) from exc
