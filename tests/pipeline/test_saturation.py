"""Saturated pixels and stars, on frames whose stars are known."""

import numpy as np
import pytest
from astropy.io import fits
from frames import scenes
from frames.renderer import Moffat, render
from frames.saturated import NOISE, SKY, field, score

from psfphot import pipeline
from psfphot.background import ResidualBackground2D, coverage_mask
from psfphot.io import read_image
from psfphot.pipeline._blobs import find_blobs, grow
from psfphot.pipeline._bright import measure_saturated
from psfphot.pipeline._cores import split_blob
from psfphot.pipeline._exposure import Exposure
from psfphot.pipeline._saturated_stars import fit_saturated_stars
from psfphot.pipeline._saturation import find_saturation
from psfphot.pipeline._unusable import prepare_sky
from psfphot.psf import PSF_FLAGS, CircularGaussianPRF, GriddedPSFModel, MoffatPRF

FULL = 60000.0


def moffat(fwhm=3.6, beta=3.0):
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    return MoffatPRF(flux=1, x_0=0, y_0=0, alpha=alpha, beta=beta)


def bleeding_frame(x, y, flux, shape, *, sky=500.0, seed=1):
    """The data of stars on a level sky, whose full wells bleed."""
    rng = np.random.default_rng(seed)
    clean = sky + render(shape, Moffat(3.6, 3.0), x, y, np.asarray(flux, float))
    data = rng.poisson(clean) + rng.normal(0, 6, shape)
    scenes._bleed(data, FULL)
    return np.minimum(np.round(data), FULL)


def measure(data, *, sky=500.0, level=FULL, mask=None, psf=None, **arguments):
    noise = np.sqrt(sky + 36)
    sub = data - sky
    saturation = find_saturation(data, sky=sky, noise=noise, level=level, mask=mask)
    return fit_saturated_stars(
        sub,
        moffat() if psf is None else psf,
        saturation,
        noise=noise,
        error=np.sqrt(noise**2 + np.maximum(np.nan_to_num(sub), 0)),
        mask=mask,
        fwhm=3.6,
        **arguments,
    )


def errors(table, x, y, flux):
    """How far the nearest row is from each star, and its flux over the true one."""
    apart = np.hypot(
        np.asarray(table["x_fit"])[:, None] - x, np.asarray(table["y_fit"])[:, None] - y
    )
    nearest = np.argmin(apart, axis=0)
    assert len(set(nearest.tolist())) == len(x)
    return apart.min(axis=0), np.asarray(table["flux_fit"])[nearest] / flux


def test_blobs_are_those_of_a_flood_fill():
    mask = np.random.default_rng(1).random((60, 70)) < 0.35
    expected = np.zeros(mask.shape, int)
    for at in zip(*np.nonzero(mask), strict=True):
        if not expected[at]:
            one = np.zeros(mask.shape, bool)
            one[at] = True
            while not np.array_equal(wider := grow(one) & mask, one):
                one = wider
            expected[one] = expected.max() + 1
    blobs = find_blobs(mask)
    np.testing.assert_array_equal(expected[blobs.y, blobs.x], blobs.label + 1)
    np.testing.assert_array_equal(blobs.sizes, np.bincount(expected[mask])[1:])
    assert len(find_blobs(np.zeros((3, 4), bool))) == 0


@pytest.mark.parametrize("transposed", [False, True])
def test_bleeding_is_taken_off_and_parts_what_it_joins(transposed):
    mask = np.zeros((60, 20), bool)
    mask[8:13, 8:13] = mask[40:47, 7:14] = True
    mask[2:55, 10] = True
    y, x = np.nonzero(mask)
    parts = split_blob(x, y) if transposed else split_blob(y, x)
    if transposed:
        parts = [(b, a) for a, b in parts]
    centres = sorted((b.mean(), a.mean(), b.size) for b, a in parts)
    assert centres == [(10, 10, 25), (43, 10, 49)]


