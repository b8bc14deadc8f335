"""The background of steep skies, against the sky that was put in."""

import numpy as np
import pytest
from astropy import units as u

from psfphot.background import Background2D, MeanBackground, ResidualBackground2D


def add_stars(image, n, rng, profile, fluxes):
    """Add ``n`` stars of a radial profile of sum 1, with fluxes up to a limit."""
    ny, nx = image.shape
    reach = 30
    low, high = fluxes
    for x, y, u_flux in zip(
        rng.uniform(0, nx, n), rng.uniform(0, ny, n), rng.random(n), strict=True
    ):
        y0, y1 = max(0, int(y) - reach), min(ny, int(y) + reach)
        x0, x1 = max(0, int(x) - reach), min(nx, int(x) + reach)
        yy, xx = np.mgrid[y0:y1, x0:x1]
        flux = low * (high / low) ** (u_flux**1.5)
        with np.errstate(under="ignore"):  # far wings
            image[y0:y1, x0:x1] += flux * profile((xx - x) ** 2 + (yy - y) ** 2)


def gaussian(r2, sigma=2.5 / 2.3548):
    return np.exp(-0.5 * r2 / sigma**2) / (2 * np.pi * sigma**2)


def moffat(r2, fwhm=3.6, beta=3.0):
    alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    return (beta - 1) / (np.pi * alpha2) * (1 + r2 / alpha2) ** -beta


def gradient_scene():
    """A sky from 200 to 2200, stars of FWHM 2.5 and NaN pixels."""
    rng = np.random.default_rng(21)
    y, x = np.mgrid[:800, :800]
    sky = 200 + 2000 * (x + y) / 1598
    image = sky.copy()
    add_stars(image, 150, rng, gaussian, (1500, 1e5))
    noise = np.sqrt(sky + 25)
    data = rng.poisson(image) + rng.normal(0, 5, sky.shape)
    data[rng.random(sky.shape) < 0.002] = np.nan
    return data, sky, noise


def ccd_scene():
    """16 bit, 900 stars of FWHM 3.6, a sky that rises from 800 to 9800 in a corner."""
    rng = np.random.default_rng(22)
    y, x = np.mgrid[:1024, :1024]
    sky = 1100 + 9000 * np.exp(-np.hypot(x - 1024, y - 1024) / 300)
    image = sky - 300
    add_stars(image, 900, rng, moffat, (1500, 3e6))
    noise = np.sqrt((sky - 300) / 1.5 + 64)
    data = rng.poisson(1.5 * image) / 1.5 + rng.normal(0, 8, sky.shape) + 300
    return np.clip(np.round(data), 0, 60000).astype(np.uint16), sky, noise


def errors(background, scene, half_box):
    """Error of the sky in sigma of a pixel, overall and in the edge, and of the rms."""
    _, sky, noise = scene
    error = (background.background - sky) / noise
    edge = np.ones(sky.shape, bool)
    edge[half_box:-half_box, half_box:-half_box] = False
    ratio = float(np.median(background.background_rms / noise))
    return error.std(), error[edge].std(), ratio


def test_a_gradient():
    scene = gradient_scene()
    background = ResidualBackground2D(scene[0], 30)
    everywhere, edge, ratio = errors(background, scene, 15)
    assert everywhere < 0.05
    assert edge < 0.05
    assert ratio == pytest.approx(1, abs=0.01)
    masked = ResidualBackground2D(scene[0], fwhm=2.5)
    np.testing.assert_array_equal(masked.box_size, [30, 30])
    everywhere, edge, ratio = errors(masked, scene, 15)
    assert everywhere < 0.05
    assert edge < 0.05
    assert ratio == pytest.approx(1, abs=0.01)
    plain = Background2D(scene[0], 30, mask=np.isnan(scene[0]))
    assert errors(plain, scene, 15)[1] > 0.5


def test_a_steep_ccd_frame():
    scene = ccd_scene()
    background = ResidualBackground2D(scene[0], fwhm=3.6)
    assert background.background.dtype == np.float32
    everywhere, edge, ratio = errors(background, scene, 22)
    assert everywhere < 0.2
    assert edge < 0.45
    assert ratio == pytest.approx(1, abs=0.01)
    assert background.degree > 2
    # Where it is steepest, too.
    _, sky, noise = scene
    corner = (background.background - sky)[-20:, -20:] / noise[-20:, -20:]
    assert abs(corner).max() < 4
    assert 0.05 < background.source_mask.mean() < 0.6


@pytest.fixture
def sky():
    y, x = np.mgrid[:240, :300]
    return 500.0 + 4 * x - 3 * y + 0.01 * x * y


@pytest.fixture
def noisy(sky):
    return sky + np.random.default_rng(8).normal(0, 2, sky.shape)


def test_masked_boxes_are_bridged(noisy, sky):
    data = noisy.copy()
    mask = np.zeros(data.shape, bool)
    mask[60:120, 80:150] = True
    data[mask] = 1e6
    coverage = np.zeros(data.shape, bool)
    coverage[:, 250:] = True
    data[coverage] = 0
    data[0, :3] = [np.nan, np.inf, -np.inf]
    background = ResidualBackground2D(
        data, 20, mask=mask, coverage_mask=coverage, fill_value=-5
    )
    error = background.background - sky
    assert abs(error[~coverage]).max() < 1.5
    assert (background.background[coverage] == -5).all()
    assert (background.background_rms[coverage] == -5).all()
    rms = background.background_rms[~coverage]
    assert np.median(rms) == pytest.approx(2, rel=0.02)
    assert background.n_pixels_mesh[4, 5] == 0
    assert background.n_pixels_map.shape == data.shape


