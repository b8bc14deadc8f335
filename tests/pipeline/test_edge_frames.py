"""Frames at the edge of what can be measured: a right catalogue or a clear error."""

import numpy as np
import pytest
from astropy.io import fits

from psfphot.io import FileFormatError, read_image
from psfphot.pipeline import NoStarsError, Settings, measure
from psfphot.psf import CircularGaussianPRF

PSF = CircularGaussianPRF(fwhm=2.5)


def noise(shape, level=100.0):
    """A sky with a noise of 3."""
    return np.random.default_rng(1).normal(level, 3, shape)


def star(shape, x, y, flux):
    """A star without noise."""
    v, u = np.mgrid[: shape[0], : shape[1]]
    return PSF.evaluate(u, v, flux, x, y, 2.5)


def single(level=100.0):
    """A star of 9000 in the middle of a sky."""
    shape = (100, 100)
    return noise(shape, level) + star(shape, 50.3, 40.2, 9000)


@pytest.fixture
def run(tmp_path):
    """Write planes and measure them."""

    def run(data, error=None, **header):
        planes = [fits.ImageHDU(data, fits.Header(header), "SCI")]
        if error is not None:
            planes.append(fits.ImageHDU(error, name="ERR"))
        fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(tmp_path / "edge.fits")
        return measure(read_image(tmp_path / "edge.fits"), PSF, Settings(n_threads=1))

    return run


def assert_stars(measured, stars, sigmas=5.0, least_error=0.0):
    """Hold a run against the (x, y, flux) of all stars of a frame."""
    table = measured.catalog
    assert len(table) == len(stars)
    table.sort("flux_fit")
    for row, (x, y, flux) in zip(table, sorted(stars, key=lambda s: s[2]), strict=True):
        assert np.hypot(row["x_fit"] - x, row["y_fit"] - y) < 0.1
        error = max(row["flux_err"], least_error * flux)
        assert abs(row["flux_fit"] - flux) < sigmas * error
    assert measured.report()["n_sources"] == len(stars)
    assert np.isfinite(measured.model).all()


@pytest.mark.parametrize(
    ("shape", "x", "y"), [((20, 20), 9.3, 11.2), ((2, 200), 90, 0.4)]
)
def test_a_star_on_a_tiny_frame(run, shape, x, y):
    assert_stars(run(noise(shape) + star(shape, x, y, 5000)), [(x, y, 5000)])


def test_a_star_that_fills_the_frame(run):
    """The sky cannot be told from the star; its row says that its box is cut."""
    measured = run(noise((5, 5)) + star((5, 5), 2.2, 2.1, 5000))
    assert len(measured.catalog) == 1
    assert measured.catalog["flags"][0] & 1
    assert abs(measured.catalog["x_fit"][0] - 2.2) < 0.2


@pytest.mark.parametrize("level", [100.0, -500.0])
def test_one_star(run, level):
    assert_stars(run(single(level)), [(50.3, 40.2, 9000)])


@pytest.mark.parametrize("value", [1e30, -1e30, 1e300])
def test_one_huge_value_is_no_star_and_spoils_none(run, value):
    data = single()
    data[10, 10] = value
    measured = run(data)
    assert_stars(measured, [(50.3, 40.2, 9000)])
    assert measured.exposure.mask[9:12, 9:12].any()


@pytest.mark.parametrize("has_errors", [False, True])
def test_no_noise(run, has_errors):
    """Stars on a sky whose pixels are all equal are measured, by their errors."""
    stars = [(20.2, 30.3, 1e4), (70.1, 60.4, 2e4), (50.0, 50.0, 5e3)]
    data = 100 + sum(star((100, 100), *one) for one in stars)
    error = np.full(data.shape, 3.0) if has_errors else None
    measured = run(data, error)
    assert_stars(measured, stars, sigmas=1.0, least_error=1e-6)
    if has_errors:
        assert measured.catalog["flux_err"] == pytest.approx([11.7] * 3, rel=0.02)


@pytest.mark.parametrize("level", [100.0, -500.0])
@pytest.mark.parametrize("shape", [(5, 5), (20, 20), (3, 3), (50, 1), (100, 100)])
def test_no_star(run, shape, level):
    with pytest.raises(NoStarsError, match="no stars above 5 sigma"):
        run(noise(shape, level))


def test_one_row_of_pixels_tells_no_position(run):
    data = noise((1, 50)) + star((1, 50), 20.2, 0, 5000)
    with pytest.raises(NoStarsError, match=r"1 detections \(below its errors: 1\)"):
        run(data)


@pytest.mark.parametrize("value", [0.0, 7.0, -3.5])
@pytest.mark.parametrize("shape", [(1, 1), (100, 100)])
def test_a_constant_frame_has_no_noise(run, value, shape):
    with pytest.raises(ValueError, match=r"pixels in use have no noise .* no errors"):
        run(np.full(shape, value))


def test_a_constant_frame_with_errors_has_no_stars(run):
    with pytest.raises(NoStarsError, match="no stars above 5 sigma"):
        run(np.full((60, 60), 7.0), np.full((60, 60), 2.0))


def test_one_pixel_with_a_value(run):
    data = np.full((50, 50), np.nan)
    data[25, 25] = 100
    with pytest.raises(ValueError, match="the 1 pixels in use have no noise"):
        run(data)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_pixel_has_a_value(run, value):
    with pytest.raises(FileFormatError, match="no pixel with a finite value"):
        run(np.full((50, 50), value))


def test_every_pixel_is_saturated(run):
    with pytest.raises(ValueError, match=r"every pixel in use is saturated.*60000"):
        run(np.full((50, 50), 60000.0), np.full((50, 50), 300.0), SATURATE=60000)


def test_detections_keep_their_distance_across_passes(tmp_path):
    """The second pass finds none nearer to those of the first than any two may be."""
    shape = (200, 200)
    pairs = [(x, y) for x in (30, 80, 130, 170) for y in (30, 80, 130, 170)]
    data = noise(shape)
    for x, y in pairs:
        data += star(shape, x, y, 9000) + star(shape, x + 4.3, y + 1.2, 400)
    fits.writeto(tmp_path / "pairs.fits", data)
    image = read_image(tmp_path / "pairs.fits")
    near = measure(image, PSF).passes
    assert near.n_bright == len(pairs)
    assert len(near.start) == 2 * len(pairs)
    apart = measure(image, PSF, Settings(min_separation=6)).passes
    assert len(apart.start) == len(pairs)
    assert apart.dropped["too close to a bright star"] == len(pairs)
