"""A PSF model from what is typed on a command line."""

from __future__ import annotations

import math
import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.io.registry import IORegistryError
from astropy.modeling import Model
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._validate import check_instance
from psfphot.io._aperture_correction import (
    find_aperture_correction,
    normalisation_radius,
)
from psfphot.io._blur import blur
from psfphot.io._detector import choose_detector_id
from psfphot.io._errors import FileFormatError
from psfphot.io._fits import (
    choose_image,
    extension_label,
    is_image,
    open_fits,
    read_array,
    read_pixels,
    split_extension,
)
from psfphot.io._other_psfs import is_psfex, refuse_daophot
from psfphot.io._psf_center import core_offset
from psfphot.io._psf_normalisation import find_normalisation, normalise_grid
from psfphot.io._psf_words import MEASURED, as_formula
from psfphot.psf import GriddedPSFModel, ImagePSF, PolynomialPSFModel
from psfphot.psf._files.grid_file import whole_oversampling
from psfphot.psf._files.psfex import psfex_tables
from psfphot.psf._models.sampled import MAX_OVERSAMPLING

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from psfphot.io._detector import Detector

#: Where PSF makers put the oversampling; the first one present counts.
_OVERSAMPLING_KEYS = ("OVERSAMP", "OVERSAMPLING", "DET_SAMP")

#: Keywords that a grid of one image has, even without an axis for it.
_GRID_KEYS = frozenset({"DET_YX0", "NXPSFS"})

#: What ``psf_center`` may be.
_CENTERS = (None, "core", "image")

#: An image's core nearer to its centre than this, in pixels, is at it: nobody
#: measures positions so well.
_CENTERED = 0.01

