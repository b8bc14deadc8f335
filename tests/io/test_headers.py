"""Headers with values that cannot be read: an error names file and keyword."""

import numpy as np
import pytest
from astropy.io import fits
from cli_field import make_field

from psfphot.datasets import make_model_params
from psfphot.io import FileFormatError, read_image, read_psf
from psfphot.psf import GriddedPSFModel

CARD = 80


def write_card(path, hdu, keyword, value):
    """Write an image with the text of one value as it is."""
    hdu.header[keyword] = 1
    hdu.writeto(path)
    content = bytearray(path.read_bytes())
    at = content.index(f"{keyword:<8}=".encode())
    content[at : at + CARD] = f"{keyword:<8}= {value:>20}".encode().ljust(CARD)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("keyword", ["GAIN", "SATURATE", "RDNOISE", "BUNIT", "LTV1"])
@pytest.mark.parametrize("value", ["NaN", "=3", "1 2"])
def test_values_that_cannot_be_read(tmp_path, keyword, value):
    path = write_card(
        tmp_path / "x.fits", fits.PrimaryHDU(make_field()), keyword, value
    )
    with pytest.raises(FileFormatError, match=rf"x\.fits.*{keyword}"):
        read_image(path)


def test_a_value_that_nobody_asks_for_may_be_anything(tmp_path):
    hdu = fits.PrimaryHDU(make_field())
    assert (
        read_image(write_card(tmp_path / "x.fits", hdu, "MOONAGE", "NaN")).wcs is None
    )
    with pytest.raises(FileFormatError, match=r"x\.fits.*keyword MOONAGE cannot be"):
        read_image(tmp_path / "x.fits").keyword("MOONAGE")


@pytest.mark.parametrize("value", ["9" * 60, "1E300", "-1E300", "1E400"])
@pytest.mark.parametrize("keyword", ["GAIN", "SATURATE", "LTV1", "PHOTPLAM"])
def test_numbers_beyond_the_range_of_floats_end_nothing(tmp_path, keyword, value):
    path = write_card(
        tmp_path / "x.fits", fits.PrimaryHDU(make_field()), keyword, value
    )
    assert read_image(path).data.shape == make_field().shape


@pytest.mark.parametrize("value", [1e300, -4, 2.5, "four"])
def test_the_oversampling_is_named_where_it_is_none(tmp_path, value):
    header = fits.Header({"OVERSAMP": value})
    fits.writeto(tmp_path / "p.fits", np.ones((9, 9), np.float32), header)
    with pytest.raises(FileFormatError, match=r"p\.fits: .*OVERSAMP is .*--oversampl"):
        read_psf(tmp_path / "p.fits")


@pytest.mark.parametrize("kind", ["np.float64({})", "np.float32({})", "{}", " {} "])
def test_positions_as_numpy_writes_them(tmp_path, kind):
    y, x = np.mgrid[-20:21, -20:21] / 4
    hdu = fits.PrimaryHDU(np.array([np.exp(-(x**2 + y**2) / 2)] * 4))
    hdu.header["OVERSAMP"] = 4
    for i, pair in enumerate([(0, 0), (0, 2047), (2047, 0), (2047, 2047)]):
        first, second = (kind.format(float(at)) for at in pair)
        hdu.header[f"DET_YX{i}"] = f"({first}, {second})"
    hdu.writeto(tmp_path / "g.fits")
    model = GriddedPSFModel.read(tmp_path / "g.fits")
    expected = [[0, 0], [2047, 0], [0, 2047], [2047, 2047]]
    assert model.grid_xypos.tolist() == expected


@pytest.mark.parametrize("words", ["gaussian:1e-9", "moffat:0.01", "airy:1e9"])
def test_no_star_is_that_narrow_or_wide(words):
    with pytest.raises(ValueError, match=r"needs a width from 0.1 to 100 pixels"):
        read_psf(words)


@pytest.mark.parametrize("limits", [(-1.7e308, 1.7e308), (1, 10**400), (1, 1e309)])
def test_ranges_of_fluxes_beyond_that_of_floats(limits):
    with pytest.raises(ValueError, match=r"flux (is|must)|large for a float"):
        make_model_params((50, 50), 5, flux=limits)
