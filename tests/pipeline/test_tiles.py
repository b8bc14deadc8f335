"""Images that are measured tile by tile, against the same in one piece."""

import dataclasses

import numpy as np
import pytest
from astropy.io import fits

from psfphot.background import ResidualBackground2D
from psfphot.background._sheets import measure_sheets
from psfphot.io import FileFormatError, read_image
from psfphot.matching import match_positions
from psfphot.pipeline import (
    NoStarsError,
    Settings,
    measure,
    measure_tiled,
    simulate_star_field,
)
from psfphot.pipeline._tiles.tiling import cut_tiles
from psfphot.psf import CircularGaussianPRF

PSF = CircularGaussianPRF(fwhm=2.8)
ONE_ROUND = Settings(iterations=1, n_threads=1)
SIDE = 192


@pytest.fixture(scope="module")
def scene():
    """A field with a steep sky, a border without data, and full pixels."""
    image, _ = simulate_star_field(PSF, 512, 1200, seed=3)
    data = image.data.astype(float)
    y, x = np.mgrid[:512, :512]
    data += 0.1 * x + 40 * np.sin(y / 150)
    full = np.sort(data, axis=None)[-60]
    data = np.minimum(data, full)
    data[:, :9] = np.nan
    data[300:340, 500:] = 0.0
    return image, data, image.error.astype(float)


@pytest.fixture
def path(scene, tmp_path):
    image, data, error = scene
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(data, image.header, name="SCI"),
        fits.ImageHDU(error, name="ERR"),
    ]
    fits.HDUList(hdus).writeto(tmp_path / "image.fits")
    return tmp_path / "image.fits"


def assert_same_rows(tiled, whole):
    assert len(tiled) == len(whole)
    at = [(table["x_fit"].value, table["y_fit"].value) for table in (whole, tiled)]
    here, there = match_positions(*at, 0.05)
    assert len(here) == len(whole)
    for name in ("x", "y", "flux"):
        error = np.asarray(whole[f"{name}_err"])[here]
        change = np.asarray(tiled[f"{name}_fit"])[there]
        change = np.abs(change - np.asarray(whole[f"{name}_fit"])[here])
        assert np.nanmax(change / error) < 0.01
    for name in ("flags", "group_size", "n_pixels_fit"):
        np.testing.assert_array_equal(tiled[name][there], whole[name][here])


@pytest.mark.parametrize("error", [None, "none"])
def test_tiles_give_the_rows_of_the_whole_image(path, error):
    whole = measure(read_image(path, error=error), PSF, ONE_ROUND)
    with measure_tiled(path, PSF, ONE_ROUND, tile=SIDE, error=error) as run:
        assert run.n_tiles == 9
        assert whole.n_saturated == run.n_saturated > 3
        assert_same_rows(run.catalog, whole.catalog)
        assert len(np.unique(run.catalog["id"])) == len(run.catalog)
        # Measured without the light of saturated stars, which fits tell.
        assert run.sky.level == pytest.approx(whole.sky.level, rel=1e-6)
        assert run.sky.noise == pytest.approx(whole.sky.noise, rel=1e-6)
        assert run.report()["masked_by"] == whole.report()["masked_by"]
        for key in ("dropped", "flags", "largest_group", "n_bright", "errors"):
            assert run.report()[key] == whole.report()[key]


def test_model_and_residual_are_written_in_bands(path, tmp_path):
    whole = measure(read_image(path), PSF, ONE_ROUND)
    with measure_tiled(path, PSF, ONE_ROUND, tile=SIDE) as run:
        run.write_model(tmp_path / "model.fits")
        run.write_residual(tmp_path / "residual.fits")
        with pytest.raises(ValueError, match="cannot be compressed"):
            run.write_model(tmp_path / "model.fits.gz")
    noise = whole.sky.noise
    with fits.open(tmp_path / "model.fits", checksum=True) as hdus:
        hdus.verify("exception")
        np.testing.assert_allclose(hdus[0].data, whole.model, 1e-4, 0.01 * noise)
        assert hdus[0].header["CTYPE1"] == whole.image.header["CTYPE1"]
    left = fits.getdata(tmp_path / "residual.fits")
    far = np.abs(left - whole.residual) - 1e-4 * whole.model
    assert np.nanmax(far) < 0.01 * noise


def test_sheets_are_the_maps_of_the_background(scene):
    _, data, _ = scene
    mask = ~np.isfinite(data)
    maps = ResidualBackground2D(data, mask=mask, fwhm=3.0)
    sheets = measure_sheets(data, mask, 3.0)
    window = slice(100, 333), slice(17, 511)
    np.testing.assert_array_equal(sheets.background(window), maps.background[window])
    rms = sheets.background_rms(window)
    np.testing.assert_array_equal(rms, maps.background_rms[window])


def test_each_place_belongs_to_one_tile():
    tiles = cut_tiles((500, 700), 192, 40)
    assert len(tiles) == 12
    x, y = np.meshgrid(np.arange(-3, 705, 0.5), np.arange(-3, 505, 0.5))
    owners = np.sum([tile.owns(x, y) for tile in tiles], axis=0)
    assert (owners == 1).all()
    for tile in tiles:
        inside = tile.owns(x, y) & (x >= 0) & (x < 699.5) & (y >= 0) & (y < 499.5)
        assert tile.sees(x[inside], y[inside]).all()
    assert not tiles[0].owns(np.array([np.nan]), np.array([1.0])).any()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iterations": 3}, "iterations must be 1"),
        ({"iterations": "auto"}, "iterations must be 1"),
        ({"confusion": True}, "confusion must not be True"),
        ({"extra_columns": True}, "extra_columns must not be True"),
    ],
)
def test_what_tiles_do_not_do_is_refused(path, changes, said):
    settings = dataclasses.replace(ONE_ROUND, **changes)
    with pytest.raises(ValueError, match=said), measure_tiled(path, PSF, settings):
        pass


def test_bad_tiles_and_images_are_refused(path, tmp_path):
    with (
        pytest.raises(ValueError, match="tile"),
        measure_tiled(path, PSF, ONE_ROUND, tile=3),
    ):
        pass
    noise = np.random.default_rng(1).normal(10, 1, (200, 200)).astype(np.float32)
    fits.writeto(tmp_path / "noise.fits", noise)
    with (
        pytest.raises(NoStarsError),
        measure_tiled(tmp_path / "noise.fits", PSF, ONE_ROUND, tile=128),
    ):
        pass
    fits.append(tmp_path / "noise.fits", np.ones((9, 9), np.float32))
    with (
        pytest.raises(FileFormatError, match="its shape is"),
        measure_tiled(tmp_path / "noise.fits", PSF, ONE_ROUND, error="[1]"),
    ):
        pass
    fits.writeto(tmp_path / "nothing.fits", np.full((200, 200), np.nan))
    with (
        pytest.raises(FileFormatError, match="finite"),
        measure_tiled(tmp_path / "nothing.fits", PSF, ONE_ROUND),
    ):
        pass