def test_level_is_given_or_seen_in_a_pile_up():
    rng = np.random.default_rng(2)
    data = rng.normal(100, 5, (80, 80))
    data[20:24, 30:34] = 4000.0
    found = find_saturation(data, sky=100, noise=5, level=3000.0)
    assert (found.cause, found.level, found.pixels.sum()) == ("level", 3000.0, 16)
    assert found.mask.sum() == 36
    # No pixel is as high as a level that is too high.
    found = find_saturation(data, sky=100, noise=5, level=65535.0)
    assert (found.cause, found.level, found.pixels.sum()) == ("pile-up", 4000.0, 16)
    data[20:24, 30:34] = 4000 + rng.normal(0, 5, (4, 4))
    found = find_saturation(data, sky=100, noise=5)
    assert (found.cause, found.level, found.pixels.sum()) == ("none", None, 0)
    quality = data > 3000
    found = find_saturation(data, sky=100, noise=5, quality_saturated=quality)
    assert (found.cause, found.pixels.sum()) == ("quality", 16)


def test_holes_in_stars_are_saturated_and_dead_pixels_are_not():
    data = bleeding_frame([40.3], [40.1], [4e5], (80, 80))
    data[39:42, 39:42] = np.nan
    data[10:13, 10:13] = np.nan
    found = find_saturation(data, sky=500, noise=np.sqrt(536))
    assert found.n_holes == 1
    assert found.pixels.sum() == 9
    assert found.pixels[39:42, 39:42].all()
    stars = measure(data, level=None)
    apart, ratio = errors(stars.table, [40.3], [40.1], [4e5])
    assert apart < 0.05
    assert ratio == pytest.approx(1, abs=0.02)


def test_far_wings_are_less_than_single_precision_holds():
    """Masked pixels are 0, and the wings of a Gaussian there are no float32."""
    x, y, flux = np.array([[30.2, 14.5, 60.0], [30.1, 63.0, 62.3], [3e6, 2.5e6, 1e6]])
    psf = CircularGaussianPRF(fwhm=2.0)
    data = np.full((90, 90), 100.0)
    rows, columns = np.mgrid[:90.0, :90.0]
    with np.errstate(under="ignore"):
        for star in zip(flux, x, y, strict=True):
            data += psf.evaluate(columns, rows, *star, 2.0)
    data = np.minimum(data + np.random.default_rng(1).normal(0, 10, data.shape), FULL)
    mask = np.zeros(data.shape, bool)
    mask[20], mask[:, 45] = True, True
    tables = [
        measure(data.astype(kind), sky=kind(100), psf=psf, mask=mask).table
        for kind in (np.float64, np.float32)
    ]
    for table in tables:
        apart, ratio = errors(table, x, y, flux)
        assert (apart < 0.1).all()
        np.testing.assert_allclose(ratio, 1, atol=0.02)
    for name in ("x_fit", "y_fit", "flux_fit"):
        np.testing.assert_allclose(tables[1][name], tables[0][name], rtol=1e-5)


@pytest.mark.parametrize(
    ("x", "y", "flux", "n_blobs"),
    [
        pytest.param([60.3, 61.8], [50.2, 85.7], [4e7, 3e7], 1, id="far"),
        pytest.param([60.3, 60.8], [60.2, 76.7], [1.5e7, 1e7], 1, id="near"),
        pytest.param([60.3, 68.8], [60.2, 62.7], [8e6, 6e6], 2, id="beside"),
    ],
)
def test_stars_joined_by_bleeding_are_told_apart(x, y, flux, n_blobs):
    data = bleeding_frame(x, y, flux, (150, 120))
    assert len(find_blobs(data >= FULL)) == n_blobs
    table = measure(data).table
    assert len(table) == 2
    apart, ratio = errors(table, x, y, np.array(flux))
    assert (apart < 0.1).all()
    np.testing.assert_allclose(ratio, 1, atol=0.07)


def test_a_star_beside_does_not_draw_a_saturated_one():
    x, y, flux = [60.3, 66.1], [60.2, 63.0], [2e6, 5e5]
    stars = measure(bleeding_frame(x, y, flux, (120, 120)))
    assert len(stars.table) == 1
    apart, ratio = errors(stars.table, x[:1], y[:1], flux[:1])
    assert apart < 0.05
    assert ratio == pytest.approx(1, abs=0.02)


def test_hot_pixels_at_the_level_are_no_stars():
    data = bleeding_frame([60.3], [60.2], [3e6], (120, 120))
    data[20, 20] = data[90, 30] = data[90, 31] = FULL
    table = measure(data).table
    assert len(table) == 1


