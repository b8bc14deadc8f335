"""A PSF whose samples are polynomials of the detector position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from psfphot import _core
from psfphot.psf._models.base import PSFModel
from psfphot.psf._models.sampled import (
    SampledPSFModel,
    as_samples,
    as_samples_per_pixel,
    as_unmasked_pixels,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot._validate import Image

__all__ = ["PolynomialPSFModel"]

#: Number of images by the degree of the polynomial.
N_TERMS = (1, 3, 6, 10, 15)


class PolynomialPSFModel(SampledPSFModel):
    """A PSF whose samples are polynomials of the source's position.

    With u = (x_0 - center_x) / scale_x and v alike, and for the degree 2, the
    images are the coefficients of 1, u, u**2, v, u v, v**2: the power of u
    counts fastest. The sum is interpolated by a bicubic spline. Where u or v is
    beyond -1 or 1 it is taken there. This is the PSF of PSFEx [1]_.

    The images are used as they are, never normalised: for the flux to be the
    total flux, the sum of the first over an infinite plane must be the product
    of the two oversamplings, and that of each other 0.

    Parameters
    ----------
    data : 3D ndarray
        The images, (N, ny, nx), N one of 1, 3, 6, 10, 15 for the degree 0 to
        4, ny and nx at least 4, all finite. They are copied.
    center : (x, y)
        The position where u and v are 0, pixels.
    scale : (x, y)
        How far from there u and v are 1, pixels.
    flux : float, optional
        The total flux.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    origin : (x, y) or None, optional
        Sample coordinates in the images of the source's position; `None` is the
        images' centre, ``((nx - 1) / 2, (ny - 1) / 2)``.
    oversampling : float or (y, x), optional
        Samples per pixel; any number above 0.
    fill_value : float or None, optional
        The value off the images, whatever the flux. With `None` the model
        continues the value of the nearest edge. `PSFPhotometry` and
        `make_psf_model_image` take 0 there.
    **kwargs : dict, optional
        Any of astropy's model keywords: ``name``, ``meta``, ``fixed``,
        ``bounds``, ``tied``. PSFPhotometry refuses tied parameters.

    References
    ----------
    .. [1] Bertin E. (2011), "Automated Morphometry with SExtractor and PSFEx",
       ADASS XX, ASP Conference Series 442, 435.

    Examples
    --------
    A Gaussian whose peak is 10 % higher at x = 150 than at x = 100:

    >>> import numpy as np
    >>> from psfphot.psf import PolynomialPSFModel
    >>> y, x = np.mgrid[-20:21, -20:21] / 2.5
    >>> image = np.exp(-(x**2 + y**2) / 2) / (2 * np.pi)
    >>> data = np.array([image, 0.2 * image, 0 * image])
    >>> model = PolynomialPSFModel(
    ...     data, center=(100, 100), scale=(100, 100), oversampling=2.5
    ... )
    >>> model.x_0, model.y_0 = 150, 100
    >>> print(f"{model(150, 100) / image.max():.4f}")
    1.1000
    """

    # Files are a floor above: `psfphot.psf._files.formats` puts this in.
    read: ClassVar[Any]

    def __init__(
        self,
        data: Any,
        center: Any,
        scale: Any,
        *,
        flux: Any = PSFModel.flux.default,
        x_0: Any = PSFModel.x_0.default,
        y_0: Any = PSFModel.y_0.default,
        origin: Any = None,
        oversampling: Any = 1,
        fill_value: float | None = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(flux=flux, x_0=x_0, y_0=y_0, **kwargs)
        self._data = _as_images(data)
        self._center = _as_pair(center, "center")
        self._scale = _as_pair(scale, "scale")
        if (self._scale <= 0).any():
            msg = f"scale must be positive, got {scale!r}"
            raise ValueError(msg)
        self.origin = origin
        self.oversampling = oversampling
        self.fill_value = fill_value

    @property
    def center(self) -> NDArray[np.float64]:
        """The position (x, y) where the polynomial's variables are 0."""
        return self._center.copy()

    @property
    def scale(self) -> NDArray[np.float64]:
        """How far (x, y) from there they are 1, pixels."""
        return self._scale.copy()

    @property
    def degree(self) -> int:
        """The degree of the polynomial, 0 to 4."""
        return N_TERMS.index(len(self._data))

    @property
    def oversampling(self) -> NDArray[Any]:
        """Samples per pixel, (y, x)."""
        return self._oversampling

    @oversampling.setter
    def oversampling(self, value: Any) -> None:
        self._oversampling = as_samples_per_pixel(value)
        self._forget_compiled()

    def _compile(self) -> _core.Psf:
        center, scale = (tuple(pair.tolist()) for pair in (self._center, self._scale))
        return _core.Psf.polynomial(self._data, center, scale, **self._sampling())

    def __repr__(self) -> str:
        kwargs = {
            "center": self._center.tolist(),
            "scale": self._scale.tolist(),
            "origin": self.origin.tolist(),
            "oversampling": self.oversampling.tolist(),
            "fill_value": self.fill_value,
        }
        return str(self._format_repr(kwargs=kwargs))

    def __str__(self) -> str:
        keywords = [
            ("Degree", self.degree),
            ("PSF shape (oversampled pixels)", self._data.shape[1:]),
            ("Center", self._center.tolist()),
            ("Scale", self._scale.tolist()),
            ("Origin", self.origin.tolist()),
            ("Oversampling", tuple(self.oversampling.tolist())),
            ("Fill Value", self.fill_value),
        ]
        return str(self._format_str(keywords=keywords))


def _as_images(data: Any) -> Image:
    if not isinstance(data, np.ndarray) or data.ndim != 3:  # noqa: PLR2004
        got = getattr(data, "shape", type(data).__name__)
        msg = f"data must be a 3D numpy array (N, ny, nx), got {got}"
        raise ValueError(msg)
    if len(data) not in N_TERMS:
        msg = (
            f"data must have {', '.join(map(str, N_TERMS[:-1]))} or {N_TERMS[-1]} "
            f"images, of the degrees 0 to {len(N_TERMS) - 1}, got {len(data)}"
        )
        raise ValueError(msg)
    return as_samples(data, "")


def _as_pair(value: Any, name: str) -> NDArray[np.float64]:
    pair = as_unmasked_pixels(value, name).astype(np.float64)
    if pair.shape != (2,) or not np.isfinite(pair).all():
        msg = f"{name} must be two finite numbers (x, y), got {value!r}"
        raise ValueError(msg)
    return pair
