"""The simulated NIRCam grid: its optics, its normalisation, its interface."""

import numpy as np
import pytest

from psfphot.datasets import make_nircam_psf_grid
from psfphot.datasets._nircam import ARCSEC, Camera, simulate_grid
from psfphot.datasets._optics import Propagator, WavefrontModel, make_pupil

PIXEL = 0.031 * ARCSEC  # radians


def one_psf(**settings):
    """One PSF, of the detector's centre."""
    return simulate_grid(Camera(n_psfs=1, **settings)).data[0]


def centroid_offset(psf):
    """x and y of the centroid from the array's geometric centre, in points."""
    axis = np.arange(len(psf)) - 0.5 * (len(psf) - 1)
    return np.array([(psf @ axis).sum(), (axis @ psf).sum()]) / psf.sum()


# --- The public function -----------------------------------------------------


def test_returns_a_model_with_stpsf_positions_and_meta():
    model = make_nircam_psf_grid(16, fov_pixels=5, n_wavelengths=1)
    axis = [0, 682, 1365, 2047]
    expected = [(x, y) for y in axis for x in axis]
    np.testing.assert_array_equal(model.grid_xypos, expected)
    assert model.data.shape == (16, 20, 20)
    assert model.data.dtype == np.float64
    np.testing.assert_array_equal(model.oversampling, (4, 4))
    assert model.meta["instrume"] == "NIRCam"
    assert model.meta["filter"] == "F200W"
    assert model.meta["fovpixel"] == 5
    assert model.meta["oversamp"] == 4
    assert "not a calibration" in model.meta["comment"]


def test_planes_lie_at_their_positions():
    # The optics are fixed in the field: the plane of a corner does not depend
    # on the other planes, and plane 1 is at x = 2047, y = 0 (x runs fastest).
    settings = {"fov_pixels": 5, "n_wavelengths": 1}
    four = simulate_grid(Camera(n_psfs=4, **settings))
    nine = simulate_grid(Camera(n_psfs=9, **settings))
    assert four.meta["grid_xypos"][1] == (2047, 0)
    np.testing.assert_allclose(four.data, nine.data[[0, 2, 6, 8]], rtol=1e-10)
    pupil = make_pupil(256)
    wavefront = WavefrontModel(pupil, 75e-9, seed=0)
    propagator = Propagator(
        pupil,
        np.array([1.99e-6]),
        np.ones(1),
        pixel=PIXEL,
        n_pixels=5,
        oversampling=4,
        blur=0.2,
    )
    corner = propagator.epsf(wavefront.opd(1.0, -1.0))
    np.testing.assert_allclose(four.data[1], corner, rtol=1e-10)


def test_one_psf_is_at_the_centre_and_other_settings_rename_the_filter():
    camera = Camera(
        n_psfs=1, fov_pixels=3, detector_size=1001, wavelength=1.5, n_wavelengths=1
    )
    grid = simulate_grid(camera)
    assert grid.meta["grid_xypos"] == [(500, 500)]
    assert grid.meta["filter"] == "1.5 um"


def test_a_seed_fixes_the_telescope():
    settings = {"fov_pixels": 5, "n_wavelengths": 1}
    first = one_psf(seed=3, **settings)
    np.testing.assert_array_equal(first, one_psf(seed=3, **settings))
    assert np.abs(first - one_psf(seed=4, **settings)).max() > 1e-3 * first.max()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"n_psfs": 5}, ValueError, r"n_psfs must be a perfect square.*got 5"),
        ({"n_psfs": 2}, ValueError, r"n_psfs must be a perfect square.*got 2"),
        ({"n_psfs": 0}, ValueError, "n_psfs must be at least 1, got 0"),
        ({"n_psfs": 4.0}, TypeError, r"n_psfs must be an integer, got 4\.0"),
        ({"fov_pixels": 0}, ValueError, "fov_pixels must be at least 1, got 0"),
        ({"fov_pixels": 3, "oversampling": 1}, ValueError, "at least 4.*got 3"),
        ({"detector_size": 3}, ValueError, "detector_size must be at least 4"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"pixel_scale": 0}, ValueError, "pixel_scale must be a positive.*got 0"),
        ({"wavelength": "red"}, TypeError, "wavelength must be.*got 'red'"),
        ({"bandwidth": 2.5}, ValueError, r"bandwidth must be less.*got 2\.5"),
        ({"wavefront_error_rms": -1.0}, ValueError, "wavefront_error_rms must be"),
        ({"blur": float("nan")}, ValueError, "blur must be zero or.*got nan"),
    ],
)
def test_a_wrong_argument_is_named(settings, error, message):
    with pytest.raises(error, match=message):
        make_nircam_psf_grid(**settings)


