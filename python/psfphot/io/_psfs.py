"""A PSF model from what is typed on a command line."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io.fits.verify import VerifyError
from astropy.io.registry import IORegistryError

from psfphot.io._aperture_correction import (
    find_aperture_correction,
    normalisation_radius,
)
from psfphot.io._blur import blur
from psfphot.io._detector import choose_detector_id
from psfphot.io._errors import FileFormatError
from psfphot.io._fits import is_image, open_fits
from psfphot.io._other_psfs import is_psfex, refuse_daophot
from psfphot.io._psf_words import MEASURED, as_formula
from psfphot.psf import GriddedPSFModel, ImagePSF, PolynomialPSFModel
from psfphot.psf._files.grid_file import whole_oversampling

if TYPE_CHECKING:
    from astropy.io import fits
    from numpy.typing import NDArray

    from psfphot.io._detector import Detector

#: Where PSF makers put the oversampling; the first one present counts.
_OVERSAMPLING_KEYS = ("OVERSAMP", "OVERSAMPLING", "DET_SAMP")

#: Keywords that a grid of one image has, even without an axis for it.
_GRID_KEYS = frozenset({"DET_YX0", "NXPSFS"})

#: A sum within this fraction of 1, or of oversampling², is taken to mean it:
#: a finite stamp holds less than the whole flux.
_SUM_TOLERANCE = 0.2


@dataclass(frozen=True)
class Psf:
    """A PSF model and how it was made.

    Attributes
    ----------
    model : `~astropy.modeling.Fittable2DModel`
        The model.
    description : str
        What it is and how it was normalised, for people.
    fwhm : float
        The full width at half maximum in image pixels, measured on the model.
    is_formula : bool
        Whether it is a formula, and no PSF of a file.
    measured_as : str or `None`
        ``"gaussian"`` or ``"moffat"`` where the width is to be measured on the
        image; then ``model`` is `None` and ``fwhm`` NaN.
    """

    model: Any
    description: str
    fwhm: float
    is_formula: bool = True
    measured_as: str | None = None


def read_psf(
    spec: str | os.PathLike[str],
    *,
    oversampling: int | None = None,
    grid_order: str = "auto",
    detector_id: int | None = None,
    blur_sigma: float | None = None,
    aperture_correction: Any = None,
    detector: Detector | None = None,
) -> Psf:
    """Make the PSF model that a word describes.

    Parameters
    ----------
    spec : str or path-like
        ``gaussian:FWHM``, ``moffat:FWHM[,BETA]`` or ``airy:FWHM`` (in pixels,
        before it is integrated over the pixel); ``gaussian`` or ``moffat`` alone,
        whose width is to be measured on the image; or a FITS file: a grid of
        ePSFs of any format that `psfphot.psf.GriddedPSFModel.read` recognises
        (STPSF, STDPSF), a PSF of PSFEx, or one ePSF image (2D).
    oversampling : int, optional
        PSF pixels per image pixel, for a 2D image whose header does not say
        (OVERSAMP, OVERSAMPLING or DET_SAMP); counts before the header.
    grid_order : str, optional
        For a grid, how its planes are ordered; see
        `psfphot.psf.GriddedPSFModel.read`.
    detector_id : int, optional
        For a grid, which detector of a file that holds several; see there.
    blur_sigma : float, optional
        Convolve the PSF of a file with a Gaussian of this standard deviation
        in image pixels, where resampling has widened the image's stars.
    aperture_correction : float, table or path-like, optional
        Makes fluxes total with a PSF that is normalised within a radius, as
        those of STDPSF files are: the fraction of the light that the PSF's own
        normalisation holds, in (0, 1]; or a table of encircled energies, see
        `find_aperture_correction`, taken at that radius.
    detector : `Detector`, optional
        The image's, as `FitsImage.detector`: chooses the detector of a file that
        holds several, where ``detector_id`` does not.

    Returns
    -------
    psf : `Psf`

    Notes
    -----
    The flux is the PSF's total, so an image must sum to oversampling² over
    an infinite plane. One that sums to 1 (within 20 %) is multiplied by
    oversampling²; one that sums to oversampling² (within 20 %) is left as it
    is, since a finite stamp lacks a little of the wings; any other is scaled
    so that the stamp itself sums to oversampling².

    The PSFs of STDPSF files hold a flux of 1 within 5.0 pixels (WFC3/UVIS and
    ACS) or 5.5 pixels (WFC3/IR), so that fluxes are those within this radius, a
    few per cent less than total ones; ``aperture_correction`` makes them total.

    Raises
    ------
    ValueError
        If ``spec`` or an option is wrong.
    OSError
        If the file cannot be read.
    FileFormatError
        If it holds no PSF, or its oversampling is unknown.
    """
    spec = os.fspath(spec)
    if spec.lower() in MEASURED:
        _refuse("a formula", oversampling=oversampling, detector_id=detector_id)
        kind = spec.lower()
        described = f"{kind.capitalize()}, its width measured on the image"
        return Psf(None, described, math.nan, is_formula=True, measured_as=kind)
    formula = as_formula(spec)
    if formula is not None:
        _refuse("a formula", oversampling=oversampling, detector_id=detector_id)
        model, description = formula
    else:
        path = Path(spec)
        refuse_daophot(path)
        with open_fits(path) as hdus:
            from_psfex = is_psfex(path, hdus)
        data, header = (None, None) if from_psfex else _psf_image(path)
        if from_psfex:
            _refuse(
                "a PSF of PSFEx, whose file says it",
                oversampling=oversampling,
                detector_id=detector_id,
            )
            model, description = _psfex(path)
        elif data is None:
            if detector_id is None and detector is not None:
                detector_id = choose_detector_id(path, detector)
            model, description = _grid(path, grid_order, detector_id)
            _refuse("a grid, whose file says it", oversampling=oversampling)
        else:
            _refuse("a single PSF image", detector_id=detector_id)
            model, description = _image_psf(path, data, header, oversampling)
    if blur_sigma is not None:
        model = blur(model, blur_sigma)
        description += f", blurred by a Gaussian of sigma {blur_sigma:g} px"
    if aperture_correction is not None:
        correction = find_aperture_correction(aperture_correction, model)
        model = correction.apply(model)
        description += f", {correction.description}"
    elif hasattr(model, "meta") and normalisation_radius(model) is not None:
        description += ", so fluxes are not total"
    return Psf(model, description, measure_fwhm(model), is_formula=formula is not None)


def measure_fwhm(model: Any) -> float:
    """Measure a model's full width at half maximum, in image pixels.

    It is the diameter of the circle that has the area above half of the
    maximum. A model that varies over the detector is taken in the middle.

    Parameters
    ----------
    model : `~astropy.modeling.Fittable2DModel`
        A PSF model with parameters ``flux``, ``x_0`` and ``y_0``.

    Returns
    -------
    fwhm : float
    """
    x_0, y_0 = 0.0, 0.0
    if hasattr(model, "grid_xypos"):
        x_0, y_0 = np.mean(np.asarray(model.grid_xypos, dtype=float), axis=0)
    elif isinstance(model, PolynomialPSFModel):
        x_0, y_0 = model.center
    psf = model.copy()
    psf.flux, psf.x_0, psf.y_0 = 1.0, x_0, y_0
    half = 2.0
    # Enlarge the field until the half-maximum contour is well inside it.
    while True:
        offsets, step = np.linspace(-half, half, 161, retstep=True)
        values = np.asarray(psf(x_0 + offsets[None, :], y_0 + offsets[:, None]))
        above = values > values.max() / 2
        fwhm = 2 * float(np.sqrt(above.sum() / np.pi)) * float(step)
        if fwhm < half or half > 1e3:  # noqa: PLR2004
            return fwhm
        half *= 2


def _refuse(kind: str, **options: int | None) -> None:
    """Refuse options that would change nothing."""
    for name, value in options.items():
        if value is not None:
            msg = f"--{name.replace('_', '-')} is not for {kind}; leave it out"
            raise ValueError(msg)


def _psfex(path: Path) -> tuple[Any, str]:
    try:
        model = PolynomialPSFModel.read(path)
    except ValueError as exc:
        raise FileFormatError(str(exc)) from exc
    description = (
        f"PSFEx's, of degree {model.degree} in the position, step "
        f"{model.meta['psf_samp']:.3g} px, normalised to the whole flux"
    )
    return model, description


def _grid(path: Path, grid_order: str, detector_id: int | None) -> tuple[Any, str]:
    try:
        model = GriddedPSFModel.read(
            path, grid_order=grid_order, detector_id=detector_id
        )
    except (ValueError, TypeError, OSError, IORegistryError) as exc:
        reason = str(exc).removeprefix(f"{path}: ").partition("\n")[0]
        msg = f"{path}: is no grid of ePSFs that can be read: {reason}"
        raise FileFormatError(msg) from exc
    n_psfs, samples = len(model.data), int(np.max(model.oversampling))
    description = f"grid of {n_psfs} ePSFs, {samples}x oversampled, used as it is"
    radius = normalisation_radius(model)
    if radius is not None:
        description += f", of flux 1 within {radius:g} px"
    return model, description


def _psf_image(path: Path) -> tuple[NDArray[np.float64] | None, fits.Header]:
    """Return the file's PSF image and its header; no image if it holds a grid."""
    with open_fits(path) as hdus:
        for hdu in hdus:
            if not (is_image(hdu) and len(hdu.shape) in {2, 3}):
                continue
            header = hdu.header.copy()
            if len(hdu.shape) == 3 or not _GRID_KEYS.isdisjoint(header):  # noqa: PLR2004
                return None, header
            try:
                return np.asarray(hdu.data, dtype=np.float64), header
            except (OSError, ValueError, TypeError) as exc:
                msg = f"{path}: the data are cut off or broken"
                raise FileFormatError(msg) from exc
    msg = f"{path}: has neither a PSF image (2D) nor a grid of PSFs (3D)"
    raise FileFormatError(msg)


