"""Images that are measured tile by tile, against the same in one piece."""

import contextlib
import dataclasses
import mmap
import time

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import NDData
from astropy.table import QTable
from tile_tasks import DieOnce, Fail, die, warn

from psfphot._workers import WorkersError
from psfphot.background import ResidualBackground2D
from psfphot.background._sheets import measure_sheets
from psfphot.datasets import make_model_image
from psfphot.io import FileFormatError, _on_disk, read_image
from psfphot.io._on_disk import new_plane, read_image_to_disk, releasing
from psfphot.matching import match_positions
from psfphot.pipeline import (
    NoStarsError,
    Settings,
    measure,
    measure_tiled,
    simulate_star_field,
)
from psfphot.pipeline._tiles.mosaic import Mosaic
from psfphot.pipeline._tiles.tiling import cut_tiles, halo_of, with_whole_groups
from psfphot.pipeline._tiles.working import TileError, hire_crew
from psfphot.psf import PSF_FLAGS, CircularGaussianPRF, GriddedPSFModel

pytestmark = pytest.mark.long

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
    return write_scene(tmp_path / "image.fits", *scene)


@pytest.fixture
def corner(scene, tmp_path):
    image, *planes = scene
    return write_scene(
        tmp_path / "corner.fits", image, *(plane[212:, 212:] for plane in planes)
    )


def write_scene(path, image, data, error):
    hdus = [
        fits.PrimaryHDU(),
        fits.ImageHDU(data, image.header, name="SCI"),
        fits.ImageHDU(error, name="ERR"),
    ]
    fits.HDUList(hdus).writeto(path)
    return path


def assert_same_rows(tiled, whole, columns=(), *, has_long_groups=True):
    assert len(tiled) == len(whole)
    at = [(table["x_fit"].value, table["y_fit"].value) for table in (whole, tiled)]
    here, there = match_positions(*at, 0.05)
    assert len(here) == len(whole)
    for name in ("x", "y", "flux"):
        error = np.asarray(whole[f"{name}_err"])[here]
        change = np.asarray(tiled[f"{name}_fit"])[there]
        change = np.abs(change - np.asarray(whole[f"{name}_fit"])[here])
        assert np.nanmax(change / error) < 0.01
        own_error = np.asarray(tiled[f"{name}_err"])[there]
        np.testing.assert_allclose(own_error, error, rtol=0.01)
    for name in ("group_size", "n_pixels_fit", *columns):
        np.testing.assert_array_equal(tiled[name][there], whole[name][here])
    # That one tells of the whole group, of which a tile may see a part.
    changed = np.asarray(tiled["flags"][there] ^ whole["flags"][here])
    assert not np.any(changed & ~PSF_FLAGS.UNRESOLVED_PAIR)
    assert np.count_nonzero(changed) <= has_long_groups * 0.01 * len(whole)


def assert_same_run(tiled, whole):
    assert whole.n_saturated == tiled.n_saturated > 0
    assert len(np.unique(tiled.catalog["id"])) == len(tiled.catalog)
    assert tiled.sky.level == pytest.approx(whole.sky.level, rel=1e-5)
    assert tiled.sky.noise == pytest.approx(whole.sky.noise, rel=1e-5)
    told, expected = tiled.report(), whole.report()
    for key in ("masked_by", "dropped", "flags", "largest_group", "n_bright", "errors"):
        assert told[key] == expected[key]


@pytest.mark.parametrize("error", [None, "none"])
def test_tiles_give_the_rows_of_the_whole_image(path, error):
    whole = measure(read_image(path, error=error), PSF, ONE_ROUND)
    with measure_tiled(path, PSF, ONE_ROUND, tile=SIDE, error=error) as run:
        assert run.n_tiles == 9
        assert_same_rows(run.catalog, whole.catalog)
        assert_same_run(run, whole)


@pytest.mark.parametrize(
    ("error", "changes"),
    [(None, {}), ("none", {"local_bkg": (6, 12)}), (None, {"finder": "dao"})],
)
def test_rounds_of_tiles_are_those_of_the_whole_image(corner, error, changes):
    settings = dataclasses.replace(ONE_ROUND, iterations="auto", **changes)
    whole = measure(read_image(corner, error=error), PSF, settings)
    with measure_tiled(corner, PSF, settings, tile=SIDE, error=error) as run:
        assert run.n_tiles == 4
        assert_same_rows(run.catalog, whole.catalog, ("iter_detected",))
        assert_same_run(run, whole)
        assert run.history == whole.history
        assert run.history.n_new[0] > 5
        assert run.confusion.n_companions == whole.confusion.n_companions
        assert run.confusion.factor == pytest.approx(whole.confusion.factor, rel=1e-4)


