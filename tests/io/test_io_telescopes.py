"""Files of JWST, HST and Roman: coordinates, pixel areas, places on detectors."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import ICRS, SkyCoord
from astropy.io import fits
from astropy.nddata import NDData
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from stdpsf_files import write_stdpsf
from telescope_files import cal_hdus, flc_hdus, write

from psfphot.io import (
    GeneralizedWCS,
    MissingPackageError,
    Psf,
    add_sky_coordinates,
    check_detector,
    correct_pixel_area,
    find_zero_point,
    place_psf,
    place_sources,
    read_image,
    read_psf,
    write_image,
)
from psfphot.psf import GriddedPSFModel

GWCS = pytest.mark.skipif(find_spec("gwcs") is None, reason="needs gwcs")

SIP = {"A_2_0": 2e-5, "A_0_2": 1e-5, "B_1_1": 3e-5, "B_2_0": -1e-5}


def shared(name):
    """Return a real file of the folder that PSFPHOT_SHARED_DATA names."""
    path = Path(os.environ.get("PSFPHOT_SHARED_DATA", "")) / name
    if "PSFPHOT_SHARED_DATA" not in os.environ or not path.exists():
        pytest.skip("needs PSFPHOT_SHARED_DATA")
    return path


@pytest.fixture
def plane():
    return np.random.default_rng(2).normal(5, 1, (80, 90))


class AnyGWCS:
    """What gwcs is to us: a distorted tangent plane, NaN outside its box."""

    name = "made up"

    class output_frame:  # noqa: N801
        reference_frame = ICRS()

    def __init__(self):
        self._wcs = WCS(naxis=2)
        self._wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        self._wcs.wcs.crval, self._wcs.wcs.crpix = [359.9999, 60.0], [50, 40]
        self._wcs.wcs.cd = np.array([[-1.6e-5, 1e-6], [1e-6, 1.7e-5]])

    def __call__(self, x, y, with_bounding_box=True):
        bent_x = x + 1e-4 * x * y - 2e-5 * x**2 + 1e-9 * y**3
        bent_y = y - 1e-4 * y**2 + 3e-5 * x**2
        lon, lat = self._wcs.all_pix2world(bent_x, bent_y, 0)
        inside = (x > -0.5) & (x < 89.5) & (y > -0.5) & (y < 79.5)
        hide = with_bounding_box & ~inside
        return np.where(hide, np.nan, lon), np.where(hide, np.nan, lat)


def test_newton_inverts_what_has_no_inverse():
    wcs = GeneralizedWCS(AnyGWCS(), (80, 90), offset=(7, -3))
    x, y = np.random.default_rng(3).uniform(-40, 130, (2, 500))
    sky = wcs.pixel_to_world(x, y)
    # Right ascension passes through 0 on the image.
    assert sky.ra.deg.max() > 359
    assert sky.ra.deg.min() < 1
    for frame in ("icrs", "galactic"):
        np.testing.assert_allclose(
            wcs.world_to_pixel(sky.transform_to(frame)), [x, y], atol=1e-6
        )
    exact = 1.6e-5 * 1.7e-5 - 1e-12
    assert wcs.pixel_area.to_value(u.deg**2) == pytest.approx(exact, rel=0.03)


def test_catalogues_on_a_generalized_wcs(tmp_path, plane):
    image = read_image(write(tmp_path / "a.fits", cal_hdus(plane)))
    object.__setattr__(image, "wcs", GeneralizedWCS(AnyGWCS(), (80, 90)))
    catalog = QTable({"x_fit": [10.0, np.nan, 70.0], "y_fit": [20.0, 1.0, 60.0]})
    catalog["x_err"], catalog["y_err"] = np.full((2, 3), 0.01)
    add_sky_coordinates(catalog, image.wcs)
    assert catalog.colnames[2:4] == ["ra", "dec"]
    # 0.01 pixels of 0.058 and 0.061 arcsec.
    np.testing.assert_allclose(catalog["ra_err"][0].to_value(u.mas), 0.58, rtol=0.05)
    np.testing.assert_allclose(catalog["dec_err"][0].to_value(u.mas), 0.61, rtol=0.05)
    assert np.isnan(catalog["ra_err"][1])
    known = catalog[[0, 2]]
    far = SkyCoord(90 * u.deg, -60 * u.deg)
    sky = SkyCoord([*known["ra"], far.ra], [*known["dec"], far.dec])
    placed = place_sources(QTable({"at": sky}), image, name="c")
    np.testing.assert_allclose(placed.x, [10, 70, np.nan], atol=1e-6)
    np.testing.assert_allclose(placed.y, [20, 60, np.nan], atol=1e-6)


def gwcs_of(header):
    """Make a gwcs of a header's WCS, with SIP, as pipelines do."""
    from astropy.coordinates import ICRS  # noqa: PLC0415
    from astropy.modeling import models  # noqa: PLC0415
    from gwcs import WCS as Generalized  # noqa: PLC0415, N811
    from gwcs import coordinate_frames as frames  # noqa: PLC0415

    wcs = WCS(header)
    crpix = np.array(wcs.wcs.crpix) - 1
    x, y = models.Polynomial2D(2, c1_0=1), models.Polynomial2D(2, c0_1=1)
    for key, value in SIP.items():
        axis, i, j = key.split("_")
        setattr(x if axis == "A" else y, f"c{i}_{j}", value)
    cd = wcs.wcs.cd
    forward = (
        models.Shift(-crpix[0]) & models.Shift(-crpix[1])
        | models.Mapping((0, 1, 0, 1))
        | x & y
        | models.AffineTransformation2D(cd)
        | models.Pix2Sky_TAN()
        | models.RotateNative2Celestial(*wcs.wcs.crval, 180)
    )
    detector = frames.Frame2D(name="detector", unit=(u.pix, u.pix))
    sky = frames.CelestialFrame(reference_frame=ICRS(), name="world")
    made = Generalized([(detector, forward), (sky, None)])
    made.bounding_box = ((-0.5, 299.5), (-0.5, 299.5))
    return made