def _image_psf(
    path: Path,
    data: NDArray[np.float64],
    header: fits.Header,
    oversampling: int | None,
) -> tuple[Any, str]:
    samples = _oversampling(path, header) if oversampling is None else oversampling
    if samples < 1:
        msg = f"--oversampling must be at least 1, got {samples}"
        raise ValueError(msg)
    if not np.isfinite(data).all() or min(data.shape) < 4:  # noqa: PLR2004
        msg = f"{path}: a PSF image needs finite values and 4 or more pixels a side"
        raise FileFormatError(msg)
    total = float(data.sum())
    if total <= 0:
        msg = f"{path}: a PSF image must have a sum above 0, this one has {total:g}"
        raise FileFormatError(msg)
    factor, said = _normalisation(total, samples**2)
    ny, nx = data.shape
    description = f"image of {nx} x {ny}, {samples}x oversampled, {said}"
    return ImagePSF(data * factor, oversampling=samples), description


def _normalisation(total: float, target: int) -> tuple[float, str]:
    """Return the factor for a PSF image of the given sum, and a sentence on it."""
    if abs(total / target - 1) <= _SUM_TOLERANCE:
        return 1.0, f"its sum of {total:.4g} left as it is ({target} is the whole flux)"
    if abs(total - 1) <= _SUM_TOLERANCE:
        return float(target), f"its sum of {total:.4g} multiplied by {target}"
    return target / total, f"its sum of {total:.4g} scaled to {target}"


def _oversampling(path: Path, header: fits.Header) -> int:
    for key in _OVERSAMPLING_KEYS:
        try:
            samples = whole_oversampling(header.get(key))
        except VerifyError:  # astropy parses a card when it is asked for
            continue
        if samples is not None:
            return samples
    keys = ", ".join(_OVERSAMPLING_KEYS)
    msg = (
        f"{path}: the header does not say how much the PSF is oversampled "
        f"(none of {keys}); give --oversampling N"
    )
    raise FileFormatError(msg)