def test_units_dtypes_and_threads(noisy):
    expected = ResidualBackground2D(noisy, 24, fwhm=3, n_threads=1)
    threads = ResidualBackground2D(noisy, 24, fwhm=3, n_threads=4)
    np.testing.assert_array_equal(threads.background, expected.background)
    np.testing.assert_array_equal(threads.background_rms, expected.background_rms)
    np.testing.assert_array_equal(threads.source_mask, expected.source_mask)
    quantity = ResidualBackground2D(noisy * u.Jy, 24, fwhm=3)
    assert quantity.background.unit == quantity.background_rms_mesh.unit == u.Jy
    np.testing.assert_array_equal(quantity.background.value, expected.background)
    single = ResidualBackground2D(noisy.astype("f4"), 24, fwhm=3)
    assert single.background.dtype == np.float32
    np.testing.assert_allclose(
        single.background, expected.background, rtol=1e-4, atol=1e-4
    )
    assert expected.source_mask.shape == noisy.shape
    assert ResidualBackground2D(noisy, 24).source_mask is None


def test_the_level_can_be_another(noisy, sky):
    background = ResidualBackground2D(noisy, 24, bkg_estimator=MeanBackground())
    assert abs(background.background - sky).max() < 1.5


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (17, 9)])
def test_small_images(shape):
    background = ResidualBackground2D(np.full(shape, 7), 16, fwhm=2)
    np.testing.assert_allclose(background.background, 7, rtol=1e-6)
    np.testing.assert_allclose(background.background_rms, 0, atol=1e-6)


def test_bad_calls_are_named(noisy):
    for settings, error, message in (
        ({}, ValueError, "box_size or fwhm must be given"),
        ({"box_size": 0}, ValueError, "box_size must be >= 1"),
        ({"fwhm": -1}, ValueError, "fwhm must be positive"),
        ({"box_size": 20, "highest_degree": 6}, ValueError, "highest_degree must be"),
        ({"box_size": 20, "rounds": -1}, ValueError, "rounds must be >= 0"),
        ({"box_size": 20, "bkg_estimator": np.mean}, TypeError, "bkg_estimator must"),
        ({"box_size": 20, "source_threshold": 0}, ValueError, "source_threshold mus"),
    ):
        with pytest.raises(error, match=message):
            ResidualBackground2D(noisy, **settings)
    with pytest.raises(ValueError, match="have pixels to be used"):
        ResidualBackground2D(np.full((9, 9), np.nan), 3)


def bent_skies():
    """Skies that are bent most at an edge or a corner.

    With the mean error in sigma of the worst side's outer 5 pixels: a straight line
    beyond the outer nodes has 0.71, 0.38 and 1.05 for the last three.
    """
    v, u = np.mgrid[:512, :512] / 511
    r = np.hypot(u - 0.5, v - 0.5)
    yield 1000 + 6000 * (u**2 + v**2), 0.15
    yield 6000 * np.cos(np.arctan(1.4 * r)) ** 4, 0.58
    yield 1100 + 9000 * np.exp(-np.hypot(u - 1, v - 1) * 3), 0.36
    yield 500 + 2000 * np.exp(-(u**2 + (v - 0.5) ** 2) / 0.04), 0.75


@pytest.mark.parametrize(
    ("sky", "limit"),
    list(bent_skies()),
    ids=["quadratic", "vignetting", "corner", "nebula"],
)
def test_the_rim_of_bent_skies(sky, limit):
    noise = np.sqrt(sky + 25)
    data = sky + np.random.default_rng(3).normal(0, noise)
    error = (ResidualBackground2D(data, 30, fwhm=2.5).background - sky) / noise
    sides = [error[:5], error[-5:], error[:, :5], error[:, -5:]]
    assert max(abs(side.mean()) for side in sides) < limit


@pytest.mark.parametrize("sigma", [0.3, 0.5, 1.0, 2.0, 10.0])
@pytest.mark.parametrize("level", [100.0, 100.3, 100.5])
def test_the_noise_of_integers_is_theirs(sigma, level):
    rng = np.random.default_rng(11)
    data = np.round(rng.normal(level, sigma, (256, 256)))
    scatter = data.std()
    for given in (data, (data * 3.5).astype(np.float32)):
        unit = 1.0 if given is data else 3.5
        for fwhm in (None, 2.5):
            found = ResidualBackground2D(given, 32, fwhm=fwhm)
            rms = np.median(found.background_rms)
            assert rms == pytest.approx(unit * scatter, rel=0.03)
            # Medians of integers are integers.
            off = np.median(found.background) - unit * data.mean()
            assert abs(off) < unit * max(0.1, 0.02 * sigma)
    mask = np.zeros(data.shape, dtype=bool)
    mask[:, :110] = True
    data[mask] = 0
    masked = ResidualBackground2D(data, 32, mask=mask, fwhm=2.5)
    rms = np.median(masked.background_rms[~mask])
    assert rms == pytest.approx(scatter, rel=0.03)


def test_the_noise_of_flattened_counts_with_holes():
    """Few counts, each pixel divided by its flat field; a tenth has no data."""
    rng = np.random.default_rng(12)
    data = np.round(rng.normal(0.4, 0.8, (256, 256))) / rng.normal(1, 0.02, (256, 256))
    scatter = data.std()
    holed = np.where(rng.random(data.shape) < 0.1, 0.0, data)
    for image, expected in ((data, scatter), (holed, holed.std())):
        rms = np.median(ResidualBackground2D(image, 32).background_rms)
        assert rms == pytest.approx(expected, rel=0.03)
    # Many zeros among values without a step.
    smooth = np.where(rng.random(data.shape) < 0.1, 0.0, rng.normal(0, 1, data.shape))
    rms = np.median(ResidualBackground2D(smooth, 32).background_rms)
    assert rms == pytest.approx(smooth.std(), rel=0.1)
