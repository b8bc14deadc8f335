"""STDPSF files: `GriddedPSFModel.read` and `STDPSFGrid`."""

import gzip
import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from stdpsf_files import FILES, NIRCAM, WFPC2, numbers, stdpsf_hdu, write_stdpsf

from psfphot.psf import GriddedPSFModel, STDPSFGrid

EVERY_DETECTOR = [
    (name, number) for name, (n, *_) in FILES.items() for number in range(1, n + 1)
]


@pytest.mark.parametrize("name", [None, "stdpsf"])
@pytest.mark.parametrize(("file", "detector"), EVERY_DETECTOR)
def test_every_detector_is_photutils(tmp_path, load_golden, file, detector, name):
    golden = load_golden("stdpsf")
    path = write_stdpsf(tmp_path, file)
    chosen = None if FILES[file][0] == 1 else detector
    model = GriddedPSFModel.read(path, name, chosen)
    key = f"{file}:{detector}"
    assert numbers(model) == golden[f"{key}:images"].tolist()
    assert model.grid_xypos.tolist() == golden[f"{key}:xy"].tolist()
    assert model.oversampling.tolist() == [4, 4]
    meta = {k: v for k, v in model.meta.items() if k not in ("oversampling", "STDPSF")}
    del meta["grid_xypos"]
    assert meta == golden["meta"][key]
    assert model.meta.get("STDPSF", str(path)) == str(path)


def test_a_detector_by_hand(tmp_path):
    # As the headers of NIRCam's files draw it: B2 is below at the right, and
    # its second row starts with image 36 of 1 to 200.
    path = write_stdpsf(tmp_path, "STDPSF_NRCSW_F200W")
    model = GriddedPSFModel.read(path, detector_id=6)
    assert numbers(model)[:6] == [15, 16, 17, 18, 19, 35]
    assert model.grid_xypos[5].tolist() == [0, 511]
    assert model.grid_xypos[-1].tolist() == [2047, 2047]
    assert str(model).count("Detector: B2") == 1
    # Chip 1 of WFC3/UVIS, extension (SCI, 2), is above.
    path = write_stdpsf(tmp_path, "STDPSF_WFC3UV_F606W")
    model = GriddedPSFModel.read(path, detector_id=np.int64(2))
    assert numbers(model)[0] == 28
    assert model.grid_xypos[:, 1].min() == 0
    assert model.meta["detector"] == "UVIS1"


def test_one_detector_ignores_the_id(tmp_path):
    path = write_stdpsf(tmp_path, "STDPSF_NRCA1_F150W")
    model = GriddedPSFModel.read(path, detector_id=7)
    assert model.meta["detector"] == "A1"
    assert len(model.data) == 25


def test_as_many_positions_as_a_mosaic_on_one_detector(tmp_path):
    # WFPC2's four detectors have 6 x 6 positions within 1600 pixels.
    axis = [1, 410, 820, 1230, 1640, 2048]
    path = tmp_path / "STDPSF_NRCA1_F150W.fits"
    stdpsf_hdu(axis, axis).writeto(path)
    model = GriddedPSFModel.read(path)
    assert len(model.data) == 36
    assert model.grid_xypos[-1].tolist() == [2047, 2047]


def test_positions_that_are_not_integers(tmp_path):
    path = tmp_path / "a.fits"
    stdpsf_hdu([1.5, 100], [1, 90.25]).writeto(path)
    model = GriddedPSFModel.read(path)
    assert model.grid_xypos[-1].tolist() == [99, 89.25]


def test_any_way_to_give_a_file(tmp_path):
    name = "STDPSF_NRCA1_F150W"
    path = write_stdpsf(tmp_path, name)
    zipped = tmp_path / f"{name}.fits.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    expected = GriddedPSFModel.read(path)
    for given in (str(path), bytes(path), zipped, str(zipped)):
        for read in (GriddedPSFModel.read, STDPSFGrid):
            assert np.array_equal(read(given).data, expected.data)
            assert read(given).meta["detector"] == "A1"
    for given in (path, zipped):
        with given.open("rb") as file:
            for _ in range(2):  # from the start each time
                model = GriddedPSFModel.read(file)
                assert np.array_equal(model.data, expected.data)
                assert model.meta["STDPSF"] == str(given)
    nameless = GriddedPSFModel.read(io.BytesIO(path.read_bytes()))
    assert np.array_equal(nameless.data, expected.data)
    assert "STDPSF" not in nameless.meta
    with fits.open(path) as hdus:
        assert GriddedPSFModel.read(hdus).meta["STDPSF"] == str(path)
        assert np.array_equal(STDPSFGrid(hdus).data, expected.data)
    assert np.array_equal(GriddedPSFModel.read(path.as_uri()).data, expected.data)
    with pytest.raises(TypeError, match="opened in binary mode"):
        GriddedPSFModel.read(io.StringIO("SIMPLE"))


