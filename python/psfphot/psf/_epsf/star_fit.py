"""Stars fitted with an ePSF, one by one."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy.modeling.fitting import TRFLSQFitter
from astropy.nddata import NoOverlapError, PartialOverlapError, overlap_slices

from psfphot._warnings import PhotutilsDeprecationWarning
from psfphot.psf._epsf.builder_checks import as_box
from psfphot.psf._epsf.star_list import EPSFStars, LinkedEPSFStar
from psfphot.psf._models.image import ImagePSF

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.psf._epsf.star import EPSFStar

    Vector = NDArray[np.float64]

# Steps of Gauss and Newton, and the shift, pixels, that ends them.
_MOST_STEPS, _SHORT_STEP = 8, 1e-5

# No step of the position is longer, pixels.
_LONGEST_STEP = 0.5


class StarFit(NamedTuple):
    """What the fit of one star found."""

    x: float
    y: float
    flux: float
    #: Pixels that were fitted.
    n_pixels: int
    #: The sum of the squares of the weighted residuals.
    chi2: float
    #: Weighted residuals of the pixels.
    residual: Vector


def fit_cutout(
    model: Any,
    data: Vector,
    weights: Vector,
    start: tuple[float, float, float],
    *,
    origin: tuple[float, float] = (0.0, 0.0),
    reach: float = 3.0,
) -> StarFit | None:
    """Fit position and flux of the star of a cutout.

    Parameters
    ----------
    model : PSF model
        The PSF, with the parameters flux, x_0 and y_0.
    data, weights : (ny, nx) float64 array
        Pixels and 1/error; 0 where a pixel is left out.
    start : (x, y, flux)
        Where to begin, in pixels of the cutout.
    origin : (x, y), optional
        The cutout's first pixel in the coordinates of the PSF.
    reach : float, optional
        Pixels up to here from the start, along each axis, are fitted.

    Returns
    -------
    StarFit or None
        In pixels of the cutout; `None` if there are fewer than 4 pixels or the
        star leaves them.
    """
    x_start, y_start, flux = start
    rows, columns = np.mgrid[: data.shape[0], : data.shape[1]]
    used = (np.abs(columns - x_start) <= reach) & (np.abs(rows - y_start) <= reach)
    used &= weights > 0
    if np.count_nonzero(used) < 4:  # noqa: PLR2004
        return None
    x, y = columns[used] + float(origin[0]), rows[used] + float(origin[1])
    values, weight = data[used], weights[used]
    at = np.array([x_start + origin[0], y_start + origin[1]])
    for _ in range(_MOST_STEPS):
        slopes = model.fit_deriv(x, y, flux, *at)
        jacobian = weight[:, None] * np.column_stack([np.ravel(one) for one in slopes])
        residual = weight * (values - np.ravel(model.evaluate(x, y, flux, *at)))
        step = np.linalg.lstsq(jacobian, residual, rcond=None)[0]
        shift = np.clip(step[1:], -_LONGEST_STEP, _LONGEST_STEP)
        flux, at = flux + float(step[0]), at + shift
        if np.abs(at - origin - (x_start, y_start)).max() > reach:
            return None
        if np.abs(shift).max() < _SHORT_STEP:
            break
    residual = weight * (values - np.ravel(model.evaluate(x, y, flux, *at)))
    return StarFit(
        float(at[0] - origin[0]),
        float(at[1] - origin[1]),
        flux,
        int(values.size),
        float(residual @ residual),
        residual,
    )


def place_stars(epsf: Any, stars: EPSFStars) -> EPSFStars:
    """Fit stars with an ePSF, so that a build starts from there.

    Stars that cannot be fitted stay as they are.
    """
    placed = copy_stars(stars)
    for star in placed.all_stars:
        found = fit_cutout(
            epsf, star.data, star.weights, (*star.cutout_center, star.flux)
        )
        if found is not None:
            star.cutout_center = found.x, found.y
            star.flux = found.flux
    return placed


def copy_stars(stars: EPSFStars) -> EPSFStars:
    """Copy stars but not their pixels: what a build changes is the copies'."""
    copies: list[EPSFStar | LinkedEPSFStar] = []
    for star in stars:
        if isinstance(star, LinkedEPSFStar):
            copies.append(LinkedEPSFStar([copy.copy(one) for one in star]))
        else:
            copies.append(copy.copy(star))
    return EPSFStars(copies)


