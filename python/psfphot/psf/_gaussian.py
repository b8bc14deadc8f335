"""Analytic Gaussian models."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from astropy import units as u
from astropy.modeling import Parameter

from psfphot.psf._analytic import TINY, AnalyticPSF, as_degrees, number_of
from psfphot.psf._base import PSFModel

__all__ = [
    "CircularGaussianPRF",
    "CircularGaussianPSF",
    "CircularGaussianSigmaPRF",
    "GaussianPRF",
    "GaussianPSF",
]

_SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))


def _width(description: str) -> Parameter:
    return Parameter(
        default=1, bounds=(TINY, None), fixed=True, description=description
    )


class _CircularByFWHM(AnalyticPSF):
    """Circular Gaussians with the parameter fwhm."""

    fwhm = _width("Full width at half maximum, pixels.")
    _above: ClassVar[dict[str, float]] = {"fwhm": 0}

    def __init__(
        self,
        *,
        flux: Any = PSFModel.flux.default,
        x_0: Any = PSFModel.x_0.default,
        y_0: Any = PSFModel.y_0.default,
        fwhm: Any = fwhm.default,
        bbox_factor: float = 5.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            flux=flux, x_0=x_0, y_0=y_0, fwhm=fwhm, bbox_factor=bbox_factor, **kwargs
        )

    def evaluate(  # noqa: PLR0917  (astropy's order)
        self, x: Any, y: Any, flux: Any, x_0: Any, y_0: Any, fwhm: Any
    ) -> Any:
        """Evaluate the model; everything broadcasts.

        Parameters
        ----------
        x, y : array_like
            Where, pixels.
        flux, x_0, y_0, fwhm : array_like
            The parameters.

        Returns
        -------
        ndarray or Quantity
            The values, in the unit of ``flux``; NaN where ``fwhm`` is not
            positive.
        """
        return self._evaluate(x, y, flux, x_0, y_0, fwhm)

    def fit_deriv(  # noqa: PLR0917  (astropy's order)
        self, x: Any, y: Any, flux: Any, x_0: Any, y_0: Any, fwhm: Any
    ) -> list[Any]:
        """Differentiate the model by its parameters; see `evaluate`.

        Returns
        -------
        list of ndarray
            The derivatives by flux, x_0, y_0 and fwhm.
        """
        return self._derivatives(x, y, flux, x_0, y_0, fwhm)

    @property
    def sigma(self) -> Any:
        """Standard deviation of the Gaussian, pixels."""
        return self.fwhm * _SIGMA_PER_FWHM

    @property
    def amplitude(self) -> Any:
        """Peak of the Gaussian before any integration over a pixel."""
        return self.flux / (2 * np.pi * number_of(self.sigma) ** 2)

    def _half_sizes(self) -> tuple[Any, Any]:
        half = self.bbox_factor * self.sigma
        return half, half


class CircularGaussianPSF(_CircularByFWHM):
    r"""A circular Gaussian at the pixel centres.

    .. math::

        f(x, y) = \frac{F}{2 \pi \sigma^2}
            \exp\left(-\frac{(x - x_0)^2 + (y - y_0)^2}{2 \sigma^2}\right)

    with :math:`\sigma = \mathrm{FWHM} / (2 \sqrt{2 \ln 2})`. Detectors
    integrate over the pixel: to fit an image use `CircularGaussianPRF`.

    Parameters
    ----------
    flux : float, optional
        The total flux F.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    fwhm : float, optional
        Full width at half maximum, pixels. A fit leaves it as it is unless
        ``model.fwhm.fixed`` is set to `False`.
    bbox_factor : float, optional
        Half the size of the bounding box, in units of sigma.
    **kwargs : dict, optional
        Any of astropy's model keywords: ``name``, ``meta``, ``fixed``,
        ``bounds``, ``tied``. PSFPhotometry refuses tied parameters.

    Raises
    ------
    ValueError
        If ``fwhm`` or ``bbox_factor`` is not positive and finite.

    Examples
    --------
    >>> from psfphot.psf import CircularGaussianPSF
    >>> model = CircularGaussianPSF(flux=100, x_0=5, y_0=5, fwhm=2)
    >>> print(f"{model(5, 5):.3f}")
    22.064
    """

    _kind = "CircularGaussianPSF"
    # Without it astropy makes one with positional arguments.
    __init__ = _CircularByFWHM.__init__


class CircularGaussianPRF(_CircularByFWHM):
    r"""A circular Gaussian, integrated over the pixels.

    .. math::

        f(x, y) = \frac{F}{4}
            \left[\mathrm{erf}\frac{x - x_0 + 1/2}{\sqrt{2}\,\sigma}
                - \mathrm{erf}\frac{x - x_0 - 1/2}{\sqrt{2}\,\sigma}\right]
            \left[\mathrm{erf}\frac{y - y_0 + 1/2}{\sqrt{2}\,\sigma}
                - \mathrm{erf}\frac{y - y_0 - 1/2}{\sqrt{2}\,\sigma}\right]

    with :math:`\sigma = \mathrm{FWHM} / (2 \sqrt{2 \ln 2})`.

    Parameters
    ----------
    flux : float, optional
        The total flux F.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    fwhm : float, optional
        Full width at half maximum of the Gaussian, pixels. A fit leaves it as
        it is unless ``model.fwhm.fixed`` is set to `False`.
    bbox_factor : float, optional
        Half the size of the bounding box, in units of sigma.
    **kwargs : dict, optional
        Any of astropy's model keywords: ``name``, ``meta``, ``fixed``,
        ``bounds``, ``tied``. PSFPhotometry refuses tied parameters.

    Raises
    ------
    ValueError
        If ``fwhm`` or ``bbox_factor`` is not positive and finite.

    Examples
    --------
    >>> from psfphot.psf import CircularGaussianPRF
    >>> model = CircularGaussianPRF(flux=100, x_0=5, y_0=5, fwhm=2)
    >>> print(f"{model(5, 5):.3f}")
    19.708
    """

    _kind = "CircularGaussianPRF"
    # Without it astropy makes one with positional arguments.
    __init__ = _CircularByFWHM.__init__


class CircularGaussianSigmaPRF(AnalyticPSF):
    """A circular Gaussian of a given sigma, integrated over the pixels.

    `CircularGaussianPRF` with another parameter of its width.

    Parameters
    ----------
    flux : float, optional
        The total flux.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    sigma : float, optional
        Standard deviation of the Gaussian, pixels. A fit leaves it as it is
        unless ``model.sigma.fixed`` is set to `False`.
    bbox_factor : float, optional
        Half the size of the bounding box, in units of sigma.
    **kwargs : dict, optional
        Any of astropy's model keywords: ``name``, ``meta``, ``fixed``,
        ``bounds``, ``tied``. PSFPhotometry refuses tied parameters.

    Raises
    ------
    ValueError
        If ``sigma`` or ``bbox_factor`` is not positive and finite.

    Examples
    --------
    >>> from psfphot.psf import CircularGaussianSigmaPRF
    >>> model = CircularGaussianSigmaPRF(flux=100, x_0=5, y_0=5, sigma=1)
    >>> print(f"{model(5, 5):.3f} {model.fwhm:.3f}")
    14.663 2.355
    """

    _kind = "CircularGaussianSigmaPRF"
    sigma = _width("Standard deviation, pixels.")
    _above: ClassVar[dict[str, float]] = {"sigma": 0}

    def __init__(
        self,
        *,
        flux: Any = PSFModel.flux.default,
        x_0: Any = PSFModel.x_0.default,
        y_0: Any = PSFModel.y_0.default,
        sigma: Any = sigma.default,
        bbox_factor: float = 5.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            flux=flux, x_0=x_0, y_0=y_0, sigma=sigma, bbox_factor=bbox_factor, **kwargs
        )

    def evaluate(  # noqa: PLR0917  (astropy's order)
        self, x: Any, y: Any, flux: Any, x_0: Any, y_0: Any, sigma: Any
    ) -> Any:
        """Evaluate the model; everything broadcasts.

        Parameters
        ----------
        x, y : array_like
            Where, pixels.
        flux, x_0, y_0, sigma : array_like
            The parameters.

        Returns
        -------
        ndarray or Quantity
            The values, in the unit of ``flux``; NaN where ``sigma`` is not
            positive.
        """
        return self._evaluate(x, y, flux, x_0, y_0, sigma)

    def fit_deriv(  # noqa: PLR0917  (astropy's order)
        self, x: Any, y: Any, flux: Any, x_0: Any, y_0: Any, sigma: Any
    ) -> list[Any]:
        """Differentiate the model by its parameters; see `evaluate`.

        Returns
        -------
        list of ndarray
            The derivatives by flux, x_0, y_0 and sigma.
        """
        return self._derivatives(x, y, flux, x_0, y_0, sigma)

    @property
    def fwhm(self) -> Any:
        """Full width at half maximum of the Gaussian, pixels."""
        return self.sigma / _SIGMA_PER_FWHM

    @property
    def amplitude(self) -> Any:
        """Peak of the Gaussian before the integration over a pixel."""
        return self.flux / (2 * np.pi * self.sigma.value**2)

    def _half_sizes(self) -> tuple[Any, Any]:
        half = self.bbox_factor * self.sigma
        return half, half


class _Elliptical(AnalyticPSF):
    """Elliptical Gaussians."""

    x_fwhm = _width("Full width at half maximum along the rotated x axis, pixels.")
    y_fwhm = _width("Full width at half maximum along the rotated y axis, pixels.")
    theta = Parameter(
        default=0.0,
        fixed=True,
        description="Angle of the rotated x axis, degrees counter-clockwise from +x.",
    )
    _above: ClassVar[dict[str, float]] = {"x_fwhm": 0, "y_fwhm": 0}

    def __init__(
        self,
        *,
        flux: Any = PSFModel.flux.default,
        x_0: Any = PSFModel.x_0.default,
        y_0: Any = PSFModel.y_0.default,
        x_fwhm: Any = x_fwhm.default,
        y_fwhm: Any = y_fwhm.default,
        theta: Any = theta.default,
        bbox_factor: float = 5.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            flux=flux,
            x_0=x_0,
            y_0=y_0,
            x_fwhm=x_fwhm,
            y_fwhm=y_fwhm,
            theta=theta,
            bbox_factor=bbox_factor,
            **kwargs,
        )

    def evaluate(  # noqa: PLR0917  (astropy's order)
        self,
        x: Any,
        y: Any,
        flux: Any,
        x_0: Any,
        y_0: Any,
        x_fwhm: Any,
        y_fwhm: Any,
        theta: Any,
    ) -> Any:
        """Evaluate the model; everything broadcasts.

        Parameters
        ----------
        x, y : array_like
            Where, pixels.
        flux, x_0, y_0, x_fwhm, y_fwhm, theta : array_like
            The parameters.

        Returns
        -------
        ndarray or Quantity
            The values, in the unit of ``flux``; NaN where a width is not
            positive.
        """
        widths = x_0, y_0, x_fwhm, y_fwhm
        return self._evaluate(x, y, flux, *widths, numbers=(as_degrees(theta),))

    def fit_deriv(  # noqa: PLR0917  (astropy's order)
        self,
        x: Any,
        y: Any,
        flux: Any,
        x_0: Any,
        y_0: Any,
        x_fwhm: Any,
        y_fwhm: Any,
        theta: Any,
    ) -> list[Any]:
        """Differentiate the model by its parameters; see `evaluate`.

        Returns
        -------
        list of ndarray
            The derivatives by flux, x_0, y_0, x_fwhm, y_fwhm and theta, the
            last per degree.
        """
        widths = x_0, y_0, x_fwhm, y_fwhm
        planes = self._derivatives(x, y, flux, *widths, numbers=(as_degrees(theta),))
        if hasattr(theta, "unit"):
            planes[-1] = planes[-1] * (1 / u.deg)
        return planes

    @property
    def x_sigma(self) -> Any:
        """Standard deviation along the rotated x axis, pixels."""
        return self.x_fwhm * _SIGMA_PER_FWHM

    @property
    def y_sigma(self) -> Any:
        """Standard deviation along the rotated y axis, pixels."""
        return self.y_fwhm * _SIGMA_PER_FWHM

    @property
    def amplitude(self) -> Any:
        """Peak of the Gaussian before any integration over a pixel."""
        area = 2 * np.pi * number_of(self.x_sigma) * number_of(self.y_sigma)
        return self.flux / area

    def _half_sizes(self) -> tuple[Any, Any]:
        theta = self.theta.value if self.theta.unit is None else self.theta.quantity
        angle = np.deg2rad(as_degrees(theta))
        cos, sin = np.cos(angle), np.sin(angle)
        x, y = self.bbox_factor * self.x_sigma, self.bbox_factor * self.y_sigma
        return np.hypot(x * cos, y * sin), np.hypot(x * sin, y * cos)

    def _parameter_units_for_data_units(
        self, inputs_unit: dict[str, u.UnitBase], outputs_unit: dict[str, u.UnitBase]
    ) -> dict[str, u.UnitBase]:
        units = super()._parameter_units_for_data_units(inputs_unit, outputs_unit)
        return units | {"theta": u.deg}


class GaussianPSF(_Elliptical):
    r"""An elliptical Gaussian at the pixel centres.

    .. math::

        f(x, y) = \frac{F}{2 \pi \sigma_x \sigma_y}
            \exp\left(-\frac{x'^2}{2 \sigma_x^2} - \frac{y'^2}{2 \sigma_y^2}\right)

        x' = (x - x_0) \cos\theta + (y - y_0) \sin\theta, \quad
        y' = -(x - x_0) \sin\theta + (y - y_0) \cos\theta

    with :math:`\sigma = \mathrm{FWHM} / (2 \sqrt{2 \ln 2})` for each axis.
    Detectors integrate over the pixel: to fit an image use `GaussianPRF`.

    Parameters
    ----------
    flux : float, optional
        The total flux F.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    x_fwhm, y_fwhm : float, optional
        Full widths at half maximum along the rotated axes, pixels. A fit
        leaves these and ``theta`` as they are unless their ``fixed`` is set to
        `False`.
    theta : float or Quantity, optional
        Angle of the rotated x axis, counter-clockwise from +x, in degrees or
        with a unit.
    bbox_factor : float, optional
        Half the size of the bounding box before it is fitted around the
        rotated ellipse, in units of sigma.
    **kwargs : dict, optional
        Any of astropy's model keywords: ``name``, ``meta``, ``fixed``,
        ``bounds``, ``tied``. PSFPhotometry refuses tied parameters.

    Raises
    ------
    ValueError
        If a width or ``bbox_factor`` is not positive and finite, or ``theta``
        is not finite.

    Examples
    --------
    >>> from psfphot.psf import GaussianPSF
    >>> model = GaussianPSF(flux=100, x_0=5, y_0=5, x_fwhm=3, y_fwhm=2, theta=30)
    >>> print(f"{model(5, 5):.3f} {model(6, 5):.3f}")
    14.709 9.817
    """

    _kind = "GaussianPSF"
    # Without it astropy makes one with positional arguments.
    __init__ = _Elliptical.__init__


class GaussianPRF(_Elliptical):
    """An elliptical Gaussian, integrated over the pixels.

    The exact integral of `GaussianPSF` over the square pixel, whatever the
    angle, as in photutils 3.1. photutils 3.0 integrates over a square that is
    rotated by ``theta``, which for narrow Gaussians differs by per cents.

    Parameters
    ----------
    flux : float, optional
        The total flux.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    x_fwhm, y_fwhm : float, optional
        Full widths at half maximum of the Gaussian along the rotated axes,
        pixels. A fit leaves these and ``theta`` as they are unless their
        ``fixed`` is set to `False`.
    theta : float or Quantity, optional
        Angle of the rotated x axis, counter-clockwise from +x, in degrees or
        with a unit.
    bbox_factor : float, optional
        Half the size of the bounding box before it is fitted around the
        rotated ellipse, in units of sigma.
    **kwargs : dict, optional
        Any of astropy's model keywords: ``name``, ``meta``, ``fixed``,
        ``bounds``, ``tied``. PSFPhotometry refuses tied parameters.

    Raises
    ------
    ValueError
        If a width or ``bbox_factor`` is not positive and finite, or ``theta``
        is not finite.

    Examples
    --------
    >>> from psfphot.psf import GaussianPRF
    >>> model = GaussianPRF(flux=100, x_0=5, y_0=5, x_fwhm=3, y_fwhm=2, theta=30)
    >>> print(f"{model(5, 5):.3f} {model(6, 5):.3f}")
    13.556 9.325
    """

    _kind = "GaussianPRF"
    # Without it astropy makes one with positional arguments.
    __init__ = _Elliptical.__init__
