"""Airy disk models."""

from __future__ import annotations

from typing import Any, ClassVar

from astropy.modeling import Parameter

from psfphot.psf._models.analytic import DEFAULT_NODES, TINY, AnalyticPSF, PixelNodes
from psfphot.psf._models.base import PSFModel

__all__ = ["AiryDiskPRF", "AiryDiskPSF"]

_FWHM_PER_RADIUS = 0.8436659602162364


class AiryDiskPSF(AnalyticPSF):
    r"""An Airy disk, the image of a circular aperture, at the pixel centres.

    .. math::

        f(x, y) = F\, \frac{\pi}{4 q^2}
            \left[\frac{2 J_1(\pi r / q)}{\pi r / q}\right]^2,
        \quad q = \frac{R}{1.2196698912665045}

    with r the distance from (x_0, y_0). Detectors integrate over the pixel: to
    fit an image use `AiryDiskPRF`.

    Parameters
    ----------
    flux : float, optional
        The total flux F.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    radius : float, optional
        Radius R of the first zero, pixels. A fit leaves it as it is unless
        ``model.radius.fixed`` is set to `False`.
    bbox_factor : float, optional
        Half the size of the bounding box, in units of the FWHM.
    **kwargs : dict, optional
        Any of astropy's model keywords: ``name``, ``meta``, ``fixed``,
        ``bounds``, ``tied``. PSFPhotometry refuses tied parameters.

    Raises
    ------
    ValueError
        If ``radius`` or ``bbox_factor`` is not positive and finite.

    Notes
    -----
    Values are given at any distance. In a joint fit of a group of sources the
    rings end 10 FWHM from the centre.

    Examples
    --------
    >>> from psfphot.psf import AiryDiskPSF
    >>> model = AiryDiskPSF(flux=100, x_0=5, y_0=5, radius=3)
    >>> print(f"{model(5, 5):.3f} {model.fwhm:.3f}")
    12.982 2.531
    """

    _kind = "AiryDiskPSF"
    radius = Parameter(
        default=1,
        bounds=(TINY, None),
        fixed=True,
        description="Radius of the first zero, pixels.",
    )
    _above: ClassVar[dict[str, float]] = {"radius": 0}

    def __init__(
        self,
        *,
        flux: Any = PSFModel.flux.default,
        x_0: Any = PSFModel.x_0.default,
        y_0: Any = PSFModel.y_0.default,
        radius: Any = radius.default,
        bbox_factor: float = 10.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            flux=flux,
            x_0=x_0,
            y_0=y_0,
            radius=radius,
            bbox_factor=bbox_factor,
            **kwargs,
        )

    @property
    def fwhm(self) -> Any:
        """Full width at half maximum, pixels, before any integration."""
        return self.radius * _FWHM_PER_RADIUS


class AiryDiskPRF(PixelNodes, AiryDiskPSF):
    """An Airy disk, integrated over the pixels.

    The integral of `AiryDiskPSF` over each pixel by ``n_nodes`` x ``n_nodes``
    Gauss-Legendre nodes.

    Parameters
    ----------
    flux : float, optional
        The total flux.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    radius : float, optional
        Radius of the first zero, pixels. A fit leaves it as it is unless
        ``model.radius.fixed`` is set to `False`.
    bbox_factor : float, optional
        Half the size of the bounding box, in units of the FWHM.
    n_nodes : int, optional
        Number of nodes along each axis of a pixel, from 1 (the pixel's centre)
        to 200. 9 are good to 1e-13 of the peak for a ``radius`` of a pixel.
    **kwargs : dict, optional
        Any of astropy's model keywords: ``name``, ``meta``, ``fixed``,
        ``bounds``, ``tied``. PSFPhotometry refuses tied parameters.

    Raises
    ------
    ValueError
        If ``radius`` or ``bbox_factor`` is not positive and finite, or
        ``n_nodes`` not an integer from 1 to 200.

    Examples
    --------
    >>> from psfphot.psf import AiryDiskPRF
    >>> model = AiryDiskPRF(flux=100, x_0=5, y_0=5, radius=3)
    >>> print(f"{model(5, 5):.3f}")
    12.133
    """

    _kind = "AiryDiskPRF"

    def __init__(
        self,
        *,
        flux: Any = PSFModel.flux.default,
        x_0: Any = PSFModel.x_0.default,
        y_0: Any = PSFModel.y_0.default,
        radius: Any = AiryDiskPSF.radius.default,
        bbox_factor: float = 10.0,
        n_nodes: int = DEFAULT_NODES,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            flux=flux,
            x_0=x_0,
            y_0=y_0,
            radius=radius,
            bbox_factor=bbox_factor,
            **kwargs,
        )
        self.n_nodes = n_nodes
