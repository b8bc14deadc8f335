"""Frames with the structure of real ones, whose stars are known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from frames.renderer import Field, Gaussians, Moffat, render

#: Noise of an empty pixel of the deep fields, and their faintest star: a third
#: of the stars is below 5 sigma. In electrons.
NOISE, FAINTEST = 20.0, 305.0
#: Stars brighter than this lose their cores in the deep fields.
FULL = 600 * FAINTEST
#: Electrons in one unit of the deep fields' pixels.
EXPOSURE, MEGAJANSKY = 900.0, 40.0


@dataclass(frozen=True)
class Scene:
    """A file, the PSF to type, and the stars."""

    path: Path
    psf: str
    fwhm: float
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    #: Whether a star's core is full or lost.
    is_saturated: np.ndarray


def gradient(directory, seed=1, *, n=150, size=800, width=1.0):
    """A sky from 200 to 2200 across the frame, 0.2 % NaN, errors."""
    rng = np.random.default_rng([seed, 1])
    x, y = _scattered(rng, n, (size, size), apart=9)
    flux = 10 ** rng.uniform(3.3, 5, n)
    v, u = np.mgrid[:size, :size] / (size - 1)
    sky = 200 + 1000 * (u + v) + 150 * np.sin(2 * u) * v
    clean = sky + render(
        (size, size), Gaussians(((1, 2.5, 2.5),)), x, y, flux, width=width
    )
    noise = np.sqrt(clean + 25)
    data = clean + rng.normal(0, noise)
    data[rng.random(data.shape) < 0.002] = np.nan
    planes = [_plane("SCI", data, BUNIT="electron"), _plane("ERR", noise)]
    path = _write(directory / f"gradient{seed}.fits", planes)
    return Scene(path, "gaussian:2.5", 2.5, x, y, flux, np.zeros(n, bool))


def ccd(directory, seed=1, *, n=900, shape=(1150, 1024)):
    """A 16-bit frame: bias, a steep sky, full wells that bleed along columns."""
    rng = np.random.default_rng([seed, 2])
    bias, full, read_noise = 1000.0, 60000.0, 6.0
    x, y = _scattered(rng, n, shape)
    flux = np.exp(rng.uniform(np.log(700), np.log(2.2e6), n))
    v, u = np.mgrid[: shape[0], : shape[1]] / np.array(shape)[:, None, None]
    sky = 800 + 4500 * (u**2 + v**1.5)
    clean = sky + render(shape, Moffat(3.6, 3.0), x, y, flux)
    data = rng.poisson(clean) + bias + rng.normal(0, read_noise, shape)
    _bleed(data, full)
    hdu = fits.PrimaryHDU(np.minimum(np.round(data), full).astype(np.uint16))
    hdu.header.update({"SATURATE": full, "GAIN": 1.0, "RDNOISE": read_noise})
    path = directory / f"ccd{seed}.fits"
    hdu.writeto(path)
    is_saturated = _at(clean, x, y) + bias >= full
    return Scene(path, "moffat", 3.6, x, y, flux, is_saturated)


def drizzled(directory, seed=1, *, n=6000, size=2048, width=1.0):
    """SCI and WHT: zeros where nothing was exposed, hot and dead pixels."""
    rng = np.random.default_rng([seed, 3])
    weight = _turned_square(size) * rng.uniform(0.95, 1.05, (size, size))
    x, y, flux = _deep_stars(rng, n, size, weight > 0)
    psf = wide_field(size)
    clean = render((size, size), psf, x, y, flux, width=width)
    data = clean + rng.normal(0, 1, clean.shape) * np.sqrt(
        NOISE**2 / np.maximum(weight, 0.5) + clean
    )
    hot = rng.random(data.shape) < 0.001
    data[hot] += 10 ** rng.uniform(2, 4, hot.sum())
    lost = _cores(data.shape, x, y, flux) | (rng.random(data.shape) < 0.004)
    weight[lost] = 0
    data[weight == 0] = 0
    planes = [
        _plane("SCI", data / EXPOSURE, BUNIT="electron/s"),
        _plane("WHT", weight * EXPOSURE),
    ]
    path = _write(directory / f"drizzled{seed}.fits", planes)
    grid = write_grid(directory / f"drizzled{seed}_grid.fits", psf)
    return Scene(path, str(grid), 2.2, x, y, flux / EXPOSURE, flux > FULL)


def jwst(directory, seed=1, *, n=6000, size=2048, width=1.0, nebula=0.0):
    """A cal frame: ERR, DQ, NaN where a core is full; ``nebula`` in sigma."""
    rng = np.random.default_rng([seed, 4])
    x, y, flux = _deep_stars(rng, n, size, np.ones((size, size), bool))
    psf = wide_field(size)
    clean = render((size, size), psf, x, y, flux, width=width)
    sky = 300 + nebula * NOISE * _nebula(size, rng)
    noise = np.sqrt(NOISE**2 + clean + np.maximum(sky - 300, 0))
    data = clean + sky + rng.normal(0, noise)
    quality = np.zeros(data.shape, np.uint32)
    bad = rng.random(data.shape) < 0.005
    data[bad] += rng.normal(0, 2000, bad.sum())
    quality[bad] |= 1
    full = _cores(data.shape, x, y, flux)
    quality[full] |= 3
    data[full] = noise[full] = np.nan
    planes = [
        _plane("SCI", data / MEGAJANSKY, BUNIT="MJy/sr", PIXAR_SR=9.31e-14),
        _plane("ERR", noise / MEGAJANSKY, BUNIT="MJy/sr"),
        fits.ImageHDU(quality, name="DQ"),
    ]
    path = _write(directory / f"jwst{seed}.fits", planes, TELESCOP="JWST")
    grid = write_grid(directory / f"jwst{seed}_grid.fits", psf)
    return Scene(path, str(grid), 2.2, x, y, flux / MEGAJANSKY, flux > FULL)


def hst(directory, seed=1, *, n=1500, shape=(600, 1200)):
    """An flc of two chips; cosmic rays and hot pixels that no DQ knows.

    One `Scene` for each chip; its path names the extension.
    """
    rng = np.random.default_rng([seed, 5])
    psf = Gaussians(((0.85, 2.0, 2.1), (0.15, 5.0, 5.0)))
    planes, scenes = [], []
    path = directory / f"hst{seed}_flc.fits"
    grid = write_image_psf(directory / f"hst{seed}_psf.fits", psf)
    for version, chip in ((1, 2), (2, 1)):
        x, y = _scattered(rng, n, shape)
        flux = np.minimum(150 / rng.uniform(1e-4, 1, n), 2e5)
        clean = 40 + render(shape, psf, x, y, flux)
        data = rng.poisson(clean) + rng.normal(0, 4, shape)
        error = np.sqrt(np.maximum(data, 0) + 16)
        _add_cosmic_rays(data, rng, n=data.size // 900)
        hot = rng.random(shape) < 0.001
        data[hot] += 10 ** rng.uniform(2, 3.5, hot.sum())
        error = np.maximum(error, np.sqrt(np.maximum(data, 0) + 16))
        planes += [
            _plane("SCI", data, version, BUNIT="ELECTRONS", CCDCHIP=chip),
            _plane("ERR", error, version),
            fits.ImageHDU(np.zeros(shape, np.int16), name="DQ", ver=version),
        ]
        at = Path(f"{path}[SCI,{version}]")
        scenes.append(Scene(at, str(grid), 2.1, x, y, flux, np.zeros(n, bool)))
    _write(path, planes, TELESCOP="HST", INSTRUME="ACS", DETECTOR="WFC")
    return scenes


def amateur(directory, seed=1, *, n=60, size=512, trails=()):
    """A frame with over-subtracted dark pixels, stripes, skewed noise, trails."""
    rng = np.random.default_rng([seed, 6])
    psf = Gaussians(((1, 3.0, 3.0),))
    x, y = _scattered(rng, n, (size, size), apart=12)
    flux = 10 ** rng.uniform(2.9, 4.5, n)
    sky = 293 + 4 * np.sin(np.arange(size) / 3)[:, None] * np.ones(size)
    noise = rng.gamma(4, 5.5 / 2, (size, size)) - 11
    data = sky + render((size, size), psf, x, y, flux) + noise
    for trail in trails:
        data += trail.light(data.shape)
    j, i = rng.integers(10, size - 10, (2, 200))
    data[j, i] -= rng.uniform(40, 300, 200)
    path = directory / f"amateur{seed}.fits"
    fits.writeto(path, data.astype(np.float32))
    return Scene(path, "gaussian:3", 3.0, x, y, flux, np.zeros(n, bool))


def wide_field(size):
    """A PSF of FWHM 2.1 to 2.3 pixels with a halo, other at each of 3 x 3 nodes."""
    nodes = (0.0, (size - 1) / 2, size - 1.0)
    wings = (0.12, 6.0, 6.0)
    psfs = tuple(
        tuple(
            Gaussians(((0.88, 2.08 + 0.05 * i, 2.12 + 0.05 * j), wings))
            for i in range(3)
        )
        for j in range(3)
    )
    return Field(nodes, nodes, psfs)


def write_grid(path, field, oversampling=4, n=161):
    """Write a field's PSFs as STPSF does."""
    header = fits.Header({"OVERSAMP": oversampling, "FILTER": "TEST"})
    planes = []
    for j, y in enumerate(field.y):
        for i, x in enumerate(field.x):
            header[f"DET_YX{len(planes)}"] = f"({y:.1f}, {x:.1f})"
            planes.append(field.psfs[j][i].plane(oversampling, n))
    fits.writeto(path, np.array(planes, np.float32), header)
    return path


