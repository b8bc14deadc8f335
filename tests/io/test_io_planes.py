"""Planes of cubes, weights, comparisons, variances; levels of headers."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from telescope_files import cal_hdus, write

from psfphot.io import (
    FileFormatError,
    parse_mask,
    read_image,
    science_extensions,
    split_extension,
    write_catalog,
)


@pytest.fixture
def cube(tmp_path):
    data = np.arange(24.0).reshape(2, 3, 4)
    error = data + 1
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI")]
    hdus += [fits.ImageHDU(error, name="ERR"), fits.ImageHDU(data[0], name="DQ")]
    hdus[3].data = np.zeros((3, 4), np.int16)
    return write(tmp_path / "cube.fits", hdus)


def test_a_plane_of_a_cube_with_its_errors(cube):
    image = read_image(f"{cube}[SCI][1]")
    np.testing.assert_array_equal(image.data, np.arange(12, 24.0).reshape(3, 4))
    np.testing.assert_array_equal(image.error, image.data + 1)
    assert image.name == "cube.fits[SCI][1]"
    np.testing.assert_array_equal(read_image(cube, "1[-1]").data, image.data)
    with pytest.raises(FileFormatError, match=r"no plane \[2\] \(counted from 0\)"):
        read_image(cube, "SCI[2]")
    with pytest.raises(FileFormatError, match=r"counted from 0, got \[SCI\[a\]\]"):
        read_image(cube, "SCI[a]")
    with pytest.raises(FileFormatError, match=r"choose one plane.*\[EXT\]\[0\]"):
        read_image(cube)


def test_text_names_a_file_too(cube, tmp_path):
    path, ext = split_extension(f"{cube}[SCI,1][0]")
    assert (path, ext) == (cube, "SCI,1[0]")
    assert science_extensions(str(cube)) == ["SCI"]
    with pytest.raises(TypeError, match="path must be the name of a file, got int"):
        read_image(3)
    with pytest.raises(ValueError, match="unknown extension"):
        write_catalog(str(tmp_path / "a.qqq"), None)


@pytest.mark.parametrize("shape", [(5, 3, 4), (5, 2, 3, 4)])
def test_time_series_and_ramps_are_refused_with_a_hint(tmp_path, shape):
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(np.zeros(shape), name="SCI")]
    hdus[0].header.update({"NINTS": 5, "NGROUPS": 2, "TSOVISIT": True})
    path = write(tmp_path / "s.fits", hdus)
    hint = "time series of 5 integrations" if len(shape) == 3 else "ramps of a detector"
    with pytest.raises(FileFormatError, match=f"{hint}.*_rate"):
        read_image(path)
    index = "[4]" if len(shape) == 3 else "[4,1]"
    assert read_image(path, f"SCI{index}").shape == (3, 4)


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1"])
def test_tile_compressed_images_and_gzip_of_any_name(tmp_path, kind):
    data = np.arange(400, dtype=np.int16).reshape(20, 20)
    compressed = fits.CompImageHDU(data, name="SCI", compression_type=kind)
    path = write(tmp_path / "a.fits.fz", [fits.PrimaryHDU(), compressed])
    np.testing.assert_array_equal(read_image(path).data, data)
    fits.PrimaryHDU(data).writeto(tmp_path / "b.fits.gz")
    (tmp_path / "b.fits.gz").rename(tmp_path / "b.fits")
    np.testing.assert_array_equal(read_image(tmp_path / "b.fits").data, data)


@pytest.fixture
def noisy():
    """An image whose noise is 2/sqrt(weight), the sky 100."""
    rng = np.random.default_rng(5)
    weight = np.where(np.arange(200) < 100, 400.0, 1600.0) * np.ones((200, 1))
    weight[:, 190:] = 0
    weight[3, 4] = np.nan
    weight[5, 6] = -1
    sigma = 2 / np.sqrt(np.where(weight > 0, weight, 1e9))
    return rng.normal(100, np.where(np.isfinite(sigma), sigma, 1)), weight


def drizzled(path, data, weight, name="WHT"):
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI")]
    return write(path, [*hdus, fits.ImageHDU(weight, name=name)])


def test_exposure_weights_are_scaled_to_the_noise(tmp_path, noisy):
    data, weight = noisy
    path = drizzled(tmp_path / "a.fits", data, weight)
    plain = read_image(path)
    assert plain.error is None
    np.testing.assert_array_equal(plain.mask, ~(weight > 0))
    assert plain.n_masked["no weight in the WHT extension"] == 2002
    np.testing.assert_array_equal(plain.weight, weight)
    for words in ("WHT", "[WHT]", f"{path}[WHT]"):
        image = read_image(path, weight=words)
        good = ~image.mask
        np.testing.assert_allclose(
            image.error[good], 2 / np.sqrt(weight[good]), rtol=0.03
        )
        assert "scaled to the measured noise" in image.error_source
        np.testing.assert_array_equal(image.masks["not finite"], False)
    assert read_image(path, weight="none").mask.sum() == 0


def test_inverse_variances(tmp_path, noisy):
    data, weight = noisy
    path = drizzled(tmp_path / "a.fits", data, weight / 4, name="IVAR")
    image = read_image(path, weight="IVAR", weight_type="ivar")
    good = ~image.mask
    np.testing.assert_allclose(image.error[good], 2 / np.sqrt(weight[good]))
    with pytest.raises(ValueError, match="weight_type must be 'exposure' or 'ivar'"):
        read_image(path, weight="IVAR", weight_type="rms")
    with pytest.raises(ValueError, match="error and weight exclude each other"):
        read_image(path, weight="IVAR", error="2")
    with pytest.raises(FileFormatError, match="no value in it is above 0"):
        read_image(drizzled(tmp_path / "b.fits", data, weight * 0), weight="WHT")


def test_a_weight_of_zeros_is_left_out(tmp_path, noisy):
    data, weight = noisy
    path = drizzled(tmp_path / "a.fits", data, weight * 0)
    with pytest.warns(AstropyUserWarning, match="WHT extension is left out"):
        assert read_image(path).mask.sum() == 0


def test_context_without_exposure(tmp_path):
    context = np.zeros((2, 5, 6), np.int32)
    context[0, :, :3] = 4
    context[1, :2] = 1
    hdus = cal_hdus(np.ones((5, 6)))
    hdus.append(fits.ImageHDU(context, name="CON"))
    image = read_image(write(tmp_path / "i2d.fits", hdus))
    np.testing.assert_array_equal(image.mask, ~context.any(axis=0))
    assert image.n_masked["CON (no exposure)"] == 9


@pytest.mark.parametrize(
    ("spec", "bad"),
    [
        ("WHT==0", [0]),
        (" [WHT] <= 1 ", [0, 1]),
        ("WHT!=2", [0, 1, 3]),
        ("WHT>1e0", [2, 3]),
        ("WHT>=3", [3]),
        ("WHT<-1", []),
    ],
)
def test_masks_that_compare(tmp_path, spec, bad):
    weight = np.tile([0.0, 1, 2, 3], (3, 1))
    path = drizzled(tmp_path / "a.fits", np.ones((3, 4)), weight)
    image = read_image(path, weight="none", mask=spec)
    assert np.flatnonzero(image.mask[0]).tolist() == bad
    spec = spec.replace("[WHT]", "WHT").replace("WHT", f"{path}[WHT]")
    again = read_image(path, weight="none", mask=spec)
    np.testing.assert_array_equal(again.mask, image.mask)


@pytest.mark.parametrize("spec", ["WHT=0", "==0", "WHT==x", "WHT!3", "WHT==", "a<nan"])
def test_comparisons_that_are_none(spec):
    with pytest.raises(ValueError, match="--mask takes EXT OP NUMBER"):
        parse_mask(spec)


def test_what_is_no_comparison_is_a_file(tmp_path, monkeypatch):
    assert parse_mask("m.fits[1]") is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a==0").touch()
    assert parse_mask("a==0") is None
    assert parse_mask("DQ == 4") == ("[DQ]", "==", 4.0)


def test_variances_as_errors(tmp_path):
    data = np.ones((4, 5))
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI")]
    hdus += [fits.ImageHDU(data * 9, name="VAR"), fits.ImageHDU(data * 4, name="U")]
    hdus[1].header["BUNIT"] = "mJy"
    hdus[2].header["BUNIT"] = "uJy2"
    hdus[3].header["UTYPE"] = "InverseVariance"
    path = write(tmp_path / "a.fits", hdus)
    image = read_image(path)
    np.testing.assert_allclose(image.error, 0.003)
    assert image.error_source == "the VAR extension (variances)"
    np.testing.assert_allclose(read_image(path, error="[U]").error, 0.5)


def test_levels_of_headers(tmp_path):
    data = np.full((20, 20), 100.0)
    data[3, 3] = 61000

    def read(name, **keywords):
        hdu = fits.PrimaryHDU(data)
        hdu.header.update(keywords)
        return read_image(write(tmp_path / name, [hdu]))

    image = read("a.fits", SATURATE=60000.0, GAIN=1.5, RDNOISE=4.2)
    assert str(image.saturation) == "60000 (SATURATE)"
    assert (image.gain.value, image.read_noise.value) == (1.5, 4.2)
    assert read("b.fits", SATLEVEL="high", EGAIN=0.0).saturation is None
    # The largest value, or the level of good data.
    assert read("c.fits", DATAMAX=61000.0).saturation is None
    assert read("d.fits", DATAMAX=50000.0).saturation.source == "DATAMAX"
    data[:5, :5] = 61000
    assert read("e.fits", SATURATE=600.0).saturation is None


def test_saturated_pixels_of_the_data_quality(tmp_path):
    hdus = cal_hdus(np.ones((2, 4)))
    hdus[3].data = np.tile(np.array([0, 1, 2, 3], np.uint32), (2, 1))
    image = read_image(write(tmp_path / "cal.fits", hdus))
    np.testing.assert_array_equal(image.saturated[0], [False, False, False, True])
    np.testing.assert_array_equal(image.mask[0], [False, True, False, True])
    hdus[0].header.update({"TELESCOP": "HST", "INSTRUME": "WFC3"})
    hdus[3].data = np.tile(np.array([0, 16, 256, 2048], np.uint32), (2, 1))
    image = read_image(write(tmp_path / "flt.fits", hdus))
    np.testing.assert_array_equal(image.saturated[0], [False, False, True, True])
