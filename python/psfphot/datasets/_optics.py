"""Fraunhofer optics of a segmented telescope, with numpy alone.

The light of a star passes the pupil (`make_pupil`), picks up a wavefront error
that depends on where the star lies on the detector (`WavefrontModel`), and is
propagated to the detector and integrated over its pixels (`Propagator`).

Lengths are metres, angles on the sky radians, wavefront errors metres of
optical path. Arrays are ``[y, x]``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Propagator", "Pupil", "WavefrontModel", "make_pupil"]

FloatArray: TypeAlias = NDArray[np.float64]

# The James Webb primary mirror: hexagons 1.318 m flat to flat, 7 mm apart.
SEGMENT_FLAT_TO_FLAT = 1.318
SEGMENT_PITCH = 1.325
N_RINGS = 2
STRUT_WIDTH = 0.10
# One strut stands straight up; the two lower ones are perpendicular to segment
# edges, so that their diffraction spikes fall on those of the hexagons.
STRUT_ANGLES = np.deg2rad([90.0, 240.0, 300.0])
# Five segments in the middle column, and a rim for the grey edge samples.
PUPIL_DIAMETER = (2 * N_RINGS + 1) * SEGMENT_PITCH + 0.05


@dataclass(frozen=True)
class Pupil:
    """A segmented pupil on a square grid whose centre is the optical axis.

    Attributes
    ----------
    transmission : (n, n) array
        Fraction of each sample that is open: amplitude, 0 to 1.
    segment : (n, n) int array
        Index of the nearest segment.
    u, v : (n, n) array
        x and y from that segment's centre, in metres.
    coordinates : (n,) array
        x (and y) of the samples, in metres.
    """

    transmission: FloatArray
    segment: NDArray[np.int64]
    u: FloatArray
    v: FloatArray
    coordinates: FloatArray

    @property
    def spacing(self) -> float:
        """Distance between samples, in metres."""
        return float(self.coordinates[1] - self.coordinates[0])


def segment_centres() -> FloatArray:
    """Return the (18, 2) x and y of the segments' centres, in metres.

    Two rings around the missing central segment; rows of one ``x`` are a column
    of segments that touch along horizontal edges.
    """
    centres = [
        (0.5 * math.sqrt(3.0) * a * SEGMENT_PITCH, (b + 0.5 * a) * SEGMENT_PITCH)
        for a in range(-N_RINGS, N_RINGS + 1)
        for b in range(-N_RINGS, N_RINGS + 1)
        if abs(a + b) <= N_RINGS and (a, b) != (0, 0)
    ]
    return np.array(centres)


def make_pupil(n_samples: int) -> Pupil:
    """Draw an 18-segment hexagonal pupil with gaps and three struts.

    The central segment is missing (there sits the instruments' entrance) and
    the secondary mirror is narrower than that hole. Samples that straddle an
    edge get the open fraction of their area (to first order), which keeps the
    7 mm gaps, narrower than a sample, in the energy budget.

    Parameters
    ----------
    n_samples : int
        Samples along each axis.

    Returns
    -------
    Pupil
        The pupil.
    """
    spacing = PUPIL_DIAMETER / n_samples
    edge = 0.5 * (PUPIL_DIAMETER - spacing)
    coordinates = np.linspace(-edge, edge, n_samples)
    x, y = np.meshgrid(coordinates, coordinates)

    transmission = np.zeros_like(x)
    nearest = np.full_like(x, np.inf)
    segment = np.zeros(x.shape, dtype=np.int64)
    u, v = np.zeros_like(x), np.zeros_like(x)
    for index, (x_c, y_c) in enumerate(segment_centres()):
        dx, dy = x - x_c, y - y_c
        transmission += _open_fraction(_hexagon_depth(dx, dy), spacing)
        distance = np.hypot(dx, dy)
        closer = distance < nearest
        segment[closer] = index
        nearest[closer] = distance[closer]
        u[closer], v[closer] = dx[closer], dy[closer]
    # Where three segments meet, three straight edges add up to more than all.
    transmission = np.minimum(transmission, 1.0)
    for angle in STRUT_ANGLES:
        along = x * math.cos(angle) + y * math.sin(angle)
        across = np.abs(x * math.sin(angle) - y * math.cos(angle))
        depth = np.minimum(0.5 * STRUT_WIDTH - across, along)
        transmission *= 1.0 - _open_fraction(depth, spacing)
    return Pupil(transmission, segment, u, v, coordinates)


def _hexagon_depth(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the distance inside a flat-topped segment's nearest edge (m)."""
    slanted = 0.5 * math.sqrt(3.0) * np.abs(x) + 0.5 * np.abs(y)
    return 0.5 * SEGMENT_FLAT_TO_FLAT - np.maximum(np.abs(y), slanted)


def _open_fraction(depth: FloatArray, spacing: float) -> FloatArray:
    """Return the fraction of a sample that lies inside a straight edge."""
    return np.clip(depth / spacing + 0.5, 0.0, 1.0)


class WavefrontModel:
    """Wavefront errors of the telescope and the camera, drawn from a seed.

    The telescope's part is the same all over the field: piston, tip and tilt
    of every segment, less what the camera's terms describe. The camera's part
    is six low-order terms (defocus, two astigmatisms, two comas, spherical),
    each a second-degree polynomial of the position on the detector. Both leave
    out the piston, tip and tilt of the whole pupil, which move an image and do
    not blur it.

    Parameters
    ----------
    pupil : Pupil
        The pupil.
    rms : float
        Root mean square over pupil and field, in metres of optical path.
    seed : int
        Seed of the random generator.
    """

    #: Share of the variance that belongs to the segments; the rest varies over
    #: the field. Chosen so that the peaks of the PSFs vary by some per cent.
    SEGMENT_SHARE = 0.75
    #: Standard deviation of the coefficients of 1, X, Y, X^2, XY, Y^2, where X
    #: and Y run from -1 to 1 over the detector.
    FIELD_SCALES = np.array([0.5, 0.7, 0.7, 0.5, 0.5, 0.5])

    def __init__(self, pupil: Pupil, rms: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._weights = pupil.transmission / pupil.transmission.sum()
        y, x = np.meshgrid(pupil.coordinates, pupil.coordinates, indexing="ij")
        radius = 0.5 * PUPIL_DIAMETER
        self._image_shift = np.stack([np.ones_like(x), x / radius, y / radius])

        self._modes = self._low_order_modes(x / radius, y / radius)
        segments = self._draw_segments(pupil, rng)
        self._static = rms * math.sqrt(self.SEGMENT_SHARE) * segments
        draws = rng.standard_normal((len(self._modes), len(self.FIELD_SCALES)))
        coefficients = draws * self.FIELD_SCALES
        # Normalised over a fixed grid of the field: the optics of a seed must
        # not depend on how many PSFs are asked for.
        axis = np.linspace(-1.0, 1.0, 21)
        field = _field_terms(*np.meshgrid(axis, axis)).reshape(6, -1)
        variance = np.sum((coefficients @ field) ** 2, axis=0).mean()
        scale = rms * math.sqrt((1.0 - self.SEGMENT_SHARE) / variance)
        self._coefficients = scale * coefficients

    def opd(self, x_field: float, y_field: float) -> FloatArray:
        """Return the optical path difference over the pupil, in metres.

        Parameters
        ----------
        x_field, y_field : float
            Position on the detector, -1 to 1 from edge to edge.

        Returns
        -------
        (n, n) array
            The optical path difference.
        """
        field = _field_terms(np.float64(x_field), np.float64(y_field))
        terms: FloatArray = np.tensordot(self._coefficients @ field, self._modes, 1)
        return self._static + terms

    def rms(self, opd: FloatArray) -> float:
        """Return the root mean square of a map over the open pupil."""
        return math.sqrt(float(np.sum(self._weights * opd**2)))

    def _draw_segments(self, pupil: Pupil, rng: np.random.Generator) -> FloatArray:
        """Draw piston, tip and tilt of each segment: a map of unit rms."""
        piston, tip, tilt = rng.standard_normal((3, pupil.segment.max() + 1))
        # x over a hexagon has an rms of sqrt(5/72) times its width between
        # flats: with this slope piston, tip and tilt weigh the same.
        slope = math.sqrt(72.0 / 5.0) / SEGMENT_FLAT_TO_FLAT
        index = pupil.segment
        surface = piston[index] + slope * (tip[index] * pupil.u + tilt[index] * pupil.v)
        # Without the camera's terms the two parts are orthogonal, so that their
        # variances add up to the wanted one.
        basis = np.concatenate([self._image_shift, self._modes])
        surface = self._without(surface, basis)
        return surface / self.rms(surface)

    def _low_order_modes(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return Zernike polynomials 4 to 9 made orthonormal over this pupil."""
        r2 = x**2 + y**2
        zernikes = (
            2.0 * r2 - 1.0,
            x**2 - y**2,
            2.0 * x * y,
            (3.0 * r2 - 2.0) * x,
            (3.0 * r2 - 2.0) * y,
            6.0 * r2**2 - 6.0 * r2 + 1.0,
        )
        basis = self._image_shift
        for surface in zernikes:
            new = self._without(surface, basis)
            basis = np.concatenate([basis, (new / self.rms(new))[np.newaxis]])
        return basis[len(self._image_shift) :]

    def _without(self, surface: FloatArray, basis: FloatArray) -> FloatArray:
        """Return the surface minus its best fit by ``basis`` over the pupil."""
        weighted = basis * self._weights
        gram = np.tensordot(weighted, basis, ((1, 2), (1, 2)))
        fit = np.linalg.solve(gram, np.tensordot(weighted, surface, 2))
        remainder: FloatArray = surface - np.tensordot(fit, basis, 1)
        return remainder


def _field_terms(x: FloatArray | np.float64, y: FloatArray | np.float64) -> FloatArray:
    """Return 1, X, Y, X^2, XY, Y^2 stacked along the first axis."""
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])


class Propagator:
    """From a wavefront in the pupil to an oversampled, pixel-integrated PSF.

    The field of each wavelength is a matrix Fourier transform [1]_: two matrix
    products that give the wanted points of the image and no others. The
    intensities of the band are added, and one more pair of products, with
    band matrices, integrates them over the square pixel and blurs them.

    The integration is exact for what a telescope can transmit: the intensity
    holds no frequency above D / wavelength, so the taps of the band matrix are
    made (by least squares) to have, at all those frequencies, the transfer
    function of the pixel, a sinc, times that of the blur, a Gaussian; the
    largest deviation is below 1e-8.

    The total over an infinite plane follows from Parseval's theorem: it is the
    integral of the squared amplitude over the pupil. Inside a sample the
    amplitude is 0 or 1, so this is the open area, the sum of ``transmission``
    and not of its square; the difference, about 1 %, is what the edges and
    gaps scatter beyond the angles that the sampling can show.

    Parameters
    ----------
    pupil : Pupil
        The pupil.
    wavelengths, weights : (n,) array
        Wavelengths in metres and their shares of the light, of sum 1.
    pixel : float
        Side of a detector pixel, in radians.
    n_pixels, oversampling : int
        Pixels along each axis of the stamp and points per pixel.
    blur : float
        Standard deviation of the Gaussian blur (charge diffusion, jitter), in
        pixels.

    References
    ----------
    .. [1] Soummer, R., Pueyo, L., Sivaramakrishnan, A. & Vanderbei, R. J.
       2007, Optics Express, 15, 15935.
    """

    #: Points of the propagated intensity, at least, per cycle of its highest
    #: frequency: three times Nyquist's two, so that short taps do.
    POINTS_PER_CYCLE = 6
    #: Points that the taps reach beyond the pixel's edge, on either side.
    TAP_MARGIN = 4

    def __init__(
        self,
        pupil: Pupil,
        wavelengths: FloatArray,
        weights: FloatArray,
        *,
        pixel: float,
        n_pixels: int,
        oversampling: int,
        blur: float,
    ) -> None:
        self._pupil = pupil
        self._open = pupil.transmission > 0.0
        self._amplitude = pupil.transmission[self._open]
        self._wavelengths = wavelengths
        top_frequency = PUPIL_DIAMETER / float(wavelengths.min()) * pixel
        step = math.ceil(self.POINTS_PER_CYCLE * top_frequency / oversampling)
        per_pixel = step * oversampling
        taps = _pixel_taps(per_pixel, top_frequency, blur, self.TAP_MARGIN)
        n_points = (n_pixels * oversampling - 1) * step + taps.size
        offsets = np.arange(n_points) - 0.5 * (n_points - 1)
        self._kernels = _fourier_kernels(
            pupil.coordinates, offsets * pixel / per_pixel, wavelengths
        )
        power = float(np.sum(pupil.transmission))
        self._scales = weights * (pupil.spacing * pixel / wavelengths) ** 2 / power
        self._integrate = _band_matrix(taps, n_pixels * oversampling, step)

    def epsf(self, opd: FloatArray) -> FloatArray:
        """Return the pixel-integrated PSF of one wavefront.

        Parameters
        ----------
        opd : (n, n) array
            Optical path difference over the pupil, in metres.

        Returns
        -------
        (m, m) array
            Fraction of the flux that a pixel centred on each point receives;
            the geometric centre of the array is the source's position. The sum
            over an infinite plane is oversampling**2.
        """
        path = opd[self._open]
        field = np.zeros(opd.shape, dtype=np.complex128)
        intensity = np.zeros((self._kernels.shape[1],) * 2)
        for wavelength, kernel, scale in zip(
            self._wavelengths, self._kernels, self._scales, strict=True
        ):
            phase = path * (2.0 * math.pi / wavelength)
            # Filled by parts: faster than the complex exponential.
            field.real[self._open] = self._amplitude * np.cos(phase)
            field.imag[self._open] = self._amplitude * np.sin(phase)
            image = kernel @ field @ kernel.T
            intensity += scale * (image.real**2 + image.imag**2)
        integrated: FloatArray = self._integrate @ intensity @ self._integrate.T
        return integrated


def _fourier_kernels(
    pupil: FloatArray, image: FloatArray, wavelengths: FloatArray
) -> NDArray[np.complex128]:
    """Return exp(-2 pi i x theta / wavelength), shape (wavelength, theta, x)."""
    cycles = np.multiply.outer(image, pupil) / wavelengths[:, np.newaxis, np.newaxis]
    kernels: NDArray[np.complex128] = np.exp(-2j * math.pi * cycles)
    return kernels


def _pixel_taps(
    per_pixel: int, top_frequency: float, blur: float, margin: int
) -> FloatArray:
    """Return symmetric taps that integrate over one pixel and blur.

    Parameters
    ----------
    per_pixel : int
        Points per pixel.
    top_frequency : float
        Highest frequency of the light, in cycles per pixel.
    blur : float
        Standard deviation of the Gaussian blur, in pixels.
    margin : int
        Points beyond the pixel's edge that the taps may use.

    Returns
    -------
    (2 k + 1,) array
        The taps, of sum 1.
    """
    reach = math.ceil(0.5 * per_pixel) + margin + math.ceil(4.0 * blur * per_pixel)
    frequency = np.linspace(0.0, top_frequency, 20 * reach)
    wanted = np.sinc(frequency) * np.exp(-2.0 * (math.pi * blur * frequency) ** 2)
    cosines = np.cos(
        2.0 * math.pi * np.multiply.outer(frequency, np.arange(reach + 1) / per_pixel)
    )
    cosines[:, 1:] *= 2.0
    half = np.linalg.lstsq(cosines, wanted, rcond=1e-12)[0]
    taps = np.concatenate([half[:0:-1], half])
    normalised: FloatArray = taps / taps.sum()
    return normalised


def _band_matrix(taps: FloatArray, n_rows: int, step: int) -> FloatArray:
    """Return the matrix whose row ``i`` holds the taps from column ``i * step``."""
    matrix = np.zeros((n_rows, (n_rows - 1) * step + taps.size))
    for row in range(n_rows):
        matrix[row, row * step : row * step + taps.size] = taps
    return matrix