def test_tiles_know_where_in_a_grid_of_psfs_they_are(tmp_path):
    nodes, oversampling = [(x, y) for y in (0, 300) for x in (0, 300)], 4
    offset = (np.arange(81) - 40) / oversampling
    psfs = []
    for fwhm in (2.4, 2.8, 3.0, 3.4):
        one = np.exp(-4 * np.log(2) * (offset / fwhm) ** 2)
        psfs.append(np.outer(one, one) / one.sum() ** 2 * oversampling**2)
    meta = {"grid_xypos": nodes, "oversampling": oversampling}
    grid = GriddedPSFModel(NDData(np.array(psfs), meta=meta))
    image, _ = simulate_star_field(grid, 260, 250, seed=5)
    path = write_scene(tmp_path / "grid.fits", image, image.data, image.error)
    settings = Settings(n_threads=1)
    whole = measure(read_image(path), grid, settings)
    with measure_tiled(path, grid, settings, tile=160) as run:
        columns = ("iter_detected",)
        assert_same_rows(run.catalog, whole.catalog, columns, has_long_groups=False)


def test_variances_of_jwst_renew_the_errors_of_tiles(tmp_path):
    image, truth = simulate_star_field(PSF, 256, 250, seed=9)
    rng, gain = np.random.default_rng(9), 60.0
    truth["flux"] /= 500
    clean = 0.5 + make_model_image(image.shape, PSF, truth, model_shape=31)
    electrons = rng.poisson(clean * gain) + rng.normal(0, 8, clean.shape)
    data = (electrons / gain).astype(np.float32)
    poisson = np.maximum(data, 0) / np.float32(gain)
    read = np.full(data.shape, (8 / gain) ** 2, np.float32)
    path = write_scene(tmp_path / "jwst.fits", image, data, np.sqrt(poisson + read))
    plain = measure(read_image(path), PSF, Settings(n_threads=1))
    poisson[::7, ::5] = np.nan
    for name, plane in (("VAR_POISSON", poisson), ("VAR_RNOISE", read)):
        fits.append(path, plane, fits.Header({"EXTNAME": name}))
    whole = measure(read_image(path), PSF, Settings(n_threads=1))
    with measure_tiled(path, PSF, Settings(n_threads=1), tile=128) as run:
        columns = ("iter_detected",)
        assert_same_rows(run.catalog, whole.catalog, columns, has_long_groups=False)
        assert run.report()["errors"] == whole.report()["errors"]
    assert "VAR_POISSON" in whole.report()["errors"]
    change = np.median(whole.catalog["flux_err"]) / np.median(plain.catalog["flux_err"])
    assert abs(change - 1) > 0.01


@pytest.fixture
def patch(scene, tmp_path):
    """A piece with full pixels, of four tiles."""
    image, *planes = scene
    y, x = np.unravel_index(np.nanargmax(planes[0]), planes[0].shape)
    at = tuple(slice(max(0, k - 120), max(0, k - 120) + 240) for k in (y, x))
    return write_scene(tmp_path / "patch.fits", image, *(plane[at] for plane in planes))


def bits(catalog):
    return {name: np.asarray(catalog[name]).tobytes() for name in catalog.colnames}


def assert_workers_change_nothing(path, **workers):
    settings = Settings(iterations=2, local_bkg=(6, 12))
    with measure_tiled(path, PSF, settings, tile=160, error="none") as alone:
        assert alone.n_saturated > 0
    with measure_tiled(
        path, PSF, settings, tile=160, error="none", **workers
    ) as shared:
        assert shared.n_tiles == 4
        assert np.isfinite(shared.model).all()
    assert bits(shared.catalog) == bits(alone.catalog)
    shared.catalog.meta["date"] = alone.catalog.meta["date"]
    assert shared.catalog.meta == alone.catalog.meta
    told = [run.report() | {"seconds": None} for run in (shared, alone)]
    assert told[0] == told[1]


def test_workers_give_the_rows_of_one_process(patch):
    assert_workers_change_nothing(patch, n_workers=2)


def test_a_cluster_gives_the_rows_of_one_process(patch, cluster):
    assert_workers_change_nothing(patch, client=cluster)


@pytest.fixture
def crew_of(patch, tmp_path):
    """Hire workers for a mosaic of four tiles."""

    @contextlib.contextmanager
    def hire(n_workers, **changes):
        image = read_image_to_disk(patch, tmp_path)
        mosaic = Mosaic(image, PSF, ONE_ROUND, 160, tmp_path)
        how = {"client": None, "retries": 2, "timeout": 60.0} | changes
        model = mosaic.whole.psf.model
        with hire_crew(model, tmp_path, None, n_workers=n_workers, **how) as crew:
            mosaic.crew = crew
            yield mosaic

    return hire


