"""Grids of PSFs through astropy's registry, and written to files."""

import bz2
import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits, registry
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning
from hypothesis import given
from hypothesis import strategies as st
from psf_samples import nddata

from psfphot.psf import GriddedPSFModel
from psfphot.psf._files.connect import GridFormatError

# Neither equally spaced nor integers; the grid is not square.
RECTANGLE = [(x, y) for x in (-0.25, 1 / 3, 2047.5, 1e5) for y in (1e-7, 682.1)]
SQUARE = [(x, y) for x in (0.5, 1 / 3, 9.0) for y in (1 / 3, 0.5, 9.0)]


def grid(positions=RECTANGLE, dtype=np.float32, oversampling=4, **meta):
    data = np.random.default_rng(1).normal(size=(len(positions), 7, 9)).astype(dtype)
    meta |= {"grid_xypos": positions, "oversampling": oversampling}
    return GriddedPSFModel(NDData(data, meta=meta))


def is_same(model, other):
    return (
        model.data.dtype == other.data.dtype
        and model.data.tobytes() == other.data.tobytes()
        and np.array_equal(model.grid_xypos, other.grid_xypos)
        and np.array_equal(model.oversampling, other.oversampling)
    )


@pytest.fixture
def unregister():
    """Forget what a test has registered."""
    names = []
    yield names.append
    for name in names:
        registry.unregister_reader(name, GriddedPSFModel)
        registry.unregister_writer(name, GriddedPSFModel)
        registry.unregister_identifier(name, GriddedPSFModel)


