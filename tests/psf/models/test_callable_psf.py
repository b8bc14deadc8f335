"""Models that the compiled core does not know: evaluated by calls back."""

import signal
import threading
import time

import numpy as np
import pytest
from astropy import units as u
from astropy.modeling import Fittable2DModel, Parameter
from astropy.modeling.models import Const2D, Gaussian2D
from astropy.table import QTable

from psfphot.psf import (
    CircularGaussianPRF,
    PSFPhotometry,
    SourceGrouper,
    make_psf_model_image,
)

SHAPE = (61, 70)


class Hill(Fittable2DModel):
    """A circular Gaussian of its own parameter names."""

    total = Parameter(default=1.0)
    column = Parameter(default=0.0)
    row = Parameter(default=0.0)
    width = Parameter(default=1.5, fixed=True)
    x_name, y_name, flux_name = "column", "row", "total"

    @staticmethod
    def evaluate(x, y, total, column, row, width):  # noqa: PLR0917  (astropy's)
        r2 = (x - column) ** 2 + (y - row) ** 2
        with np.errstate(under="ignore"):
            return total / (2 * np.pi * width**2) * np.exp(-0.5 * r2 / width**2)


def image(model=None, seed=1):
    """Sources of two groups, noise of 0.5."""
    rng = np.random.default_rng(seed)
    stars = QTable(
        {
            "x": [20.2, 23.1, 50.4],
            "y": [30.7, 31.0, 12.6],
            "flux": [900.0, 700.0, 500.0],
        }
    )
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    model = model or Hill()
    data = sum(
        model.evaluate(x, y, s["flux"], s["x"], s["y"], 1.5) for s in stars
    ) + rng.normal(0, 0.5, SHAPE)
    return data, np.full(SHAPE, 0.5), stars


def fitted(model, **kwargs):
    data, error, stars = image()
    phot = PSFPhotometry(model, (7, 7), grouper=SourceGrouper(6), **kwargs)
    return phot, phot(data, error=error, init_params=stars), stars


def test_a_model_of_ones_own_is_fitted_as_our_own_is():
    class Known(CircularGaussianPRF):
        """A subclass with a formula of its own is not ours."""

        def evaluate(self, x, y, flux, x_0, y_0, fwhm):  # noqa: PLR0917
            return super().evaluate(x, y, flux, x_0, y_0, fwhm)

    data, error, stars = image()
    theirs, ours = (
        PSFPhotometry(model, (7, 7), grouper=SourceGrouper(6))(
            data, error=error, init_params=stars
        )
        for model in (Known(fwhm=3.6), CircularGaussianPRF(fwhm=3.6))
    )
    assert list(ours["group_size"]) == [2, 2, 1]
    for name in ("x_fit", "y_fit", "flux_fit", "x_err", "flux_err", "qfit", "flags"):
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-6)


def test_parameters_may_have_other_names_and_the_truth_is_found():
    phot, table, stars = fitted(Hill())
    for name in ("x", "y", "flux"):
        pull = (table[f"{name}_fit"] - stars[name]) / table[f"{name}_err"]
        assert np.all(np.abs(pull) < 4)
    assert np.all(table["flags"] == 0)
    with pytest.raises(ValueError, match="bounding_box"):
        phot.make_model_image(SHAPE)
    data, *_ = image()
    residual = phot.make_residual_image(data, psf_shape=(21, 21))
    assert 0.45 < np.std(residual) < 0.55


def test_a_free_shape_is_fitted():
    model = Hill(width=1.3)
    model.width.fixed = False
    _, table, _ = fitted(model)
    assert table.colnames[7:11] == ["width_init", "x_fit", "y_fit", "flux_fit"]
    assert np.all(np.abs(table["width_fit"] - 1.5) < 4 * table["width_err"])
    assert np.all(table["width_err"] < 0.05)


def test_a_compound_model_is_fitted():
    model = Gaussian2D(1.0, 0, 0, 1.5, 1.5) * Const2D(2.0)
    for name in ("x_stddev_0", "y_stddev_0", "theta_0", "amplitude_1"):
        getattr(model, name).fixed = True
    model.x_name, model.y_name = "x_mean_0", "y_mean_0"
    model.flux_name = "amplitude_0"
    _, table, stars = fitted(model)
    # The "flux" is the amplitude of the Gaussian, half the peak.
    flux = table["flux_fit"] * 2 * (2 * np.pi * 1.5**2)
    np.testing.assert_allclose(flux, stars["flux"], rtol=0.05)
    np.testing.assert_allclose(table["x_fit"], stars["x"], atol=0.05)


def test_the_simulation_takes_it():
    model = Hill()
    data, table = make_psf_model_image(
        SHAPE, model, 5, model_shape=(15, 15), flux=(10, 20), seed=3
    )
    assert table.colnames == ["id", "column", "row", "total"]
    assert data.sum() == pytest.approx(table["total"].sum(), rel=1e-4)


def test_what_cannot_be_a_psf_is_refused():
    class Offset(Hill):
        @staticmethod
        def evaluate(x, y, total, column, row, width):  # noqa: PLR0917  (astropy's)
            return Hill.evaluate(x, y, total, column, row, width) + 1

    with pytest.raises(ValueError, match="proportional to its parameter 'total'"):
        PSFPhotometry(Offset(), 5)
    with pytest.raises(ValueError, match=r"no units besides .* column"):
        PSFPhotometry(Hill(column=1 * u.pix), 5)
    with pytest.raises(ValueError, match="could not find PSF parameter names"):
        PSFPhotometry(Const2D(), 5)


class Failing(Hill):
    """Fails after some evaluations."""

    calls = 0
    limit = 12
    action = None

    def evaluate(self, *args):
        type(self).calls += 1
        if type(self).calls > type(self).limit:
            type(self).action()
        return Hill.evaluate(*args)


@pytest.fixture
def failing():
    Failing.calls = 0
    return Failing


def test_an_exception_in_the_model_comes_out(failing):
    def fail():
        raise LookupError("no such star")

    failing.action = staticmethod(fail)
    with pytest.raises(LookupError, match="no such star"):
        fitted(failing())


def test_a_wrong_shape_from_the_model_is_an_error(failing):
    class Wrong(failing):
        def evaluate(self, x, *args):
            values = super().evaluate(x, *args)
            return values if type(self).calls < 12 else np.ones(3)

    Wrong.action = staticmethod(lambda: None)
    with pytest.raises(ValueError, match=r"broadcast|shape"):
        fitted(Wrong())


def test_it_is_called_on_the_calling_thread_whatever_n_threads():
    threads = set()

    class Watched(Hill):
        @staticmethod
        def evaluate(*args):
            threads.add(threading.get_ident())
            return Hill.evaluate(*args)

    fitted(Watched(), n_threads=2)
    assert threads == {threading.get_ident()}


def test_ctrl_c_ends_it(failing):
    def interrupt():
        time.sleep(0.15)
        if failing.calls == failing.limit + 1:
            signal.raise_signal(signal.SIGINT)

    failing.action = staticmethod(interrupt)
    failing.limit = 20
    # A job in the background inherits that Ctrl-C is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fitted(failing())
    finally:
        signal.signal(signal.SIGINT, before)
    assert failing.calls < 60