def write_image_psf(path, psf, oversampling=4, n=161):
    """Write one PSF as an image."""
    header = fits.Header({"OVERSAMP": oversampling})
    fits.writeto(path, psf.plane(oversampling, n).astype(np.float32), header)
    return path


def _scattered(rng, n, shape, apart=0.0):
    """Positions at random, with a margin of 3 pixels to the edges."""
    found = np.empty((0, 2))
    while len(found) < n:
        one = rng.uniform(3, np.array(shape[::-1]) - 4)
        if not apart or not len(found) or np.hypot(*(found - one).T).min() > apart:
            found = np.vstack([found, one])
    return found.T


def _deep_stars(rng, n, size, is_exposed):
    """As many stars again for half the flux; the faintest have S/N 3."""
    x, y = rng.uniform(3, size - 4, (2, 4 * n))
    inside = np.flatnonzero(_at(is_exposed, x, y))[:n]
    flux = FAINTEST / rng.uniform(1 / 6000, 1, n)
    return x[inside], y[inside], flux


def _turned_square(size):
    """1 in a square turned by 20 degrees, 0 in the corners."""
    v, u = np.mgrid[:size, :size] / (size - 1) - 0.5
    angle = np.deg2rad(20)
    a, b = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    return (np.maximum(abs(a), abs(b)) < 0.46).astype(float)