def asdf_hdu(tree):
    import io  # noqa: PLC0415

    import asdf  # noqa: PLC0415

    buffer = io.BytesIO()
    asdf.AsdfFile(tree).write_to(buffer)
    content = np.frombuffer(buffer.getvalue(), np.uint8)
    column = fits.Column("ASDF_METADATA", f"{len(content)}B", array=[content])
    return fits.BinTableHDU.from_columns([column], name="ASDF")


@GWCS
@pytest.mark.parametrize("offset", [(0, 0), (40, 100)])
def test_gwcs_of_the_asdf_extension(tmp_path, plane, offset):
    hdus = cal_hdus(plane, sip=SIP)
    whole = hdus[1].header.copy()
    whole["CRPIX1"] += offset[0]
    whole["CRPIX2"] += offset[1]
    hdus.append(asdf_hdu({"meta": {"wcs": gwcs_of(whole)}}))
    image = read_image(write(tmp_path / "cal.fits", hdus))
    assert image.wcs_source.startswith("gwcs in the ASDF extension")
    assert image.wcs.offset == image.detector.offset == offset
    x, y = np.random.default_rng(3).uniform(-10, 90, (2, 50))
    want = WCS(hdus[1].header).pixel_to_world(x, y)
    assert image.wcs.pixel_to_world(x, y).separation(want).max() < 1e-7 * u.arcsec
    np.testing.assert_allclose(image.wcs.world_to_pixel(want), [x, y], atol=1e-6)


@GWCS
def test_gwcs_of_another_image_is_not_taken(tmp_path, plane):
    hdus = cal_hdus(plane, sip=SIP)
    header = hdus[1].header.copy()
    header["CRPIX1"] += 0.5
    header["CD1_1"] *= 1.5
    hdus.append(asdf_hdu({"meta": {"wcs": gwcs_of(header)}}))
    path = write(tmp_path / "cal.fits", hdus)
    with pytest.warns(AstropyUserWarning, match="gwcs in the file is of another"):
        assert isinstance(read_image(path).wcs, WCS)