def test_a_header_that_bends_the_standard(tmp_path):
    # As NIRCam's: the values do not stand where they should.
    path = write_stdpsf(tmp_path, "STDPSF_NRCSW_F200W")
    content = path.read_bytes()
    bent = b"SIMPLE  = T".ljust(80)
    path.write_bytes(bent + content[80:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(GriddedPSFModel.read(path, detector_id=1).data) == 25


@pytest.mark.parametrize(
    ("file", "match"),
    [
        ("STDPSF_ACSWFC_F814W", "detector_id must be 1 or 2 .*got 3"),
        ("STDPSF_WFPC2_F814W", "detector_id must be between 1 and 4, inclusive"),
        ("STDPSF_NRCSW_F200W", "detector_id must be between 1 and 8, inclusive"),
    ],
)
def test_wrong_detectors(tmp_path, file, match):
    path = write_stdpsf(tmp_path, file)
    number = 3 if "ACS" in file else 9
    with pytest.raises(ValueError, match=match):
        GriddedPSFModel.read(path, detector_id=number)
    for bad in (0, -1, True):
        with pytest.raises(ValueError, match="detector_id must be"):
            GriddedPSFModel.read(path, detector_id=bad)
    for bad in ("A1", 1.0, [1]):
        with pytest.raises(TypeError, match="detector_id must be an integer"):
            GriddedPSFModel.read(path, detector_id=bad)
    with pytest.raises(ValueError, match="detector_id must be specified for") as caught:
        GriddedPSFModel.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"NXPSFS": None}, "not an STDPSF grid, which has the keyword NXPSFS"),
        ({"NYPSFS": None}, "not an STDPSF grid, which has the keyword NYPSFS"),
        ({"NXPSFS": 4}, r"NXPSFS \* NYPSFS is 4 \* 5, but NAXIS3 is 25"),
        ({"NXPSFS": "5"}, "NXPSFS must be a positive integer, got '5'"),
        ({"NYPSFS": 0}, "NYPSFS must be a positive integer, got 0"),
        ({"IPSFX01": None}, "the keyword IPSFX01 is missing, for 5 positions"),
        ({"JPSFY05": None}, "the keyword JPSFY05 is missing, for 5 positions"),
        ({"JPSFY02": "abc"}, "JPSFY02 must be a position in pixels, got 'abc'"),
        ({"JPSFY02": True}, "JPSFY02 must be a position in pixels, got True"),
        ({"JPSFY02": 1e300}, "JPSFY02 must be a position in pixels"),
        ({"JPSFY02": fits.card.UNDEFINED}, "JPSFY02 must be a position in pixels"),
        ({"JPSFY02": 0}, "IPSFX, JPSFY must not contain duplicate positions"),
    ],
)
def test_bad_keywords(tmp_path, keywords, match):
    path = tmp_path / "STDPSF_NRCA1_F150W.fits"
    stdpsf_hdu(NIRCAM, NIRCAM, **keywords).writeto(path)
    with pytest.raises(ValueError, match=match) as caught:
        GriddedPSFModel.read(path, format="stdpsf")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"IPSFXD5": None}, r"IPSFXA5... have 15 positions instead of 20"),
        ({"IPSFXB5": "1 2 3 4 a"}, "IPSFXA5... must be a position in pixels, got 'a'"),
        ({"JPSFYA5": "1 2 3 4"}, r"JPSFYA5... have 9 positions instead of 10"),
    ],
)
def test_bad_packed_keywords(tmp_path, keywords, match):
    _, x, y = FILES["STDPSF_NRCSW_F200W"]
    path = tmp_path / "a.fits"
    stdpsf_hdu(x, y, **keywords).writeto(path)
    with pytest.raises(ValueError, match=match):
        GriddedPSFModel.read(path)


def test_bad_images(tmp_path):
    hdu = stdpsf_hdu(NIRCAM, NIRCAM)
    hdu.data[7, 2, 2] = np.nan
    path = tmp_path / "a.fits"
    hdu.writeto(path)
    with pytest.raises(ValueError, match=r"a.fits: image 7 has NaN or infinite"):
        GriddedPSFModel.read(path)
    row = tmp_path / "row.fits"
    stdpsf_hdu(NIRCAM, [1]).writeto(row)
    with pytest.raises(ValueError, match=r"row.fits.*must form a rectangular grid"):
        GriddedPSFModel.read(row)
    assert STDPSFGrid(row).grid_shape == (1, 5)