def _cores(shape, x, y, flux):
    """Whether a pixel is in the lost core of a star, 1 to 3 pixels wide."""
    lost = np.zeros(shape, bool)
    rows, columns = np.indices(shape, sparse=True)
    for k in np.flatnonzero(flux > FULL):
        radius = min(1.2 + np.log10(flux[k] / FULL), 3.0)
        j, i = round(y[k]), round(x[k])
        near = np.s_[max(j - 5, 0) : j + 6, max(i - 5, 0) : i + 6]
        r2 = (columns[:, near[1]] - x[k]) ** 2 + (rows[near[0]] - y[k]) ** 2
        lost[near] |= r2 < radius**2
    return lost


def _bleed(data, full):
    """Charge beyond the full well flows half up, half down its column."""
    for i in np.flatnonzero((data > full).any(axis=0)):
        column = data[:, i]
        for row in np.flatnonzero(column > full):
            excess = column[row] - full
            if excess <= 0:
                continue
            column[row] = full
            for step in (1, -1):
                rest, at = excess / 2, row + step
                while rest > 0 and 0 <= at < column.size:
                    taken = min(rest, max(full - column[at], 0.0))
                    column[at] += taken
                    rest -= taken
                    at += step


def _add_cosmic_rays(data, rng, n):
    """Tracks of 1 to 6 pixels."""
    for _ in range(n):
        x, y = rng.uniform(0, data.shape[1]), rng.uniform(0, data.shape[0])
        angle = rng.uniform(0, np.pi)
        for step in range(rng.integers(1, 7)):
            i, j = int(x + step * np.cos(angle)), int(y + step * np.sin(angle))
            if 0 <= j < data.shape[0] and 0 <= i < data.shape[1]:
                data[j, i] += 10 ** rng.uniform(2, 3.7)


def _nebula(size, rng):
    """Smooth clouds and a few filaments, of peak about 1."""
    v, u = np.mgrid[:size, :size] / size
    cloud = np.zeros((size, size))
    for _ in range(12):
        x, y, s = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.05, 0.2)
        cloud += rng.uniform(0.2, 0.6) * np.exp(
            -((u - x) ** 2 + (v - y) ** 2) / (2 * s**2)
        )
    for _ in range(4):
        x, wave = rng.uniform(0.1, 0.9), rng.uniform(3, 8)
        ridge = x + 0.08 * np.sin(wave * v + rng.uniform(0, 6))
        with np.errstate(under="ignore"):
            cloud += 0.3 * np.exp(-((u - ridge) ** 2) / (2 * 0.012**2))
    return cloud


def _at(image, x, y):
    """The pixels at positions."""
    return image[np.round(y).astype(int), np.round(x).astype(int)]


def _plane(name, data, version=1, **header):
    """An extension of single precision."""
    return fits.ImageHDU(
        data.astype(np.float32), fits.Header(header), name, ver=version
    )


def _write(path, planes, **header):
    """Write a file of extensions, whose primary header is given."""
    fits.HDUList([fits.PrimaryHDU(header=fits.Header(header)), *planes]).writeto(path)
    return path
