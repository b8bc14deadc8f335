"""IterativePSFPhotometry without a managed star list, beside photutils'."""

import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

import psfphot.psf as ours

pytestmark = pytest.mark.parity

theirs = pytest.importorskip("photutils.psf")
detection = pytest.importorskip("photutils.detection")
background = pytest.importorskip("photutils.background")

PHOTUTILS_FLAGS = 8191
GAVE_UP = 8 | 4096  # no convergence, outside the fit region


@pytest.fixture(scope="module")
def frame():
    """Sixty isolated stars, each fifth with a companion at 1.3 FWHM."""
    rng = np.random.default_rng(8)
    x, y = (axis.ravel() for axis in np.meshgrid(*2 * [np.arange(20.0, 320, 40)]))
    x = x + rng.uniform(-0.5, 0.5, x.size)
    y = y + rng.uniform(-0.5, 0.5, y.size)
    flux = rng.uniform(3000, 9000, x.size)
    angle = rng.uniform(0, 2 * np.pi, x.size)[::5]
    x = np.append(x, x[::5] + 3.9 * np.cos(angle))
    y = np.append(y, y[::5] + 3.9 * np.sin(angle))
    flux = np.append(flux, flux[::5] / 4)
    table = Table({"x_0": x, "y_0": y, "flux": flux})
    model = ours.CircularGaussianPRF(fwhm=3.0)
    image = np.zeros((320, 320))
    yy, xx = np.mgrid[:320, :320]
    for row in table:
        image += model.evaluate(xx, yy, row["flux"], row["x_0"], row["y_0"], 3.0)
    error = np.sqrt(image + 25.0)
    return image + rng.normal(0, 1, image.shape) * error, error


def both(frame, mode, *, init_params=None, unit=None, **settings):
    """Run both packages with the same settings."""
    results = []
    data, error = frame
    if unit is not None:
        data, error = data * unit, error * unit
    for psf, own in ((ours, {"management": False}), (theirs, {})):
        photometry = psf.IterativePSFPhotometry(
            psf.CircularGaussianPRF(fwhm=3.0),
            (5, 5),
            detection.DAOStarFinder(40.0 * (unit or 1), 3.0),
            grouper=psf.SourceGrouper(8),
            aperture_radius=3,
            mode=mode,
            **settings,
            **own,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyUserWarning)
            photometry(data, error=error, init_params=init_params)
        results.append(photometry)
    return results


def assert_same(mine, other):
    """Compare two tables of results; fluxes only where no pixel is shared."""
    assert mine.colnames == other.colnames
    assert [mine[n].dtype.kind for n in mine.colnames] == [
        other[n].dtype.kind for n in other.colnames
    ]
    for name in ("id", "group_id", "group_size", "iter_detected", "n_pixels_fit"):
        np.testing.assert_array_equal(mine[name], other[name], err_msg=name)
    flags = np.asarray(mine["flags"]) & PHOTUTILS_FLAGS
    alone = np.asarray(other["group_size"]) == 1
    # Where one of the fitters gives up, on what is no star, their ways differ.
    alone &= (flags | np.asarray(other["flags"])) & GAVE_UP == 0
    assert alone.sum() > 0.5 * len(mine)
    np.testing.assert_array_equal(flags[alone], np.asarray(other["flags"])[alone])
    for name in ("x", "y", "flux"):
        fit, error = (
            np.asarray(other[f"{name}_{suffix}"])[alone] for suffix in ("fit", "err")
        )
        difference = np.asarray(mine[f"{name}_fit"])[alone] - fit
        assert np.nanmax(np.abs(difference) / error) < 0.01
    np.testing.assert_allclose(
        np.asarray(mine["flux_init"])[alone],
        np.asarray(other["flux_init"])[alone],
        rtol=1e-4,
    )


@pytest.mark.parametrize("mode", ["new", "all"])
@pytest.mark.parametrize("maxiters", [1, 2, 4])
def test_rows(frame, mode, maxiters):
    mine, other = both(frame, mode, maxiters=maxiters)
    assert_same(mine.results, other.results)
    assert len(mine.fit_results) == len(other.fit_results)
    assert mine.results.meta["maxiters"] == other.results.meta["maxiters"]
    for one, two in zip(mine.fit_results, other.fit_results, strict=True):
        assert len(one.results) == len(two.results)
        assert one.results.colnames == two.results.colnames


@pytest.mark.parametrize("mode", ["new", "all"])
def test_given_sources(frame, mode):
    init = Table({"id": [3, 7], "x": [20.0, 60.0], "y": [20.0, 60.0]})
    mine, other = both(frame, mode, maxiters=2, init_params=init)
    assert_same(mine.results, other.results)


# In mode 'all' photutils cannot subtract a local background from data with a unit.
@pytest.mark.parametrize(("mode", "unit"), [("new", u.nJy), ("all", u.one)])
def test_units_and_local_background(frame, mode, unit):
    bkg = background.LocalBackground(8, 12)
    mine, other = both(frame, mode, maxiters=2, unit=unit, local_bkg_estimator=bkg)
    assert_same(mine.results, other.results)
    assert mine.results["flux_fit"].unit == unit
    for option in (True, False):
        np.testing.assert_allclose(
            mine.make_model_image((320, 320), include_local_bkg=option).value.sum(),
            other.make_model_image((320, 320), include_local_bkg=option).value.sum(),
            rtol=2e-3,
        )


@pytest.mark.parametrize("mode", ["new", "all"])
def test_what_can_be_asked_of_it(frame, mode):
    mine, other = both(frame, mode, maxiters=2)
    for name in ("results_to_init_params", "results_to_model_params"):
        one, two = getattr(mine, name)(), getattr(other, name)()
        assert one.colnames == two.colnames
        np.testing.assert_array_equal(one["id"], two["id"])
    assert list(mine.decode_flags()) == list(other.decode_flags())
    data = NDData(frame[0], uncertainty=StdDevUncertainty(frame[1]))
    assert isinstance(mine.make_residual_image(data), NDData)


def test_shown_alike():
    settings = {"aperture_radius": 3, "sub_shape": 9, "n_threads": 1}
    finder = detection.DAOStarFinder(40.0, 3.0)
    mine, other = (
        repr(psf.IterativePSFPhotometry(model, (5, 5), finder, **settings))
        for psf in (ours, theirs)
        for model in [psf.CircularGaussianPRF(fwhm=3.0)]
    )
    assert "maxiters=3, mode='new'" in mine
    for text in ("maxiters=", "aperture_radius=", "group_warning_threshold="):
        assert (
            mine.partition(text)[2].split(" ")[0]
            == (other.partition(text)[2].split(" ")[0])
        )