class EPSFFitter:
    """Fits stars with an ePSF; deprecated.

    `EPSFBuilder` fits the stars itself.

    Parameters
    ----------
    fitter : astropy fitter, optional
        What fits; `~astropy.modeling.fitting.TRFLSQFitter` by default.
    fit_boxsize : int, (ny, nx) or None, optional
        The box around each star that is fitted, pixels; `None` for all of the
        cutout.
    **fitter_kwargs
        Keywords for the fitter.
    """

    def __init__(
        self, *, fitter: Any = None, fit_boxsize: Any = 5, **fitter_kwargs: Any
    ) -> None:
        msg = (
            "EPSFFitter is deprecated and will be removed in version 4.0. Use "
            "EPSFBuilder with the fitter, fit_shape, and fitter_maxiters parameters "
            "instead."
        )
        warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=2)
        self.fitter = TRFLSQFitter() if fitter is None else fitter
        self.fitter_has_fit_info = hasattr(self.fitter, "fit_info")
        self.fit_boxsize = (
            None if fit_boxsize is None else as_box(fit_boxsize, "fit_boxsize")
        )
        ours = {"x", "y", "z", "weights"}
        self.fitter_kwargs = {
            name: value for name, value in fitter_kwargs.items() if name not in ours
        }

    def __call__(self, epsf: ImagePSF, stars: EPSFStars) -> EPSFStars:
        """Fit stars.

        Parameters
        ----------
        epsf : ImagePSF
            The ePSF.
        stars : EPSFStars
            The stars; excluded ones stay.

        Returns
        -------
        EPSFStars
            Copies of the stars with the fitted centers and fluxes.

        Raises
        ------
        TypeError
            If ``epsf`` is no `ImagePSF`.
        """
        if len(stars) == 0:
            return stars
        if not isinstance(epsf, ImagePSF):
            msg = f"The input epsf must be an ImagePSF, got {type(epsf).__name__}"
            raise TypeError(msg)
        fitted = copy_stars(stars)
        for star in fitted:
            each = star if isinstance(star, LinkedEPSFStar) else [star]
            for one in each:
                if not one._excluded_from_fit:
                    self._fit(epsf, one)
            if isinstance(star, LinkedEPSFStar) and not star.all_excluded:
                star.constrain_centers()
        return fitted

    def _fit(self, epsf: ImagePSF, star: EPSFStar) -> None:
        box: tuple[slice, ...] = slice(0, star.shape[0]), slice(0, star.shape[1])
        if self.fit_boxsize is not None:
            at = star.cutout_center[::-1]
            try:
                box, _ = overlap_slices(star.shape, self.fit_boxsize, at, mode="strict")
            except (PartialOverlapError, NoOverlapError):
                star._fit_error_status = 1
                return
        used = ~star.mask[box]
        if not used.any():
            star._fit_error_status = 4
            return
        y, x = (axis[used].astype(float) for axis in np.mgrid[box])
        model = epsf.copy()
        model.flux = star.flux
        model.x_0, model.y_0 = star.cutout_center
        found = self.fitter(
            model,
            x,
            y,
            star.data[box][used],
            weights=star.weights[box][used],
            **self.fitter_kwargs,
        )
        info = self.fitter.fit_info if self.fitter_has_fit_info else None
        star._fit_info = info
        failed = info is not None and "ierr" in info and info["ierr"] not in range(1, 5)
        star._fit_error_status = 2 if failed else 0
        at = np.array([found.x_0.value, found.y_0.value])
        if ((at < 0) | (at >= star.shape[::-1])).any():
            star._fit_error_status = 3
            return
        star.cutout_center = at
        star.flux = found.flux.value