def test_without_saturation_there_is_no_row():
    stars = measure(np.random.default_rng(3).normal(500, 20, (50, 50)), level=None)
    assert len(stars.table) == 0
    assert not stars.model.any()
    assert not stars.is_near.any()


def test_a_star_that_cannot_be_fitted_keeps_its_row():
    data = bleeding_frame([60.3], [60.2], [3e6], (120, 120))
    far = np.hypot(*(np.indices(data.shape) - np.array([60.2, 60.3])[:, None, None]))
    mask = (far < 30) & (data < FULL)
    table = measure(data, mask=mask).table
    assert len(table) == 1
    assert table["flags"][0] & PSF_FLAGS.SATURATED
    assert not np.isfinite(table["flux_err"][0])


@pytest.mark.parametrize("keep_all", [False, True])
def test_a_catalogue_has_no_row_without_a_flux(tmp_path, keep_all):
    """Beside a star a saturated one, of which nothing but the full core is known."""
    data = bleeding_frame([60.3, 150.2], [60.2, 50.6], [3e6, 3e5], (120, 220))
    far = np.hypot(*(np.indices(data.shape) - np.array([60.2, 60.3])[:, None, None]))
    bad = ((far < 30) & (data < FULL)).astype(np.int16)
    science = fits.ImageHDU(data, fits.Header({"SATURATE": FULL}), "SCI")
    planes = [fits.PrimaryHDU(), science, fits.ImageHDU(bad, name="DQ")]
    fits.HDUList(planes).writeto(tmp_path / "lost.fits")
    image = read_image(tmp_path / "lost.fits")
    measured = pipeline.measure(
        image, moffat(), pipeline.Settings(n_threads=1, keep_all=keep_all)
    )
    table, dropped = measured.catalog, measured.report()["dropped"]
    assert table["x_fit"][0] == pytest.approx(150.2, abs=0.02)
    assert np.isfinite(measured.model).all()
    if keep_all:
        assert len(table) == 2
        wanted = PSF_FLAGS.SATURATED | PSF_FLAGS.LOW_SNR
        assert table["flags"][1] & wanted == wanted
    else:
        assert len(table) == 1
        assert dropped["saturated, without a flux"] == 1


def test_wings_are_subtracted_everywhere_and_what_may_be_left_is_told():
    x, y, flux = [60.3], [60.2], [5e7]
    data = bleeding_frame(x, y, flux, (200, 200))
    stars = measure(data)
    rest = data - 500 - stars.model
    far = np.hypot(*(np.indices(data.shape) - np.array([60.2, 60.3])[:, None, None]))
    ring = (far > 40) & (far < 60) & (data < FULL)
    assert abs(np.median(rest[ring])) < 0.1 * np.sqrt(536)
    truth = render(data.shape, Moffat(3.6, 3.0), x, y, flux)
    inside = (far < 50) & (far > 3)
    expected = 2 * 0.02 * truth > np.sqrt(536)
    assert (stars.is_near != expected)[inside].mean() < 0.02