# --- Geometry and normalisation ----------------------------------------------


@pytest.mark.parametrize(("fov_pixels", "oversampling"), [(8, 4), (9, 4), (9, 3)])
def test_a_perfect_telescope_is_centred(fov_pixels, oversampling):
    psf = one_psf(
        fov_pixels=fov_pixels,
        oversampling=oversampling,
        wavefront_error_rms=0.0,
        n_wavelengths=2,
    )
    assert len(psf) == fov_pixels * oversampling
    np.testing.assert_allclose(psf, psf[::-1, ::-1], atol=1e-12)
    np.testing.assert_allclose(centroid_offset(psf), 0.0, atol=1e-10)
    middle = slice((len(psf) - 1) // 2, len(psf) // 2 + 1)
    assert psf.max() == psf[middle, middle].max()


def test_coarse_points_are_a_subset_of_fine_points():
    settings = {"fov_pixels": 7, "n_wavelengths": 1}
    fine = one_psf(oversampling=3, **settings)
    coarse = one_psf(oversampling=1, **settings)
    np.testing.assert_allclose(coarse, fine[1::3, 1::3], atol=1e-8)


@pytest.mark.parametrize("blur", [0.0, 0.3])
@pytest.mark.parametrize("oversampling", [1, 2, 4, 5])
def test_pixel_integral_against_quadrature(oversampling, blur):
    # Independent of the propagator: the field at the nodes of a quadrature over
    # one pixel (Gauss-Legendre) and the blur (Gauss-Hermite), summed.
    wavelength, n_pixels = 1.8e-6, 6
    pupil = make_pupil(64)
    opd = WavefrontModel(pupil, 100e-9, seed=1).opd(0.3, -0.8)
    psf = Propagator(
        pupil,
        np.array([wavelength]),
        np.ones(1),
        pixel=PIXEL,
        n_pixels=n_pixels,
        oversampling=oversampling,
        blur=blur,
    ).epsf(opd)
    x, w_x = np.polynomial.legendre.leggauss(8)
    b, w_b = np.polynomial.hermite_e.hermegauss(12)
    offsets = np.add.outer(0.5 * x, blur * b).ravel()
    weights = np.multiply.outer(w_x, w_b).ravel()
    weights /= weights.sum()
    row, column = 1, len(psf) - 2
    centre = 0.5 * (len(psf) - 1)
    y = ((row - centre) / oversampling + offsets) * PIXEL
    x = ((column - centre) / oversampling + offsets) * PIXEL
    to_y, to_x = (
        np.exp(-2j * np.pi * np.outer(a, pupil.coordinates) / wavelength)
        for a in (y, x)
    )
    field = pupil.transmission * np.exp(2j * np.pi * opd / wavelength)
    density = np.abs(to_y @ field @ to_x.T) ** 2 * pupil.spacing**4 / wavelength**2
    light = pupil.transmission.sum() * pupil.spacing**2
    expected = weights @ density @ weights * PIXEL**2 / light
    assert psf[row, column] == pytest.approx(expected, abs=1e-8 * psf.max())


def test_stamps_sum_to_less_than_one_and_approach_it():
    sums = np.array(
        [
            one_psf(fov_pixels=n, oversampling=1, n_wavelengths=1).sum()
            for n in (11, 51, 401)
        ]
    )
    assert np.all(np.diff(sums) > 0.0)
    assert sums[-1] < 1.0
    assert sums[-1] == pytest.approx(1.0, abs=0.015)


def test_the_sum_is_oversampling_squared():
    sums = [
        one_psf(fov_pixels=31, oversampling=n, n_wavelengths=1).sum() / n**2
        for n in (1, 2, 4)
    ]
    assert sums[0] == pytest.approx(0.93, abs=0.02)
    np.testing.assert_allclose(sums, sums[0], atol=1e-3)


# --- The telescope -----------------------------------------------------------


def test_the_pupil_is_that_of_webb():
    pupil = make_pupil(128)
    area = pupil.transmission.sum() * pupil.spacing**2
    hexagon = 0.5 * np.sqrt(3.0) * 1.318**2
    assert 0.96 * 18 * hexagon < area < 0.99 * 18 * hexagon  # less the struts
    fine = make_pupil(512)
    assert area == pytest.approx(fine.transmission.sum() * fine.spacing**2, rel=1e-3)
    np.testing.assert_allclose(pupil.transmission, pupil.transmission[:, ::-1])
    centre = slice(58, 70)
    assert pupil.transmission[centre, centre].max() == 0.0
    assert fine.transmission[0].max() == 0.0
    assert pupil.transmission.max() <= 1.0
    assert np.unique(pupil.segment).size == 18


def test_the_wavefront_error_has_the_wanted_rms_and_no_image_shift():
    pupil = make_pupil(64)
    model = WavefrontModel(pupil, 80e-9, seed=5)
    axis = np.linspace(-1.0, 1.0, 21)
    rms = [model.rms(model.opd(x, y)) for y in axis for x in axis]
    assert np.sqrt(np.mean(np.square(rms))) == pytest.approx(80e-9, rel=1e-9)
    assert max(rms) > 1.05 * min(rms)
    opd = model.opd(0.5, -1.0) * pupil.transmission
    assert abs(opd.sum()) < 1e-9 * np.abs(opd).sum()
    tilt = opd @ pupil.coordinates
    assert abs(tilt.sum()) < 1e-9 * np.abs(tilt).sum()


def test_the_wavefront_is_quadratic_in_the_field():
    model = WavefrontModel(make_pupil(64), 80e-9, seed=5)
    third_difference = (
        model.opd(1.0, 0.2)
        - 3.0 * model.opd(0.5, 0.2)
        + 3.0 * model.opd(0.0, 0.2)
        - model.opd(-0.5, 0.2)
    )
    assert np.abs(third_difference).max() < 1e-18
    assert np.abs(model.opd(1.0, 0.2) - model.opd(-1.0, 0.2)).max() > 1e-8


def test_the_psf_looks_like_f200w():
    psf = one_psf(fov_pixels=81)
    area = np.count_nonzero(psf > 0.5 * psf.max()) / 16.0
    assert 2.0 < 2.0 * np.sqrt(area / np.pi) < 2.4  # FWHM in pixels
    axis = (np.arange(len(psf)) - 0.5 * (len(psf) - 1)) / 4.0
    x, y = np.meshgrid(axis, axis)
    radius = np.hypot(x, y)
    assert psf[radius < 2.5].sum() / 16.0 == pytest.approx(0.66, abs=0.03)
    # Six spikes: perpendicular to the edges of the hexagons, none in between
    # (0 degrees has the vertical strut's own).
    angle = np.rad2deg(np.arctan2(y, x)) % 180.0
    ring = (radius > 25.0) & (radius < 40.0)

    def mean_at(degrees):
        return psf[ring & (np.abs(angle - degrees) < 8.0)].mean()

    spikes = [mean_at(a) for a in (30.0, 90.0, 150.0)]
    between = [mean_at(a) for a in (60.0, 120.0)]
    assert min(spikes) > 3.0 * max(between)


def test_the_default_wavelengths_are_enough():
    few, many = (one_psf(fov_pixels=21, n_wavelengths=n) for n in (9, 31))
    np.testing.assert_allclose(few, many, atol=1e-4 * many.max())


def test_the_grid_varies_over_the_detector():
    planes = simulate_grid(Camera(n_psfs=4, fov_pixels=11)).data
    peaks = planes.max(axis=(1, 2))
    assert np.ptp(peaks) > 0.005 * peaks.mean()
    assert np.ptp(peaks) < 0.3 * peaks.mean()
