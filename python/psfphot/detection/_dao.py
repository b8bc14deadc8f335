"""The star finder of DAOPHOT's FIND and IRAF's daofind task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core
from psfphot._deprecated import old_arguments
from psfphot.detection import _arguments as check
from psfphot.detection._base import KernelFinder
from psfphot.detection._kernel import GaussianKernel

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.table import QTable
    from numpy.typing import ArrayLike, NDArray

    from psfphot.detection._base import Scene


class DAOStarFinder(KernelFinder):
    r"""Find stars by fits of a Gaussian, as DAOPHOT's ``FIND`` does.

    The image is convolved with an elliptical Gaussian that is cut off at
    ``sigma_radius`` and sums to zero; the result H is the height of the
    Gaussian in the least-squares fit of a Gaussian plus a constant around each
    pixel. Its local maxima above the threshold are kept where their sharpness
    and two roundnesses are those of stars.

    Parameters
    ----------
    threshold : float, 2D array_like or `~astropy.units.Quantity`
        The threshold of a pixel, in the unit of the image; see
        ``scale_threshold``. An array has the shape of the image; where it is
        NaN nothing is found.
    fwhm : float
        Full width at half maximum of the Gaussian along its major axis, pixels.
    ratio : float, optional
        Its minor over its major axis, above 0 and at most 1.
    theta : float, optional
        Angle of the major axis, degrees counter-clockwise from +x.
    sigma_radius : float, optional
        Where the Gaussian is cut off, in units of its sigma. Pixels within 2
        pixels of the centre always belong to the kernel.
    exclude_border : bool, optional
        Leave out stars within half the kernel's size of the image's edges.
    n_brightest : int or `None`, optional
        Keep only so many stars, those of the largest flux, brightest first.
    peak_max : float, `~astropy.units.Quantity` or `None`, optional
        Keep only stars whose ``peak`` is at most this.
    xycoords : Nx2 array_like or `None`, optional
        (x, y) positions, pixels, to measure in the place of a search. They are
        rounded to whole pixels (halves away from zero) and must lie on the
        image. ``threshold``, ``min_separation``, ``exclude_border`` and the
        mask then select nothing; the other filters do.
    min_separation : float or `None`, optional
        A star's pixel must be the largest within this distance of it, pixels.
        `None` means ``2.5 * fwhm``. With 0 it must be the largest within the
        kernel only, as in DAOPHOT and in photutils before 3.0. Of equal pixels
        within a positive distance one is kept.
    scale_threshold : bool, optional
        Multiply the threshold by the noise of H over that of a pixel, as in
        DAOPHOT. If `False`, H is compared with the threshold as it is.
    sharpness_range : tuple of 2 floats or `None`, optional
        The (lower, upper) accepted ``sharpness``, ends included.
    roundness_range : tuple of 2 floats or `None`, optional
        The (lower, upper) accepted values of both roundnesses, ends included.
    n_threads : int or `None`, optional
        Number of threads; `None` means all CPUs that this process may use. The
        result does not depend on it.

    Raises
    ------
    TypeError
        If an argument is not of its type; the message names it.
    ValueError
        If an argument is out of its range, or units do not go together.

    Notes
    -----
    Positions and ``roundness2`` come from fits of a Gaussian to the marginal
    sums of the kernel's rectangle. As in DAOPHOT, the width along x is that of
    the major axis and along y that of the minor one, whatever ``theta``.

    With ``min_separation=0`` the stars are those of IRAF's ``daofind`` with
    ``boundary="constant"``, ``constant=0``, ``fwhmpsf=fwhm``,
    ``nsigma=sigma_radius`` and its ``threshold`` times ``sigma`` for
    ``threshold``; its pixels count from 1.

    Beyond the edges of the image the data count as 0. Masked pixels are not
    stars and do not hide stars near them, but they do enter the convolution
    and the fits; set them to NaN to prevent that. NaN and infinite pixels are
    left out of the fit of the convolution, and count in the other sums as what
    the Gaussian fitted to the others has there: unlike photutils', they hide no
    star unless they take most of its core.

    References
    ----------
    Stetson, P. B. 1987, PASP, 99, 191; IRAF's ``noao.digiphot.apphot.daofind``.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.detection import DAOStarFinder
    >>> y, x = np.mgrid[:32, :40]
    >>> data = 50 * np.exp(-((x - 20.3) ** 2 + (y - 11.6) ** 2) / 3.4)
    >>> stars = DAOStarFinder(threshold=5.0, fwhm=3.0)(data)
    >>> len(stars)
    1
    """

    _shown = (
        "threshold",
        "fwhm",
        "ratio",
        "theta",
        "sigma_radius",
        "sharpness_range",
        "roundness_range",
        "exclude_border",
        "n_brightest",
        "peak_max",
        "xycoords",
        "min_separation",
        "scale_threshold",
    )

    @old_arguments(
        "ratio",
        "theta",
        "sigma_radius",
        "sharplo",
        "sharphi",
        "roundlo",
        "roundhi",
        "exclude_border",
        "n_brightest",
        "peak_max",
        "xycoords",
        "min_separation",
        "scale_threshold",
        renamed=check.RENAMED,
        ranges=check.RANGES,
    )
    def __init__(
        self,
        threshold: ArrayLike | u.Quantity,
        fwhm: float,
        *,
        ratio: float = 1.0,
        theta: float = 0.0,
        sigma_radius: float = 1.5,
        exclude_border: bool = False,
        n_brightest: int | None = None,
        peak_max: float | u.Quantity | None = None,
        xycoords: ArrayLike | None = None,
        min_separation: float | None = None,
        scale_threshold: bool = True,
        sharpness_range: tuple[float, float] | None = (0.2, 1.0),
        roundness_range: tuple[float, float] | None = (-1.0, 1.0),
        n_threads: int | None = None,
    ) -> None:
        self.fwhm = check.positive(fwhm, "fwhm")
        super().__init__(
            threshold,
            min_separation=2.5 * self.fwhm
            if min_separation is None
            else min_separation,
            exclude_border=exclude_border,
            n_brightest=n_brightest,
            peak_max=peak_max,
            n_threads=n_threads,
        )
        self.ratio = check.scalar(ratio, "ratio")
        if not 0 < self.ratio <= 1:
            msg = "ratio must be > 0 and <= 1.0"
            raise ValueError(msg)
        self.theta = check.finite(theta, "theta") % 360.0
        self.sigma_radius = check.positive(sigma_radius, "sigma_radius")
        self.xycoords = check.positions(xycoords, "xycoords")
        self.scale_threshold = bool(scale_threshold)
        self.sharpness_range = check.bounds(sharpness_range, "sharpness_range")
        self.roundness_range = check.bounds(roundness_range, "roundness_range")

    @property
    def kernel(self) -> GaussianKernel:
        """The kernel that the image is convolved with."""
        return GaussianKernel(self.fwhm, self.ratio, self.theta, self.sigma_radius)

    @property
    def threshold_eff(self) -> Any:
        """The threshold of the convolved image, in the unit of ``threshold``."""
        if not self.scale_threshold:
            return self.threshold
        return np.multiply(self.threshold, self.kernel.rel_err)

    @old_arguments("mask")
    def find_stars(
        self, data: ArrayLike | u.Quantity, *, mask: ArrayLike | None = None
    ) -> QTable | None:
        """Find stars in an image without a background.

        Parameters
        ----------
        data : 2D array_like or `~astropy.units.Quantity`
            The image, background subtracted. If it has a unit, ``threshold``
            and ``peak_max`` must have the same.
        mask : 2D array_like of bool, optional
            `True` where there are no stars to be found. The mask of a masked
            array is joined to it.

        Returns
        -------
        table : `~astropy.table.QTable` or `None`
            `None`, with a `~psfphot.utils.NoDetectionsWarning`, if there are
            no stars. Else one row for each, by row of the image:

            * ``id``: from 1
            * ``x_centroid``, ``y_centroid``: from the marginal fits, pixels
            * ``sharpness``: the central pixel less the mean of the kernel's
              other pixels, over H
            * ``roundness1``: from the symmetry of H, 0 for a round star
            * ``roundness2``: difference of the heights of the marginal fits
              over their mean, 0 for a round star
            * ``n_pixels``: number of pixels of the kernel's rectangle
            * ``peak``: the central pixel, unit of the image
            * ``flux``: sum of the image over the kernel, unit of the image
            * ``mag``: ``-2.5 * log10(flux)``
            * ``daofind_mag``: ``-2.5 * log10`` of H over the threshold

        Raises
        ------
        TypeError
            If the image, the mask or the threshold has a dtype that cannot be
            used.
        ValueError
            If the image is empty or not two-dimensional, shapes or units do
            not go together, or a position is not on the image.
        """
        return self._find(data, mask)

    def _search(self, scene: Scene) -> tuple[dict[str, NDArray[Any]], int]:
        return _core.find_dao_stars(
            scene,
            check.as_pairs(self.xycoords),
            fwhm=self.fwhm,
            ratio=self.ratio,
            theta=self.theta,
            sigma_radius=self.sigma_radius,
            scale_threshold=self.scale_threshold,
            sharpness_range=self.sharpness_range,
            roundness_range=self.roundness_range,
        )