@pytest.mark.parametrize("zipped", [False, True])
def test_truncated(tmp_path, zipped):
    path = write_stdpsf(tmp_path, "STDPSF_NRCSW_F200W")
    content = path.read_bytes()
    cut = tmp_path / ("cut.fits.gz" if zipped else "cut.fits")
    cut.write_bytes(gzip.compress(content)[:-200] if zipped else content[:4000])
    for given in (cut, io.BytesIO(cut.read_bytes())):
        for read in (GriddedPSFModel.read, STDPSFGrid):
            with pytest.raises(ValueError, match=r"damaged|ends before") as caught:
                read(given)
            name = cut.name if isinstance(given, Path) else "BytesIO"
            assert name in str(caught.value)


class TestSTDPSFGrid:
    def test_holds_all_of_the_file(self, tmp_path):
        path = write_stdpsf(tmp_path, "STDPSF_WFPC2_F814W")
        grid = STDPSFGrid(path)
        assert grid.data.shape == (36, 5, 6)
        assert numbers(grid) == list(range(36))
        assert grid.grid_shape == (6, 6)
        assert grid.grid_xypos[:2].tolist() == [[49, 49], [424, 49]]
        assert grid.grid_xypos[-1].tolist() == [WFPC2[-1] - 1] * 2
        assert grid.oversampling.tolist() == [4, 4]
        assert grid.meta == {
            "STDPSF": str(path),
            "instrument": "HST/WFPC2",
            "detector": "WFPC2",
            "filter": "F814W",
        }
        assert repr(grid).split("\n")[1:] == [
            f"STDPSF: {path}",
            "Instrument: HST/WFPC2",
            "Detector: WFPC2",
            "Filter: F814W",
            "Number of PSFs: 36",
            "Grid shape: (6, 6)",
            "PSF shape (oversampled pixels): (5, 6)",
            "Oversampling: (4, 4)",
        ]

    def test_a_position_on_two_detectors(self, tmp_path):
        grid = STDPSFGrid(write_stdpsf(tmp_path, "STDPSF_ACSWFC_F814W"))
        assert grid.grid_shape == (10, 9)
        assert len(np.unique(grid.grid_xypos, axis=0)) == 81

    def test_of_another_file(self, tmp_path):
        path = tmp_path / "a.fits"
        fits.PrimaryHDU(np.ones((4, 8, 8))).writeto(path)
        with pytest.raises(
            ValueError, match=r"not an STDPSF grid, which has .* NXPSFS"
        ):
            STDPSFGrid(path)
        with pytest.raises(TypeError, match="path must be a path, a file object or an"):
            STDPSFGrid(3)


def unfilled(images):
    """Make the outermost rows, and of one plane two, what real files have there."""
    images = images.copy()
    images[:, [0, -1]] = -0.1
    images[1, 1] = -0.1
    images[2, :, -1] = -0.1
    return images


def test_rows_that_were_never_filled_are_no_psf():
    offsets = (np.arange(41) - 20) / 4
    wings = np.exp(-(offsets**2) / 2)
    images = np.array([0.16 * np.outer(wings, wings)] * 4, dtype=np.float32)
    # A negative wing is one as long as it is not constant.
    images[:, 3, :7] = -1e-4
    hdu = stdpsf_hdu([1, 500], [1, 800])
    hdu.data = unfilled(images)
    model = GriddedPSFModel.read(fits.HDUList([hdu]))
    expected = images.copy()
    expected[:, [0, -1]] = 0
    expected[1, 1] = expected[2, :, -1] = 0
    np.testing.assert_array_equal(model.data, expected)
    assert STDPSFGrid(fits.HDUList([hdu])).data.min() == np.float32(-1e-4)
    model.x_0, model.y_0, model.flux = 0, 0, 1
    # No ringing of the spline where the border was.
    y, x = np.mgrid[-5:6, -5:6]
    assert model(x, y).min() > -2e-4
    assert model(x, y).sum() == pytest.approx(images[0].sum() / 16, rel=2e-3)


def test_a_real_file_is_read_as_it_is():
    folder = os.environ.get("PSFPHOT_SHARED_DATA", "")
    path = Path(folder) / "STDPSF_WFC3IR_F110W.fits"
    if not folder or not path.exists():
        pytest.skip("needs PSFPHOT_SHARED_DATA")
    data = fits.getdata(path)
    np.testing.assert_array_equal(GriddedPSFModel.read(path).data, data)
    hdus = fits.HDUList([fits.PrimaryHDU(unfilled(data), fits.getheader(path))])
    model = GriddedPSFModel.read(hdus)
    np.testing.assert_allclose(model.data.sum((1, 2)), data.sum((1, 2)), atol=0.02)
