"""A simulated grid of NIRCam-like effective PSFs."""

from __future__ import annotations

import math
import numbers
import operator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import NDData

from psfphot.datasets._optics import (
    PUPIL_DIAMETER,
    Propagator,
    WavefrontModel,
    make_pupil,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.psf import GriddedPSFModel

__all__ = ["make_nircam_psf_grid"]

ARCSEC = math.radians(1.0 / 3600.0)
MICROMETRE = 1e-6
NANOMETRE = 1e-9

# Centre and full width at half maximum of NIRCam's F200W filter, in micrometres.
F200W = (1.99, 0.46)
# 256 samples of 2.6 cm and 9 wavelengths differ from 1024 samples and 40
# wavelengths by 2e-4 of the peak.
MIN_PUPIL_SAMPLES = 256


def make_nircam_psf_grid(
    n_psfs: int = 16,
    *,
    fov_pixels: int = 51,
    oversampling: int = 4,
    detector_size: int = 2048,
    pixel_scale: float = 0.031,
    wavelength: float = F200W[0],
    bandwidth: float = F200W[1],
    n_wavelengths: int = 9,
    wavefront_error_rms: float = 75.0,
    blur: float = 0.0062,
    seed: int = 0,
) -> GriddedPSFModel:
    """Simulate a grid of effective PSFs like those of JWST's NIRCam.

    Each PSF is the Fraunhofer diffraction pattern of an 18-segment hexagonal
    pupil with a wavefront error that changes smoothly over the detector. **It
    is a simulation, not a calibration**: the shapes are those of F200W images,
    the wavefront is drawn at random. It is meant for examples and tests; for
    real data use STPSF [1]_ or a PSF measured on the image.

    Parameters
    ----------
    n_psfs : int, optional
        Number of PSFs, a perfect square: a square grid from the first to the
        last pixel of the detector. One PSF is placed at the detector's centre.
    fov_pixels : int, optional
        Width of each PSF's stamp in detector pixels, odd or even.
    oversampling : int, optional
        Points per detector pixel along each axis.
    detector_size : int, optional
        Width of the square detector in pixels.
    pixel_scale : float, optional
        Size of a detector pixel in arcseconds.
    wavelength, bandwidth : float, optional
        Centre and full width at half maximum of the filter in micrometres.
    n_wavelengths : int, optional
        Number of wavelengths that stand for the filter's band. With 1, the
        light is monochromatic.
    wavefront_error_rms : float, optional
        Wavefront error, root mean square over the pupil and the detector, in
        nanometres. With 0, the telescope is perfect and every PSF the same.
    blur : float, optional
        Standard deviation of a Gaussian blur by charge diffusion and jitter,
        in arcseconds.
    seed : int, optional
        Seed of the wavefront. The same seed gives the same telescope whatever
        the other parameters are.

    Returns
    -------
    GriddedPSFModel
        The model. Its ``data``, float64 of shape ``(n_psfs, n, n)`` with ``n =
        fov_pixels * oversampling``, is pixel-integrated: the fraction of the
        flux that a pixel centred on each point receives. The source is at the
        geometric centre, ``(n - 1) / 2``. An infinite plane would sum to
        ``oversampling**2``, so a stamp sums to less: the wings are outside.

    Raises
    ------
    TypeError
        If a count is not an integer, or another argument not a number.
    ValueError
        If an argument is out of its range.

    Notes
    -----
    The images are propagated with matrix Fourier transforms [2]_. Aberrations,
    above all coma, move a PSF's centroid from the source's position by up to
    about 0.2 pixels, as they do in the real instrument; without aberrations
    the two agree.

    References
    ----------
    .. [1] Perrin, M. D., et al. 2014, Proc. SPIE, 9143, 91433X.
    .. [2] Soummer, R., Pueyo, L., Sivaramakrishnan, A. & Vanderbei, R. J.
       2007, Optics Express, 15, 15935.

    Examples
    --------
    >>> from psfphot.datasets import make_nircam_psf_grid
    >>> psf_model = make_nircam_psf_grid(4, fov_pixels=21)
    >>> psf_model.data.shape
    (4, 84, 84)
    """
    # Imported here: the models need the compiled core, the simulation does not.
    from psfphot.psf import GriddedPSFModel  # noqa: PLC0415

    camera = Camera(
        n_psfs=n_psfs,
        fov_pixels=fov_pixels,
        oversampling=oversampling,
        detector_size=detector_size,
        pixel_scale=pixel_scale,
        wavelength=wavelength,
        bandwidth=bandwidth,
        n_wavelengths=n_wavelengths,
        wavefront_error_rms=wavefront_error_rms,
        blur=blur,
        seed=seed,
    )
    return GriddedPSFModel(simulate_grid(camera))


#: Beyond these an image would not fit into memory, or take hours.
_MOST = {
    "n_psfs": 100**2,
    "oversampling": 64,
    "detector_size": 10**6,
    "n_wavelengths": 10**3,
}
_MOST_POINTS = 2**13
_MOST_BLUR = 10


@dataclass(frozen=True, kw_only=True)
class Camera:
    """The checked arguments of `make_nircam_psf_grid`, which describes them."""

    n_psfs: int = 16
    fov_pixels: int = 51
    oversampling: int = 4
    detector_size: int = 2048
    pixel_scale: float = 0.031
    wavelength: float = F200W[0]
    bandwidth: float = F200W[1]
    n_wavelengths: int = 9
    wavefront_error_rms: float = 75.0
    blur: float = 0.0062
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in {
            "n_psfs": 1,
            "fov_pixels": 1,
            "oversampling": 1,
            "detector_size": 2,
            "n_wavelengths": 1,
            "seed": 0,
        }.items():
            _check_integer(name, getattr(self, name), least)
        for name in ("pixel_scale", "wavelength", "bandwidth"):
            _check_real(name, getattr(self, name), positive=True)
        for name in ("wavefront_error_rms", "blur"):
            _check_real(name, getattr(self, name), positive=False)
        for name, most in _MOST.items():
            if getattr(self, name) > most:
                msg = f"{name} must be at most {most}, got {getattr(self, name)}"
                raise ValueError(msg)
        self._check_together()

    def _check_together(self) -> None:
        side = math.isqrt(self.n_psfs)
        if side**2 != self.n_psfs:
            msg = f"n_psfs must be a perfect square (1, 4, 9, ...), got {self.n_psfs}"
            raise ValueError(msg)
        if self.detector_size < side:
            msg = (
                f"detector_size must be at least {side}, one pixel for each of the "
                f"grid's columns, got {self.detector_size}"
            )
            raise ValueError(msg)
        points = self.fov_pixels * self.oversampling
        if points < 4:  # noqa: PLR2004
            msg = (
                "fov_pixels * oversampling must be at least 4 (a bicubic spline "
                f"needs 4 points), got {self.fov_pixels} * {self.oversampling}"
            )
            raise ValueError(msg)
        if points > _MOST_POINTS:
            msg = (
                f"fov_pixels * oversampling must be at most {_MOST_POINTS}, got "
                f"{self.fov_pixels} * {self.oversampling}"
            )
            raise ValueError(msg)
        if self.blur > _MOST_BLUR * self.pixel_scale:
            msg = f"blur must be at most {_MOST_BLUR} pixels, got {self.blur} arcsec"
            raise ValueError(msg)
        # The band, with its skirts, must end above zero.
        if self.bandwidth >= self.wavelength:
            msg = (
                "bandwidth must be less than the wavelength, "
                f"{self.wavelength}, got {self.bandwidth}"
            )
            raise ValueError(msg)

    @property
    def grid_axis(self) -> NDArray[np.int64]:
        """Pixel positions of the grid along one axis."""
        side = math.isqrt(self.n_psfs)
        if side == 1:
            return np.array([(self.detector_size - 1) // 2])
        return np.rint(np.linspace(0, self.detector_size - 1, side)).astype(np.int64)

    def meta(self) -> dict[str, Any]:
        """Return the settings under the names of STPSF's FITS headers and ours."""
        is_f200w = (self.wavelength, self.bandwidth) == F200W
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return own | {
            "instrume": "NIRCam",
            "detector": "SIMULATED",
            "filter": "F200W" if is_f200w else f"{self.wavelength:g} um",
            "fovpixel": self.fov_pixels,
            "fov": self.fov_pixels * self.pixel_scale,
            "oversamp": self.oversampling,
            "det_samp": self.oversampling,
            "num_psfs": self.n_psfs,
            "comment": "Simulated optics, not a calibration of any instrument",
        }


def simulate_grid(camera: Camera) -> NDData:
    """Simulate the grid of PSFs as `GriddedPSFModel` takes it.

    Parameters
    ----------
    camera : Camera
        The settings.

    Returns
    -------
    NDData
        ``data`` of shape ``(n_psfs, n, n)``, float64; ``meta`` with
        ``grid_xypos``, a list of ``(x, y)`` sorted by y, then x,
        ``oversampling`` and the settings.
    """
    wavelengths, weights = _band(camera)
    pixel = camera.pixel_scale * ARCSEC
    # A sampled pupil repeats the image periodically: keep a stamp inside half
    # the period.
    cycles = camera.fov_pixels * pixel * PUPIL_DIAMETER / float(wavelengths.min())
    pupil = make_pupil(max(MIN_PUPIL_SAMPLES, 2 * math.ceil(cycles)))
    wavefront = WavefrontModel(
        pupil, camera.wavefront_error_rms * NANOMETRE, camera.seed
    )
    propagator = Propagator(
        pupil,
        wavelengths,
        weights,
        pixel=pixel,
        n_pixels=camera.fov_pixels,
        oversampling=camera.oversampling,
        blur=camera.blur / camera.pixel_scale,
    )
    axis = camera.grid_axis
    grid_xypos = [(int(x), int(y)) for y in axis for x in axis]
    half = 0.5 * (camera.detector_size - 1)
    data = np.stack(
        [
            propagator.epsf(wavefront.opd(x / half - 1.0, y / half - 1.0))
            for x, y in grid_xypos
        ]
    )
    return NDData(data, meta=camera.meta() | {"grid_xypos": grid_xypos})


def _band(camera: Camera) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Gauss-Legendre wavelengths (m) and their shares of the light.

    The filter's throughput is a flat top with steep skirts, half of the peak
    at plus and minus half the bandwidth.
    """
    if camera.n_wavelengths == 1:
        return np.array([camera.wavelength * MICROMETRE]), np.ones(1)
    reach = 1.15  # of the half width; there the throughput is 2 %
    nodes, weights = np.polynomial.legendre.leggauss(camera.n_wavelengths)
    throughput = np.exp(-math.log(2.0) * (reach * nodes) ** 12)
    weights = weights * throughput
    wavelengths = camera.wavelength + 0.5 * reach * camera.bandwidth * nodes
    return wavelengths * MICROMETRE, weights / weights.sum()


def _check_integer(name: str, value: Any, least: int) -> None:
    try:
        number = operator.index(value)
    except TypeError:
        msg = f"{name} must be an integer, got {value!r}"
        raise TypeError(msg) from None
    if number < least:
        msg = f"{name} must be at least {least}, got {value}"
        raise ValueError(msg)


def _check_real(name: str, value: Any, *, positive: bool) -> None:
    expected = "a positive number" if positive else "zero or a positive number"
    if not isinstance(value, numbers.Real):
        msg = f"{name} must be {expected}, got {value!r}"
        raise TypeError(msg)
    number = float(value)
    if not math.isfinite(number) or number < 0.0 or (positive and number == 0.0):
        msg = f"{name} must be {expected}, got {value}"
        raise ValueError(msg)
