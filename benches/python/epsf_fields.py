"""Stars of known PSFs for the bench of ePSF builders, rendered without psfphot.

A PSF of a class is diffraction by a pupil (or a Moffat function), blurred, and
integrated over square pixels. Diffraction is band-limited: the PSF at any offset is
a finite Fourier sum, and the pixel is a product of two sincs in it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import leggauss

SIDE = 64
"""Period of the Fourier sums, pixels."""
SKY, READ_NOISE = 20.0, 5.0


@dataclass(frozen=True)
class Diffraction:
    """An ePSF as a Fourier sum.

    Parameters
    ----------
    cutoff : float
        Highest frequency, cycles per pixel.
    blur : float
        Sigma of a Gaussian blur, pixels.
    waves : float
        Rms of the wavefront's error, wavelengths.
    is_segmented : bool
        A hexagonal pupil with struts instead of a round one.
    tilt : (float, float)
        Change of the wavefront's coefficients with the place in the field.
    """

    cutoff: float
    blur: float
    waves: float = 0.0
    is_segmented: bool = False
    drift: tuple = (0.0, 0.0)

    def transform(self, place=(0.0, 0.0)):
        n = int(np.floor(self.cutoff * SIDE))
        size = 2 * n + 1
        # The pupil's diameter is the cutoff: its autocorrelation ends there.
        v, u = np.mgrid[: n + 1, : n + 1] / n * 2 - 1
        radius, angle = np.hypot(u, v), np.arctan2(v, u)
        if self.is_segmented:
            sides = [
                abs(u * np.cos(a) + v * np.sin(a)) for a in np.radians([0, 60, 120])
            ]
            pupil = (np.max(sides, axis=0) <= 0.87) & (np.max(sides, axis=0) > 0.2)
            for a in np.radians([90, 215, 325]):
                along = u * np.cos(a) + v * np.sin(a)
                across = abs(-u * np.sin(a) + v * np.cos(a))
                pupil &= ~((along > 0) & (across < 0.02))
        else:
            pupil = (radius <= 1) & (radius > 0.33)
        modes = [
            2 * radius**2 - 1,
            radius**2 * np.cos(2 * angle),
            radius**2 * np.sin(2 * angle),
            (3 * radius**3 - 2 * radius) * np.cos(angle),
            (3 * radius**3 - 2 * radius) * np.sin(angle),
            radius**3 * np.cos(3 * angle),
        ]
        weights = np.array([0.5, 0.6, -0.4, 0.4, -0.3, 0.3])
        weights = weights + self.drift[0] * place[0] * np.array(
            [0.7, -0.8, 0.4, 0.3, 0.5, 0]
        )
        weights = weights + self.drift[1] * place[1] * np.array(
            [-0.4, 0.5, 0.9, -0.4, 0.2, 0.1]
        )
        wavefront = self.waves * sum(w * m for w, m in zip(weights, modes, strict=True))
        field = pupil * np.exp(2j * np.pi * wavefront)
        padded = np.zeros((2 * size, 2 * size), complex)
        padded[: n + 1, : n + 1] = field
        spectrum = np.fft.fft2(abs(np.fft.fft2(padded)) ** 2)
        k = np.arange(-n, n + 1)
        otf = spectrum[np.ix_(k, k)]
        otf = otf / otf[n, n]
        f = k / SIDE
        envelope = np.exp(-2 * (np.pi * self.blur * f) ** 2) * np.sinc(f)
        # The power spectrum came by a forward transform: conjugate for synthesis.
        return f, np.conj(otf) * np.outer(envelope, envelope)

    def at(self, x, y, place=(0.0, 0.0)):
        """Values at the offsets ``x`` (columns) and ``y`` (rows) from the star."""
        f, otf = self.cached(place)
        waves = [np.exp(2j * np.pi * np.outer(p, f)) for p in (y, x)]
        return (waves[0] @ otf @ waves[1].T).real / SIDE**2

    def cached(self, place):
        key = (self, place)
        if key not in _TRANSFORMS:
            _TRANSFORMS[key] = self.transform(place)
        return _TRANSFORMS[key]


_TRANSFORMS = {}


@dataclass(frozen=True)
class Moffat:
    """A Moffat function integrated over pixels."""

    fwhm: float
    beta: float

    def at(self, x, y, place=(0.0, 0.0)):  # noqa: ARG002
        gamma2 = (self.fwhm / 2) ** 2 / (2 ** (1 / self.beta) - 1)
        nodes, weights = leggauss(8)
        px = (np.asarray(x)[:, None] + nodes / 2).ravel()
        py = (np.asarray(y)[:, None] + nodes / 2).ravel()
        values = (1 + (px**2 + py[:, None] ** 2) / gamma2) ** -self.beta
        values *= (self.beta - 1) / (np.pi * gamma2)
        values = values.reshape(len(y), 8, len(x), 8)
        return np.einsum("iajb,a,b->ij", values, weights / 2, weights / 2)


CLASSES = {
    "nircam": Diffraction(0.53, 0.3, waves=0.09, is_segmented=True),
    "under": Diffraction(1.1, 0.15, waves=0.06),
    "hstir": Diffraction(1.36, 0.2, waves=0.06),
    "moffat": Moffat(3.4, 3.0),
}


@dataclass
class Stars:
    """Cutouts of stars and the truth of them."""

    data: np.ndarray
    error: np.ndarray
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    true_x: np.ndarray
    true_y: np.ndarray
    places: np.ndarray
    star: np.ndarray


def make_stars(
    truth,
    n,
    seed,
    *,
    size=25,
    faint=1e4,
    bright=2e5,
    offset=0.05,
    defect=None,
    varies=False,
    dithers=((0.0, 0.0),),
):
    """Stars around the middles of their cutouts, at all phases of the pixel.

    Each has a cutout for each of the dithers, which are known: the start is off by the
    same in all of them.
    """
    rng = np.random.default_rng(seed)
    flux = np.exp(rng.uniform(np.log(faint), np.log(bright), n))
    middle = (size - 1) / 2
    true_x, true_y = middle + rng.uniform(-0.5, 0.5, (2, n))
    places = rng.uniform(-1, 1, (n, 2)) if varies else np.zeros((n, 2))
    n_dithers = len(dithers)
    flux, places = (np.repeat(of, n_dithers, axis=0) for of in (flux, places))
    true_x, true_y = (
        (at[:, None] + shift).ravel()
        for at, shift in zip((true_x, true_y), np.transpose(dithers), strict=True)
    )
    pixels = np.arange(size)
    data = np.empty((flux.size, size, size))
    for k in range(flux.size):
        place = tuple(places[k]) if varies else (0.0, 0.0)
        x, y = pixels - true_x[k], pixels - true_y[k]
        data[k] = flux[k] * value(truth, x, y, place)
        if defect == "neighbour":
            part = np.exp(rng.uniform(np.log(0.003), np.log(0.1)))
            radius, angle = rng.uniform(3, 11), rng.uniform(0, 2 * np.pi)
            dx, dy = radius * np.cos(angle), radius * np.sin(angle)
            data[k] += part * flux[k] * value(truth, x - dx, y - dy, place)
    noisy = rng.poisson(np.maximum(data + SKY, 0)) + rng.normal(
        0, READ_NOISE, data.shape
    )
    if defect == "cosmic":
        for k in range(flux.size):
            i, j = rng.integers(0, size, 2)
            noisy[k, i, j] += rng.uniform(500, 2e4)
    error = np.sqrt(np.maximum(noisy, SKY) + READ_NOISE**2)
    start = np.repeat(rng.normal(0, offset, (2, n)), n_dithers, axis=1)
    return Stars(
        noisy - SKY,
        error,
        true_x + start[0],
        true_y + start[1],
        flux,
        true_x,
        true_y,
        places,
        np.repeat(np.arange(n), n_dithers),
    )


def value(truth, x, y, place=(0.0, 0.0)):
    """The truth at offsets: a PSF, or a grid of them by bilinear blending."""
    if not isinstance(truth, list):
        return truth.at(x, y, place)
    n = int(np.sqrt(len(truth)))
    column, row = ((np.clip(p, -1, 1) + 1) / 2 * (n - 1) for p in place)
    total = 0.0
    for j in range(n):
        for i in range(n):
            weight = max(0, 1 - abs(column - i)) * max(0, 1 - abs(row - j))
            if weight > 0:
                total = total + weight * truth[j * n + i].at(x, y)
    return total
