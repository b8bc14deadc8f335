"""Reading and writing of FITS images."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from psfphot.io import (
    FileFormatError,
    add_sky_coordinates,
    check_writable,
    read_image,
    replacing,
    write_image,
)


@pytest.fixture
def plane():
    return np.arange(12.0, dtype=np.float32).reshape(3, 4) + 1


def write(path, *hdus):
    fits.HDUList(list(hdus)).writeto(path)
    return path


def galactic_header():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-CAR", "GLAT-CAR"]
    wcs.wcs.crval = [18.0, 0.0]
    wcs.wcs.crpix = [100.0, -30.0]
    wcs.wcs.cdelt = [-1 / 3000, 1 / 3000]
    return wcs.to_header()


def test_primary_image_with_nan_unit_and_native_floats(tmp_path, plane):
    plane[1, 2] = np.nan
    hdu = fits.PrimaryHDU(plane)
    hdu.header["BUNIT"] = "MJy/sr"
    image = read_image(write(tmp_path / "a.fits.gz", hdu))
    assert image.data.dtype == np.dtype(np.float32)
    assert image.data.dtype.isnative
    assert image.unit == u.MJy / u.sr
    assert image.error is None
    assert image.wcs is None
    np.testing.assert_array_equal(image.mask, np.isnan(plane))


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float64])
def test_other_pixels_become_float64(tmp_path, plane, dtype):
    hdu = fits.PrimaryHDU(plane.astype(dtype))
    image = read_image(write(tmp_path / "a.fits", hdu))
    assert image.data.dtype == np.dtype(np.float64)
    np.testing.assert_array_equal(image.data, plane)


def test_sci_comes_first_and_err_of_the_same_version_with_it(tmp_path, plane):
    error = np.full_like(plane, 0.5)
    error[0, 0] = 0
    error[2, 3] = np.nan
    path = write(
        tmp_path / "a.fits",
        fits.PrimaryHDU(),
        fits.ImageHDU(plane * 0, name="DQ"),
        fits.ImageHDU(plane, name="SCI", ver=1),
        fits.ImageHDU(error, name="ERR", ver=1),
        fits.ImageHDU(plane * 2, name="SCI", ver=2),
        fits.ImageHDU(error * 2, name="ERR", ver=2),
    )
    first = read_image(path)
    assert first.name == "a.fits[SCI]"
    np.testing.assert_array_equal(first.error, error)
    # Pixels whose error cannot be used are masked.
    assert np.argwhere(first.mask).tolist() == [[0, 0], [2, 3]]
    for ext in ("SCI,2", "sci,2", "4"):
        second = read_image(path, ext)
        assert second.name == "a.fits[SCI,2]"
        np.testing.assert_array_equal(second.data, plane * 2)
        np.testing.assert_array_equal(second.error, error * 2)
    assert read_image(path, "DQ").error is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [(np.zeros((3, 4)), "no value in it is above 0"), (np.ones((2, 4)), "shape")],
)
def test_useless_err_is_left_out_with_a_warning(tmp_path, plane, error, reason):
    path = write(
        tmp_path / "a.fits",
        fits.PrimaryHDU(),
        fits.ImageHDU(plane, name="SCI"),
        fits.ImageHDU(error, name="ERR"),
    )
    with pytest.warns(AstropyUserWarning, match=reason):
        assert read_image(path).error is None


@pytest.mark.parametrize(
    ("text", "unit"),
    [("ELECTRONS/S", u.electron / u.s), ("COUNTS", u.count), ("DN/s", u.DN / u.s)],
)
def test_units_as_pipelines_write_them(tmp_path, plane, text, unit):
    hdu = fits.PrimaryHDU(plane)
    hdu.header["BUNIT"] = text
    assert read_image(write(tmp_path / "a.fits", hdu)).unit == unit


def test_unknown_unit_warns_in_one_line(tmp_path, plane):
    hdu = fits.PrimaryHDU(plane)
    hdu.header["BUNIT"] = "furlongs per fortnight"
    with pytest.warns(AstropyUserWarning, match="furlongs") as caught:
        assert read_image(write(tmp_path / "a.fits", hdu)).unit is None
    assert "\n" not in str(caught[0].message)


def test_axes_of_one_are_dropped_and_the_wcs_with_them(tmp_path, plane):
    header = galactic_header()
    header.set("CTYPE3", "WAVE")
    header.set("CRPIX3", 1.0)
    header.set("CRVAL3", 2e-6)
    header.set("CUNIT3", "m")
    header.set("CDELT3", 1e-8)
    header["WCSAXES"] = 3
    image = read_image(write(tmp_path / "a.fits", fits.PrimaryHDU(plane[None], header)))
    assert image.shape == (3, 4)
    assert image.wcs.naxis == 2


def test_cubes_tables_and_empty_files_are_refused(tmp_path, plane):
    cube = write(tmp_path / "cube.fits", fits.PrimaryHDU(np.zeros((5, 3, 4))))
    with pytest.raises(FileFormatError, match="4 x 3 x 5; choose one plane"):
        read_image(cube)
    table = write(
        tmp_path / "table.fits",
        fits.PrimaryHDU(),
        fits.BinTableHDU(QTable({"x": [1.0]}), name="STARS"),
    )
    with pytest.raises(FileFormatError, match=r"has no image; it has .* \(table\)"):
        read_image(table)
    with pytest.raises(FileFormatError, match="'STARS' is no image"):
        read_image(table, "STARS")
    blank = write(tmp_path / "nan.fits", fits.PrimaryHDU(plane * np.nan))
    with pytest.raises(FileFormatError, match="no pixel with a finite value"):
        read_image(blank)


@pytest.mark.parametrize("ext", ["SCI", "7", "SCI,2", "SCI,x"])
def test_unknown_extension_lists_those_there(tmp_path, plane, ext):
    path = write(tmp_path / "a.fits", fits.PrimaryHDU(plane))
    with pytest.raises(FileFormatError, match=r"it has 0 PRIMARY \(4 x 3\)"):
        read_image(path, ext)


def test_broken_files(tmp_path):
    text = tmp_path / "a.fits"
    text.write_text("not FITS", encoding="utf-8")
    with pytest.raises(FileFormatError, match="is not a FITS file"):
        read_image(text)
    whole = write(tmp_path / "b.fits", fits.PrimaryHDU(np.zeros((100, 100))))
    cut = tmp_path / "cut.fits"
    cut.write_bytes(whole.read_bytes()[:20000])
    with pytest.raises(FileFormatError, match="cut off"):
        read_image(cut)
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        read_image(tmp_path / "c.fits")
    with pytest.raises(IsADirectoryError, match="is a directory"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("card", "broken"),
    [
        (b"XTENSION= 'IMAGE   '", b"XTENSION=%'IMAGE   '"),
        (b"NAXIS1  =                  100", b"NAXIS1  =                   x0"),
        (b"NAXIS   =                    2", b"NAXIS   =                    7"),
        (b"BITPIX  =                  -64", b"BITPIX  =                   99"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_headers(tmp_path, card, broken):
    image = fits.ImageHDU(np.zeros((100, 100)), name="SCI")
    path = write(tmp_path / "a.fits", fits.PrimaryHDU(), image)
    content = path.read_bytes()
    assert content.count(card) == 1
    path.write_bytes(content.replace(card, broken))
    with pytest.raises(FileFormatError, match=r"a\.fits") as error:
        read_image(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "HCOMPRESS_1"])
def test_broken_compressed_images(tmp_path, kind):
    data = np.random.default_rng(0).normal(100, 10, (200, 200)).astype(np.float32)
    image = fits.CompImageHDU(data, name="SCI", compression_type=kind)
    path = write(tmp_path / "a.fits", fits.PrimaryHDU(), image)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20000] = b"\xa5" * len(content[middle : middle + 20000])
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match="cut off or broken"):
        read_image(path)


def test_galactic_wcs_gives_icrs(tmp_path, plane):
    path = write(tmp_path / "a.fits", fits.PrimaryHDU(plane, galactic_header()))
    image = read_image(path)
    catalog = QTable({"x_fit": [0.0, 3.0, np.nan], "y_fit": [0.0, 1.5, 1.0]})
    catalog["flux_fit"] = [1.0, 2.0, 3.0]
    add_sky_coordinates(catalog, image.wcs)
    assert catalog.colnames == ["x_fit", "y_fit", "ra", "dec", "flux_fit"]
    # Plate carree with the equator through the reference: linear in l and b.
    l_deg = 18.0 - (np.array([1.0, 4.0]) - 100) / 3000
    b_deg = (np.array([1.0, 2.5]) + 30) / 3000
    sky = SkyCoord(l_deg * u.deg, b_deg * u.deg, frame="galactic").icrs
    assert catalog["ra"].unit == u.deg
    np.testing.assert_allclose(catalog["ra"][:2].value, sky.ra.deg, atol=1e-9)
    np.testing.assert_allclose(catalog["dec"][:2].value, sky.dec.deg, atol=1e-9)
    assert np.isnan(catalog["ra"][2])


def test_linear_wcs_is_no_celestial_one(tmp_path, plane):
    hdu = fits.PrimaryHDU(plane)
    hdu.header["CRPIX1"] = 1.0
    hdu.header["CDELT1"] = 2.0
    assert read_image(write(tmp_path / "a.fits", hdu)).wcs is None


def test_broken_wcs_warns(tmp_path, plane):
    header = galactic_header()
    header["CTYPE2"] = "GLAT-TAN"
    with pytest.warns(AstropyUserWarning, match="no RA and Dec"):
        image = read_image(write(tmp_path / "a.fits", fits.PrimaryHDU(plane, header)))
    assert image.wcs is None


def test_written_image_keeps_wcs_and_unit(tmp_path, plane):
    header = galactic_header()
    header["BUNIT"] = "MJy/sr"
    hdu = fits.PrimaryHDU(plane.astype(np.int16), header)
    hdu.header["BLANK"] = -99
    image = read_image(write(tmp_path / "a.fits", hdu))
    write_image(tmp_path / "b.fits", image.data - 0.5, image, history="half off")
    again = read_image(tmp_path / "b.fits")
    np.testing.assert_array_equal(again.data, plane - 0.5)
    assert again.unit == u.MJy / u.sr
    assert again.wcs.wcs.compare(image.wcs.wcs)
    assert "half off" in str(again.header["HISTORY"])


def test_written_error_becomes_err(tmp_path, plane):
    image = read_image(write(tmp_path / "a.fits", fits.PrimaryHDU(plane)))
    out = tmp_path / "b.fits"
    write_image(out, plane, image, history="x", error=plane * 0 + 2)
    np.testing.assert_array_equal(read_image(out).error, 2)


def test_replacing_leaves_the_old_file_when_it_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")

    def interrupted():
        with replacing(path) as part:
            part.write_text("half", encoding="utf-8")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text(encoding="utf-8") == "old"
    with replacing(path) as part:
        part.write_text("new", encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text(encoding="utf-8") == "new"


def test_check_writable(tmp_path):
    known = (".fits", ".fits.gz")
    check_writable(tmp_path / "a.fits.gz", known)
    check_writable(tmp_path / "v1.2.FITS", known)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"'\.csv'; use one of \.fits, \.fits\.gz"):
        check_writable(tmp_path / "a.csv", known)
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        check_writable(tmp_path / "none" / "a.fits", known)
    there = tmp_path / "there.fits"
    there.touch()
    with pytest.raises(FileExistsError, match="exists already"):
        check_writable(there, known)
    check_writable(there, known, overwrite=True)
