"""Circular Gaussian models."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from astropy.modeling import Parameter

from psfphot.psf._models.analytic import TINY, AnalyticPSF, number_of
from psfphot.psf._models.base import PSFModel

__all__ = [
    "CircularGaussianPRF",
    "CircularGaussianPSF",
    "CircularGaussianSigmaPRF",
]

FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))
SIGMA_PER_FWHM = 1 / FWHM_PER_SIGMA


def gaussian_width(description: str) -> Parameter:
    """Make a parameter that is a width: positive, and fixed by default."""
    return Parameter(
        default=1, bounds=(TINY, None), fixed=True, description=description
    )


class _CircularByFWHM(AnalyticPSF):
    """Circular Gaussians with the parameter fwhm."""

    fwhm = gaussian_width("Full width at half maximum, pixels.")
    _above: ClassVar[dict[str, float]] = {"fwhm": 0}
    _width = "sigma"

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

    @property
    def sigma(self) -> Any:
        """Standard deviation of the Gaussian, pixels."""
        return self.fwhm * SIGMA_PER_FWHM

    @property
    def amplitude(self) -> Any:
        """Peak of the Gaussian before any integration over a pixel."""
        return self.flux / (2 * np.pi * number_of(self.sigma) ** 2)


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
    sigma = gaussian_width("Standard deviation, pixels.")
    _above: ClassVar[dict[str, float]] = {"sigma": 0}
    _width = "sigma"

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

    @property
    def fwhm(self) -> Any:
        """Full width at half maximum of the Gaussian, pixels."""
        return self.sigma / SIGMA_PER_FWHM

    @property
    def amplitude(self) -> Any:
        """Peak of the Gaussian before the integration over a pixel."""
        return self.flux / (2 * np.pi * self.sigma.value**2)
