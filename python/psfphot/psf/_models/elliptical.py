"""Elliptical Gaussian models."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from astropy import units as u
from astropy.modeling import Parameter

from psfphot.psf._models.analytic import AnalyticPSF, in_unit, number_of
from psfphot.psf._models.base import PSFModel
from psfphot.psf._models.gaussian import SIGMA_PER_FWHM, gaussian_width

__all__ = ["GaussianPRF", "GaussianPSF"]


class _Elliptical(AnalyticPSF):
    """Elliptical Gaussians."""

    x_fwhm = gaussian_width(
        "Full width at half maximum along the rotated x axis, pixels."
    )
    y_fwhm = gaussian_width(
        "Full width at half maximum along the rotated y axis, pixels."
    )
    theta = Parameter(
        default=0.0,
        fixed=True,
        description="Angle of the rotated x axis, degrees counter-clockwise from +x.",
    )
    _above: ClassVar[dict[str, float]] = {"x_fwhm": 0, "y_fwhm": 0}
    _no_lengths: ClassVar[dict[str, u.UnitBase | None]] = {"theta": u.deg}

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

    @property
    def x_sigma(self) -> Any:
        """Standard deviation along the rotated x axis, pixels."""
        return self.x_fwhm * SIGMA_PER_FWHM

    @property
    def y_sigma(self) -> Any:
        """Standard deviation along the rotated y axis, pixels."""
        return self.y_fwhm * SIGMA_PER_FWHM

    @property
    def amplitude(self) -> Any:
        """Peak of the Gaussian before any integration over a pixel."""
        area = 2 * np.pi * number_of(self.x_sigma) * number_of(self.y_sigma)
        return self.flux / area

    def _half_sizes(self) -> tuple[Any, Any]:
        theta = self.theta.value if self.theta.unit is None else self.theta.quantity
        angle = np.deg2rad(in_unit(theta, u.deg))
        cos, sin = np.cos(angle), np.sin(angle)
        x, y = self.bbox_factor * self.x_sigma, self.bbox_factor * self.y_sigma
        return np.hypot(x * cos, y * sin), np.hypot(x * sin, y * cos)


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
