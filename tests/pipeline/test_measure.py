"""`psfphot.pipeline.measure`, its steps alone, and the command line beside it."""

import json
import pickle

import numpy as np
import pytest
from astropy.table import QTable, Table
from cli_field import (
    FLUX,
    FWHM,
    NOISE,
    SHAPE,
    SKY,
    X,
    Y,
    assert_matches,
    fit,
    tangent,
    write_field,
)

from psfphot.io import FileFormatError, read_image, read_psf, rounded
from psfphot.pipeline import (
    Exposure,
    NoStarsError,
    PixelMasks,
    Settings,
    SkyMaps,
    SourceList,
    find_stars,
    fit_stars,
    group_stars,
    make_catalog,
    measure,
    measure_exposure,
    measure_sky,
    start_from_catalog,
    start_from_detections,
)
from psfphot.psf import CircularGaussianPRF


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("field") / "field.fits"
    return write_field(path, wcs=tangent(), BUNIT="DN")


@pytest.fixture
def image(path):
    return read_image(path)


@pytest.fixture(scope="module")
def psf():
    return read_psf(f"gaussian:{FWHM}")


def test_a_script_gets_what_the_command_line_writes(path, image, psf, tmp_path):
    run = measure(image, psf, Settings(threshold=7, zero_point=25))
    out = tmp_path / "stars.ecsv"
    words = ["--threshold", "7", "--zeropoint", "25", "--json"]
    report = json.loads(fit(path, "-o", out, *words).stdout)["images"][0]
    written = QTable.read(out)
    assert written.colnames == run.catalog.colnames
    for name in written.colnames:
        # (text is rounded)
        np.testing.assert_array_equal(written[name], QTable(rounded(run.catalog))[name])
    mine = run.report()
    assert mine.pop("seconds").keys() == report.pop("seconds").keys()
    assert {key: report[key] for key in mine} == mine


def test_the_run_has_all_on_the_way(image, psf):
    run = measure(image, psf)
    assert_matches(run.catalog)
    assert run.sky.level == pytest.approx(SKY, abs=0.3)
    assert run.sky.noise == pytest.approx(NOISE, rel=0.1)
    assert list(run.seconds) == [
        "psf",
        "sky",
        "masks",
        "saturated",
        "find",
        "group",
        "fit",
        "rounds",
        "confusion",
        "check",
    ]
    np.testing.assert_array_equal(run.image.data - run.model, run.residual)
    assert list(run.seconds)[-1] == "model"
    assert np.std(run.residual) == pytest.approx(NOISE, rel=0.05)
    assert (run.n_fitted, run.n_flagged, run.flag_counts) == (len(X), 0, {})
    assert run.group_sizes.sum() == len(X)
    assert run.bright_qfit < 0.1
    assert run.photometry.results is not None


def test_a_model_is_a_psf_too(image, psf):
    run = measure(image, CircularGaussianPRF(fwhm=FWHM))
    assert run.exposure.psf.fwhm == psf.fwhm
    assert run.catalog.meta["psf"] == "CircularGaussianPRF"
    assert_matches(run.catalog)


def test_the_steps_alone_come_to_the_same(image, psf):
    # The steps below look for no cosmic rays, so that weights would be robust.
    settings = Settings(iterations=1, robust=False)
    run = measure(image, psf, settings)
    exposure = Exposure(image, psf, settings)
    exposure.sky = measure_sky(exposure)
    exposure.error = exposure.sky.rms
    start = start_from_detections(find_stars(exposure))
    group_stars(start, exposure)
    table, _ = fit_stars(exposure, start)
    catalog = make_catalog(table, exposure, start, run.zero_point)
    assert catalog.colnames == run.catalog.colnames
    # The run has them in another order: the brightest were found first.
    steps, whole = (
        one[np.argsort(np.asarray(one["flux_fit"]))] for one in (catalog, run.catalog)
    )
    for name in ("x_fit", "y_fit", "flux_fit", "flux_err"):
        np.testing.assert_allclose(steps[name], whole[name], rtol=1e-3)
    assert {**catalog.meta, "date": 0} == {**run.catalog.meta, "date": 0}


def test_a_step_can_be_left_out(image, psf):
    """A sky of one's own, and no groups."""
    exposure = Exposure(image, psf, Settings(local_bkg=None))
    level, rms = (np.full(SHAPE, value) for value in (SKY - 1, 2 * NOISE))
    exposure.sky = SkyMaps(SKY - 1, 2 * NOISE, "by hand", level, rms)
    table, photometry = fit_stars(exposure, start_from_detections(find_stars(exposure)))
    assert len(np.unique(table["group_id"])) == len(table) == len(X)
    # What the sky lacks is in the stars: 1 in each pixel, of a PSF whose noise
    # area, 1 / sum P^2, is about 16 pixels.
    order = np.argsort(np.asarray(table["flux_fit"]))
    excess = np.asarray(table["flux_fit"])[order] - np.sort(FLUX)
    assert np.mean(excess) == pytest.approx(16, abs=5)
    model = photometry.make_model_image(SHAPE)
    assert np.median(image.data - model) == pytest.approx(SKY, abs=0.1)


