"""``psfphot fit``: data quality, masks and errors."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from cli_field import (
    FLUX,
    FWHM,
    SHAPE,
    X,
    Y,
    assert_matches,
    fit,
    make_field,
    run,
    write_field,
)


def data_quality():
    """Three bits, each spoiling the star of its number."""
    dq = np.zeros(SHAPE, dtype=np.uint32)
    for star, bit in enumerate((1, 4, 2**31)):
        dq[int(Y[star]) - 5 : int(Y[star]) + 7, int(X[star]) - 5 : int(X[star]) + 7] = (
            bit
        )
    return dq


def measured(catalog):
    """Tell which of the field's stars are in a catalogue."""
    distance = np.hypot(
        np.asarray(catalog["x_fit"]) - X[:, None],
        np.asarray(catalog["y_fit"]) - Y[:, None],
    )
    return np.flatnonzero(distance.min(axis=1) < 0.5).tolist()


ALL = list(range(len(X)))


@pytest.mark.parametrize(
    ("telescope", "words", "stars", "said"),
    [
        ("JWST", [], ALL[1:], "144 DQ (bits 1)"),
        ("HST", [], ALL[3:], "432 DQ (any bit)"),
        ("JWST", ["--dq-bits", "all"], ALL[3:], "432 DQ (any bit)"),
        ("HST", ["--dq-bits", "4"], [0, *ALL[2:]], "144 DQ (bits 4)"),
        ("HST", ["--dq-bits", "1,4"], ALL[2:], "288 DQ (bits 1,4)"),
        ("HST", ["--dq-bits", "~1,4"], [0, 1, *ALL[3:]], "144 DQ (bits ~1,4)"),
        ("JWST", ["--dq", "none"], ALL, ""),
        ("JWST", ["--dq", "2", "--dq-bits", "4"], [0, *ALL[2:]], "144 DQ (bits 4)"),
    ],
)
def test_data_quality(tmp_path, telescope, words, stars, said):
    image = write_field(
        tmp_path / "a.fits",
        planes={"DQ": data_quality()},
        primary={"TELESCOP": telescope},
    )
    result = fit(image, "-o", tmp_path / "c.ecsv", *words)
    catalog = QTable.read(tmp_path / "c.ecsv")
    assert measured(catalog) == stars
    assert said in result.output
    if said:
        count, _, source = said.partition(" ")
        assert catalog.meta["masked"][source] == int(count)
    else:
        assert catalog.meta["masked"] == {"not finite": 0}