#: The planes of a grid whose cores are farther from their centres, in pixels, are
#: told of; those of real telescopes are up to 0.1 off (coma).
_GRID_CENTERED = 0.1


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
        image, ``"image"`` where all of it is; then ``model`` is `None` and ``fwhm``
        NaN.
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
    psf_center: str | None = None,
) -> Psf:
    """Make the PSF model that a word describes.

    Parameters
    ----------
    spec : str or path-like
        ``gaussian:FWHM``, ``moffat:FWHM[,BETA]`` or ``airy:FWHM`` (in pixels,
        before it is integrated over the pixel); ``gaussian`` or ``moffat`` alone,
        whose width is to be measured on the image, or ``image``, the PSF of its own
        stars; or a FITS file: a grid of
        ePSFs of any format that `psfphot.psf.GriddedPSFModel.read` recognises
        (STPSF, STDPSF), a PSF of PSFEx, or one ePSF image (2D). The file's
        extension may follow in brackets, and a plane of a cube, which is then
        one image: ``file.fits[PSF]``, ``file.fits[0][1]``.
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
    psf_center : {"core", "image"}, optional
        Where in a single image the star is: at the centroid of its core, the
        default, or at the image's centre, ``((nx - 1) / 2, (ny - 1) / 2)``.

    Returns
    -------
    psf : `Psf`

    Notes
    -----
    The flux is the PSF's total, so an image must sum to oversampling² over
    an infinite plane. One that sums to 1 (within 20 %) is multiplied by
    oversampling²; one that sums to oversampling² (within 20 %) is left as it
    is, since a finite stamp lacks a little of the wings; any other is scaled
    so that the stamp itself sums to oversampling². The planes of a grid are
    treated alike, with one factor for all, and a warning where they sum to
    neither; STDPSF files keep their own normalisation.

    The centroid of the core is taken under a Gaussian window of the core's FWHM,
    moved until it stays. Of a grid it is not taken: where it is off by more than
    0.1 pixels a warning says so.

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
        _refuse(
            "a formula",
            oversampling=oversampling,
            detector_id=detector_id,
            psf_center=psf_center,
        )
        kind = spec.lower()
        described = f"{kind.capitalize()}, its width measured on the image"
        if kind == "image":
            described = "built from the image's own stars"
        return Psf(None, described, math.nan, is_formula=True, measured_as=kind)
    formula = as_formula(spec)
    if formula is not None:
        _refuse(
            "a formula",
            oversampling=oversampling,
            detector_id=detector_id,
            psf_center=psf_center,
        )
        model, description = formula
    else:
        path, ext = split_extension(spec)
        refuse_daophot(path)
        with open_fits(path) as hdus:
            found = _find(hdus, path, ext)
        if isinstance(found, _Image):
            _refuse("a single PSF image", detector_id=detector_id)
            model, description = _image_psf(found, oversampling, psf_center)
        elif isinstance(found, _Psfex):
            _refuse(
                "a PSF of PSFEx, whose file says it",
                oversampling=oversampling,
                detector_id=detector_id,
                psf_center=psf_center,
            )
            model, description = _psfex(found)
        else:
            if detector_id is None and detector is not None:
                detector_id = choose_detector_id(path, detector)
            model, description = _grid(found, grid_order, detector_id)
            _refuse(
                "a grid, whose file says it",
                oversampling=oversampling,
                psf_center=psf_center,
            )
    if blur_sigma is not None:
        model = blur(model, blur_sigma)
        description += f", blurred by a Gaussian of sigma {blur_sigma:g} px"
    if aperture_correction is not None:
        correction = find_aperture_correction(aperture_correction, model)
        model = correction.apply(model)
        description += f", {correction.description}"
    elif hasattr(model, "meta") and normalisation_radius(model) is not None:
        description += ", so fluxes are not total (aperture_correction makes them so)"
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
    check_instance(model, Model, "model")
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


def _refuse(kind: str, **options: int | str | None) -> None:
    """Refuse options that would change nothing."""
    for name, value in options.items():
        if value is not None:
            msg = f"--{name.replace('_', '-')} is not for {kind}; leave it out"
            raise ValueError(msg)


@dataclass(frozen=True)
class _Psfex:
    """A file of PSFEx, and which of its PSFs, from 1."""

    path: Path
    number: int | None


@dataclass(frozen=True)
class _Grid:
    """A grid: what to read it from, and what messages call it."""

    source: Path | fits.HDUList
    name: str


@dataclass(frozen=True)
class _Image:
    """One image, its header, and what messages call it."""

    data: NDArray[np.float64]
    header: fits.Header
    name: str


def _find(hdus: fits.HDUList, path: Path, ext: str | None) -> _Psfex | _Grid | _Image:
    """Find the PSF of a file: what was asked for, or else the first."""
    if is_psfex(path, hdus):
        return _Psfex(path, None if ext is None else _psfex_number(hdus, path, ext))
    if ext is None:
        images = (hdu for hdu in hdus if is_image(hdu) and len(hdu.shape) in {2, 3})
        hdu, name = next(images, None), str(path)
        plane: tuple[int, ...] = ()
        if hdu is None:
            msg = f"{path}: has neither a PSF image (2D) nor a grid of PSFs (3D)"
            raise FileFormatError(msg)
    else:
        hdu, plane = choose_image(hdus, ext, path)
        name = f"{path}[{ext}]"
    is_grid = len(hdu.shape) > 2 or not _GRID_KEYS.isdisjoint(hdu.header)  # noqa: PLR2004
    if plane or not is_grid:
        pixels = read_pixels(hdu, name, plane).astype(np.float64)
        return _Image(pixels, hdu.header.copy(), name)
    if ext is None:
        return _Grid(path, name)
    alone = fits.PrimaryHDU(read_array(hdu, name), hdu.header)
    return _Grid(fits.HDUList([alone]), name)


def _psfex_number(hdus: fits.HDUList, path: Path, ext: str) -> int:
    """Tell which of a file's PSFs, from 1, an extension holds."""
    numbers: dict[str, int] = {}
    for number, hdu in enumerate(psfex_tables(hdus), 1):
        for label in (str(hdus.index(hdu)), extension_label(hdus, hdu)):
            numbers.setdefault(label, number)
    try:
        return numbers[ext.strip().upper()]
    except KeyError:
        msg = f"{path}: has no PSF in extension {ext!r}; it has {', '.join(numbers)}"
        raise FileFormatError(msg) from None


def _psfex(found: _Psfex) -> tuple[Any, str]:
    try:
        model = PolynomialPSFModel.read(found.path, found.number)
    except ValueError as exc:
        own = "by extension, from 1"
        as_typed = f"{own}, as {found.path.name}[1]"
        raise FileFormatError(str(exc).replace(own, as_typed)) from exc
    description = (
        f"PSFEx's, of degree {model.degree} in the position, step "
        f"{model.meta['psf_samp']:.3g} px, normalised to the whole flux"
    )
    return model, description


