"""A result of a fit without its image: in pickles, in copies, and afterwards."""

import copy
import pickle

import numpy as np
import pytest
from astropy import units as u
from astropy.modeling.fitting import TRFLSQFitter
from astropy.table import QTable

from psfphot.datasets import make_noise_image
from psfphot.psf import CircularGaussianPRF, GaussianPRF, PSFPhotometry, SourceGrouper

SHAPE = (200, 300)

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda phot: pickle.loads(pickle.dumps(phot)),  # noqa: S301
}

each_copy = pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)


@pytest.fixture(scope="module")
def stars():
    """Single stars, pairs, a chain of 20, one off the image and one of no place."""
    x = [30.2, 90.7, 93.1, 250.4, 252.2, -400.0]
    y = [150.1, 120.3, 121.0, 30.8, 33.9, 5.0]
    x += list(np.linspace(100, 181, 20))
    y += list(70 + np.sin(np.arange(20)))
    rng = np.random.default_rng(3)
    order = rng.permutation(len(x))
    flux = rng.uniform(500, 2000, len(x))
    table = QTable({"x": x, "y": y, "flux": flux})[order]
    table["id"] = rng.permutation(len(x)) + 10
    return table


@pytest.fixture(scope="module")
def image(stars):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    psf = CircularGaussianPRF()
    image = sum(psf.evaluate(x, y, s["flux"], s["x"], s["y"], 2.7) for s in stars)
    return image + make_noise_image(SHAPE, mean=0, stddev=0.5, seed=4)


def fitted(image, stars, model=None, error=True, dtype=float, **kwargs):
    kwargs = {"grouper": SourceGrouper(6)} | kwargs
    phot = PSFPhotometry(model or CircularGaussianPRF(fwhm=2.7), 7, **kwargs)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[70:72, 110] = mask[121, 91] = True
    error = np.full(SHAPE, 0.5, dtype) if error else None
    phot(image.astype(dtype), error=error, mask=mask, init_params=stars)
    return phot


def covariances(phot):
    groups = np.unique(phot.results["group_id"])
    return [phot.group_covariance(group) for group in groups]


def assert_same(some, others):
    for one, other in zip(some, others, strict=True):
        assert one.ids == other.ids
        assert one.parameters == other.parameters
        np.testing.assert_array_equal(one.covariance, other.covariance)


@each_copy
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("error", [True, False], ids=["errors", "no errors"])
def test_each_covariance_keeps_its_bits(image, stars, copied, dtype, error):
    phot = fitted(image, stars, error=error, dtype=dtype)
    assert {1, 2, 20} == set(phot.results["group_size"])
    before = covariances(phot)
    again = copied(phot)
    assert_same(covariances(again), before)
    assert_same(covariances(phot), before)
    # A copy of a copy has them too.
    assert_same(covariances(copied(again)), before)
    finite = [np.isfinite(one.covariance).all() for one in before]
    assert finite.count(False) == 1  # that of the star off the image
    with pytest.raises(ValueError, match="group_id must be one of the results"):
        again.group_covariance(999)


def test_free_shapes_and_fixed_positions(image, stars):
    model = GaussianPRF(x_fwhm=2.6, y_fwhm=2.8)
    model.x_fwhm.fixed = False
    model.y_0.fixed = True
    phot = fitted(image, stars, model)
    before = covariances(phot)
    assert before[0].parameters == ["x", "flux", "x_fwhm"]
    assert_same(covariances(COPIES["pickle"](phot)), before)


def test_the_covariances_are_those_of_a_model_in_python(image, stars):
    """Of a model that the core asks back."""

    class Own(CircularGaussianPRF):
        evaluate = staticmethod(CircularGaussianPRF().evaluate)

    phot = fitted(image, stars[:3], Own(fwhm=2.7), grouper=None)
    before = covariances(phot)
    assert_same(covariances(copy.copy(phot)), before)


@each_copy
def test_everything_else_goes_along(image, stars, copied):
    phot = fitted(image << u.nJy, stars_with_units(stars), error=False)
    again = copied(phot)
    assert again.data_unit == u.nJy
    assert again.fit_info == phot.fit_info
    assert again.decode_flags() == phot.decode_flags()
    for ask in ("results_to_init_params", "results_to_model_params"):
        ours, theirs = getattr(phot, ask)(), getattr(again, ask)()
        assert ours.colnames == theirs.colnames
        for name in ours.colnames:
            np.testing.assert_array_equal(ours[name], theirs[name])
    np.testing.assert_array_equal(
        again.make_residual_image(image << u.nJy),
        phot.make_residual_image(image << u.nJy),
    )


def stars_with_units(stars):
    stars = stars.copy()
    stars["flux"] = stars["flux"] << u.nJy
    return stars


def test_a_pickle_is_without_the_image(stars, image):
    large = np.zeros((2048, 2048), dtype=np.float32)
    large[: SHAPE[0], : SHAPE[1]] = image
    phot = PSFPhotometry(CircularGaussianPRF(fwhm=2.7), 7, grouper=SourceGrouper(6))
    unfitted = len(pickle.dumps(phot))
    phot(large, error=np.full(large.shape, np.float32(0.5)), init_params=stars)
    size = len(pickle.dumps(phot))
    assert size - unfitted < 60_000
    assert len(pickle.dumps(COPIES["pickle"](phot))) < size + 1000


def test_astropys_fitters_have_no_covariance_to_keep(image, stars):
    pytest.importorskip("scipy")
    phot = fitted(image, stars[:2], fitter=TRFLSQFitter(), grouper=None)
    again = COPIES["pickle"](phot)
    assert len(again.fit_info) == len(phot.fit_info) == 2
    with pytest.raises(NotImplementedError, match="LevenbergMarquardt"):
        again.group_covariance(1)
    assert len(pickle.dumps(phot)) < image.nbytes / 4


def test_what_the_user_does_to_the_tables_is_not_done_to_the_result(image, stars):
    phot = fitted(image, stars)
    before = covariances(phot)
    residual = phot.make_residual_image(image)
    flags, starts = phot.decode_flags(), phot.results_to_init_params()
    info = dict(zip(phot.results["id"], phot.fit_info, strict=True))
    phot.results.sort("flux_fit")
    phot.results.remove_rows([0, 3])
    phot.init_params["x_init"] += 5
    phot.init_params.sort("y_init")
    phot.psf_model.fwhm = 9
    np.testing.assert_array_equal(phot.make_residual_image(image), residual)
    for group_id, one in enumerate(before, 1):
        assert_same([phot.group_covariance(group_id)], [one])
    assert phot.fit_info == [info[k] for k in phot.results["id"]]
    assert phot.decode_flags() == flags
    np.testing.assert_array_equal(
        phot.results_to_init_params()["x_init"], starts["x_init"]
    )