def test_the_tile_of_a_killed_worker_is_done_again(crew_of, tmp_path):
    with crew_of(2) as mosaic:
        totals = list(mosaic.over_tiles(DieOnce(tmp_path)))
    assert [tile for tile, _ in totals] == mosaic.tiles
    for tile, total in totals:
        assert total == np.nansum(mosaic.image.data[tile.window])
    assert len(list(tmp_path.glob("died-*"))) == 1
    with (
        crew_of(1, retries=0) as mosaic,
        pytest.raises(WorkersError, match=r"patch.fits\[SCI\], tile of rows 0-119, "),
    ):
        list(mosaic.over_tiles(die))


@pytest.mark.parametrize("n_workers", [None, 1])
def test_what_is_wrong_in_a_tile_is_told_with_it(crew_of, n_workers):
    where = r"patch.fits\[SCI\], tile of rows 120-239, columns 0-119: "
    with crew_of(n_workers) as mosaic:
        with pytest.warns(UserWarning, match="a bad tile"):
            list(mosaic.over_tiles(warn))
        with pytest.raises(TileError, match=where + "no good"):
            list(mosaic.over_tiles(Fail(ValueError, columns=0)))
    fault = KeyError if n_workers is None else RuntimeError
    with crew_of(n_workers) as mosaic, pytest.raises(fault, match="no good"):
        list(mosaic.over_tiles(Fail(KeyError, columns=0)))


def test_a_star_at_a_border_is_found_once_beside_what_another_tile_has(tmp_path):
    # Pairs on the borders of tiles, whose fainter star shows in the residual only.
    along = np.arange(20.0, 250, 15)
    x, y = np.full(len(along), 127.4), along
    rng = np.random.default_rng(5)
    truth = np.column_stack([np.append(x, x + 1.9), np.append(y, y + 0.3)])
    flux = np.repeat([20_000.0, 6_000.0], len(along))
    pixels, (yy, xx) = rng.normal(100, 8, (256, 256)), np.mgrid[:256, :256]
    for (at_x, at_y), light in zip(truth, flux, strict=True):
        star = CircularGaussianPRF(x_0=at_x, y_0=at_y, flux=light, fwhm=2.8)
        pixels += star(xx, yy)
    fits.writeto(tmp_path / "pairs.fits", pixels.astype(np.float32))
    settings = Settings(n_threads=1)
    with measure_tiled(tmp_path / "pairs.fits", PSF, settings, tile=128) as run:
        assert run.n_tiles == 4
        found = run.catalog["x_fit"].value, run.catalog["y_fit"].value
        assert run.history.n_new[0] >= len(along) / 2
    here, there = match_positions(tuple(truth.T), found, 0.5)
    assert len(np.unique(there)) == len(here) == len(truth) == len(run.catalog)


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


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="no such advice")
def test_memory_is_given_back_while_an_array_is_read(tmp_path, monkeypatch):
    plane = new_plane(tmp_path, "plane", (64, 64), np.float32)
    plane[:] = 1
    times, given = [], _on_disk.release

    def release(array):
        given(array)
        times.append(float(array.sum()))

    monkeypatch.setattr(_on_disk, "release", release)
    with releasing(plane):
        end = time.monotonic() + 30
        while len(times) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        seen = len(times)
    assert len(times) > seen >= 2
    assert set(times) == {64.0 * 64}


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


def test_windows_hold_whole_groups():
    # One by one along x; the second group goes through the image.
    x = np.array([110.0, 150.0, 190.0, 230.0, *np.arange(0.0, 500, 20)])
    y = np.repeat([90.0, 300.0], [4, 25])
    groups = np.repeat([1, 2], [4, 25])
    start = QTable({"x_init": x, "y_init": y, "group_id": groups})
    settings = Settings().resolve(2.8)
    tiles = cut_tiles((500, 500), 160, halo_of(settings))
    wide = with_whole_groups(tiles, start, settings)
    for tile, wider in zip(tiles, wide, strict=True):
        assert (wider.rows, wider.columns) == (tile.rows, tile.columns)
        is_own = tile.owns(x, y) & (groups == 1)
        is_changed = wider.window != tile.window
        assert is_changed == (tile.origin == (0, 0))
        if is_own.any():
            assert wider.sees(x, y)[groups == 1].all()
    del start["group_id"]
    assert with_whole_groups(tiles, start, settings) == tiles


@pytest.mark.parametrize(
    ("changes", "said"),
    [
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
