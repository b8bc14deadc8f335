"""The star finder of IRAF's starfind task."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from psfphot import _core
from psfphot._deprecated import SINCE, old_arguments
from psfphot._warnings import PhotutilsDeprecationWarning
from psfphot.detection import _arguments as check
from psfphot.detection._base import KernelFinder
from psfphot.detection._kernel import GaussianKernel

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.table import QTable
    from numpy.typing import ArrayLike, NDArray

    from psfphot.detection._base import Scene


class IRAFStarFinder(KernelFinder):
    r"""Find stars by image moments, as IRAF's ``starfind`` does.

    The image is convolved with a round Gaussian of width ``fwhm`` that is cut
    off at ``sigma_radius`` and sums to zero; the result is the height of the
    Gaussian in the least-squares fit of a Gaussian plus a constant around each
    pixel. Its local maxima above ``threshold`` are measured by the moments of
    the image, and kept where they look like stars.

    Parameters
    ----------
    threshold : float, 2D array_like or `~astropy.units.Quantity`
        The least height of the fitted Gaussian, in the unit of the image. An
        array has the shape of the image; where it is NaN nothing is found.
    fwhm : float
        Full width at half maximum of the Gaussian, pixels.
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
        `None` means ``2.5 * fwhm``; with 0 it must be the largest within the
        kernel only. Of equal pixels within that distance one is kept: of
        connected ones that nearest to their centroid, else the first.
    sharpness_range : tuple of 2 floats or `None`, optional
        The (lower, upper) accepted ``sharpness``, ends included.
    roundness_range : tuple of 2 floats or `None`, optional
        The (lower, upper) accepted ``roundness``, ends included.
    min_n_pixels : int, optional
        The least number of positive pixels in a star.
    minsep_fwhm : float, optional
        Deprecated: means ``min_separation=max(2, int(minsep_fwhm * fwhm + 0.5))``.
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
    Around each maximum, the sky is the mean of the pixels of the kernel's
    square that do not belong to the kernel (if there is none, the central
    pixel less the fitted height), and :math:`D = \max(0, data - sky)` in the
    kernel. Beyond the edges of the image the data count as 0.

    Masked pixels are not stars and do not hide stars near them, but they do
    enter the convolution and the moments; set them to NaN to prevent that. NaN
    and infinite pixels are left out of the fit of the convolution, and count in
    the moments as what the Gaussian fitted to the others has there: unlike
    photutils', they hide no star unless they take most of its core.

    References
    ----------
    Stetson, P. B. 1987, PASP, 99, 191 (the kernel); IRAF's
    ``images.imcoords.starfind`` (the statistics).

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.detection import IRAFStarFinder
    >>> y, x = np.mgrid[:32, :40]
    >>> data = 50 * np.exp(-((x - 20.3) ** 2 + (y - 11.6) ** 2) / 3.4)
    >>> stars = IRAFStarFinder(threshold=5.0, fwhm=3.0)(data)
    >>> len(stars)
    1
    """

    _shown = (
        "threshold",
        "fwhm",
        "sigma_radius",
        "sharpness_range",
        "roundness_range",
        "exclude_border",
        "n_brightest",
        "peak_max",
        "xycoords",
        "min_separation",
        "min_n_pixels",
    )

    @old_arguments(
        "sigma_radius",
        "minsep_fwhm",
        "sharplo",
        "sharphi",
        "roundlo",
        "roundhi",
        "exclude_border",
        "n_brightest",
        "peak_max",
        "xycoords",
        "min_separation",
        renamed=check.RENAMED,
        ranges=check.RANGES,
    )
    def __init__(
        self,
        threshold: ArrayLike | u.Quantity,
        fwhm: float,
        *,
        sigma_radius: float = 1.5,
        exclude_border: bool = False,
        n_brightest: int | None = None,
        peak_max: float | u.Quantity | None = None,
        xycoords: ArrayLike | None = None,
        min_separation: float | None = None,
        sharpness_range: tuple[float, float] | None = (0.5, 2.0),
        roundness_range: tuple[float, float] | None = (0.0, 0.2),
        min_n_pixels: int = 5,
        minsep_fwhm: float | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.fwhm = check.positive(fwhm, "fwhm")
        if minsep_fwhm is not None:
            separation = _separation(self.fwhm, minsep_fwhm)
            min_separation = separation if min_separation is None else min_separation
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
        self.sigma_radius = check.positive(sigma_radius, "sigma_radius")
        self.xycoords = check.positions(xycoords, "xycoords")
        self.sharpness_range = check.bounds(sharpness_range, "sharpness_range")
        self.roundness_range = check.bounds(roundness_range, "roundness_range")
        self.min_n_pixels = check.whole(
            min_n_pixels, "min_n_pixels", least=1, or_else="min_n_pixels must be >= 1"
        )

    @property
    def kernel(self) -> GaussianKernel:
        """The kernel that the image is convolved with."""
        return GaussianKernel(self.fwhm, sigma_radius=self.sigma_radius)

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
            * ``x_centroid``, ``y_centroid``: centroid of D, pixels
            * ``fwhm``: from the second moments of D, pixels
            * ``sharpness``: ``fwhm`` over the kernel's
            * ``roundness``: 0 for a round star, near 1 for a line
            * ``orientation``: of the major axis, degrees counter-clockwise
              from +x, in (-90, 90]
            * ``n_pixels``: number of pixels where D is positive
            * ``peak``, ``flux``: largest D and sum of D, unit of the image
            * ``mag``: ``-2.5 * log10(flux)``

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
        return _core.find_iraf_stars(
            scene,
            check.as_pairs(self.xycoords),
            fwhm=self.fwhm,
            sigma_radius=self.sigma_radius,
            sharpness_range=self.sharpness_range,
            roundness_range=self.roundness_range,
            min_n_pixels=self.min_n_pixels,
        )


def _separation(fwhm: float, minsep_fwhm: float) -> int:
    msg = (
        f"The argument 'minsep_fwhm' was deprecated in photutils {SINCE}. "
        "Use 'min_separation' instead."
    )
    # The caller of __init__, which is decorated.
    warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=4)
    return max(2, int(fwhm * check.not_negative(minsep_fwhm, "minsep_fwhm") + 0.5))