def test_pixels_masked_by_hand_have_no_star(image, psf):
    exposure = Exposure(image, psf)
    trail = np.zeros(SHAPE, dtype=bool)
    trail[:25] = True  # three of the stars
    exposure.masks.add("satellite trail", trail)
    run = measure_exposure(exposure)
    assert len(run.catalog) == 6
    assert run.catalog["y_fit"].min() > 30
    assert run.catalog.meta["masked"]["satellite trail"] == 25 * SHAPE[1]
    assert run.report()["n_masked"] == 25 * SHAPE[1]
    assert not image.mask.any()


def test_masks_count_what_is_added_to_a_cause_once():
    start = np.zeros((3, 4), dtype=bool)
    start[0, 0] = True
    masks = PixelMasks(start, {"not finite": 1})
    hot = np.zeros((3, 4), dtype=bool)
    hot[0, :2] = True
    masks.add("hot", hot)
    masks.add("hot", np.roll(hot, 1, axis=1))
    assert masks.counts == {"not finite": 1, "hot": 3}
    assert np.count_nonzero(masks.pixels) == 3
    np.testing.assert_array_equal(masks.planes["hot"][0], [1, 1, 1, 0])
    assert np.count_nonzero(start) == 1
    with pytest.raises(ValueError, match="'cloud' leave none"):
        masks.add("cloud", np.ones((3, 4), dtype=bool))
    with pytest.raises(ValueError, match="shape"):
        masks.add("hot", hot[:2])


@pytest.mark.parametrize("kind", [QTable, Table, SourceList])
def test_sources_in_pixels(image, psf, kind):
    table = Table({"x": X, "y": Y, "name": [f"s{i}" for i in range(len(X))]})
    sources = SourceList(table, "mine") if kind is SourceList else kind(table)
    run = measure(image, psf, Settings(forced=True), sources=sources)
    np.testing.assert_array_equal(run.catalog["x_fit"], X)
    assert list(run.catalog["name"]) == list(table["name"])
    name = "mine" if kind is SourceList else "sources"
    assert run.positions == f"{name}: x and y (pixels)"
    assert list(run.seconds) == ["psf", "sky", "group", "fit"]


def test_sources_off_the_image_are_counted(image, psf):
    exposure = Exposure(image, psf)
    table = Table({"x": [*X, -20.0], "y": [*Y, 5.0]})
    start = start_from_catalog(SourceList(table), exposure)
    assert (len(start), start.meta["n_off"]) == (len(X) + 1, 1)


def test_groups_are_of_any_size_and_those_of_overlapping_boxes(image, psf):
    x, y = (v.ravel() * 4.0 for v in np.meshgrid(np.arange(20), np.arange(20)))
    start = QTable({"x_init": [*x, 120.0, np.nan], "y_init": [*y, 3.0, 3.0]})
    exposure = Exposure(image, psf)
    group_stars(start, exposure)
    side = max(exposure.settings.fit_shape)
    assert start.meta["group_separation"] == 2 * side + 1
    sizes = np.unique(start["group_id"], return_counts=True)[1]
    assert sorted(sizes) == [1, 1, 400]
    kept = QTable({"x_init": x, "y_init": y})
    group_stars(kept, Exposure(image, psf, Settings(group_separation=5)))
    assert kept.meta["group_separation"] == 5
    assert len(np.unique(kept["group_id"])) == 1


def test_no_stars(image, psf):
    with pytest.raises(NoStarsError, match=r"no stars above 10000 sigma") as caught:
        measure(image, psf, Settings(threshold=1e4))
    assert "--" not in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert str(again) == str(caught.value)


def test_arguments_of_another_type(image, psf, path):
    with pytest.raises(TypeError, match="image must be a FitsImage"):
        measure(image.data, psf)
    with pytest.raises(TypeError, match="psf must be a Psf"):
        measure(image, "gaussian:2.5")
    with pytest.raises(TypeError, match="settings must be Settings"):
        measure(image, psf, {"threshold": 3})
    with pytest.raises(TypeError, match="sources must be a table, got str"):
        measure(image, psf, sources="stars.ecsv")
    with pytest.raises(ValueError, match="coordinates must be 'auto'"):
        SourceList(Table(), coordinates="galactic")
    with pytest.raises(FileFormatError, match="sources: has neither x and y"):
        measure(image, psf, sources=Table({"a": [1]}))


def test_a_step_without_a_sky_says_what_is_missing(image, psf):
    with pytest.raises(ValueError, match="no sky yet"):
        find_stars(Exposure(image, psf))