def test_threads_do_not_matter():
    data = bleeding_frame([60.3, 61.8], [50.2, 95.7], [1e7, 6e6], (150, 120))
    one, two = (measure(data, n_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.model, two.model)
    np.testing.assert_array_equal(one.table["x_fit"], two.table["x_fit"])


def read(scene, directory_kind):
    """The image, its mask, what the data quality says and the errors."""
    with fits.open(scene.path) as hdus:
        if directory_kind == "ccd":
            data = hdus[0].data.astype(float)
            return data, np.zeros(data.shape, bool), None, None, FULL
        data = hdus["SCI"].data.astype(float)
        if directory_kind == "drizzled":
            mask = coverage_mask(data, weight=hdus["WHT"].data).mask
            return data, mask, None, None, None
        quality = hdus["DQ"].data
        error = hdus["ERR"].data.astype(float)
        return data, quality & 1 > 0, quality & 2 > 0, error, None


SCENES = {
    "ccd": (scenes.ccd, {"n": 150, "shape": (450, 450)}),
    "drizzled": (scenes.drizzled, {"n": 600, "size": 600}),
    "jwst": (scenes.jwst, {"n": 600, "size": 600}),
}


@pytest.mark.parametrize(("kind", "seed"), [("ccd", 1), ("drizzled", 3), ("jwst", 1)])
def test_all_saturated_stars_of_a_frame(kind, seed, tmp_path):
    make, arguments = SCENES[kind]
    scene = make(tmp_path, seed, **arguments)
    data, mask, quality, error, level = read(scene, kind)
    full = np.zeros(data.shape, bool) if level is None else data >= level
    sky = ResidualBackground2D(data, mask=mask | full, fwhm=scene.fwhm)
    noise = sky.background_rms
    saturation = find_saturation(
        data,
        sky=sky.background,
        noise=noise,
        mask=mask,
        level=level,
        quality_saturated=quality,
    )
    sub = data - sky.background
    if kind == "ccd":
        error = np.sqrt(noise**2 + np.maximum(sub, 0))
    psf = moffat() if kind == "ccd" else GriddedPSFModel.read(scene.psf)
    stars = fit_saturated_stars(
        sub, psf, saturation, noise=noise, error=error, mask=mask, fwhm=scene.fwhm
    )
    table = stars.table
    assert (np.asarray(table["flags"]) & PSF_FLAGS.SATURATED > 0).all()
    some = scene.is_saturated
    assert some.sum() > 0
    x, y, flux = scene.x[some], scene.y[some], scene.flux[some]
    apart, ratio = errors(table, x, y, flux)
    # Each row is a star, some of which the noise alone has saturated.
    others = np.hypot(
        np.asarray(table["x_fit"])[:, None] - scene.x,
        np.asarray(table["y_fit"])[:, None] - scene.y,
    )
    assert (others.min(axis=1) < 0.5).all()
    assert len(table) <= some.sum() + 1
    assert (apart < 0.2).all()
    assert np.median(apart) < 0.03
    assert (abs(ratio - 1) < 0.1).all()
    assert np.median(abs(ratio - 1)) < 0.02


def test_speckles_of_a_saturated_star_are_no_stars(tmp_path):
    truth = field(tmp_path, 1)
    with fits.open(truth.path) as hdus:
        data, error = (hdus[name].data.astype(float) for name in ("SCI", "ERR"))
        quality = hdus["DQ"].data > 0
    saturation = find_saturation(data, sky=SKY, noise=NOISE, quality_saturated=quality)
    stars = fit_saturated_stars(
        data - SKY, truth.psf, saturation, noise=NOISE, error=error, fwhm=truth.fwhm
    )
    found = score(stars.table, truth)
    assert (found.apart < 0.5).all()
    assert len(stars.table) == len(truth.n_pixels)
    # With others' light in the wings or not, and however the boxes lie.
    assert np.sum(abs(found.magnitudes) > 0.02) <= 1
    assert np.max(abs(found.magnitudes)) < 0.04
    assert abs(np.median(found.magnitudes)) < 0.003
    # A PSF that is right leaves errors that are the noise's.
    assert 0.7 < np.sqrt(np.mean(found.pulls**2)) < 1.3


def test_the_sky_is_measured_without_the_wings(tmp_path):
    truth = field(tmp_path, 2, n_full=12, n_others=100)
    exposure = Exposure(read_image(truth.path, "SCI"), truth.psf)
    saturation, no_data = prepare_sky(exposure)
    before = exposure.sky
    stars = measure_saturated(exposure, saturation, no_data)
    largest = np.argsort(truth.n_pixels)[-6:]
    at = np.rint(truth.y[largest]).astype(int), np.rint(truth.x[largest]).astype(int)
    assert np.max(before.background[at] - SKY) > 4 * NOISE
    assert np.max(abs(exposure.sky.background[at] - SKY)) < 0.5 * NOISE
    found = score(stars.table, truth)
    assert np.max(abs(found.magnitudes)) < 0.02
    assert np.median(abs(found.magnitudes[largest])) < 0.003


def test_bad_arguments_are_named():
    data = np.zeros((10, 10))
    with pytest.raises(ValueError, match="level must be"):
        find_saturation(data, sky=0, noise=1, level=np.nan)
    with pytest.raises(ValueError, match="quality_saturated"):
        find_saturation(data, sky=0, noise=1, quality_saturated=np.zeros((2, 2), bool))
    saturation = find_saturation(data, sky=0, noise=1)
    for name in ("fwhm", "mismatch"):
        arguments = {"fwhm": 3.0, "mismatch": 0.02, name: -1.0}
        with pytest.raises(ValueError, match=name):
            fit_saturated_stars(data, moffat(), saturation, noise=1.0, **arguments)
