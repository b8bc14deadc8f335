"""The page of a run: complete, self-contained, true to the catalogue."""

import re
import sys

import numpy as np
import pytest
from astropy.io import fits

pytest.importorskip("bokeh")

from cli_field import FLUX, FWHM, SHAPE, make_field, run

from psfphot.pipeline import Settings, measure, simulate_star_field
from psfphot.psf import CircularGaussianPRF
from psfphot.report import make_report, write_report
from psfphot.report._cutouts import draw_worst
from psfphot.report._planes import light_planes, map_plane, sigma_plane
from psfphot.report._stars import rows_of


@pytest.fixture(scope="module")
def measured():
    psf_model = CircularGaussianPRF(fwhm=2.5)
    image, _ = simulate_star_field(psf_model, 128, 30, seed=1)
    return measure(image, psf_model, Settings(zero_point=25.0))


def test_the_page_needs_nothing_else(measured):
    page = make_report(measured, notes=["1 < 2 & <script>"])
    assert page.startswith("<!doctype html>")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.https?:", page)
    assert "1 &lt; 2 &amp; &lt;script&gt;" in page
    for title in ("Image, model, residual", "Brightness", "Sky", "The PSF", "Flags"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("data:image/png;base64") % 3 == 0
    for told in ("sky: noise", "psf: mismatch", "fit shape"):
        assert told in page


def test_it_is_written_whole(measured, tmp_path):
    path = tmp_path / "page.html"
    write_report(measured, str(path))
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    with pytest.raises(OSError, match="nowhere"):
        write_report(measured, tmp_path / "nowhere" / "page.html")


def test_rows_under_the_pointer_are_the_catalogue_s(measured):
    rows = rows_of(measured.catalog).data
    catalog = measured.catalog
    order = np.argsort(-catalog["flux_fit"].value)
    np.testing.assert_array_equal(rows["id"], catalog["id"][order])
    np.testing.assert_allclose(rows["magnitude"], catalog["mag"].value[order])
    error = catalog["mag_err"].value[order]
    np.testing.assert_allclose(rows["magnitude_error"], error, rtol=1e-6)
    flagged = catalog["flags"][order] != 0
    assert [text != "none" for text in rows["flags_text"]] == list(flagged)


def test_planes_keep_what_matters_when_they_shrink():
    sigma = np.zeros((1500, 2100))
    sigma[700, 900], sigma[20, 30] = -4.0, 50.0
    sigma[300:330, 600:630] = np.nan
    scaled = sigma_plane(sigma).scaled
    assert scaled.shape == (500, 700)
    assert scaled[233, 300] < 60  # -4 of -5
    assert scaled[6, 10] == 254  # beyond +5
    assert scaled[100, 200] == 255  # masked
    assert scaled[0, 0] == 127
    image = np.where(np.isnan(sigma), np.nan, 1.0)
    light, model = light_planes(image, np.zeros_like(image), 1.0)
    assert len(light.colors) == 256
    assert light.scaled[0, 0] > model.scaled[0, 0]
    assert map_plane("flat", np.ones((4, 4))).ends == (1.0, 2.0)


def test_the_worst_residual_is_first(measured):
    catalog = measured.catalog
    sigma = np.zeros(measured.exposure.shape)
    planes = (sigma, sigma, sigma)
    assert draw_worst(catalog, planes, 1.0, (5, 5)) == []
    row = 7
    x, y = (round(float(catalog[name][row])) for name in ("x_fit", "y_fit"))
    sigma[y, x] = 10.0
    title, pictures = draw_worst(catalog, planes, 1.0, (5, 5))[0]
    assert title.startswith(f"id {catalog['id'][row]} ")
    assert title.endswith("rms 2 sigma in its box")
    assert [p.title for p in pictures][-1] == "residual in sigma"


def test_on_the_command_line(tmp_path):
    path = tmp_path / "field.fits"
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(make_field(), name="SCI"),
            fits.ImageHDU(np.ones(SHAPE, np.float32), name="ERR"),
        ]
    ).writeto(path)
    words = ["fit", path, "--psf", f"gaussian:{FWHM}", "-o", tmp_path / "c.ecsv"]
    result = run(*words, "--report", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"found       {len(FLUX)} stars" in page
    result = run(*words, "--overwrite", "--report", tmp_path / "page.png")
    assert result.exit_code == 2
    assert "use one of .html" in result.stderr


def test_without_bokeh_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "psfphot.cli._errors.find_spec", lambda name: None if name == "bokeh" else sys
    )
    path = tmp_path / "field.fits"
    fits.PrimaryHDU(make_field()).writeto(path)
    words = ["--psf", "gaussian:2", "-o", tmp_path / "o.ecsv"]
    result = run("fit", path, *words, "--report", tmp_path / "p.html")
    assert result.exit_code == 1
    assert "pip install 'psfphot[report]'" in result.stderr
