"""The Gaussian kernel of the star finders."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from psfphot import _core
from psfphot._repr import make_repr

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class GaussianKernel:
    """The kernel with which `DAOStarFinder` and `IRAFStarFinder` convolve.

    Parameters
    ----------
    fwhm : float
        Full width at half maximum of the Gaussian along its major axis, pixels.
    ratio : float, optional
        Its minor over its major axis.
    theta : float, optional
        Angle of the major axis, degrees counter-clockwise from +x.
    sigma_radius : float, optional
        Where it is cut off, in units of its sigma.
    """

    def __init__(
        self,
        fwhm: float,
        ratio: float = 1.0,
        theta: float = 0.0,
        sigma_radius: float = 1.5,
    ) -> None:
        self.fwhm = fwhm
        self.ratio = ratio
        self.theta = theta
        self.sigma_radius = sigma_radius

    @cached_property
    def _made(self) -> tuple[NDArray[np.float64], NDArray[np.bool_], float]:
        return _core.gaussian_kernel(
            self.fwhm, self.ratio, self.theta, self.sigma_radius
        )

    @property
    def data(self) -> NDArray[np.float64]:
        """Its values, 2D; they sum to 0 and are 0 off the footprint."""
        return self._made[0]

    @property
    def mask(self) -> NDArray[np.int_]:
        """The footprint: 1 for the pixels that it uses, else 0."""
        return self._made[1].astype(int)

    @property
    def rel_err(self) -> float:
        """Noise of the convolved image over the noise of a pixel."""
        return self._made[2]

    @property
    def n_pixels(self) -> int:
        """Number of pixels that it uses."""
        return int(self._made[1].sum())

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        ny, nx = self._made[0].shape
        return ny, nx

    @property
    def y_radius(self) -> int:
        """Rows on either side of the central one."""
        return self.shape[0] // 2

    @property
    def x_radius(self) -> int:
        """Columns on either side of the central one."""
        return self.shape[1] // 2

    def __repr__(self) -> str:
        return make_repr(self, ("fwhm", "ratio", "theta", "sigma_radius"))
