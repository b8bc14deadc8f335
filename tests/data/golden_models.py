"""Goldens of the models: grid file, spline, formulas and random parameters.

Called by ``make_golden.py``; see ``README.md`` for what each file holds.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from photutils import psf as photutils_psf
from photutils.datasets import make_model_params
from photutils.psf import GriddedPSFModel
from scipy.interpolate import RectBivariateSpline
from scipy.special import erf

OVERSAMPLING = 4
FOV_PIXELS = 15
# STPSF's detector positions: integers, so that an odd number of them is not
# equally spaced.
GRID_POSITIONS = (0.0, 128.0, 255.0)


def integrated_gaussian(offset, sigma):
    """Integral of a unit Gaussian over one detector pixel around ``offset``."""
    root = np.sqrt(2.0) * sigma
    return 0.5 * (erf((offset + 0.5) / root) - erf((offset - 0.5) / root))


def epsf_plane(x_position, y_position):
    """Oversampled ePSF at a detector position: core, wing and a side lobe.

    Everything that varies does so differently in x and y, so that a transposed
    grid is a different model.  A sample is the share of the flux in a detector
    pixel around it, so that the samples of an infinite plane sum to
    ``OVERSAMPLING**2``.
    """
    u = x_position / GRID_POSITIONS[-1] - 0.5
    v = y_position / GRID_POSITIONS[-1] - 0.5
    n = FOV_PIXELS * OVERSAMPLING
    offset = (np.arange(n) - (n - 1) / 2) / OVERSAMPLING

    def part(x_center, y_center, x_sigma, y_sigma):
        along_x = integrated_gaussian(offset - x_center, x_sigma)
        along_y = integrated_gaussian(offset - y_center, y_sigma)
        return along_y[:, np.newaxis] * along_x

    sigma = 2.2 / 2.3548200450309493
    core = part(
        0.04 * u,
        -0.03 * v + 0.02 * u,
        sigma * (1 + 0.10 * u - 0.04 * v),
        sigma * (1 + 0.02 * u + 0.14 * v + 0.06 * u * v),
    )
    wing = part(0.0, 0.0, 2.3, 2.5)
    lobe = part(1.6, -0.9 + 0.8 * u, 1.0, 1.1)
    wing_share, lobe_share = 0.12 + 0.03 * u, 0.05 + 0.03 * v
    return (1 - wing_share - lobe_share) * core + wing_share * wing + lobe_share * lobe


def write_grid(path):
    """Write the grid as STPSF 2.2.0 does, header and data in different orders."""
    planes = [epsf_plane(x, y) for y in GRID_POSITIONS for x in GRID_POSITIONS]
    sums = np.sum(planes, axis=(1, 2)) / OVERSAMPLING**2
    sys.stdout.write(f"ePSF sums / oversampling**2: {sums.min()} to {sums.max()}\n")
    hdu = fits.PrimaryHDU(np.array(planes, dtype=np.float32))
    header = hdu.header
    header["INSTRUME"] = "Simcam"
    header["DETECTOR"] = "SIM1"
    header["FILTER"] = "F100W"
    header["FOVPIXEL"] = FOV_PIXELS
    header["OVERSAMP"] = OVERSAMPLING
    header["DET_SAMP"] = OVERSAMPLING
    positions = [(y, x) for x in GRID_POSITIONS for y in GRID_POSITIONS]
    for i, yx in enumerate(positions):
        comment = f"The #{i} PSF's (y,x) detector pixel position"
        header[f"DET_YX{i}"] = (str(yx), comment)
    header["NUM_PSFS"] = len(positions)
    header["DATE"] = "2026-01-01T00:00:00"
    header["VERSION"] = "2.2.0"
    header["COMMENT"] = "Synthetic ePSFs from a formula, of no real instrument"
    hdu.writeto(path, overwrite=True)


def grid_read_golden(directory):
    """Which plane of the file photutils' reader puts at which position."""
    path = Path(directory) / "grid_3x3_samp4.fits"
    model = GriddedPSFModel.read(path)
    planes = fits.getdata(path)
    order = [
        next(i for i, plane in enumerate(planes) if np.array_equal(plane, read))
        for read in model.data
    ]
    x, y = np.meshgrid(np.arange(85.0, 98.0), np.arange(204.0, 215.0))
    value = model.evaluate(x, y, 1000.0, 91.3, 208.8)
    np.savez_compressed(
        Path(directory) / "grid_read.npz",
        header_order=np.array(order),
        grid_xypos=np.array(model.grid_xypos),
        x=x,
        y=y,
        header_value=value,
    )


