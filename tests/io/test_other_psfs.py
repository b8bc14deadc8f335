"""PSF files of other programs are told apart, with what to do about them."""

import numpy as np
import pytest
from astropy.io import fits

from psfphot.io import FileFormatError, read_psf


def test_daophot(tmp_path):
    path = tmp_path / "d.psf"
    path.write_text(
        " GAUSSIAN   21    2    1    0   14.105       2738.168    100.0    100.0\n"
        "  1.300000E+00 1.300000E+00\n"
    )
    with pytest.raises(FileFormatError, match=r"PSF of DAOPHOT.*ADDSTAR"):
        read_psf(str(path))


@pytest.mark.parametrize("oversampling", [None, 2])
def test_table_of_residuals_of_iraf(tmp_path, oversampling):
    hdu = fits.PrimaryHDU(np.ones((9, 9)))
    hdu.header.update(PACKAGE="daophot", TASK="psf", FUNCTION="gauss")
    hdu.writeto(tmp_path / "i.fits")
    with pytest.raises(FileFormatError, match=r"residuals.*seepsf"):
        read_psf(str(tmp_path / "i.fits"), oversampling=oversampling)


def test_piff(tmp_path):
    column = fits.Column("type", "6A", array=["Simple"])
    table = fits.BinTableHDU.from_columns([column], name="psf")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "p.piff")
    with pytest.raises(FileFormatError, match=r"PSF of Piff.*piff.read\(file\).draw"):
        read_psf(str(tmp_path / "p.piff"))
