"""Gaussians fitted to the sources of an image: for a first look at their width."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._validate import as_frame, as_pixels, as_scalar
from psfphot.psf._models.gaussian import CircularGaussianPRF
from psfphot.psf._photometry.arguments import as_fit_shape
from psfphot.psf._photometry.fitting import NO_CONVERGENCE, fit_box
from psfphot.psf._photometry.photometry import PSFPhotometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot._validate import Frame

__all__ = ["fit_2dgaussian", "fit_fwhm"]

_NO_WIDTH = (
    "One or more fit(s) may not have converged: their widths mean little. Check the "
    'positions and the box, "xypos" and "fit_shape"; fit_2dgaussian gives a table '
    "with flags."
)


def fit_2dgaussian(
    data: Any,
    *,
    xypos: Any = None,
    fwhm: float | None = None,
    fix_fwhm: bool = True,
    fit_shape: Any = None,
    mask: Any = None,
    error: Any = None,
) -> PSFPhotometry:
    """Fit circular Gaussians, integrated over the pixels, to sources.

    Parameters
    ----------
    data : (ny, nx) array_like
        The image, background-subtracted.
    xypos : array_like, optional
        Where the sources start: (x, y), or pairs of them, pixels. `None`
        stands for one source at the image's centre of mass.
    fwhm : float, optional
        The width, or with ``fix_fwhm=False`` where it starts, pixels. `None`
        stands for half the mean of the sizes of ``fit_shape``.
    fix_fwhm : bool, optional
        Whether the width is fixed.
    fit_shape : int or (ny, nx), optional
        The box of pixels around each source that is fitted, odd; needed for
        more than one source. `None` stands for the whole image, for which
        there is a warning.
    mask : (ny, nx) bool array, optional
        `True` where a pixel is to be ignored. Pixels that are not finite
        always are.
    error : (ny, nx) array_like, optional
        1-sigma errors, in the unit of the data.

    Returns
    -------
    PSFPhotometry
        The photometry; its ``results`` are the table.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used; the message names it.

    Notes
    -----
    Fluxes start at the sum over the box. The width is that of the Gaussian
    before it is integrated over the pixels: the profile in the image is wider,
    by 1/12 pixel squared in the variance.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.psf import CircularGaussianPRF, fit_2dgaussian
    >>> y, x = np.mgrid[:51, :51]
    >>> data = CircularGaussianPRF(flux=9.7, x_0=22.2, y_0=28.9, fwhm=3.1)(x, y)
    >>> table = fit_2dgaussian(data, fix_fwhm=False, fit_shape=7).results
    >>> print(f"{table['fwhm_fit'][0]:.4f}")
    3.1000
    """
    return _fit(
        data,
        xypos=xypos,
        fwhm=fwhm,
        fix_fwhm=fix_fwhm,
        fit_shape=fit_shape,
        mask=mask,
        error=error,
        no_convergence=NO_CONVERGENCE,
    )


def fit_fwhm(
    data: Any,
    *,
    xypos: Any = None,
    fwhm: float | None = None,
    fit_shape: Any = None,
    mask: Any = None,
    error: Any = None,
) -> NDArray[np.float64]:
    """Fit the widths of sources, as Gaussians integrated over the pixels.

    Parameters
    ----------
    data, xypos, fwhm, fit_shape, mask, error
        See `fit_2dgaussian`.

    Returns
    -------
    ndarray
        The full width at half maximum of each source, pixels; NaN where it
        could not be fitted.

    Raises
    ------
    TypeError, ValueError
        See `fit_2dgaussian`.
    """
    photometry = _fit(
        data,
        xypos=xypos,
        fwhm=fwhm,
        fix_fwhm=False,
        fit_shape=fit_shape,
        mask=mask,
        error=error,
        no_convergence=_NO_WIDTH,
    )
    table = photometry.results
    return np.array([] if table is None else table["fwhm_fit"], dtype=np.float64)


def _fit(
    data: Any,
    *,
    xypos: Any,
    fwhm: float | None,
    fix_fwhm: bool,
    fit_shape: Any,
    mask: Any,
    error: Any,
    no_convergence: str,
) -> PSFPhotometry:
    """Do what `fit_2dgaussian` says, with a warning of fits that do not converge."""
    frame = as_frame(data, error, mask)
    positions = None if xypos is None else _as_positions(xypos)
    shape = _fit_shape(frame, positions, fit_shape)
    if positions is None:
        positions = _centre_of_mass(frame)
    model = CircularGaussianPRF()
    model.fwhm = np.mean(shape) / 2 if fwhm is None else as_scalar(fwhm, "fwhm")
    model.fwhm.fixed = bool(fix_fwhm)
    init = QTable({"x": positions[:, 0], "y": positions[:, 1]})
    fluxes = [_box_sum(frame, position, shape) for position in positions]
    init["flux"] = fluxes if frame.unit is None else fluxes * frame.unit
    photometry = PSFPhotometry(model, shape)
    photometry._no_convergence = no_convergence
    photometry(data, mask=mask, error=error, init_params=init)
    return photometry


def _as_positions(xypos: Any) -> NDArray[np.float64]:
    if not hasattr(xypos, "__len__"):
        xypos = list(xypos)
    positions = np.atleast_2d(np.asarray(as_pixels(xypos, "xypos"), dtype=np.float64))
    if positions.ndim != 2 or positions.shape[1] != 2:  # noqa: PLR2004
        msg = f"xypos must be pairs (x, y), got the shape {np.shape(xypos)}"
        raise ValueError(msg)
    return positions


def _fit_shape(
    frame: Frame, positions: NDArray[np.float64] | None, fit_shape: Any
) -> tuple[int, int]:
    if fit_shape is not None:
        return as_fit_shape(fit_shape)
    if positions is not None and len(positions) > 1:
        msg = "fit_shape is required when fitting multiple sources"
        raise ValueError(msg)
    ny, nx = (size - 1 + size % 2 for size in frame.data.shape)
    msg = (
        "fit_shape is None, so the data are taken as a cutout of one source, and "
        f"all of them are fitted: fit_shape=({ny}, {nx})."
    )
    # The caller of fit_2dgaussian or fit_fwhm.
    warnings.warn(msg, AstropyUserWarning, stacklevel=4)
    return as_fit_shape((ny, nx))


def _usable(frame: Frame) -> NDArray[np.float64]:
    """Return the image with 0 where it cannot be used."""
    bad = ~np.isfinite(frame.data)
    if frame.mask is not None:
        bad |= frame.mask
    return np.asarray(np.where(bad, 0.0, frame.data), dtype=np.float64)


def _centre_of_mass(frame: Frame) -> NDArray[np.float64]:
    values = _usable(frame)
    total = values.sum()
    if total == 0:
        msg = "xypos must be given: data have no centre of mass, their sum is 0"
        raise ValueError(msg)
    y, x = np.indices(values.shape)
    return np.array([[(x * values).sum() / total, (y * values).sum() / total]])


def _box_sum(
    frame: Frame, position: NDArray[np.float64], shape: tuple[int, int]
) -> float:
    """Sum over the fit box; 0 where there is none, which the flags tell of."""
    if not np.isfinite(position).all():
        return 0.0
    x, y = position.tolist()
    box = fit_box(x, y, shape, frame.data.shape)
    mask = None if frame.mask is None else frame.mask[box]
    return float(_usable(frame._replace(data=frame.data[box], mask=mask)).sum())
