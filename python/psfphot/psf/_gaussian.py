"""Analytic Gaussian models."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.modeling import Parameter

from psfphot import _core
from psfphot.psf._base import PSFModel

__all__ = ["CircularGaussianPRF"]

# The smallest normal float32: a fitter that is bounded by it never divides by 0.
_TINY = float(np.finfo(np.float32).tiny)

_SIGMA_PER_FWHM = 1 / np.sqrt(8 * np.log(2))

# Evaluation is given the FWHM each time, so that one object does for all.
_PRF = _core.Psf.gaussian_prf(1.0)


class CircularGaussianPRF(PSFModel):
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
        ``bounds``, ``tied``. The last two are not supported by PSFPhotometry
        yet.

    Examples
    --------
    >>> from psfphot.psf import CircularGaussianPRF
    >>> model = CircularGaussianPRF(flux=100, x_0=5, y_0=5, fwhm=2)
    >>> print(f"{model(5, 5):.3f}")
    19.708
    """

    fwhm = Parameter(
        default=1,
        bounds=(_TINY, None),
        fixed=True,
        description="Full width at half maximum, pixels.",
    )

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
        super().__init__(flux=flux, x_0=x_0, y_0=y_0, fwhm=fwhm, **kwargs)
        self.bbox_factor = bbox_factor

    def _compile(self) -> _core.Psf:
        return _PRF

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
            The values, in the unit of ``flux``.
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
        """Peak of the Gaussian before the integration over a pixel."""
        return self.flux / (2 * np.pi * getattr(self.sigma, "value", self.sigma) ** 2)

    def bounding_box(self) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Limits in y and x: ``bbox_factor`` sigma around the centre."""
        half = self.bbox_factor * self.sigma
        return (
            (self.y_0 - half, self.y_0 + half),
            (self.x_0 - half, self.x_0 + half),
        )
