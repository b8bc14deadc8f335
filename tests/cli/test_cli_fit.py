"""``psfphot fit``: what it measures and what it leaves."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS
from cli_field import run

from psfphot import __version__
from psfphot.psf import CircularGaussianPRF, SourceGrouper

NOISE, SKY = 1.0, 20.0


@pytest.fixture(scope="module")
def field():
    """64 stars of FWHM 2.5 px, two of them 8 px apart."""
    rng = np.random.default_rng(5)
    x, y = (c.ravel().astype(float) for c in np.meshgrid(*[np.arange(15, 180, 23)] * 2))
    x, y = x + rng.uniform(-1, 1, x.size), y + rng.uniform(-1, 1, x.size)
    x[1], y[1] = x[0] + 8, y[0] + 0.5
    flux = rng.uniform(300, 3000, x.size)
    image = rng.normal(SKY, NOISE, (190, 200))
    yy, xx = np.mgrid[:190, :200]
    psf = CircularGaussianPRF(fwhm=2.5)
    for star in zip(flux, x, y, strict=True):
        image += psf.evaluate(xx.astype(float), yy.astype(float), *star, 2.5)
    return image, x, y, flux


def galactic():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-CAR", "GLAT-CAR"]
    wcs.wcs.crval = [18.0, 0.0]
    wcs.wcs.crpix = [1.0, 1.0]
    wcs.wcs.cdelt = [-1 / 3000, 1 / 3000]
    return wcs


@pytest.fixture
def plain(tmp_path, field):
    """The field without errors, with a galactic WCS, a unit and a few NaNs."""
    image = field[0].copy()
    image[100, 60:63] = np.nan
    hdu = fits.PrimaryHDU(image.astype(np.float32), galactic().to_header())
    hdu.header["BUNIT"] = "MJy/sr"
    hdu.writeto(tmp_path / "field.fits")
    return tmp_path / "field.fits"


@pytest.fixture
def with_errors(tmp_path, field):
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(field[0], name="SCI"),
            fits.ImageHDU(np.full(field[0].shape, NOISE), name="ERR"),
        ]
    ).writeto(tmp_path / "field.fits")
    return tmp_path / "field.fits"


def matched(catalog, field):
    _, x, y, flux = field
    distance = np.hypot(
        np.asarray(catalog["x_fit"])[:, None] - x,
        np.asarray(catalog["y_fit"])[:, None] - y,
    )
    nearest = distance.argmin(axis=1)
    assert distance.min(axis=1).max() < 0.2
    assert sorted(nearest) == list(range(len(x)))
    return flux[nearest]


def test_catalogue_without_errors(tmp_path, plain, field):
    out = tmp_path / "c.ecsv"
    result = run("fit", plain, "--psf", "gaussian:2.5", "-o", out)
    assert result.exit_code == 0, result.output
    catalog = QTable.read(out)
    true = matched(catalog, field)
    flux, error = catalog["flux_fit"].value, catalog["flux_err"].value
    assert catalog["flux_fit"].unit == u.MJy / u.sr
    assert np.std((flux - true) / error) == pytest.approx(1, abs=0.4)
    assert np.median(catalog["reduced_chi2"]) == pytest.approx(1, abs=0.15)
    assert catalog.meta["errors"].startswith("from the sky's noise")
    assert "no gain" in catalog.meta["errors"]
    assert catalog.meta["sky_noise"] == pytest.approx(NOISE, rel=0.05)
    assert catalog.meta["sky_level"] == pytest.approx(SKY, abs=0.2)
    assert catalog.meta["sky_method"].startswith("surface and meshes")
    assert catalog["group_size"].max() == 2
    assert catalog.meta["finder"] == "matched"
    assert catalog.meta["threshold_sigma"] == 5
    separation = catalog.meta["group_separation"]
    assert catalog.meta["grouper"] == repr(SourceGrouper(separation))
    assert catalog.meta["psf"].startswith("circular Gaussian of FWHM 2.5 px")
    for said in ("64 stars above 5 sigma", "3 pixels masked", "MJy / sr", "GLON-CAR"):
        assert said in result.output


def test_positions_are_icrs(tmp_path, plain):
    out = tmp_path / "c.fits"
    assert run("fit", plain, "--psf", "gaussian:2.5", "-o", out).exit_code == 0
    catalog = QTable.read(out)
    # Linear in l and b: plate carree about the reference pixel (0, 0).
    sky = SkyCoord(
        (18 - catalog["x_fit"] / 3000) * u.deg,
        (catalog["y_fit"] / 3000) * u.deg,
        frame="galactic",
    ).icrs
    found = SkyCoord(catalog["ra"], catalog["dec"])
    assert found.separation(sky).max() < 1e-6 * u.arcsec


def test_err_extension_is_used(tmp_path, with_errors, field):
    out = tmp_path / "c.ecsv"
    result = run("fit", with_errors, "--psf", "gaussian:2.5", "-o", out)
    assert result.exit_code == 0, result.output
    catalog = QTable.read(out)
    matched(catalog, field)
    assert np.median(catalog["reduced_chi2"]) == pytest.approx(1, abs=0.2)
    assert catalog.meta["sky_noise"] == pytest.approx(NOISE, rel=0.05)
    assert catalog.meta["errors"] == "from the ERR extension"
    assert "ra" not in catalog.colnames
    assert "errors      from the ERR extension" in result.output


def test_every_output(tmp_path, plain, field):
    pytest.importorskip("matplotlib")
    names = {
        "--residual": "r.fits",
        "--model": "m.fits.gz",
        "--plot": "p.png",
        "--region": "d.reg",
    }
    words = [w for option, name in names.items() for w in (option, tmp_path / name)]
    out = tmp_path / "c.ecsv"
    result = run("fit", plain, "--psf", "gaussian:2.5", "-o", out, *words)
    assert result.exit_code == 0, result.output
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {"field.fits", "c.ecsv", *names.values()}
    residual, header = fits.getdata(tmp_path / "r.fits", header=True)
    model = fits.getdata(tmp_path / "m.fits.gz")
    np.testing.assert_allclose((residual + model)[:99], field[0][:99], rtol=1e-5)
    assert np.nanstd(residual) == pytest.approx(NOISE, rel=0.05)
    assert model.sum() == pytest.approx(field[3].sum(), rel=0.01)
    np.testing.assert_allclose(
        WCS(header).wcs_pix2world([[7, 9]], 0), galactic().wcs_pix2world([[7, 9]], 0)
    )
    regions = (tmp_path / "d.reg").read_text(encoding="utf-8").splitlines()[3:]
    first = QTable.read(out)[0]
    assert regions[0].startswith(
        f"circle({first['x_fit'] + 1:.3f},{first['y_fit'] + 1:.3f},"
    )


def test_options_change_what_they_say(tmp_path, plain):
    base = ["fit", plain, "--psf", "gaussian:2.5", "--overwrite"]

    def catalog(*words):
        out = tmp_path / "c.ecsv"
        result = run(*base, "-o", out, *words)
        assert result.exit_code == 0, result.output
        return QTable.read(out)

    assert catalog("--no-group")["group_size"].max() == 1
    assert catalog("--group", 5)["group_size"].max() == 1
    assert catalog("--group", 30)["group_size"].max() > 2
    assert catalog("--fit-shape", 7)["n_pixels_fit"].max() == 49
    assert not catalog()["local_bkg"].value.any()
    assert catalog("--local-bkg", 6, 12)["local_bkg"].value.any()
    assert catalog("--local-bkg", 6, 12).meta["local_bkg_radii"] == [6.0, 12.0]
    assert len(catalog("--threshold", 200)) < 64
    # The pair, 8 px apart, is one detection of a pass; the next pass finds the other.
    apart = catalog("--min-separation", 9)
    assert len(apart) == 64
    assert apart.meta["finder_min_separation"] == 9


def test_groups_grow_as_they_must_in_dense_fields(tmp_path):
    y, x = np.mgrid[:120, :120].astype(float)
    image = np.random.default_rng(0).normal(0, 1, x.shape)
    psf = CircularGaussianPRF(fwhm=2.0)
    for x_0 in range(6, 118, 9):
        for y_0 in range(6, 118, 9):
            image += psf.evaluate(x, y, 500.0, x_0, y_0, 2.0)
    fits.writeto(tmp_path / "a.fits", image)
    out = tmp_path / "c.ecsv"
    result = run("fit", tmp_path / "a.fits", "--psf", "gaussian:2", "-o", out)
    assert result.exit_code == 0, result.output
    catalog = QTable.read(out)
    assert catalog["group_size"].max() == len(catalog) == 169
    assert catalog.meta["group_separation"] == 11
    assert not np.any(catalog["flags"] & 8)


def test_quiet_says_nothing(tmp_path, plain):
    out = tmp_path / "c.ecsv"
    result = run("fit", plain, "--psf", "gaussian:2.5", "-o", out, "-q")
    assert (result.exit_code, result.output) == (0, "")


def test_threads_do_not_change_the_catalogue(tmp_path, plain):
    tables = []
    for threads in (1, 2):
        out = tmp_path / f"c{threads}.ecsv"
        words = ("--psf", "gaussian:2.5", "-o", out, "--threads", threads)
        assert run("fit", plain, *words).exit_code == 0
        tables.append(QTable.read(out))
    for name in ("x_fit", "flux_fit", "flux_err"):
        np.testing.assert_array_equal(tables[0][name], tables[1][name])


def test_help_and_version():
    assert __version__ in run("--version").output
    for words in (["--help"], ["fit", "--help"], ["demo", "-h"]):
        result = run(*words)
        assert result.exit_code == 0
        assert "Usage:" in result.output