def test_without_gwcs_the_header_serves_and_that_is_said(tmp_path, plane, monkeypatch):
    monkeypatch.setattr("psfphot.io._wcs.has_gwcs", lambda: False)
    column = fits.Column("ASDF_METADATA", "3B", array=[[1, 2, 3]])
    hdus = [
        *cal_hdus(plane, sip=SIP),
        fits.BinTableHDU.from_columns([column], name="ASDF"),
    ]
    path = write(tmp_path / "cal.fits", hdus)
    with pytest.warns(AstropyUserWarning, match=r"SIP approximation.*psfphot\[jwst\]"):
        assert read_image(path).wcs_source == "the header, RA---TAN-SIP"


@GWCS
def test_a_broken_asdf_extension(tmp_path, plane):
    column = fits.Column("ASDF_METADATA", "3B", array=[[1, 2, 3]])
    hdus = [
        *cal_hdus(plane, sip=SIP),
        fits.BinTableHDU.from_columns([column], name="ASDF"),
    ]
    path = write(tmp_path / "cal.fits", hdus)
    with pytest.warns(AstropyUserWarning, match="the gwcs cannot be read"):
        assert isinstance(read_image(path).wcs, WCS)


@GWCS
def test_roman_level_2(tmp_path, plane):
    import asdf  # noqa: PLC0415

    header = cal_hdus(plane, sip=SIP)[1].header
    flags = np.zeros(plane.shape, np.uint32)
    flags[1, 2], flags[3, 4], flags[5, 6] = 1, 3, 2
    meta = {
        "wcs": gwcs_of(header),
        "instrument": {"name": "WFI", "detector": "WFI07", "optical_element": "F158"},
        "photometry": {"conversion_megajanskys": 0.5, "pixel_area": 2.8e-13},
        "exposure": {"exposure_time": 107.0},
    }
    data = plane.astype(np.float32)
    roman = {"meta": meta, "data": data, "err": data * 0 + 0.5, "dq": flags}
    path = tmp_path / "r_cal.asdf"
    asdf.AsdfFile({"roman": roman}).write_to(path)
    image = read_image(str(path))
    np.testing.assert_array_equal(image.data, data)
    np.testing.assert_array_equal(image.error, 0.5)
    assert np.argwhere(image.mask).tolist() == [[1, 2], [3, 4]]
    assert np.argwhere(image.saturated).tolist() == [[3, 4]]
    assert (image.detector.name, image.detector.filters) == ("WFI07", ("F158",))
    # 1 DN/s is 0.5 MJy/sr times 2.8e-13 sr: 1.4e-7 Jy.
    assert find_zero_point(image).value == pytest.approx(
        -2.5 * np.log10(1.4e-7 / 3631), abs=1e-3
    )
    sky = image.wcs.pixel_to_world(10.0, 20.0)
    assert sky.separation(WCS(header).pixel_to_world(10.0, 20.0)) < 1e-7 * u.arcsec
    with pytest.raises(ValueError, match="mask is for FITS files"):
        read_image(path, mask="DQ==1")
    path.write_bytes(b"#ASDF 1.0.0\nnothing")
    with pytest.raises(ValueError, match="is no level 2 image of Roman"):
        read_image(path)


def test_roman_needs_packages(tmp_path, monkeypatch):
    monkeypatch.setattr("psfphot.io._roman.has_gwcs", lambda: False)
    (tmp_path / "a.asdf").touch()
    with pytest.raises(MissingPackageError, match=r"psfphot\[jwst\]"):
        read_image(tmp_path / "a.asdf")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_image(tmp_path / "b.asdf")


def test_lookup_tables_are_read_and_written_with_the_image(tmp_path, plane):
    path = write(tmp_path / "j_flc.fits", flc_hdus(plane))
    image = read_image(path)
    bare = WCS(
        {
            k: v
            for k, v in image.header.items()
            if k[:3] in ("CTY", "CRV", "CRP", "CD1", "CD2")
        }
    )
    sky = image.wcs.pixel_to_world(10.0, 12.0)
    assert sky.separation(bare.pixel_to_world(10.2, 11.9)) < 1e-6 * u.arcsec
    for name, error in (("r.fits", None), ("s.fits", plane)):
        write_image(tmp_path / name, plane, image, history="x", error=error)
        again = read_image(tmp_path / name)
        assert again.wcs.pixel_to_world(10.0, 12.0).separation(sky) < 1e-9 * u.arcsec


