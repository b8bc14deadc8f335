"""A PSF given as one oversampled image."""

from __future__ import annotations

from typing import Any

import numpy as np

from psfphot import _core
from psfphot.psf._models.base import PSFModel
from psfphot.psf._models.interpolator import SplineInterpolator
from psfphot.psf._models.sampled import SampledPSFModel, as_samples

__all__ = ["ImagePSF"]

_NOT_2D = "Input data must be a 2D numpy array"


class ImagePSF(SampledPSFModel):
    """A PSF given as one oversampled image, interpolated by a bicubic spline.

    The image is used as it is, never normalised: for the flux to be the total
    flux, its sum over an infinite plane must be the product of the two
    oversamplings.

    Parameters
    ----------
    data : 2D ndarray
        The image, at least 4 x 4 samples, all finite. It is copied.
    flux : float, optional
        The total flux.
    x_0, y_0 : float, optional
        Column and row of the centre, pixels.
    origin : (x, y) or None, optional
        Sample coordinates in ``data`` of the source's position; `None` is the
        image's centre, ``((nx - 1) / 2, (ny - 1) / 2)``.
    oversampling : int or (y, x), optional
        Samples per pixel.
    fill_value : float or None, optional
        The value off the image, whatever the flux. With `None` the model
        continues the value of the nearest edge. `PSFPhotometry` and
        `make_psf_model_image` take 0 there.
    **kwargs : dict, optional
        Any of astropy's model keywords: ``name``, ``meta``, ``fixed``,
        ``bounds``, ``tied``. PSFPhotometry refuses tied parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.psf import ImagePSF
    >>> y, x = np.mgrid[-20:21, -20:21] / 4
    >>> data = np.exp(-(x**2 + y**2) / 2) / (2 * np.pi)
    >>> model = ImagePSF(data, flux=100, x_0=7, y_0=5, oversampling=4)
    >>> print(f"{model(7, 5):.4f}")
    15.9155
    """

    def __init__(
        self,
        data: Any,
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
        self.data = data
        self.origin = origin
        self.oversampling = oversampling
        self.fill_value = fill_value

    @property
    def data(self) -> Any:
        """The image; read-only, a copy of what was given. It may be replaced.

        Raises
        ------
        TypeError
            If what replaces it is not an array of real numbers.
        ValueError
            If that is not 2D, has fewer than 4 x 4 samples, or some that are
            not finite.
        """
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        if not isinstance(data, np.ndarray):
            raise TypeError(_NOT_2D)
        if data.ndim != 2:  # noqa: PLR2004
            raise ValueError(_NOT_2D)
        self._data = as_samples(data, "")
        self._forget_compiled()

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples, (ny, nx)."""
        ny, nx = self._data.shape
        return ny, nx

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "interpolator" in vars(cls):
            msg = (
                "a subclass of ImagePSF cannot have an interpolator of its own: "
                "override evaluate and fit_deriv, or give other data"
            )
            raise TypeError(msg)

    @property
    def interpolator(self) -> SplineInterpolator:
        """The spline as a function of the sample coordinates (x, y).

        It is called as a `scipy.interpolate.RectBivariateSpline` is, and has
        ``partial_derivative``; it cannot be replaced.
        """
        samples = ImagePSF(self._data, origin=(0, 0), fill_value=None)
        return SplineInterpolator(samples)

    def _splines(self) -> _core.Psf:
        return _core.Psf.sampled(self._data, **self._sampling())

    def __repr__(self) -> str:
        kwargs = {
            "origin": self.origin.tolist(),
            "oversampling": self.oversampling.tolist(),
            "fill_value": self.fill_value,
        }
        return str(self._format_repr(kwargs=kwargs))

    def __str__(self) -> str:
        keywords = [
            ("PSF shape (oversampled pixels)", self.shape),
            ("Origin", self.origin.tolist()),
            ("Oversampling", tuple(self.oversampling.tolist())),
            ("Fill Value", self.fill_value),
        ]
        return str(self._format_str(keywords=keywords))