def test_data_quality_under_another_name_and_version(tmp_path):
    image = write_field(tmp_path / "a.fits", planes={"FLAGS": data_quality()})
    fit(image, "-o", tmp_path / "c.ecsv", "--dq", "FLAGS")
    assert measured(QTable.read(tmp_path / "c.ecsv")) == ALL[3:]
    # Nothing is found by itself for an image that is not the science one.
    words = ("--psf", f"gaussian:{FWHM}", "-o", tmp_path / "d.ecsv")
    result = run("fit", f"{image}[FLAGS]", *words)
    assert "0 pixels masked" in result.output
    assert (result.exit_code, "have no noise" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("plane", "words", "status", "message"),
    [
        (np.zeros((3, 4), int), [], 0, "DQ extension is left out: its shape is (3, 4)"),
        (np.zeros((3, 4), int), ["--dq", "DQ"], 1, "its shape is (3, 4), the image's"),
        (np.full(SHAPE, 0.5), ["--dq", "DQ"], 1, "its pixels must be integers"),
        (np.ones(SHAPE, int), [], 1, "every pixel is masked (not finite: 0, DQ"),
        (np.zeros(SHAPE, int), ["--dq", "NO"], 1, "has no extension 'NO'"),
        (np.zeros(SHAPE, int), ["--dq-bits", "3,4"], 2, "--dq-bits must be 'all' or"),
        (np.ones(SHAPE, int), ["--dq-bits", str(2**70)], 2, "no bit of a pixel"),
        (np.zeros(SHAPE, int), ["--dq-bits", "bad"], 2, "got 'bad'"),
        (np.zeros(SHAPE, int), ["--dq-bits", "0"], 2, "no bit of a pixel would be"),
    ],
)
def test_data_quality_that_cannot_be_used(tmp_path, plane, words, status, message):
    image = write_field(tmp_path / "a.fits", planes={"DQ": plane})
    out = ["-o", tmp_path / "c.ecsv"]
    result = run("fit", image, "--psf", "gaussian:2.5", *out, *words)
    assert result.exit_code == status
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_mask_file_and_own_extension(tmp_path):
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[:25] = 3
    fits.writeto(tmp_path / "m.fits", mask)
    image = write_field(tmp_path / "a.fits", planes={"BAD": mask.astype(np.float32)})
    for spec in (tmp_path / "m.fits", f"{tmp_path / 'm.fits'}[0]", "[BAD]"):
        words = ["--mask", spec, "--overwrite"]
        result = fit(image, "-o", tmp_path / "c.ecsv", *words)
        assert measured(QTable.read(tmp_path / "c.ecsv")) == ALL[3:]
        assert f"{25 * SHAPE[1]} pixels masked" in result.output


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--mask", "small.fits"], 1, "--mask small.fits[0]: its shape is (5, 6)"),
        (["--mask", "none.fits"], 1, "none.fits: there is no such file"),
        (["--mask", "[NO]"], 1, "has no extension 'NO'"),
        (["--error", "small.fits"], 1, "--error small.fits[0]: its shape is (5, 6)"),
        (["--error", "zeros.fits"], 1, "no value in it is above 0"),
        (["--error", "metres.fits"], 1, "its unit is m, the image's electron"),
        (["--error", "-1"], 2, "--error must be above 0 and finite, got -1"),
        (["--error", "inf"], 2, "--error must be above 0 and finite, got inf"),
        (["--error", "nowhere"], 1, "nowhere: there is no such file"),
    ],
)
def test_masks_and_errors_that_cannot_be_used(
    tmp_path, monkeypatch, words, status, message
):
    monkeypatch.chdir(tmp_path)
    write_field(tmp_path / "a.fits", BUNIT="electron")
    fits.writeto("small.fits", np.ones((5, 6)))
    fits.writeto("zeros.fits", np.zeros(SHAPE))
    fits.writeto("metres.fits", np.ones(SHAPE))
    fits.setval("metres.fits", "BUNIT", value="m")
    result = run("fit", "a.fits", "--psf", "gaussian:2.5", "-o", "c.ecsv", *words)
    assert result.exit_code == status
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert not (tmp_path / "c.ecsv").exists()


def test_errors_from_everywhere(tmp_path):
    plane = np.full(SHAPE, 2.0)
    fits.writeto(tmp_path / "e.fits", plane)
    image = write_field(tmp_path / "a.fits", planes={"ERR": plane / 2, "UNC": plane})
    out = tmp_path / "c.ecsv"

    def median_error(*words):
        fit(image, "-o", out, "--overwrite", "--threshold", 3, *words)
        catalog = QTable.read(out)
        assert_matches(catalog, tolerance=0.3)
        return np.median(catalog["flux_err"]), catalog.meta["errors"]

    own, said = median_error()
    assert said == "from the ERR extension"
    for spec in (2, tmp_path / "e.fits", "[UNC]"):
        twice, said = median_error("--error", spec)
        assert twice == pytest.approx(2 * own, rel=1e-3)
        assert "ERR" not in said
    none, said = median_error("--error", "none")
    assert none == pytest.approx(own, rel=0.3)
    assert said.startswith("from the sky's noise")


def test_unit_of_an_error_file_is_converted(tmp_path):
    fits.writeto(tmp_path / "e.fits", np.full(SHAPE, 1e-3))
    fits.setval(tmp_path / "e.fits", "BUNIT", value="Jy")
    image = write_field(tmp_path / "a.fits", BUNIT="mJy", data=make_field())
    out = tmp_path / "c.ecsv"
    fit(image, "-o", out, "--error", tmp_path / "e.fits")
    catalog = QTable.read(out)
    assert catalog.meta["sky_noise"] == pytest.approx(1, abs=0.05)
    assert np.median(catalog["reduced_chi2"]) == pytest.approx(1, abs=0.3)
    assert len(catalog) == len(FLUX)