def flux_table(x, y):
    catalog = QTable({"x_fit": x, "y_fit": y, "flux_fit": np.full(len(x), 100.0)})
    catalog["flux_err"] = np.full(len(x), 2.0)
    catalog["flux_fit"] = catalog["flux_fit"] * u.DN
    return catalog


def test_the_area_extension_corrects_fluxes(tmp_path, plane):
    area = 0.97 + 0.06 * np.mgrid[:80, :90][1] / 89
    area[0, 0] = 0
    image = read_image(write(tmp_path / "cal.fits", cal_hdus(plane, area)))
    catalog = flux_table([44.6, 200.0, np.nan, 0.0], [10.2, 30.0, 1.0, 0.0])
    correct_pixel_area(catalog, image.area)
    want = [area[10, 45], area[30, 89], np.nan, np.nan]
    np.testing.assert_allclose(catalog["pixel_area"], want, rtol=1e-6)
    np.testing.assert_allclose(
        catalog["flux_fit"].to_value(u.DN)[:2], 100 * np.array(want[:2]), rtol=1e-6
    )
    np.testing.assert_allclose(
        catalog["flux_err"][:2], 2 * np.array(want[:2]), rtol=1e-6
    )
    assert catalog.meta["pixel_area"] == "the AREA extension"


def test_hst_pixel_areas_by_the_distortion(tmp_path, plane):
    hdus = flc_hdus(plane, sip=SIP, IDCSCALE=0.036 / 1.01)
    image = read_image(write(tmp_path / "flc.fits", hdus))
    x, y = np.array([3.0, 44.0, 88.0]), np.array([70.0, 39.0, 2.0])

    # From the four corners of each pixel, by the formula of SIP.
    def bent(x, y):
        du, dv = x - 44, y - 39
        return (
            du + SIP["A_2_0"] * du**2 + SIP["A_0_2"] * dv**2,
            dv + SIP["B_1_1"] * du * dv + SIP["B_2_0"] * du**2,
        )

    corners = np.array(
        [
            bent(x + dx, y + dy)
            for dx, dy in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
        ]
    )
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    want = 0.5 * ((x2 - x0) * (y3 - y1) - (x3 - x1) * (y2 - y0)) * 1.01**2
    np.testing.assert_allclose(image.area.at(x, y), want, rtol=1e-9)
    # Drizzled images have pixels of one size.
    hdus[0].header["NDRIZIM"] = 4
    assert read_image(write(tmp_path / "drc.fits", hdus)).area is None


def test_zero_area_does_not_depend_on_the_pixels_read(tmp_path, plane):
    hdus = cal_hdus(plane, np.zeros((80, 90)))
    path = write(tmp_path / "cal.fits", hdus)
    with pytest.warns(AstropyUserWarning, match="AREA extension is left out"):
        assert read_image(path).area is None


@pytest.fixture
def grid():
    """FWHM that grows along x: the samples say which node they are of."""
    y, x = np.mgrid[-20:21, -20:21] / 4
    nodes = [(i, j) for j in (0, 1024, 2047) for i in (0, 1024, 2047)]
    planes = [
        np.exp(-(x**2 + y**2) / (2 * (0.9 + i / 1e4 + j / 2e4) ** 2)) for i, j in nodes
    ]
    planes = [plane * 16 / plane.sum() for plane in planes]
    meta = {"grid_xypos": nodes, "oversampling": 4}
    meta |= {"detector": ("NRCB1", "a comment"), "filter": "F200W"}
    return Psf(GriddedPSFModel(NDData(np.array(planes), meta=meta)), "grid", 2.1)