class TestWrite:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("positions", [RECTANGLE, SQUARE, [(7.125, 8)]], ids=len)
    @pytest.mark.parametrize("suffix", [".fits", ".fits.gz", ".fts"])
    def test_round_trip_is_exact(self, tmp_path, dtype, positions, suffix):
        model = grid(positions, dtype, oversampling=3)
        path = tmp_path / f"grid{suffix}"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert model.write(path) is None
            for order in ("auto", "header", "sorted"):
                assert is_same(GriddedPSFModel.read(path, grid_order=order), model)

    @given(
        x=st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=4, unique=True),
        y=st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=4, unique=True),
    )
    def test_any_position(self, x, y):
        model = grid([(a, b) for a in x for b in y])
        file = io.BytesIO()
        model.write(file)
        assert is_same(GriddedPSFModel.read(file), model)

    def test_images_and_keywords_are_by_y_then_x(self, tmp_path):
        model = grid()
        model.write(tmp_path / "a.fits")
        data, header = fits.getdata(tmp_path / "a.fits", header=True)
        assert np.array_equal(data, model.data)
        stated = [eval(header[f"DET_YX{i}"]) for i in range(8)]  # noqa: S307
        assert [yx[::-1] for yx in stated] == sorted(RECTANGLE, key=lambda xy: xy[::-1])
        assert header["NUM_PSFS"] == 8
        assert header["OVERSAMP"] == 4

    def test_keywords_stand_as_old_photutils_needs_them(self, tmp_path):
        # It takes the i-th keyword that stands there for the (x, y) of image i.
        model = grid(SQUARE)
        model.write(tmp_path / "a.fits")
        header = fits.getheader(tmp_path / "a.fits")
        stand = [eval(v) for k, v in header.items() if "DET_YX" in k]  # noqa: S307
        assert stand == list(map(tuple, model.grid_xypos))

    def test_more_images_than_keywords_of_eight_characters(self, tmp_path):
        model = grid([(x, y) for x in range(11) for y in range(12)])
        model.write(tmp_path / "a.fits")
        assert is_same(GriddedPSFModel.read(tmp_path / "a.fits"), model)

    def test_meta(self, tmp_path):
        model = grid(
            filter=("F200W", "with a comment " * 9),
            version="1.2.1",
            instrument="JWST/NIRCam",
            text="long " * 40 + "end",
            number=np.float32(0.25),
            flag=np.True_,
            a_long_name=7,
            nxpsfs=2,
        )
        model.write(tmp_path / "a.fits")
        meta = GriddedPSFModel.read(tmp_path / "a.fits").meta
        expected = {
            "filter": "F200W",
            "version": "1.2.1",
            "instrume": "JWST/NIRCam",
            "text": "long " * 40 + "end",
            "number": 0.25,
            "flag": True,
            "a_long_name": 7,
        }
        assert {key: meta[key] for key in expected} == expected
        assert isinstance(meta["flag"], bool)
        assert "nxpsfs" not in meta
        again = GriddedPSFModel.read(tmp_path / "a.fits")
        again.write(tmp_path / "b.fits")
        other = GriddedPSFModel.read(tmp_path / "b.fits").meta
        assert {**other, "grid_xypos": 0} == {**meta, "grid_xypos": 0}

    @pytest.mark.parametrize(
        "value",
        [np.nan, [1, 2], (4, 4), np.ones(3), {"a": 1}, None, "\u03b1", "new\nline"],
        ids=str,
    )
    def test_meta_without_a_place(self, tmp_path, value):
        model = grid(strange=value)
        match = r"a.fits: not written, .*: meta\['strange'\]$"
        with pytest.warns(AstropyUserWarning, match=match) as caught:
            model.write(tmp_path / "a.fits")
        assert caught[0].filename == __file__
        assert is_same(GriddedPSFModel.read(tmp_path / "a.fits"), model)

    def test_meta_of_one_name_or_of_many_digits(self, tmp_path):
        model = grid(instrume="a", instrument="b", number=-1.2345678901234567e-100)
        with pytest.warns(AstropyUserWarning, match=r": meta\['instrument'\]$"):
            model.write(tmp_path / "a.fits")
        meta = GriddedPSFModel.read(tmp_path / "a.fits").meta
        assert meta["instrume"] == "a"
        assert meta["number"] == pytest.approx(-1.2345678901234567e-100, rel=1e-12)

    def test_a_fill_value_has_no_place(self, tmp_path):
        model = grid()
        model.fill_value = np.nan
        with pytest.warns(AstropyUserWarning, match="fill_value=nan"):
            model.write(tmp_path / "a.fits")

    def test_what_the_layout_cannot_hold(self, tmp_path):
        path = tmp_path / "a.fits"
        with pytest.raises(ValueError, match=r"one OVERSAMP .* oversampling is \(2, 5"):
            grid(oversampling=(2, 5)).write(path)
        model = grid()
        model.origin = (3, 3)
        with pytest.raises(ValueError, match=r"origin is \[3.0, 3.0\]"):
            model.write(path)
        assert not path.exists()

    def test_a_file_that_is_there(self, tmp_path):
        path = tmp_path / "a.fits"
        grid().write(path)
        first = path.read_bytes()
        other = grid(SQUARE)
        with pytest.raises(FileExistsError, match="exists already"):
            other.write(path)
        assert path.read_bytes() == first
        other.write(path, True)
        assert is_same(GriddedPSFModel.read(path), other)
        grid().write(str(path), overwrite=True, format="webbpsf")
        assert path.read_bytes() == first

    def test_whole_or_not_at_all(self, tmp_path, monkeypatch):
        path = tmp_path / "a.fits"
        grid().write(path)
        first = path.read_bytes()

        def fail(self, file, **_):
            Path(file).write_bytes(b"SIMPLE")
            raise OSError("disk full")

        monkeypatch.setattr(fits.PrimaryHDU, "writeto", fail)
        with pytest.raises(OSError, match="disk full"):
            grid(SQUARE).write(path, overwrite=True)
        assert path.read_bytes() == first
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize(
        ("name", "error", "match"),
        [
            ("a.txt", ValueError, r"a.txt: unknown extension '.txt'; use one of .fits"),
            ("none/a.fits", FileNotFoundError, "there is no directory"),
            ("a.fits", IsADirectoryError, "is a directory"),
        ],
    )
    def test_bad_names(self, tmp_path, name, error, match):
        (tmp_path / "a.fits").mkdir()
        with pytest.raises(error, match=match):
            grid().write(tmp_path / name, format="stpsf")

    def test_unknown_formats(self, tmp_path):
        with pytest.raises(GridFormatError, match="'stpsf' or 'webbpsf', got 'stdpsf'"):
            grid().write(tmp_path / "a.fits", format="stdpsf")
        with pytest.raises(ValueError, match=r"a.txt: unknown extension"):
            grid().write(tmp_path / "a.txt")
        with pytest.raises(TypeError, match="call it on one, not on the class"):
            GriddedPSFModel.write(tmp_path / "a.fits")


