"""The star finder that filters an image with its own PSF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot import _core
from psfphot._matched_filter import MatchedFilter
from psfphot._repr import make_repr
from psfphot._residual import Residual
from psfphot._validate import (
    as_frame,
    as_n_threads,
    as_points,
    has_own_error,
    refuse_two_errors,
)
from psfphot.detection import _arguments as check
from psfphot.detection._base import StarFinderBase, sources_table
from psfphot.psf._models.convert import as_psf_model, to_core

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.table import QTable
    from numpy.typing import ArrayLike, NDArray

    from psfphot._validate import Frame


class MatchedFilterMaps(NamedTuple):
    """An image filtered with its PSF; see `MatchedFilterFinder.maps`.

    All have the shape of the image, and are NaN where too few pixels can be
    used to tell the amplitude.
    """

    #: Amplitude of the PSF at each pixel: the flux of a star there.
    amplitude: NDArray[np.float64] | u.Quantity
    #: Its 1-sigma error.
    error: NDArray[np.float64] | u.Quantity
    #: The amplitude over its error.
    snr: NDArray[np.float64]


def frame_and_level(data: Any, mask: Any, error: Any) -> tuple[Frame, float | None]:
    """Make a frame for the core, and a float of an error that is one number.

    Raises
    ------
    TypeError
        If an argument has a dtype that cannot be used.
    ValueError
        If shapes or units do not go together, or the image is empty.
    """
    refuse_two_errors(data, error)
    is_one = error is not None and np.ndim(error) == 0
    frame = as_frame(data, error=None if is_one else error, mask=mask)
    if frame.data.size == 0:
        msg = "data must not be empty"
        raise ValueError(msg)
    if not is_one:
        return frame, None
    check.check_units(data=data, error=error)
    return frame, check.positive(getattr(error, "value", error), "error")


class MatchedFilterFinder(StarFinderBase):
    r"""Find stars in an image filtered with its own PSF.

    At each pixel :math:`A P + \mathrm{constant}` is fitted to the pixels of a
    window around it by least squares with the weights 1/error\ :sup:`2`. Stars
    are the local maxima of the amplitude over its error, the S/N of the
    filtered image, above ``n_sigma``. The constant makes the sky free: the
    image need not be background subtracted where the sky is flat within a
    window. Pixels that are masked, not finite or without a usable error take no
    part, as those beyond the edges of the image; nothing is filled in for them,
    and a star whose core is masked can be found by what is left of it.

    Parameters
    ----------
    psf_model : `~astropy.modeling.Model`
        The PSF, as `~psfphot.psf.PSFPhotometry` takes it: a model of
        `psfphot.psf`, photutils' of the same name, or any other 2D model, which
        is slow.
    n_sigma : float, optional
        The least S/N of a star in the filtered image.
    error : float, `~astropy.units.Quantity` or `None`, optional
        The 1-sigma error of all pixels, in the unit of the image, for images
        that are given without errors. `None` measures it: the S/N is scaled so
        that its median absolute deviation is that of a unit normal. That is
        the noise of the filtered image itself, whatever the correlation of
        neighbouring pixels, but stars count with it, and it is the same
        everywhere.
    fwhm : float or `None`, optional
        The PSF's full width at half maximum, pixels. `None` measures it in the
        middle of the image.
    half_width : int or `None`, optional
        Half the width of the windows of ``2 * half_width + 1`` pixels; `None`
        means twice ``fwhm``, rounded.
    min_separation : float or `None`, optional
        A star's pixel must be the largest of the filtered image within this
        distance of it, pixels. `None` means ``fwhm``; with 0 it must be larger
        than the pixels next to it.
    sky : bool, optional
        Fit a constant with the amplitude. Without it the sky has to be zero;
        faint stars are found better, and every error of the sky is found, too.
    min_coverage : float, optional
        The least part of the PSF's squared sum that must lie on usable pixels.
    xycoords : Nx2 array_like or `None`, optional
        (x, y) positions, pixels, to measure in the place of a search. They are
        rounded to whole pixels (halves away from zero) and must lie on the
        image. ``n_sigma`` and ``min_separation`` then select nothing; the other
        filters do.
    n_brightest : int or `None`, optional
        Keep only so many stars, those of the largest flux, brightest first.
    peak_max : float, `~astropy.units.Quantity` or `None`, optional
        Keep only stars whose ``peak`` is at most this.
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
    Pure noise has about as many false stars for one PSF as for another, fewer
    for wider ones: 2048 by 2048 pixels and a PSF of 2.5 pixels have 92 above 4,
    11 above 4.5 and 1 above 5.

    The PSF is averaged over the positions within a pixel. Where it varies so
    much that one kernel would cost more than 1 % of the S/N anywhere, the image
    is filtered in blocks, each with the PSF of its centre. Kernels are taken as
    sums of few separable ones, to within 0.1 % of the peak.

    References
    ----------
    Stetson, P. B. 1987, PASP, 99, 191; Zackay, B. & Ofek, E. O. 2017, ApJ, 836,
    187.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.detection import MatchedFilterFinder
    >>> from psfphot.psf import CircularGaussianPRF
    >>> psf = CircularGaussianPRF(fwhm=2.5)
    >>> y, x = np.mgrid[:32, :40]
    >>> data = 300 + psf.evaluate(x, y, 200.0, 20.3, 11.6, 2.5)
    >>> stars = MatchedFilterFinder(psf, n_sigma=5.0, error=1.0)(data)
    >>> len(stars), round(float(stars["flux"][0]))
    (1, 200)
    """

    _shown = (
        "psf_model",
        "n_sigma",
        "error",
        "fwhm",
        "half_width",
        "min_separation",
        "sky",
        "min_coverage",
        "xycoords",
        "n_brightest",
        "peak_max",
        "n_threads",
    )

    def __init__(
        self,
        psf_model: Any,
        n_sigma: float = 5.0,
        *,
        error: float | u.Quantity | None = None,
        fwhm: float | None = None,
        half_width: int | None = None,
        min_separation: float | None = None,
        sky: bool = True,
        min_coverage: float = 0.5,
        xycoords: ArrayLike | None = None,
        n_brightest: int | None = None,
        peak_max: float | u.Quantity | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.psf_model = as_psf_model(psf_model)
        self.n_sigma = check.positive(n_sigma, "n_sigma")
        check.check_units(error=error, peak_max=peak_max)
        if error is not None:
            check.positive(getattr(error, "value", error), "error")
        self.error = error
        self.fwhm = None if fwhm is None else check.positive(fwhm, "fwhm")
        self.half_width = check.count_or_none(half_width, "half_width")
        self.min_separation = (
            None
            if min_separation is None
            else check.not_negative(min_separation, "min_separation")
        )
        self.sky = bool(sky)
        self.min_coverage = check.scalar(min_coverage, "min_coverage")
        if not 0 <= self.min_coverage <= 1:
            msg = f"min_coverage must be between 0 and 1, got {min_coverage}"
            raise ValueError(msg)
        self.xycoords = check.positions(xycoords, "xycoords")
        self.n_brightest = check.count_or_none(n_brightest, "n_brightest")
        self.peak_max = peak_max
        self.n_threads = as_n_threads(n_threads)

    def __repr__(self) -> str:
        return make_repr(self, self._shown)

    def __call__(
        self,
        data: ArrayLike | u.Quantity,
        *,
        mask: ArrayLike | None = None,
        error: ArrayLike | u.Quantity | None = None,
    ) -> QTable | None:
        """Find stars; see `find_stars`."""
        return self.find_stars(data, mask=mask, error=error)

    def find_stars(
        self,
        data: ArrayLike | u.Quantity,
        *,
        mask: ArrayLike | None = None,
        error: ArrayLike | u.Quantity | None = None,
    ) -> QTable | None:
        """Find stars in an image.

        Parameters
        ----------
        data : 2D array_like or `~astropy.units.Quantity`
            The image. If it has a unit, ``error`` and ``peak_max`` must have
            one, too.
        mask : 2D array_like of bool, optional
            `True` where a pixel is not to be used. The mask of a masked array
            is joined to it.
        error : float, 2D array_like or `~astropy.units.Quantity`, optional
            1-sigma errors of all pixels, or of each. `None` means the ``error``
            of the finder.

        Returns
        -------
        table : `~astropy.table.QTable` or `None`
            `None`, with a `~psfphot.utils.NoDetectionsWarning`, if there are
            no stars. Else one row for each, by row of the image:

            * ``id``: from 1
            * ``x_centroid``, ``y_centroid``: vertex of parabolas through the
              S/N around its maximum, pixels
            * ``snr``: S/N of the filtered image
            * ``sharpness``: the largest pixel's excess over the sky, over what
              the PSF has there: 1 for a star, more for a hot pixel, less for a
              galaxy
            * ``coverage``: the part of the PSF's squared sum on usable pixels
            * ``n_pixels``: number of usable pixels in the window
            * ``peak``: the largest usable pixel of the three by three around
              the star's, unit of the image; NaN if there is none
            * ``local_bkg``: the fitted constant, unit of the image
            * ``flux``, ``flux_err``: amplitude of the PSF placed at the
              centroid, and its 1-sigma error, unit of the image
            * ``mag``: ``-2.5 * log10(flux)``

        Raises
        ------
        TypeError
            If the image, the mask or the error has a dtype that cannot be used.
        ValueError
            If the image is empty or not two-dimensional, shapes or units do not
            go together, a position is not on the image, the PSF has no usable
            values, or there is no noise to be measured.
        """
        frame, settings = self._prepare(data, mask, error)
        positions = check.as_pairs(self.xycoords)
        columns, n_measured = _core.find_matched_stars(
            settings, *frame.arrays, positions
        )
        names = ("peak", "local_bkg", "flux", "flux_err")
        return sources_table(columns, n_measured, frame.unit, names)

    def search_residual(
        self,
        residual: ArrayLike | u.Quantity,
        x: ArrayLike,
        y: ArrayLike,
        *,
        error: ArrayLike | u.Quantity,
        mask: ArrayLike | None = None,
        n_sigma: float = 4.5,
        min_information: float = 0.01,
        min_distance: float = 0.17,
        min_separation: float = 1.0,
    ) -> QTable | None:
        r"""Find stars in a residual image, beside those that were subtracted.

        After a fit the residual is orthogonal to the derivatives of the stars that
        were fitted: near them it varies less than its errors say, and a companion
        looks insignificant. The score of a new star is that of the joint fit with
        the (up to six) stars within 5/3 of the full width at half maximum,

        .. math:: z = (P^T W r - C^T A^{-1} g) / \sqrt{P^T W P - C^T A^{-1} C}

        with the residual r, the weights W = 1/error\ :sup:`2`, the PSF P at the new
        place, A and g the normal matrix and gradient of those stars by flux, x and
        y, and C the overlaps of their derivatives with P. It is normal with the
        standard deviation 1 where no star is, however crowded the field.

        Parameters
        ----------
        residual : (ny, nx) array_like or `~astropy.units.Quantity`
            The image without sky and without the stars.
        x, y : (n,) array_like
            The stars that were subtracted, pixels.
        error : (ny, nx) array_like or `~astropy.units.Quantity`
            1-sigma errors of the pixels, in the unit of the residual.
        mask : (ny, nx) array_like of bool, optional
            `True` where a pixel is not to be used.
        n_sigma : float, optional
            The least score.
        min_information : float, optional
            The least part of the information on a new star's flux that the others
            leave.
        min_distance, min_separation : float, optional
            The least distances from a known star, and from a new one that is more
            significant, in full widths at half maximum.

        Returns
        -------
        `~astropy.table.QTable` or `None`
            `None`, with a `~psfphot.utils.NoDetectionsWarning`, if there are no
            stars. Else a row for each, the most significant first: ``id``,
            ``x_centroid``, ``y_centroid`` (pixels), ``flux`` (that of a star there
            in the joint fit, unit of the residual), ``score``, ``information`` and
            ``distance`` to the nearest known star (pixels; infinite beyond
            reach).

        Raises
        ------
        TypeError, ValueError
            If an argument cannot be used; the message names it.

        References
        ----------
        Rao, C. R. 1948, Proc. Cambridge Phil. Soc. 44, 50 (the score test).
        """
        frame = as_frame(residual, error=error, mask=mask)
        if frame.error is None:
            raise ValueError("error must be given, got None")
        x, y = as_points(x, y)
        psf = to_core(self.psf_model)
        ny, nx = frame.data.shape
        found = _core.search_score(
            Residual(
                data=frame.data,
                error=frame.error,
                mask=frame.mask,
                psf=psf,
                x=x,
                y=y,
                fwhm=self.fwhm or _core.psf_fwhm(psf, nx / 2, ny / 2),
                n_threads=self.n_threads,
            ),
            n_sigma=check.positive(n_sigma, "n_sigma"),
            min_q=check.not_negative(min_information, "min_information"),
            min_distance=check.not_negative(min_distance, "min_distance"),
            min_separation=check.not_negative(min_separation, "min_separation"),
            is_scaled=False,
        )
        names = {
            "x": "x_centroid",
            "y": "y_centroid",
            "flux": "flux",
            "z": "score",
            "q": "information",
            "distance": "distance",
        }
        columns = {new: found[name] for name, new in names.items()}
        return sources_table(columns, 0, frame.unit, ("flux",))

    def maps(
        self,
        data: ArrayLike | u.Quantity,
        *,
        mask: ArrayLike | None = None,
        error: ArrayLike | u.Quantity | None = None,
    ) -> MatchedFilterMaps:
        """Filter an image with the PSF.

        Parameters
        ----------
        data, mask, error
            As those of `find_stars`.

        Returns
        -------
        MatchedFilterMaps
            The amplitude, its error and the S/N at each pixel.

        Raises
        ------
        TypeError, ValueError
            As `find_stars`.
        """
        frame, settings = self._prepare(data, mask, error)
        amplitude, noise = _core.matched_maps(settings, *frame.arrays)
        snr = amplitude / noise
        if frame.unit is not None:
            amplitude, noise = amplitude << frame.unit, noise << frame.unit
        return MatchedFilterMaps(amplitude, noise, snr)

    def _prepare(self, data: Any, mask: Any, error: Any) -> tuple[Frame, MatchedFilter]:
        """Make what the core takes of an image and the finder's settings."""
        check.check_units(data=data, peak_max=self.peak_max)
        if error is None and not has_own_error(data):
            error = self.error
        frame, level = frame_and_level(data, mask, error)
        peak_max = getattr(self.peak_max, "value", self.peak_max)
        settings = MatchedFilter(
            psf=to_core(self.psf_model),
            n_sigma=self.n_sigma,
            error=level,
            fwhm=self.fwhm,
            half_width=self.half_width,
            sky=self.sky,
            min_coverage=self.min_coverage,
            min_separation=self.min_separation,
            peak_max=None if peak_max is None else check.scalar(peak_max, "peak_max"),
            n_brightest=self.n_brightest,
            n_threads=self.n_threads,
        )
        return frame, settings
