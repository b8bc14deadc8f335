"""Moffat models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy.modeling import Parameter

from psfphot.psf._models.analytic import DEFAULT_NODES, TINY, AnalyticPSF, PixelNodes
from psfphot.psf._models.base import PSFModel

if TYPE_CHECKING:
    from astropy import units as u

__all__ = ["MoffatPRF", "MoffatPSF"]


class MoffatPSF(AnalyticPSF):
    r"""A Moffat function at the pixel centres.

    .. math::

        f(x, y) = F\, \frac{\beta - 1}{\pi \alpha^2}
            \left(1 + \frac{(x - x_0)^2 + (y - y_0)^2}{\alpha^2}\right)^{-\beta}

    (Moffat 1969, A&A 3, 455). Detectors integrate over the pixel: to fit an
    image use `MoffatPRF`.

    Parameters
    ----------
    flux : float, optional
        The total flux F.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    alpha : float, optional
        The scale, pixels. A fit leaves it as it is unless
        ``model.alpha.fixed`` is set to `False`.
    beta : float, optional
        The exponent, greater than 1; of the wings' surface brightness it is
        half the slope. Fixed like ``alpha``.
    bbox_factor : float, optional
        Half the size of the bounding box, in units of the FWHM.
    **kwargs : dict, optional
        Any of astropy's model keywords: ``name``, ``meta``, ``fixed``,
        ``bounds``, ``tied``. PSFPhotometry refuses tied parameters.

    Raises
    ------
    ValueError
        If ``alpha`` or ``bbox_factor`` is not positive, ``beta`` not greater
        than 1, or one of them not finite.

    Notes
    -----
    Values are given at any distance. In a joint fit of a group of sources the
    wings end 10 FWHM from the centre.

    Examples
    --------
    >>> from psfphot.psf import MoffatPSF
    >>> model = MoffatPSF(flux=100, x_0=5, y_0=5, alpha=2, beta=3)
    >>> print(f"{model(5, 5):.3f} {model.fwhm:.3f}")
    15.915 2.039
    """

    _kind = "MoffatPSF"
    alpha = Parameter(
        default=1, bounds=(TINY, None), fixed=True, description="Scale, pixels."
    )
    beta = Parameter(
        default=2,
        bounds=(float(np.nextafter(1, 2)), None),
        fixed=True,
        description="Exponent.",
    )
    _above: ClassVar[dict[str, float]] = {"alpha": 0, "beta": 1}
    _no_lengths: ClassVar[dict[str, u.UnitBase | None]] = {"beta": None}

    def __init__(
        self,
        *,
        flux: Any = PSFModel.flux.default,
        x_0: Any = PSFModel.x_0.default,
        y_0: Any = PSFModel.y_0.default,
        alpha: Any = alpha.default,
        beta: Any = beta.default,
        bbox_factor: float = 10.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            flux=flux,
            x_0=x_0,
            y_0=y_0,
            alpha=alpha,
            beta=beta,
            bbox_factor=bbox_factor,
            **kwargs,
        )

    @property
    def fwhm(self) -> Any:
        """Full width at half maximum, pixels, before any integration."""
        return self.alpha * (2 * np.sqrt(2 ** (1 / self.beta.value) - 1))


class MoffatPRF(PixelNodes, MoffatPSF):
    """A Moffat function, integrated over the pixels.

    The integral of `MoffatPSF` over each pixel by ``n_nodes`` x ``n_nodes``
    Gauss-Legendre nodes.

    Parameters
    ----------
    flux : float, optional
        The total flux.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    alpha : float, optional
        The scale, pixels. A fit leaves it as it is unless
        ``model.alpha.fixed`` is set to `False`.
    beta : float, optional
        The exponent, greater than 1. Fixed like ``alpha``.
    bbox_factor : float, optional
        Half the size of the bounding box, in units of the FWHM.
    n_nodes : int, optional
        Number of nodes along each axis of a pixel, from 1 (the pixel's centre)
        to 200. 9 are good to 7e-9 of the peak for ``alpha`` of a pixel, and
        1e-13 for two (``beta`` up to 5).
    **kwargs : dict, optional
        Any of astropy's model keywords: ``name``, ``meta``, ``fixed``,
        ``bounds``, ``tied``. PSFPhotometry refuses tied parameters.

    Raises
    ------
    ValueError
        If ``alpha`` or ``bbox_factor`` is not positive, ``beta`` not greater
        than 1, one of them not finite, or ``n_nodes`` not an integer from 1 to
        200.

    Examples
    --------
    >>> from psfphot.psf import MoffatPRF
    >>> model = MoffatPRF(flux=100, x_0=5, y_0=5, alpha=2, beta=3)
    >>> print(f"{model(5, 5):.3f}")
    14.134
    """

    _kind = "MoffatPRF"

    def __init__(
        self,
        *,
        flux: Any = PSFModel.flux.default,
        x_0: Any = PSFModel.x_0.default,
        y_0: Any = PSFModel.y_0.default,
        alpha: Any = MoffatPSF.alpha.default,
        beta: Any = MoffatPSF.beta.default,
        bbox_factor: float = 10.0,
        n_nodes: int = DEFAULT_NODES,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            flux=flux,
            x_0=x_0,
            y_0=y_0,
            alpha=alpha,
            beta=beta,
            bbox_factor=bbox_factor,
            **kwargs,
        )
        self.n_nodes = n_nodes
