"""Positions and shapes of what is in apertures."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy import units as u

from psfphot._deprecated import SINCE
from psfphot._warnings import PhotutilsDeprecationWarning
from psfphot.aperture._columns import per_aperture
from psfphot.aperture._flags import APERTURE_FLAGS
from psfphot.aperture._shape import (
    PIXEL_VARIANCE,
    angles,
    axis_variances,
    is_negative,
    moments,
    raw_covariance,
    regular_covariance,
)
from psfphot.aperture._sky import sky_jacobian

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.aperture._cutouts import Cutout
    from psfphot.aperture._pixel import PixelAperture
    from psfphot.aperture._scene import Scene


class ShapeColumns(ABC):
    """What `ApertureStats` tells from the moments of the pixels, and where."""

    _scene: Scene
    _aperture: PixelAperture
    _cache: dict[str, Any]
    _old_names: ClassVar[dict[str, str]]

    def column(self, name: str) -> Any:
        """Give the values of a property for all positions, also if there is one."""
        return getattr(type(self), name).of(self)

    @property
    def properties(self) -> list[str]:
        """The names of all properties but the id."""
        return sorted(
            name
            for kind in type(self).__mro__
            for name, value in vars(kind).items()
            if isinstance(value, per_aperture) and name != "id"
        )

    def __getattr__(self, name: str) -> Any:
        new = type(self)._old_names.get(name)
        if new is None:
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(msg, name=name, obj=self)
        msg = (
            f"The attribute {name!r} was deprecated in photutils {SINCE}. "
            f"Use {new!r} instead."
        )
        warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=2)
        return getattr(self, new)

    @property
    @abstractmethod
    def _center(self) -> list[Cutout]:
        """The cutouts of the pixels whose centres are inside."""

    # Where.

    @property
    def _boxes(self) -> list[Any]:
        boxes: Any = self._aperture.bbox
        return [boxes] if self._aperture.isscalar else boxes

    @per_aperture
    def bbox(self) -> Any:
        """The smallest boxes that hold the apertures."""
        boxes = np.empty(len(self._boxes), dtype=object)
        boxes[:] = self._boxes
        return boxes

    @per_aperture
    def bbox_xmin(self) -> Any:
        """Their first columns."""
        return np.array([box.ixmin for box in self._boxes])

    @per_aperture
    def bbox_xmax(self) -> Any:
        """Their last columns."""
        return np.array([box.ixmax - 1 for box in self._boxes])

    @per_aperture
    def bbox_ymin(self) -> Any:
        """Their first rows."""
        return np.array([box.iymin for box in self._boxes])

    @per_aperture
    def bbox_ymax(self) -> Any:
        """Their last rows."""
        return np.array([box.iymax - 1 for box in self._boxes])

    @per_aperture
    def moments(self) -> Any:
        """Moments to the third order: [i, j] is Σ value · y^i · x^j in the cutout."""
        moments = [_moments(cutout) for cutout in self._center]
        return np.reshape(moments, (-1, 4, 4))

    @per_aperture
    def moments_central(self) -> Any:
        """The moments around the centroid."""
        pairs = zip(self._center, self.column("cutout_centroid"), strict=True)
        moments = [_moments(cutout, tuple(center)) for cutout, center in pairs]
        return np.reshape(moments, (-1, 4, 4))

    @per_aperture
    def cutout_centroid(self) -> Any:
        """The centroids (x, y) in the cutouts."""
        m = self.column("moments")
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.stack([m[:, 0, 1] / m[:, 0, 0], m[:, 1, 0] / m[:, 0, 0]], -1)

    @per_aperture
    def centroid(self) -> Any:
        """The centroids (x, y), pixels."""
        corners = np.stack([self.column("bbox_xmin"), self.column("bbox_ymin")], -1)
        return self.column("cutout_centroid") + np.maximum(corners, 0)

    @per_aperture
    def x_centroid(self) -> Any:
        """The columns of the centroids, pixels."""
        return self.column("centroid")[:, 0]

    @per_aperture
    def y_centroid(self) -> Any:
        """The rows of the centroids, pixels."""
        return self.column("centroid")[:, 1]

    @per_aperture
    def sky_centroid(self) -> Any:
        """The centroids on the sky; `None` without a WCS."""
        if self._scene.wcs is None:
            return None
        return self._scene.wcs.pixel_to_world(*self.column("centroid").T)

    @per_aperture
    def sky_centroid_icrs(self) -> Any:
        """The centroids on the sky, ICRS; `None` without a WCS."""
        sky = self.column("sky_centroid")
        return None if sky is None else sky.icrs

    # Of what shape.

    @property
    def _raw(self) -> NDArray[np.float64]:
        return raw_covariance(self.column("moments_central"))

    @property
    def _covariance(self) -> NDArray[np.float64]:
        return regular_covariance(self._raw)

    @per_aperture
    def covariance(self) -> Any:
        """Covariances (x, y) of the Gaussians with the same second moments, pix²."""
        return self._covariance << u.pix**2

    @per_aperture
    def covariance_eigvals(self) -> Any:
        """The variances along the axes, the larger first, pix²."""
        return axis_variances(self._covariance) << u.pix**2

    @per_aperture
    def covariance_xx(self) -> Any:
        """The variances in x, pix²."""
        return self.column("covariance")[:, 0, 0]

    @per_aperture
    def covariance_yy(self) -> Any:
        """The variances in y, pix²."""
        return self.column("covariance")[:, 1, 1]

    @per_aperture
    def covariance_xy(self) -> Any:
        """The covariances of x and y, pix²."""
        return self.column("covariance")[:, 0, 1]

    @per_aperture
    def semimajor_axis(self) -> Any:
        """Standard deviations along the major axes, pixels."""
        return np.sqrt(self.column("covariance_eigvals")[:, 0])

    @per_aperture
    def semiminor_axis(self) -> Any:
        """Standard deviations along the minor axes, pixels."""
        return np.sqrt(self.column("covariance_eigvals")[:, 1])

    @per_aperture
    def fwhm(self) -> Any:
        """Full widths at half maximum, 2 √(ln 2 (a² + b²)), pixels."""
        return 2 * np.sqrt(np.log(2) * self.column("covariance_eigvals").sum(axis=1))

    @per_aperture
    def orientation(self) -> Any:
        """Angles of the major axes, degrees counter-clockwise from +x."""
        return angles(self._covariance) << u.deg

    @per_aperture
    def sky_orientation(self) -> Any:
        """Position angles of the major axes, degrees from north to east."""
        if self._scene.wcs is None:
            return None
        on_sky = np.full_like(self._covariance, np.nan)
        for i, (x, y) in enumerate(self.column("centroid")):
            if np.isfinite([x, y]).all():
                east, north = sky_jacobian(self._scene.wcs, x, y)
                jacobian = np.array([north, east])
                on_sky[i] = jacobian @ self._covariance[i] @ jacobian.T
        return angles(on_sky) << u.deg

    @per_aperture
    def eccentricity(self) -> Any:
        """√(1 - b²/a²) of the axes a and b."""
        major, minor = self.column("covariance_eigvals").T
        return np.sqrt(1 - minor / major)

    @per_aperture
    def elongation(self) -> Any:
        """a/b of the axes a and b."""
        return self.column("semimajor_axis") / self.column("semiminor_axis")

    @per_aperture
    def ellipticity(self) -> Any:
        """1 - b/a of the axes a and b."""
        return 1 - self.column("semiminor_axis") / self.column("semimajor_axis")

    @per_aperture
    def ellipse_cxx(self) -> Any:
        """Of x² in the equation of the 1-sigma ellipse, 1/pix²."""
        return self._ellipse[:, 0, 0] << u.pix**-2

    @per_aperture
    def ellipse_cyy(self) -> Any:
        """Of y² in the equation of the 1-sigma ellipse, 1/pix²."""
        return self._ellipse[:, 1, 1] << u.pix**-2

    @per_aperture
    def ellipse_cxy(self) -> Any:
        """Of x · y in the equation of the 1-sigma ellipse, 1/pix²."""
        return 2 * self._ellipse[:, 0, 1] << u.pix**-2

    @property
    def _ellipse(self) -> NDArray[np.float64]:
        """The inverse covariances."""
        covariance = self._covariance
        known = np.isfinite(covariance).all(axis=(1, 2))
        inverse = np.full_like(covariance, np.nan)
        inverse[known] = np.linalg.inv(covariance[known])
        return inverse

    def _shape_flags(self, all_masked: NDArray[np.bool_]) -> NDArray[np.int_]:
        """Flag moments that are of no shape."""
        flux = self.column("moments")[:, 0, 0]
        n_used = np.array([cutout.used.sum() for cutout in self._center])
        raw = self._raw
        negative = is_negative(raw)
        with np.errstate(invalid="ignore"):
            undefined = ((flux <= 0) & (n_used > 0)) | all_masked | negative
            narrow = (axis_variances(raw)[:, 1] < PIXEL_VARIANCE) & ~negative
            x, y = self.column("centroid").T
            outside = (x < self.column("bbox_xmin") - 0.5) | (
                x > self.column("bbox_xmax") + 0.5
            )
            outside |= (y < self.column("bbox_ymin") - 0.5) | (
                y > self.column("bbox_ymax") + 0.5
            )
        flags = np.zeros(len(flux), dtype=int)
        flags[undefined] |= APERTURE_FLAGS.UNDEFINED_SHAPE
        flags[narrow] |= APERTURE_FLAGS.SINGULAR_COVARIANCE
        flags[outside] |= APERTURE_FLAGS.CENTROID_OUTSIDE_BBOX
        return flags


def _moments(cutout: Cutout, center: Any = (0.0, 0.0)) -> NDArray[np.float64]:
    if np.isnan(cutout.values).all():
        return np.full((4, 4), np.nan)
    return moments(np.where(cutout.used, cutout.values, 0.0), center)