class TestRegistry:
    def test_formats(self):
        table = registry.get_formats(GriddedPSFModel)
        assert table["Format"].tolist() == ["stdpsf", "stpsf", "webbpsf"]
        assert table["Read"].tolist() == ["Yes"] * 3
        assert table["Write"].tolist() == ["No", "Yes", "Yes"]
        out = io.StringIO()
        GriddedPSFModel.read.list_formats(out=out)
        assert "stdpsf" in out.getvalue()

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            (None, ["grid_order", "detector_id", "available built-in formats"]),
            ("stpsf", ["DET_YX0"]),
            ("webbpsf", ["DET_YX0"]),
            ("stdpsf", ["IPSFX01", "PC"]),
        ],
    )
    def test_help(self, name, words):
        out = io.StringIO()
        GriddedPSFModel.read.help(name, out=out)
        assert all(word in out.getvalue() for word in words)
        out = io.StringIO()
        grid().write.help(out=out)
        assert "overwrite" in out.getvalue()

    def test_filename_is_photutils_name_of_the_path(self, tmp_path):
        model = grid()
        model.write(tmp_path / "a.fits")
        for name in (None, "stpsf"):
            again = GriddedPSFModel.read(filename=tmp_path / "a.fits", format=name)
            assert is_same(again, model)
        with pytest.raises(TypeError, match=r"one file, as path .* got none"):
            GriddedPSFModel.read()
        with pytest.raises(TypeError, match=r"one file, as path .* got both"):
            GriddedPSFModel.read("a", filename="b")

    def test_home_directory(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        model = grid()
        model.write("~/a.fits")
        for name in (None, "stpsf"):
            assert is_same(GriddedPSFModel.read("~/a.fits", format=name), model)

    def test_on_an_instance_and_from_a_derived_class(self, tmp_path):
        class Derived(GriddedPSFModel):
            pass

        model = grid()
        model.write(tmp_path / "a.fits")
        assert is_same(model.read(tmp_path / "a.fits"), model)
        derived = Derived.read(tmp_path / "a.fits")
        assert type(derived) is Derived
        assert is_same(derived, model)
        derived.write(tmp_path / "b.fits")

    def test_a_format_of_the_user_s(self, tmp_path, unregister):
        def read(path, factor=1):
            data = np.full((1, 5, 5), factor * float(path.read()))
            return GriddedPSFModel(
                NDData(data, meta={"grid_xypos": [(0, 0)], "oversampling": 1})
            )

        def identify(origin, path, fileobj, *args, **kwargs):
            return path is not None and str(path).endswith(".psf1")

        def write(model, path, overwrite=False):
            Path(path).write_text(str(model.data[0, 0, 0]))

        registry.register_reader("one-number", GriddedPSFModel, read)
        registry.register_writer("one-number", GriddedPSFModel, write)
        registry.register_identifier("one-number", GriddedPSFModel, identify)
        unregister("one-number")
        path = tmp_path / "a.psf1"
        path.write_text("2.5")
        assert GriddedPSFModel.read(path).data[0, 0, 0] == 2.5
        GriddedPSFModel.read(path, factor=3).write(tmp_path / "b.psf1")
        assert GriddedPSFModel.read(tmp_path / "b.psf1").data[0, 0, 0] == 7.5
        assert GriddedPSFModel.read(path, factor=2).data[0, 0, 0] == 5
        with pytest.raises(TypeError, match="detector_id"):
            GriddedPSFModel.read(path, detector_id=1)
        with pytest.raises(ValueError, match="or 'one-number', got 'other'"):
            GriddedPSFModel.read(path, format="other")

    def test_unknown_format_is_astropys_error_too(self):
        with pytest.raises(registry.IORegistryError, match="format must be None"):
            GriddedPSFModel.read("a.fits", format="a")

    def test_a_stream_that_cannot_go_back(self, tmp_path):
        model = grid()
        model.write(tmp_path / "a.fits")
        reading, writing = os.pipe()
        content = (tmp_path / "a.fits").read_bytes()
        with os.fdopen(writing, "wb") as out:
            out.write(content)
        with os.fdopen(reading, "rb") as stream:
            assert is_same(GriddedPSFModel.read(stream), model)

    def test_each_way_to_a_file_gives_the_same(self, tmp_path):
        model = grid(SQUARE)
        for name in ("a.fits", "a.fits.gz"):
            model.write(tmp_path / name)
        content = (tmp_path / "a.fits").read_bytes()
        (tmp_path / "a.fits.bz2").write_bytes(bz2.compress(content))
        url = (tmp_path / "a.fits").as_uri()
        paths = [tmp_path / f"a.fits{suffix}" for suffix in ("", ".gz", ".bz2")]
        for source in (*paths, str(paths[0]), os.fsencode(paths[0]), url):
            assert is_same(GriddedPSFModel.read(source), model), source
        with paths[0].open("rb") as file, fits.open(io.BytesIO(content)) as hdus:
            file.seek(100)
            assert is_same(GriddedPSFModel.read(file), model)
            assert is_same(GriddedPSFModel.read(hdus), model)

    def test_the_users_hdus_stay_as_they_are(self, tmp_path):
        grid(SQUARE).write(tmp_path / "a.fits")
        with fits.open(tmp_path / "a.fits") as hdus:
            before = hdus[0].data.copy()
            model = GriddedPSFModel.read(hdus)
            assert hdus[0].data.dtype == before.dtype
            assert np.array_equal(hdus[0].data, before)
            hdus[0].data[:] = 0
            assert np.array_equal(model.data, before)

    def test_images_are_the_models_alone_and_cannot_change(self, tmp_path):
        grid(SQUARE).write(tmp_path / "a.fits")
        model = GriddedPSFModel.read(tmp_path / "a.fits", grid_order="header")
        assert model.data.dtype.isnative
        assert not model.data.flags.writeable
        # What the user gives is copied, sorted or not.
        images = np.array(model.data)
        meta = {"grid_xypos": model.grid_xypos, "oversampling": 1}
        assert not np.shares_memory(
            GriddedPSFModel(NDData(images, meta=meta)).data, images
        )

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_the_image_that_is_not_finite_is_named(self, tmp_path, bad):
        grid(SQUARE).write(tmp_path / "a.fits")
        with fits.open(tmp_path / "a.fits", mode="update") as hdus:
            hdus[0].data[5, 6, 8] = bad
            opened = fits.HDUList([hdus[0].copy()])
        for source in (tmp_path / "a.fits", opened):
            with pytest.raises(ValueError, match="image 5 has NaN or infinite values"):
                GriddedPSFModel.read(source)

    def test_a_users_format_with_precedence_gets_the_open_file(
        self, tmp_path, unregister
    ):
        grid().write(tmp_path / "a.fits")
        given = []

        def read(file):
            given.append(file.read(6))
            return grid(SQUARE)

        registry.register_reader("mine", GriddedPSFModel, read, priority=1)
        registry.register_writer("mine", GriddedPSFModel, lambda *_: None)
        registry.register_identifier(
            "mine", GriddedPSFModel, lambda origin, *_, **__: origin == "read"
        )
        unregister("mine")
        assert is_same(GriddedPSFModel.read(tmp_path / "a.fits"), grid(SQUARE))
        assert given == [b"SIMPLE"]

    def test_astropys_own_functions(self, tmp_path):
        model = grid()
        registry.write(model, tmp_path / "a.fits")
        assert is_same(registry.read(GriddedPSFModel, tmp_path / "a.fits"), model)

    def test_a_model_that_was_read_is_used(self, tmp_path):
        model = GriddedPSFModel(nddata())
        model.write(tmp_path / "a.fits")
        again = GriddedPSFModel.read(tmp_path / "a.fits")
        assert again(0.3, 0.4) == model(0.3, 0.4)
