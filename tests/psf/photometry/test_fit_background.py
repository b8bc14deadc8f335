"""A constant sky fitted with the stars."""

import numpy as np
import pytest
from astropy import units as u
from astropy.modeling.fitting import TRFLSQFitter
from astropy.table import QTable
from frames.renderer import Gaussians, render

from psfphot.background import LocalBackground
from psfphot.psf import CircularGaussianPRF, OverlapGrouper, PSFPhotometry

FWHM = 3.0
SKY = 100.0
STAR = Gaussians(((1.0, FWHM, FWHM),), radius=10)


def field(rng, *, side=24, spacing=25, offsets=((0, 0),), faintest=500):
    """Groups of stars on a grid; their light and where they are."""
    cells = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1)
    centres = cells.reshape(-1, 1, 2) * spacing + spacing // 2
    x, y = (centres + rng.uniform(-0.5, 0.5, centres.shape) + offsets).reshape(-1, 2).T
    flux = np.exp(rng.uniform(np.log(faintest), np.log(50_000), x.size))
    truth = {"x": x, "y": y, "flux": flux}
    return render((side * spacing,) * 2, STAR, x, y, flux), truth


def fit(data, truth, box=9, error=None, **settings):
    phot = PSFPhotometry(
        CircularGaussianPRF(fwhm=FWHM), box, fit_background=True, **settings
    )
    return phot, phot(data, error=error, init_params=QTable(truth))


def pulls(table, truth, name):
    return (np.asarray(table[f"{name}_fit"]) - truth[name]) / table[f"{name}_err"]


def width(values):
    return np.sqrt(np.mean(np.asarray(values) ** 2))


@pytest.mark.parametrize("offsets", [[(0, 0)], [(-1.6, 0.5), (1.6, -0.5)]])
def test_an_unknown_sky(offsets):
    rng = np.random.default_rng(5 + len(offsets))
    light, truth = field(
        rng, side=36 // len(offsets), offsets=offsets, faintest=500 * len(offsets) ** 2
    )
    truth["bkg"] = np.full(truth["x"].shape, SKY)
    data, error = rng.poisson(light + SKY), np.sqrt(light + SKY)
    grouper = OverlapGrouper()
    table = fit(data, truth, error=error, grouper=grouper)[1]
    limit = 2.5 / np.sqrt(len(table))
    for name in ("flux", "x", "y", "bkg"):
        found = pulls(table, truth, name)
        assert abs(width(found) - 1) < max(0.05, limit / np.sqrt(2)), name
        assert abs(np.median(found)) < 1.25 * limit, name
    assert np.median(np.asarray(table["reduced_chi2"])) == pytest.approx(1, abs=0.05)
    # Without errors of the pixels too.
    table = fit(data, truth, grouper=grouper)[1]
    for name in ("flux", "bkg"):
        typical = 1.4826 * np.median(np.abs(pulls(table, truth, name)))
        assert 0.85 < typical < 1.15, name


def test_a_slope_of_the_sky():
    """30 % of the sky across the frame: no bias at any flux."""
    rng = np.random.default_rng(12)
    light, truth = field(rng, side=50, spacing=20)
    level = SKY * np.linspace(0.85, 1.15, light.shape[1])
    clean = light + level
    table = fit(rng.poisson(clean), truth, error=np.sqrt(clean))[1]
    found = pulls(table, truth, "flux")
    order = np.argsort(truth["flux"])
    # 5 bins of 500 stars: 0.045 is the error of a mean.
    means = [np.mean(found[part]) for part in np.array_split(order, 5)]
    assert abs(np.mean(found)) < 0.05
    assert np.max(np.abs(means)) < 0.05 + 2 * 0.045
    # Noise aside, so that the bias itself is seen.
    table = fit(clean, truth, error=np.sqrt(clean + 1))[1]
    assert np.max(np.abs(pulls(table, truth, "flux"))) < 0.05
    expected = np.interp(truth["x"], np.arange(level.size), level)
    np.testing.assert_allclose(table["bkg_fit"], expected, atol=0.5)


def test_with_a_local_background_it_is_what_is_left():
    rng = np.random.default_rng(3)
    light, truth = field(rng, side=8)
    data = light + SKY << u.Jy
    truth["flux"] = truth["flux"] << u.Jy
    plain, table = fit(data, truth)
    both, other = fit(data, truth, local_bkg_estimator=LocalBackground(6, 10))
    names = table.colnames
    assert names[names.index("flux_err") + 1 :][:2] == ["bkg_fit", "bkg_err"]
    total = other["local_bkg"] + other["bkg_fit"]
    assert u.allclose(total, table["bkg_fit"], rtol=1e-6)
    assert u.allclose(table["bkg_fit"], SKY * u.Jy, rtol=1e-6)
    assert u.allclose(other["flux_fit"], table["flux_fit"], rtol=1e-6)
    # What a level costs is in the errors once.
    for phot in (plain, both):
        image = phot.make_model_image(data.shape, include_local_bkg=True)
        assert u.allclose(image[12, 12], data[12, 12], rtol=0.01)


def test_a_constant_costs_what_it_says():
    """The error grows as much as that of a linear fit of profile and constant."""
    light, truth = field(np.random.default_rng(1), side=2)
    error = np.full(light.shape, 3.0)
    with_sky = fit(light + SKY, truth, box=7, error=error)[1]
    phot = PSFPhotometry(CircularGaussianPRF(fwhm=FWHM), 7)
    without = phot(light, error=error, init_params=QTable(truth))
    x, y = truth["x"][0], truth["y"][0]
    star = render(light.shape, STAR, [x], [y], [1.0])
    rows, columns = (slice(round(v) - 3, round(v) + 4) for v in (y, x))
    profile = star[rows, columns].ravel()
    spread = np.sum((profile - profile.mean()) ** 2)
    assert with_sky["flux_err"][0] == pytest.approx(3 / np.sqrt(spread), rel=2e-3)
    assert with_sky["flux_err"][0] > 1.2 * without["flux_err"][0]


def test_what_cannot_be():
    model = CircularGaussianPRF()
    init = QTable({"x": [4.0], "y": [4.0], "flux": [1.0]})
    phot = PSFPhotometry(model, 5, fit_background=True, fitter=TRFLSQFitter())
    with pytest.raises(ValueError, match="fit_background needs a fit by Levenberg"):
        phot(np.ones((9, 9)), init_params=init)
    many = QTable({"x": np.arange(201.0), "y": np.full(201, 4.0), "flux": np.ones(201)})
    many["group_id"] = 1
    phot = PSFPhotometry(model, 5, fit_background=True)
    with pytest.raises(ValueError, match="fit_background must be fitted in groups"):
        phot(np.ones((9, 201)), init_params=many)