def spline_images():
    """Small images of even, odd and unequal sizes, noise and PSF-like."""
    rng = np.random.default_rng(42)
    images = [
        rng.normal(size=shape)
        for shape in [(4, 4), (5, 4), (4, 7), (6, 5), (7, 9), (12, 8)]
    ]
    for shape, center, sigma in [
        ((7, 9), (3.2, 4.4), 1.1),
        ((16, 16), (7.5, 7.5), 1.9),
        ((30, 31), (14.6, 15.1), 2.3),
    ]:
        yy, xx = np.indices(shape)
        r2 = ((yy - center[0]) ** 2 + (xx - center[1]) ** 2) / sigma**2
        images.append(np.exp(-0.5 * r2) + 0.02 / (1 + r2 / 4) ** 1.5)
    # Rounded, so that the text file is short and still exact.
    return [np.round(image, 9) for image in images]


def spline_points(shape, rng):
    """Random points of the image's rectangle, its corners, edges and knots."""
    x_max, y_max = shape[1] - 1.0, shape[0] - 1.0
    x = rng.uniform(0, x_max, 48)
    y = rng.uniform(0, y_max, 48)
    x[:5], y[5:10] = 0.0, 0.0
    x[10:15], y[15:20] = x_max, y_max
    x[20:24] = np.round(x[20:24])
    y[22:26] = np.round(y[22:26])
    x[26:30], y[26:30] = [0.0, x_max, 0.0, x_max], [0.0, 0.0, y_max, y_max]
    return np.round(x, 9), np.round(y, 9)


def spline_golden(directory):
    """Write values and derivatives of the interpolating bicubic spline."""
    rng = np.random.default_rng(43)
    arrays, lines = {}, []
    lines.append(
        "# Per image: 'image NY NX', NY lines of NX values, 'points N', "
        "N lines 'x y value d/dx d/dy' of the not-a-knot bicubic spline "
        "(x: column, y: row, from 0; derivatives per sample)"
    )
    for i, image in enumerate(spline_images()):
        ny, nx = image.shape
        x, y = spline_points(image.shape, rng)
        spline = RectBivariateSpline(np.arange(ny), np.arange(nx), image, s=0)
        value = spline(y, x, grid=False)
        d_dx = spline(y, x, dy=1, grid=False)
        d_dy = spline(y, x, dx=1, grid=False)
        rows = np.column_stack([x, y, value, d_dx, d_dy])
        arrays[f"image{i}"] = image
        arrays[f"points{i}"] = rows
        lines.append(f"image {ny} {nx}")
        lines += [" ".join(repr(float(v)) for v in row) for row in image]
        lines.append(f"points {len(rows)}")
        lines += [" ".join(repr(float(v)) for v in row) for row in rows]
    np.savez_compressed(Path(directory) / "spline.npz", **arrays)
    text = "\n".join(lines) + "\n"
    (Path(directory) / "spline.txt").write_text(text, encoding="ascii")


