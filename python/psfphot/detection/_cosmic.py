"""Hot pixels and cosmic rays, told from stars by the PSF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psfphot import _core
from psfphot._validate import as_n_threads
from psfphot.detection import _arguments as check
from psfphot.detection._matched import frame_and_level
from psfphot.psf._models.convert import to_core

if TYPE_CHECKING:
    import numpy as np
    from astropy import units as u
    from numpy.typing import ArrayLike, NDArray


def detect_cosmic_rays(
    data: ArrayLike | u.Quantity,
    psf_model: Any,
    *,
    mask: ArrayLike | None = None,
    error: ArrayLike | u.Quantity | None = None,
    n_sigma: float = 5.0,
    margin: float = 1.3,
    half_width: int | None = None,
    max_iterations: int = 12,
    n_threads: int | None = None,
) -> NDArray[np.bool_]:
    r"""Find hot pixels and cosmic rays: what is sharper than any star.

    At each local maximum of 3 by 3 pixels :math:`A P + \mathrm{constant}` is
    fitted to the pixels around it by least squares, all with one weight, without
    the pixel itself. Of all stars, wherever they lie within the pixel, the one
    with the brightest pixel there has :math:`q A` above the constant. A pixel
    :math:`D` is bad where

    .. math::

        D - \mathrm{constant} - \mathrm{margin} \cdot q \max(A, 0)
        > n_\sigma \sqrt{\mathrm{error}^2 + (q \sigma_A / 2)^2},

    and where the mean of the eight pixels around it is less beside :math:`D`
    than any star has it, by ``margin``. The same is tried without the eight
    pixels, with the sixteen around them in their place, which tells cosmic rays
    of several pixels from stars; what the PSF fits there in its 5 by 5 innermost
    pixels, to within 30 % of its flux, is a star whatever lies around it. Then
    the pixels found are left out and the rest is searched again; beside pixels
    found half of ``n_sigma`` is enough. Pixels with too few usable ones around
    them, as at the edges, are not judged.

    Parameters
    ----------
    data : 2D array_like or `~astropy.units.Quantity`
        The image; its background may be in it.
    psf_model : `~astropy.modeling.Model`
        The PSF, as `MatchedFilterFinder` takes it. The real stars must not be
        sharper by more than ``margin``, and the PSF should not be undersampled:
        with a full width at half maximum of less than about 2 pixels stars and
        bad pixels look alike.
    mask : 2D array_like of bool, optional
        `True` where a pixel is not to be used.
    error : float, 2D array_like or `~astropy.units.Quantity`, optional
        1-sigma error of all pixels, or of each. `None` measures one for all, by
        the differences of pixels five columns apart.
    n_sigma : float, optional
        By how many sigma a bad pixel exceeds what a star may have there.
    margin : float, optional
        By what factor a star may be brighter in its brightest pixel than the
        model says; at least 1.
    half_width : int or `None`, optional
        Half the width of the windows of ``2 * half_width + 1`` pixels; `None`
        means twice the PSF's full width at half maximum, rounded.
    max_iterations : int, optional
        The most rounds; the search ends before if a round finds nothing.
    n_threads : int or `None`, optional
        Number of threads; `None` means all CPUs that this process may use. The
        result does not depend on it.

    Returns
    -------
    mask : 2D `~numpy.ndarray` of bool
        `True` for the bad pixels found. Those masked before and those that are
        not finite are not among them.

    Raises
    ------
    TypeError
        If an argument is not of its type.
    ValueError
        If an argument is out of its range, or shapes or units do not go
        together.

    References
    ----------
    Stetson, P. B. 1987, PASP, 99, 191 (sharpness); van Dokkum, P. G. 2001,
    PASP, 113, 1420.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.detection import detect_cosmic_rays
    >>> from psfphot.psf import CircularGaussianPRF
    >>> psf = CircularGaussianPRF(fwhm=2.5)
    >>> y, x = np.mgrid[:32, :40]
    >>> data = psf.evaluate(x, y, 5000.0, 20.3, 11.6, 2.5)
    >>> data[25, 7] += 100.0
    >>> np.argwhere(detect_cosmic_rays(data, psf, error=1.0)).tolist()
    [[25, 7]]
    """
    frame, level = frame_and_level(data, mask, error)
    return _core.detect_cosmic_rays(
        *frame.arrays,
        to_core(psf_model),
        n_sigma=check.positive(n_sigma, "n_sigma"),
        margin=check.positive(margin, "margin"),
        noise=level,
        half_width=check.count_or_none(half_width, "half_width"),
        max_iterations=check.whole(
            max_iterations,
            "max_iterations",
            least=1,
            or_else="max_iterations must be at least 1",
        ),
        n_threads=as_n_threads(n_threads),
    )