@pytest.mark.parametrize(
    "words",
    [
        {"SUBSTRT1": 1857, "SUBSTRT2": 901},
        {"LTV1": -1856.0, "LTV2": -900.0},
        {"SUBSTRT1": 1801, "SUBSTRT2": 801, "LTV1": -56.0, "LTV2": -100.0},
    ],
)
def test_subarrays_and_cutouts_get_the_psfs_of_their_place(
    tmp_path, plane, grid, words
):
    image = read_image(write(tmp_path / "sub.fits", cal_hdus(plane, **words)))
    assert image.detector.offset == (1856, 900)
    check = check_detector(image, grid)
    assert check.warnings == ()
    moved = place_psf(grid, check.offset)
    x, y = np.meshgrid(np.arange(20.0), np.arange(25.0))
    here = moved.model.evaluate(x, y, 10.0, 9.3, 11.8)
    there = grid.model.evaluate(x + 1856, y + 900, 10.0, 9.3 + 1856, 11.8 + 900)
    np.testing.assert_allclose(here, there, atol=1e-12)
    assert "(1856, 900)" in moved.description
    assert place_psf(grid, (0.0, 0.0)) is grid


def test_binned_images_and_those_off_the_grid(tmp_path, plane, grid):
    words = {"LTV1": 0.5, "LTV2": 0.5, "LTM1_1": 0.5, "LTM2_2": 0.5}
    image = read_image(write(tmp_path / "bin.fits", cal_hdus(plane, **words)))
    # The first pixel, from 1, covers the detector's 1 and 2: its centre is 1.5 - 0.5.
    assert image.detector.binning == (2, 2)
    check = check_detector(image, grid)
    assert check.offset == (0, 0)
    assert "binned by 2 x 2" in check.warnings[0]
    words = {"SUBSTRT1": 9001, "SUBSTRT2": 1}
    image = read_image(write(tmp_path / "off.fits", cal_hdus(plane, **words)))
    assert "the grid has no PSFs" in check_detector(image, grid).warnings[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, []),
        ({"PUPIL": "F200W", "FILTER": "CLEAR"}, []),
        ({"DETECTOR": "NRCALONG"}, ["of detector NRCB1, the image of NRCALONG"]),
        ({"FILTER": "F444W"}, ["of filter F200W, the image of F444W"]),
        ({"FILTER": "F150W2", "PUPIL": "F162M"}, ["the image of F150W2 and F162M"]),
        ({"S_RESAMP": "COMPLETE", "SUBSTRT1": 50}, []),
    ],
)
def test_another_detector_or_filter_is_a_warning(tmp_path, plane, grid, words, said):
    image = read_image(write(tmp_path / "a.fits", cal_hdus(plane, **words)))
    check = check_detector(image, grid)
    assert check.offset == (0, 0)
    assert len(check.warnings) == len(said)
    for text, want in zip(check.warnings, said, strict=True):
        assert want in text


@pytest.mark.parametrize(("chip", "name"), [(1, "WFC1"), (2, "WFC2")])
def test_two_chip_files_choose_by_ccdchip(tmp_path, plane, chip, name):
    image = read_image(write(tmp_path / "flc.fits", flc_hdus(plane, chip=chip)))
    assert (image.gain.value, image.read_noise.value) == (2.05, 4.2)
    psf = read_psf(
        write_stdpsf(tmp_path, "STDPSF_ACSWFC_F814W"), detector=image.detector
    )
    assert psf.model.meta["detector"] == name
    assert check_detector(image, psf).warnings == ()
    other = read_psf(
        tmp_path / "STDPSF_ACSWFC_F814W.fits", detector_id=chip, detector=image.detector
    )
    assert f"chip {chip}" in check_detector(image, other).warnings[0]


def test_the_real_cutout_has_the_gwcs_of_its_place():
    pytest.importorskip("gwcs")
    image = read_image(shared("nircam_f444w_cal_cutout.fits"))
    assert image.detector.offset == (400, 100)
    # The gwcs and the AREA extension are independent measures of a pixel's size.
    nominal = image.keyword("PIXAR_SR") * u.sr
    area = image.area.at(np.array([49.5]), np.array([49.5]))[0]
    assert (image.wcs.pixel_area / nominal).to_value("") == pytest.approx(
        area, abs=2e-3
    )
