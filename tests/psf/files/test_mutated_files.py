"""Files of PSFs with random faults: read, or refused with the file's name."""

import gzip
import io
import random
import warnings

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from stdpsf_files import WFPC2, stdpsf_hdu

from psfphot.io import FileFormatError, read_psf
from psfphot.psf import GriddedPSFModel, STDPSFGrid

BLOCK, CARD = 2880, 80
STAMP = np.add.outer(np.arange(8.0), np.arange(9.0)).astype(np.float32)
# What stands in a card in place of its value.
VALUES = [b"-1", b"0", b"3", b"2.5", b"T", b"", b"'abc'", b"'(1,2'", b"(1, 2)", b"-32"]
VALUES += [b"64", b"2147483648", b"9" * 20, b"1E400", b"NaN"]
# NaN, infinity and zero as FITS has them.
PIXELS = [b"\x7f\xc0\0\0", b"\x7f\x80\0\0", b"\0\0\0\0"]


def content(*hdus):
    file = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(file)
    return file.getvalue()


def stpsf_hdu():
    hdu = fits.PrimaryHDU(np.array([STAMP] * 4))
    hdu.header["OVERSAMP"] = 4
    for i, (y, x) in enumerate([(0, 0), (0, 9), (9, 0), (9, 9)]):
        hdu.header[f"DET_YX{i}"] = f"({y}.0, {x}.0)"
    return hdu


def image_hdu(kind):
    return kind(STAMP, fits.Header({"OVERSAMP": 4}))


FILES = {
    "stpsf": content(stpsf_hdu()),
    "stdpsf": content(stdpsf_hdu([1, 500], [1, 800])),
    "packed": content(stdpsf_hdu([[0, 512, 1024, 1536, 2048]], [1, 500])),
    "mosaic": content(stdpsf_hdu(WFPC2, WFPC2)),
    "image": content(image_hdu(fits.PrimaryHDU)),
    "extension": content(fits.PrimaryHDU(), image_hdu(fits.ImageHDU)),
}


def cut(chance, file):
    del file[chance.randrange(len(file) + 1) :]


def flip_byte(chance, file):
    file[chance.randrange(len(file))] = chance.randrange(256)


def change_letter(chance, file):
    at = chance.randrange(min(BLOCK, len(file)))
    file[at] = chance.choice(b" 0123456789'/=-.ET\0\xff")


def a_card(chance, file):
    start = CARD * chance.randrange(min(BLOCK, len(file)) // CARD)
    return slice(start, start + CARD)


def change_value(chance, file):
    start = a_card(chance, file).start
    file[start + 10 : start + 30] = chance.choice(VALUES).rjust(20)


def blank_card(chance, file):
    file[a_card(chance, file)] = b" " * CARD


def drop_card(chance, file):
    del file[a_card(chance, file)]


def exchange_cards(chance, file):
    a, b = a_card(chance, file), a_card(chance, file)
    file[a], file[b] = file[b], file[a]


def change_pixel(chance, file):
    at = 4 * chance.randrange(len(file) // 4)
    file[at : at + 4] = chance.choice(PIXELS)


FAULTS = [cut, flip_byte, change_letter, change_value, blank_card]
FAULTS += [drop_card, exchange_cards, change_pixel]


def damage(chance, file):
    """Make up to three faults."""
    file = bytearray(file)
    for _ in range(chance.choice([1, 1, 2, 3])):
        if len(file) >= CARD:
            chance.choice(FAULTS)(chance, file)
    return gzip.compress(bytes(file)) if chance.random() < 0.05 else bytes(file)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    # The name of a detector, so that the reader looks for one.
    return tmp_path_factory.mktemp("mutated") / "STDPSF_WFPC2_F814W.fits"


READERS = {
    "grid": GriddedPSFModel.read,
    "stpsf": lambda path: GriddedPSFModel.read(path, format="stpsf"),
    "stdpsf": lambda path: GriddedPSFModel.read(path, format="stdpsf", detector_id=1),
    "all detectors": STDPSFGrid,
    "read_psf": lambda path: read_psf(str(path)),
}


@settings(max_examples=100, derandomize=True)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(sorted(FILES)))
def test_files_are_read_or_refused_by_name(path, seed, name):
    chance = random.Random(seed)  # noqa: S311
    path.write_bytes(damage(chance, FILES[name]))
    for reader in READERS.values():
        error = refusal(reader, path)
        # No more derived one: those say what went wrong inside.
        assert type(error) in (type(None), ValueError, FileFormatError)
        assert error is None or str(path) in str(error)


def refusal(reader, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy's, of letters and blanks
        try:
            reader(path)
        except (ValueError, OSError) as error:
            return error
    return None


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("first", ["grid", "table"])
def test_data_of_negative_size(path, reader, first):
    """They lead astropy back to where it came from, again and again."""
    if first == "table":
        file = content(fits.PrimaryHDU(), fits.BinTableHDU(), image_hdu(fits.ImageHDU))
        keyword, size = b"PCOUNT", -2 * BLOCK
    else:
        file, keyword, size = FILES["stpsf"], b"NAXIS3", -BLOCK // STAMP.nbytes
    at = file.index(keyword) + 10
    path.write_bytes(file[:at] + b"%20d" % size + file[at + 20 :])
    with pytest.raises(ValueError, match="STDPSF_WFPC2_F814W"):
        reader(path)


@pytest.mark.parametrize(
    "value", [b"1E400", b"T", b"2.5", b"-4", b"0", b"9" * 19, b"(4", b"NaN"]
)
def test_an_oversampling_that_is_none(path, value):
    file = FILES["image"]
    at = file.index(b"OVERSAMP") + 10
    path.write_bytes(file[:at] + value.rjust(20) + file[at + 20 :])
    with pytest.raises(FileFormatError, match="give --oversampling N"):
        read_psf(str(path))
    assert read_psf(str(path), oversampling=4).model.oversampling.tolist() == [4, 4]
