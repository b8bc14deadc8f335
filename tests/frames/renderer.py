"""Stars on pixels, by formulas of this file alone.

Nothing here is shared with the package: Gaussians are integrated over pixels by
the error function, Moffat profiles by a fine raster, and a PSF that varies over
the field is the bilinear blend of the nodes around a star.
"""

import math
from dataclasses import dataclass

import numpy as np

_erf = np.frompyfunc(math.erf, 1, 1)
_SIGMA_PER_FWHM = 1 / math.sqrt(8 * math.log(2))


def gaussian_integral(edges, sigma):
    """Integrate a 1D Gaussian of unit sum between consecutive edges."""
    cumulative = _erf(np.asarray(edges) / (sigma * math.sqrt(2))).astype(float) / 2
    return np.diff(cumulative)


@dataclass(frozen=True)
class Gaussians:
    """A sum of elliptical Gaussians along the axes: (weight, fwhm_x, fwhm_y)."""

    parts: tuple
    radius: int = 24

    def stamp(self, x, y, width=1.0):
        """Columns, rows and the light in each pixel of a star of flux 1."""
        columns = np.arange(round(x) - self.radius, round(x) + self.radius + 1)
        rows = np.arange(round(y) - self.radius, round(y) + self.radius + 1)
        image = np.zeros((rows.size, columns.size))
        for weight, fwhm_x, fwhm_y in self.parts:
            sigma_x, sigma_y = (f * width * _SIGMA_PER_FWHM for f in (fwhm_x, fwhm_y))
            along_x = gaussian_integral(
                np.append(columns, columns[-1] + 1) - 0.5 - x, sigma_x
            )
            along_y = gaussian_integral(
                np.append(rows, rows[-1] + 1) - 0.5 - y, sigma_y
            )
            image += weight * np.outer(along_y, along_x)
        return columns, rows, image

    def plane(self, oversampling, n):
        """The ePSF: the light in a pixel centred at each fine position."""
        offsets = (np.arange(n) - n // 2) / oversampling
        plane = np.zeros((n, n))
        for weight, fwhm_x, fwhm_y in self.parts:
            along_x, along_y = (
                [
                    gaussian_integral([d - 0.5, d + 0.5], f * _SIGMA_PER_FWHM)[0]
                    for d in offsets
                ]
                for f in (fwhm_x, fwhm_y)
            )
            plane += weight * np.outer(along_y, along_x)
        return plane


@dataclass(frozen=True)
class Moffat:
    """A round Moffat profile, integrated over pixels by a raster of points."""

    fwhm: float
    beta: float
    radius: int = 60

    def stamp(self, x, y, width=1.0):
        """Columns, rows and the light in each pixel of a star of flux 1."""
        columns = np.arange(round(x) - self.radius, round(x) + self.radius + 1)
        rows = np.arange(round(y) - self.radius, round(y) + self.radius + 1)
        image = self._profile(columns - x, rows - y, width)
        core = 6
        inner = slice(self.radius - core, self.radius + core + 1)
        n = 11
        fine = (np.arange(n) - n // 2) / n
        image[inner, inner] = np.mean(
            [
                self._profile(columns[inner] + a - x, rows[inner] + b - y, width)
                for a in fine
                for b in fine
            ],
            axis=0,
        )
        return columns, rows, image

    def _profile(self, dx, dy, width):
        alpha = self.fwhm * width / (2 * math.sqrt(2 ** (1 / self.beta) - 1))
        r2 = np.asarray(dx)[None, :] ** 2 + np.asarray(dy)[:, None] ** 2
        norm = (self.beta - 1) / (math.pi * alpha**2)
        return norm * (1 + r2 / alpha**2) ** -self.beta


@dataclass(frozen=True)
class Field:
    """A PSF at each node of a rectangle of positions, blended between them."""

    x: tuple
    y: tuple
    psfs: tuple  # rows of y, within them x

    def stamp(self, x, y, width=1.0):
        """Columns, rows and the light in each pixel of a star of flux 1."""
        i, s = _place(self.x, x)
        j, t = _place(self.y, y)
        total = 0
        for k, weight in (
            ((j, i), (1 - s) * (1 - t)),
            ((j, i + 1), s * (1 - t)),
            ((j + 1, i), (1 - s) * t),
            ((j + 1, i + 1), s * t),
        ):
            columns, rows, image = self.psfs[k[0]][k[1]].stamp(x, y, width)
            total = total + weight * image
        return columns, rows, total


def _place(nodes, value):
    """The interval of a value, and how far it is into it."""
    i = int(np.clip(np.searchsorted(nodes, value) - 1, 0, len(nodes) - 2))
    part = (value - nodes[i]) / (nodes[i + 1] - nodes[i])
    return i, float(np.clip(part, 0, 1))


def render(shape, psf, x, y, flux, *, width=1.0):
    """The image of stars; ``width`` scales the PSF, for one that does not match."""
    image = np.zeros(shape)
    for one_x, one_y, one_flux in zip(x, y, flux, strict=True):
        columns, rows, stamp = psf.stamp(one_x, one_y, width)
        on_x = (columns >= 0) & (columns < shape[1])
        on_y = (rows >= 0) & (rows < shape[0])
        if on_x.any() and on_y.any():
            part = np.s_[
                rows[on_y][0] : rows[on_y][-1] + 1,
                columns[on_x][0] : columns[on_x][-1] + 1,
            ]
            image[part] += one_flux * stamp[np.ix_(on_y, on_x)]
    return image


@dataclass(frozen=True)
class Trail:
    """An even line of light: a strip, seen through a Gaussian PSF.

    ``peak`` is the light in its middle, ``width`` that of the strip (0 for what is
    narrow), ``angle`` is in degrees, ``bend`` the sagitta's coefficient (the line
    is ``bend * along**2`` aside), ``length`` infinite by default.
    """

    x: float
    y: float
    angle: float
    peak: float
    fwhm: float
    width: float = 0.0
    bend: float = 0.0
    length: float = math.inf

    def place(self, x, y):
        """How far along and how far aside of the line positions are."""
        cos, sin = (
            math.cos(math.radians(self.angle)),
            math.sin(math.radians(self.angle)),
        )
        along = (x - self.x) * cos + (y - self.y) * sin
        aside = (y - self.y) * cos - (x - self.x) * sin
        return along, aside - self.bend * along**2

    def light(self, shape):
        """The image of it."""
        rows, columns = np.indices(shape)
        along, aside = self.place(columns, rows)
        sigma = self.fwhm * _SIGMA_PER_FWHM
        half = max(self.width, 0.2) / 2
        across, middle = (
            _erf((half - d) / sigma / math.sqrt(2)).astype(float)
            + _erf((half + d) / sigma / math.sqrt(2)).astype(float)
            for d in (aside, np.zeros(1))
        )
        ends = abs(along) - self.length / 2
        fading = 1 / (1 + np.exp(np.clip(ends / sigma * 1.7, -50, 50)))
        return self.peak * across / middle * fading

    def covers(self, x, y, margin=0.0):
        """Whether positions are on it, to half of its light or so much farther."""
        along, aside = self.place(np.asarray(x), np.asarray(y))
        half = max(self.width, self.fwhm) / 2 + margin
        return (abs(aside) < half) & (abs(along) < self.length / 2 + self.fwhm)
