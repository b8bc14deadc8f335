"""`GriddedPSFModel.read` on files as STPSF and WebbPSF write them."""

import gzip
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from stdpsf_files import stdpsf_hdu

from psfphot.psf import GriddedPSFModel

# The writer's order: x is the outer loop. The grid is not square, so that a
# transposed one cannot pass for it.
XY = [(x, y) for x in (0.0, 50.0) for y in (0.0, 20.0, 30.0)]
SORTED_XY = sorted(XY, key=lambda xy: xy[::-1])


def image_at(position):
    """An image that tells the detector position it belongs to."""
    x, y = position
    return np.add.outer(np.arange(8.0), np.zeros(9)) + 100 * x + y


def grid(order="sorted", xy=None, **keywords):
    """A grid whose images are stored sorted, or in the keywords' order."""
    xy = XY if xy is None else xy
    stored = sorted(xy, key=lambda xy: xy[::-1]) if order == "sorted" else xy
    hdu = fits.PrimaryHDU(np.array([image_at(p) for p in stored], np.float32))
    hdu.header["OVERSAMP"] = 4
    hdu.header["NUM_PSFS"] = len(xy)
    hdu.header["DETECTOR"] = "NRCA1"
    for i, (x, y) in enumerate(xy):
        hdu.header[f"DET_YX{i}"] = (str((y, x)), f"The #{i} PSF's (y,x) position")
    for key, value in keywords.items():
        if value is None:
            del hdu.header[key]
        else:
            hdu.header[key] = value
    return hdu


def write(directory, hdu, name="grid.fits"):
    path = directory / name
    hdu.writeto(path)
    return path


def belongs(model):
    """Whether each image is at the position that it tells."""
    return all(
        data[0, 0] == 100 * x + y
        for data, (x, y) in zip(model.data, model.grid_xypos, strict=True)
    )


class TestGridOrder:
    @pytest.mark.parametrize("order", ["header", "sorted"])
    def test_as_told(self, tmp_path, order):
        path = write(tmp_path, grid(order))
        model = GriddedPSFModel.read(path, grid_order=order)
        assert model.grid_xypos.tolist() == [list(xy) for xy in SORTED_XY]
        assert belongs(model)
        assert model.meta["grid_order"] == order
        other = {"header": "sorted", "sorted": "header"}[order]
        assert not belongs(GriddedPSFModel.read(path, grid_order=other))

    @pytest.mark.parametrize(
        ("version", "date", "order"),
        [
            ("2.2.0", None, "sorted"),
            ("2.0.0", "2020-01-01T00:00:00", "sorted"),
            ("1.3.0", None, "sorted"),
            ("1.5.1", "2024-10-01", "sorted"),
            ("1.3.1.dev2+gabcdef", "2020-01-01", "sorted"),
            ("1.2.1", "2026-01-01T00:00:00", "header"),
            ("1.2.1", None, "header"),
            ("0.9.2", None, "header"),
            ("1.2", None, "header"),
            ("1.2.2.dev10+g12345", "2023-12-10T23:59:59", "header"),
            ("1.2.2.dev10+g12345", "2023-12-11T00:00:00", "sorted"),
            ("1.3.0rc1", "2023-12-10", "header"),
            ("1.3.0.dev0", "2023-12-20T10:00:00.123", "sorted"),
            (None, "2022-07-12T10:00:00", "header"),
            ("unknown", "2022-07-12T10:00:00", "header"),
        ],
    )
    def test_auto_goes_by_version_and_date(self, tmp_path, version, date, order):
        keywords = {"VERSION": version, "DATE": date}
        hdu = grid(order, **{k: v for k, v in keywords.items() if v is not None})
        model = GriddedPSFModel.read(write(tmp_path, hdu))
        assert model.meta["grid_order"] == order
        assert belongs(model)

    def test_auto_knows_stpsf_by_its_comment(self, tmp_path):
        hdu = grid("sorted", VERSION=("0.1.dev1", "STPSF software version"))
        model = GriddedPSFModel.read(write(tmp_path, hdu))
        assert belongs(model)

    @pytest.mark.parametrize(
        "keywords",
        [
            {},
            {"VERSION": "unknown", "DATE": "2025-01-01T00:00:00"},
            {"DATE": "2025-01-01"},
            {"VERSION": "1.2.2.dev10"},
            {"VERSION": "1.2.2.dev10", "DATE": "12/10/23"},
        ],
        ids=str,
    )
    def test_auto_says_what_it_assumes(self, tmp_path, keywords):
        path = write(tmp_path, grid("sorted", **keywords))
        with pytest.warns(AstropyUserWarning, match="assumed grid_order='sorted'") as w:
            model = GriddedPSFModel.read(path)
        assert belongs(model)
        assert str(path) in str(w[0].message)
        assert w[0].filename == __file__

    def test_a_list_that_is_sorted_needs_no_decision(self, tmp_path):
        model = GriddedPSFModel.read(write(tmp_path, grid(xy=SORTED_XY)))
        assert belongs(model)

    def test_unknown_order(self, tmp_path):
        with pytest.raises(ValueError, match="grid_order must be 'auto', 'header'"):
            GriddedPSFModel.read(write(tmp_path, grid()), grid_order="yx")


