"""The star finder with the user's kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core
from psfphot._deprecated import old_arguments
from psfphot._validate import as_float_array
from psfphot.detection import _arguments as check
from psfphot.detection._base import KernelFinder

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.table import QTable
    from numpy.typing import ArrayLike, NDArray

    from psfphot.detection._base import Scene


class StarFinder(KernelFinder):
    """Find stars that look like a given kernel.

    The image is convolved with the kernel, scaled to a maximum of 1 and shifted
    to a sum of 0; the result is the height of the kernel in the least-squares
    fit of the kernel plus a constant around each pixel. Its local maxima above
    ``threshold`` are measured by the moments of the image.

    Parameters
    ----------
    threshold : float, 2D array_like or `~astropy.units.Quantity`
        The least height of the fitted kernel, in the unit of the image. An
        array has the shape of the image; where it is NaN nothing is found.
    kernel : 2D array_like
        What a star looks like, finite and somewhere positive, of at most 511
        by 511 pixels. Its centre is the pixel ``(ny // 2, nx // 2)``. A
        convolution turns it around: stars that a half turn changes need the
        turned kernel.
    min_separation : float or `None`, optional
        A star's pixel must be the largest within this distance of it, pixels.
        `None` means ``2.5 * (min(kernel.shape) // 2)``; with 0 it must be the
        largest within the kernel's rectangle only. Of equal pixels within a
        positive distance one is kept.
    exclude_border : bool, optional
        Leave out stars within half the kernel's size of the image's edges.
    n_brightest : int or `None`, optional
        Keep only so many stars, those of the largest flux, brightest first.
    peak_max : float, `~astropy.units.Quantity` or `None`, optional
        Keep only stars whose ``max_value`` is at most this.
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
    Beyond the edges of the image the data count as 0. Masked pixels are not
    stars and do not hide stars near them, but they do enter the convolution
    and the moments; set them to NaN to prevent that. NaN and infinite pixels
    are left out of the fit of the convolution, and count in the moments as what
    the kernel fitted to the others has there: unlike photutils', they hide no
    star unless they take most of its core.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.detection import StarFinder
    >>> y, x = np.mgrid[:32, :40]
    >>> data = 50 * np.exp(-((x - 20.3) ** 2 + (y - 11.6) ** 2) / 3.4)
    >>> kernel = np.exp(-((x - 3) ** 2 + (y - 3) ** 2) / 3.4)[:7, :7]
    >>> stars = StarFinder(threshold=5.0, kernel=kernel)(data)
    >>> len(stars)
    1
    """

    _shown = (
        "threshold",
        "kernel",
        "min_separation",
        "exclude_border",
        "n_brightest",
        "peak_max",
    )
    _flux_columns = ("max_value", "flux")

    @old_arguments(
        "min_separation",
        "exclude_border",
        "n_brightest",
        "peak_max",
        renamed=check.RENAMED,
    )
    def __init__(
        self,
        threshold: ArrayLike | u.Quantity,
        kernel: ArrayLike,
        *,
        min_separation: float | None = None,
        exclude_border: bool = False,
        n_brightest: int | None = None,
        peak_max: float | u.Quantity | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.kernel = _checked(kernel)
        if min_separation is None:
            min_separation = 2.5 * (min(self.kernel.shape) // 2)
        super().__init__(
            threshold,
            min_separation=min_separation,
            exclude_border=exclude_border,
            n_brightest=n_brightest,
            peak_max=peak_max,
            n_threads=n_threads,
        )

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
            no stars. Else one row for each, by row of the image. With D the
            data in the kernel's rectangle, 0 where they are negative:

            * ``id``: from 1
            * ``x_centroid``, ``y_centroid``: centroid of D, pixels
            * ``fwhm``: from the second moments of D, pixels
            * ``roundness``: 0 for a round star, near 1 for a line
            * ``orientation``: of the major axis, degrees counter-clockwise
              from +x, in (-90, 90]
            * ``max_value``, ``flux``: largest D and sum of D, unit of the image
            * ``mag``: ``-2.5 * log10(flux)``

        Raises
        ------
        TypeError
            If the image, the mask or the threshold has a dtype that cannot be
            used.
        ValueError
            If the image is empty or not two-dimensional, or shapes or units do
            not go together.
        """
        return self._find(data, mask)

    def _search(self, scene: Scene) -> tuple[dict[str, NDArray[Any]], int]:
        return _core.find_kernel_stars(scene, self.kernel)


def _checked(kernel: Any) -> NDArray[np.float64]:
    # A kernel of `astropy.convolution` holds its values in `array`.
    values = as_float_array(getattr(kernel, "array", kernel), "kernel")
    if np.ndim(values) != 2:  # noqa: PLR2004
        msg = "kernel must be a 2D array"
        raise ValueError(msg)
    if not np.isfinite(values).all():
        msg = "kernel must contain only finite values"
        raise ValueError(msg)
    if not (values > 0).any():
        msg = "kernel must have a positive maximum value"
        raise ValueError(msg)
    return values.astype(np.float64, copy=False)