# The class, then what tells cases of one class apart.
ANALYTIC_CASES = {
    "GaussianPSF": {"x_fwhm": 2.4, "y_fwhm": 3.1, "theta": 35.0},
    "GaussianPRF": {"x_fwhm": 2.4, "y_fwhm": 1.7, "theta": -20.0},
    "GaussianPRF, aligned": {"x_fwhm": 1.4, "y_fwhm": 2.7, "theta": 90.0},
    "GaussianPRF, narrow": {"x_fwhm": 0.5, "y_fwhm": 0.9, "theta": 130.0},
    "GaussianPRF, long": {"x_fwhm": 1.1, "y_fwhm": 7.0, "theta": 50.0},
    "CircularGaussianPSF": {"fwhm": 2.2},
    "CircularGaussianPRF": {"fwhm": 1.3},
    "CircularGaussianSigmaPRF": {"sigma": 1.1},
    "MoffatPSF": {"alpha": 2.2, "beta": 3.1},
    "MoffatPRF": {"alpha": 2.2, "beta": 2.5},
    "MoffatPRF, few nodes": {"alpha": 1.1, "beta": 4.765, "n_nodes": 3},
    "AiryDiskPSF": {"radius": 3.2},
    "AiryDiskPRF": {"radius": 2.6},
    "AiryDiskPRF, few nodes": {"radius": 1.3, "n_nodes": 4},
}


def analytic_golden(directory):
    """Write values, derivatives and bounding boxes of the formulas."""
    flux, x_0, y_0 = 250.0, 3.3, 4.1
    y, x = np.mgrid[-1:10, -3:10].astype(float)
    arrays, cases = {"x": x, "y": y}, {}
    for i, (case, shape) in enumerate(ANALYTIC_CASES.items()):
        kind = getattr(photutils_psf, case.partition(",")[0])
        model = kind(flux=flux, x_0=x_0, y_0=y_0, **shape)
        cases[case] = {
            "call": {"flux": flux, "x_0": x_0, "y_0": y_0} | shape,
            "bounding_box": np.array(model.bounding_box.bounding_box()).tolist(),
            "repr": repr(model),
        }
        arrays[f"values{i}"] = model(x, y)
        arrays[f"off_pixels{i}"] = model(x + 0.37, y - 0.21)
        arrays[f"derivatives{i}"] = np.array(model.fit_deriv(x, y, *model.parameters))
    np.savez_compressed(
        Path(directory) / "analytic.npz", cases=json.dumps(cases), **arrays
    )


PARAMS_CASES = {
    # The seed's call: a 101-pixel model on the detector of 2048 pixels.
    "seed": {
        "shape": [2048, 2048],
        "n_sources": 500,
        "border_size": [50, 50],
        "min_separation": 25,
        "seed": 0,
        "flux": [500, 20_000],
    },
    "defaults": {"shape": [100, 120], "n_sources": 30},
    "no_separation": {
        "shape": [64, 200],
        "n_sources": 40,
        "min_separation": 0,
        "seed": 7,
        "flux": [1, 2],
    },
    "many_parameters": {
        "shape": [150, 90],
        "n_sources": 25,
        "min_separation": 4.5,
        "border_size": [3, 11],
        "seed": 12345,
        "x_name": "x_mean",
        "y_name": "y_mean",
        "flux": [100.0, 500.0],
        "sigma": [1, 2],
        "theta": [-90, 90],
    },
    "too_crowded": {
        "shape": [50, 60],
        "n_sources": 100,
        "min_separation": 9,
        "seed": 3,
        "flux": [10, 20],
    },
}


def params_golden(directory):
    """Write the tables of random parameters and the warning of a full image."""
    arrays, cases = {}, {}
    for name, call in PARAMS_CASES.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            table = make_model_params(**call)
        messages = [str(w.message) for w in caught]
        if len(messages) != (name == "too_crowded"):
            raise RuntimeError(f"{name}: {messages}")
        cases[name] = {"call": call, "warnings": messages, "columns": table.colnames}
        arrays[name] = table.as_array()
    np.savez_compressed(
        Path(directory) / "model_params.npz", cases=json.dumps(cases), **arrays
    )