def _grid(found: _Grid, grid_order: str, detector_id: int | None) -> tuple[Any, str]:
    try:
        model = GriddedPSFModel.read(
            found.source, grid_order=grid_order, detector_id=detector_id
        )
    except (ValueError, TypeError, OSError, IORegistryError) as exc:
        reason = str(exc).partition("\n")[0]
        for name in (found.name, "<HDUList>"):
            reason = reason.removeprefix(f"{name}: ")
        msg = f"{found.name}: is no grid of ePSFs that can be read: {reason}"
        raise FileFormatError(msg) from exc
    n_psfs, samples = len(model.data), int(np.max(model.oversampling))
    description = f"grid of {n_psfs} ePSFs, {samples}x oversampled"
    radius = normalisation_radius(model)
    if "STDPSF" in model.meta or radius is not None:
        description += ", used as it is"
        if radius is not None:
            description += f", of flux 1 within {radius:g} px"
    else:
        model, said = normalise_grid(model, found.name)
        description += f", {said}"
    _check_centers(model, found.name)
    return model, description


def _check_centers(model: GriddedPSFModel, name: str) -> None:
    """Warn of a grid whose cores are not at the centres of its planes."""
    planes = [plane for plane in np.asarray(model.data) if plane.any()]
    offsets = [core_offset(plane, model.oversampling) for plane in planes]
    known = np.array([offset for offset in offsets if offset is not None])
    if not len(known):
        return
    x, y = np.median(known, axis=0)
    if math.hypot(x, y) > _GRID_CENTERED:
        msg = (
            f"{name}: the cores of the grid's PSFs are ({x:+.2f}, {y:+.2f}) px from "
            "the centres of their planes (x, y; the median), so that positions are "
            "off by as much the other way"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=4)


def _image_psf(
    found: _Image, oversampling: int | None, psf_center: str | None
) -> tuple[Any, str]:
    data, name = found.data, found.name
    if oversampling is None:
        oversampling = _oversampling(name, found.header)
    if not 1 <= oversampling <= MAX_OVERSAMPLING:
        msg = f"--oversampling must be from 1 to {MAX_OVERSAMPLING}, got {oversampling}"
        raise ValueError(msg)
    if psf_center not in _CENTERS:
        msg = f"psf_center must be 'core' or 'image', got {psf_center!r}"
        raise ValueError(msg)
    if not np.isfinite(data).all() or min(data.shape) < 4:  # noqa: PLR2004
        msg = f"{name}: a PSF image needs finite values and 4 or more pixels a side"
        raise FileFormatError(msg)
    total = float(data.sum())
    if total <= 0:
        msg = f"{name}: a PSF image must have a sum above 0, this one has {total:g}"
        raise FileFormatError(msg)
    factor, said = find_normalisation(total, oversampling**2)
    ny, nx = data.shape
    description = f"image of {nx} x {ny}, {oversampling}x oversampled, {said}"
    offset = core_offset(data, (oversampling, oversampling))
    origin = None
    if offset is not None and math.hypot(*offset) > _CENTERED:
        x, y = (round(one, 3) + 0.0 for one in offset)  # (no -0)
        place = f"({x:+.3f}, {y:+.3f}) px from the image's centre"
        if psf_center == "image":
            description += f", its core {place}, which counts"
        else:
            centre = (nx - 1) / 2, (ny - 1) / 2
            shift = (oversampling * one for one in offset)
            origin = [c + s for c, s in zip(centre, shift, strict=True)]
            description += f", centred on its core, {place}"
    return ImagePSF(
        data * factor, origin=origin, oversampling=oversampling
    ), description


def _oversampling(name: str, header: fits.Header) -> int:
    wrong = []
    for key in _OVERSAMPLING_KEYS:
        try:
            value = header.get(key)
        except VerifyError:  # astropy parses a card when it is asked for
            value = "what cannot be read"
        samples = whole_oversampling(value)
        if samples is not None:
            return samples
        if value is not None:
            wrong.append(f"{key} is {value!r}")
    if wrong:
        msg = (
            f"{name}: the oversampling must be a positive integer up to "
            f"{MAX_OVERSAMPLING}, but {', '.join(wrong)}; give --oversampling N"
        )
        raise FileFormatError(msg)
    keys = ", ".join(_OVERSAMPLING_KEYS)
    msg = (
        f"{name}: the header does not say how much the PSF is oversampled "
        f"(none of {keys}); give --oversampling N"
    )
    raise FileFormatError(msg)