class TestFiles:
    def read(self, path):
        return GriddedPSFModel.read(path, grid_order="sorted")

    def test_meta_is_the_header(self, tmp_path):
        model = self.read(write(tmp_path, grid(FILTER="F200W")))
        assert model.meta["filter"] == "F200W"
        assert model.meta["det_yx1"] == "(20.0, 0.0)"
        assert model.meta["oversampling"] == (4, 4)
        assert "naxis" not in model.meta
        assert model.data.dtype == np.float32
        assert model.data.dtype.isnative

    def test_any_way_to_name_a_file(self, tmp_path):
        path = write(tmp_path, grid())
        zipped = tmp_path / "grid.fits.gz"
        zipped.write_bytes(gzip.compress(path.read_bytes()))
        expected = self.read(path).data
        for given in (str(path), zipped, str(zipped)):
            assert np.array_equal(self.read(given).data, expected)
        for given in (path, zipped):
            with given.open("rb") as file:
                assert np.array_equal(self.read(file).data, expected)

    @pytest.mark.parametrize("name", [None, "stpsf", "webbpsf"])
    def test_formats(self, tmp_path, name):
        path = write(tmp_path, grid("header"))
        assert belongs(GriddedPSFModel.read(path, name, grid_order="header"))

    def test_one_image_with_or_without_an_axis_for_it(self, tmp_path):
        hdu = grid(xy=[(7.0, 8.5)])
        for data in (hdu.data, hdu.data[0]):
            path = write(
                tmp_path, fits.PrimaryHDU(data, hdu.header), f"{data.ndim}.fits"
            )
            model = GriddedPSFModel.read(path)
            assert model.grid_xypos.tolist() == [[7, 8.5]]
            assert model.data.shape == (1, 8, 9)

    def test_an_image_in_an_extension(self, tmp_path):
        hdu = grid()
        image = fits.ImageHDU(hdu.data, hdu.header)
        path = write(tmp_path, fits.HDUList([fits.PrimaryHDU(), image]))
        assert belongs(self.read(path))

    def test_leaves_no_warning_and_no_open_file(self, tmp_path):
        path = write(tmp_path, grid(VERSION="2.2.0"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            GriddedPSFModel.read(path)
        path.unlink()


class TestBadFiles:
    def fails(self, path, match, error=ValueError):
        with pytest.raises(error, match=match) as caught:
            GriddedPSFModel.read(path, grid_order="sorted")
        assert Path(path).name in str(caught.value)

    def test_no_such_file(self, tmp_path):
        self.fails(tmp_path / "none.fits", "No such file", FileNotFoundError)

    def test_unknown_format(self, tmp_path):
        with pytest.raises(ValueError, match="format must be None, 'stpsf'"):
            GriddedPSFModel.read(write(tmp_path, grid()), format="fits")

    @pytest.mark.parametrize("content", [b"", b"hello\n", b"SIMPLE  =  " * 400])
    def test_not_fits(self, tmp_path, content):
        path = tmp_path / "a.fits"
        path.write_bytes(content)
        self.fails(path, "not a FITS file")

    @pytest.mark.parametrize("zipped", [False, True])
    def test_truncated(self, tmp_path, zipped):
        content = write(tmp_path, grid(FILTER="F200W")).read_bytes()
        path = tmp_path / "cut.fits"
        path.write_bytes(content[:3500])
        if zipped:
            path = tmp_path / "cut.fits.gz"
            path.write_bytes(gzip.compress(content)[:-200])
        self.fails(path, "damaged|ends before the image")

    def test_no_image(self, tmp_path):
        self.fails(write(tmp_path, fits.PrimaryHDU()), "no image in any extension")

    @pytest.mark.parametrize(
        ("keywords", "match"),
        [
            ({"OVERSAMP": None}, "not an STPSF grid, which has the keyword OVERSAMP"),
            ({"DET_YX0": None}, "not an STPSF grid, which has the keyword DET_YX0"),
            ({"DET_YX3": None}, "the keyword DET_YX3 is missing, for 6 images"),
            ({"DET_YX6": "(1.0, 2.0)"}, "DET_YX6, but there are only 6 images"),
            ({"DET_YX2": "(1.0)"}, "DET_YX2 must be a pair"),
            ({"DET_YX2": "(1.0.0, 2)"}, "DET_YX2 must be a pair"),
            ({"DET_YX2": 3}, "DET_YX2 must be a pair"),
            ({"DET_YX2": "(31.0, 0.5)"}, "DET_YX must form a rectangular grid"),
            ({"DET_YX2": "(0.0, 0.0)"}, "DET_YX must not contain duplicate"),
            ({"NUM_PSFS": 9}, "NUM_PSFS is 9, but there are 6 images"),
            ({"OVERSAMP": 0}, "OVERSAMP must be a positive integer up to .*, got 0"),
            (
                {"OVERSAMP": 2.5},
                "OVERSAMP must be a positive integer up to .*, got 2.5",
            ),
            (
                {"OVERSAMP": "4"},
                "OVERSAMP must be a positive integer up to .*, got '4'",
            ),
            (
                {"OVERSAMP": True},
                "OVERSAMP must be a positive integer up to .*, got True",
            ),
        ],
        ids=str,
    )
    def test_keywords(self, tmp_path, keywords, match):
        self.fails(write(tmp_path, grid(**keywords)), match)

    @pytest.mark.parametrize(
        ("key", "value", "match"),
        [
            ("DET_YX2", "'(0.0, 2", r"the value of DET_YX2 cannot be read"),
            ("OVERSAMP", "4 5", r"the value of OVERSAMP cannot be read"),
            ("OVERSAMP", "1E400", r"OVERSAMP must be .* up to 1000000, got inf"),
            ("OVERSAMP", "1E30", r"OVERSAMP must be .* up to 1000000, got 1e\+30"),
            ("OVERSAMP", "", r"OVERSAMP must be a positive integer"),
            ("NAXIS1", "'eight'", "damaged"),
            ("NAXIS2", "", "damaged"),
            ("NAXIS2", "8.5", "damaged"),
            ("NAXIS3", "1" + 25 * "0", "damaged|ends before the image"),
            ("NAXIS3", "0", "has no values|images"),
            ("NOTHING1", "4", "damaged"),
            ("BITPIX", "'a'", "damaged"),
        ],
    )
    def test_cards(self, tmp_path, key, value, match):
        path = write(tmp_path, grid())
        # Here NOTHING1 stands in the place of NAXIS1.
        old = "NAXIS1" if key == "NOTHING1" else key
        content = path.read_bytes()
        start = content.index(old.ljust(8).encode() + b"=")
        card = f"{key:8}= {value}".ljust(80).encode()
        path.write_bytes(content[:start] + card + content[start + 80 :])
        self.fails(path, match)

    def test_cards_that_are_not_needed(self, tmp_path):
        path = write(tmp_path, grid(VERSION="1.5.1", REMARK="a", FILTER="F200W"))
        content = path.read_bytes()
        start = content.index(b"REMARK  =")
        card = b"REMARK  = 'open".ljust(80)
        path.write_bytes(content[:start] + card + content[start + 80 :])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = GriddedPSFModel.read(path)
        assert model.meta["filter"] == "F200W"
        assert "remark" not in model.meta

    def test_nan(self, tmp_path):
        hdu = grid()
        hdu.data[4, 3, 2] = np.nan
        self.fails(write(tmp_path, hdu), "image 4 has NaN or infinite values")

    def test_dimensions(self, tmp_path):
        hdu = grid()
        four = fits.PrimaryHDU(hdu.data[np.newaxis], hdu.header)
        self.fails(write(tmp_path, four, "four.fits"), "NAXIS must be 3")
        line = fits.PrimaryHDU(hdu.data[0, 0], hdu.header)
        self.fails(write(tmp_path, line, "line.fits"), "NAXIS must be 3")
        flat = fits.PrimaryHDU(hdu.data[:, :3], hdu.header)
        self.fails(write(tmp_path, flat, "flat.fits"), "must both be at least 4")
        two = grid(xy=[(0.0, 0.0), (1.0, 0.0)])
        self.fails(write(tmp_path, two, "two.fits"), "rectangular")

    def test_format_of_another_file(self, tmp_path):
        path = write(tmp_path, grid())
        with pytest.raises(
            ValueError, match=r"not an STDPSF grid, which has .* NXPSFS"
        ):
            GriddedPSFModel.read(path, format="stdpsf")
        stdpsf = tmp_path / "std.fits"
        stdpsf_hdu([1, 9], [1, 9]).writeto(stdpsf)
        with pytest.raises(
            ValueError, match=r"not an STPSF grid, which has .* OVERSAMP"
        ):
            GriddedPSFModel.read(stdpsf, format="stpsf")
        self.fails(
            write(tmp_path, fits.PrimaryHDU(np.ones((4, 8, 8))), "b.fits"), "NXPS"
        )

    def test_what_is_no_file(self, tmp_path):
        with pytest.raises(TypeError, match="path must be a path, a file object or an"):
            GriddedPSFModel.read(3)
        with pytest.raises(IsADirectoryError):
            GriddedPSFModel.read(tmp_path)
        content = write(tmp_path, grid(OVERSAMP=None)).read_bytes()
        with pytest.raises(ValueError, match="<BytesIO>: not an STPSF grid"):
            GriddedPSFModel.read(io.BytesIO(content))
        for given in (b"", b"hello"):
            with pytest.raises(ValueError, match="<BytesIO>: not a FITS file"):
                GriddedPSFModel.read(io.BytesIO(given))
