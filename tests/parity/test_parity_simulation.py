"""Simulated sources, images and noise against photutils."""

import numpy as np
import pytest
from astropy import units as u
from astropy.modeling.models import Gaussian2D, Moffat2D
from astropy.nddata import NDData
from astropy.table import QTable
from outcomes import called

from psfphot import datasets
from psfphot import psf as ours

their_datasets = pytest.importorskip("photutils.datasets")
theirs = pytest.importorskip("photutils.psf")
pytestmark = pytest.mark.parity

SHAPE = (120, 90)


def same_table(ours, theirs):
    assert ours.colnames == theirs.colnames
    for name in ours.colnames:
        np.testing.assert_array_equal(ours[name], theirs[name])


def same_image(ours, theirs, tolerance=1e-10):
    assert getattr(ours, "unit", None) == getattr(theirs, "unit", None)
    ours, theirs = (np.asarray(getattr(each, "value", each)) for each in (ours, theirs))
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    peak = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * peak)


@pytest.mark.parametrize("separation", [-1, -2.5, -0.3, -1e-9, 0, 1e-9, 0.1, 2.5, 1e9])
def test_separations(separation):
    """A negative one draws no spare candidates, but keeps the distance."""
    call = {"min_separation": separation, "seed": 5, "flux": (1, 2)}
    our_table, our_messages = called(datasets.make_model_params, (30, 40), 300, **call)
    table, messages = called(their_datasets.make_model_params, (30, 40), 300, **call)
    same_table(our_table, table)
    assert our_messages == messages


@pytest.mark.parametrize("n_sources", [0, 1, 50])
def test_random_models(n_sources, photutils_31):
    ranges = {"amplitude": [500, 1000], "x_0": (0, 90), "y_0": (0, 120), "b": (-1, -1)}
    same_table(
        datasets.make_random_models_table(n_sources, ranges, seed=3),
        their_datasets.make_random_models_table(n_sources, ranges, seed=3),
    )


def test_models_of_a_table(photutils_31):
    table = QTable({"x_0": [1.5, 2], "flux": [3, 4] * u.Jy, "name": ["a", "b"]})
    made = [
        package.params_table_to_models(table, model)
        for package, model in (
            (datasets, ours.CircularGaussianPRF(fwhm=3)),
            (their_datasets, theirs.CircularGaussianPRF(fwhm=3)),
        )
    ]
    assert repr(made[0]) == repr(made[1])
    assert [model.name for model in made[0]] == [model.name for model in made[1]]


@pytest.mark.parametrize("dtype", [float, np.float32, ">f4", int, np.int16, np.uint16])
def test_poisson_noise(dtype):
    data = np.random.default_rng(1).uniform(0, 500, SHAPE).astype(dtype)
    noisy = datasets.apply_poisson_noise(data, seed=4)
    expected = their_datasets.apply_poisson_noise(data, seed=4)
    assert noisy.dtype == expected.dtype
    np.testing.assert_array_equal(noisy, expected)


def test_poisson_noise_under_a_mask():
    data = np.random.default_rng(1).uniform(0, 500, SHAPE)
    data = np.ma.array(data, mask=data < 30)
    noisy = datasets.apply_poisson_noise(data, seed=4)
    expected = their_datasets.apply_poisson_noise(data, seed=4)
    assert noisy[~data.mask].tolist() == expected[~data.mask].tolist()


def samples(seed, shape=(44, 44)):
    y, x = np.mgrid[: shape[0], : shape[1]] - (np.array(shape)[:, None, None] - 1) / 2
    star = np.exp(-((x / 6) ** 2) - (y / 5) ** 2)
    return star + 0.01 * np.random.default_rng(seed).random(shape)


def grid(module):
    data = np.array([samples(seed) for seed in range(6)])
    corners = [(0, 0), (0, 60), (0, 119), (89, 0), (89, 60), (89, 119)]
    return module.GriddedPSFModel(
        NDData(data, meta={"grid_xypos": corners, "oversampling": 4})
    )


MODELS = {
    "PRF": lambda module: module.CircularGaussianPRF(fwhm=2.3),
    "image": lambda module: module.ImagePSF(samples(0), oversampling=4),
    "fill value": lambda module: module.ImagePSF(
        samples(0), oversampling=4, fill_value=3.0
    ),
    "grid": grid,
}


def sources(n=40):
    rng = np.random.default_rng(8)
    return QTable(
        {
            "x_0": rng.uniform(-8, 98, n),
            "y_0": rng.uniform(-8, 128, n),
            "flux": rng.uniform(500, 20_000, n),
        }
    )


@pytest.mark.parametrize("method", ["center", "interp", "oversample"])
@pytest.mark.parametrize("name", MODELS)
def test_images_of_psf_models(name, method, photutils_31):
    call = {"discretize_method": method, "discretize_oversample": 3}
    table = sources()
    for model_shape in (None, 5, (14, 9)):
        call["model_shape"] = model_shape
        same_image(
            datasets.make_model_image(SHAPE, MODELS[name](ours), table, **call),
            their_datasets.make_model_image(SHAPE, MODELS[name](theirs), table, **call),
        )


@pytest.mark.parametrize("name", ["PRF", "image"])
def test_integrated_psf_models(name):
    call = {"discretize_method": "integrate", "model_shape": 2}
    table = sources(3)
    table["x_0"], table["y_0"] = [20.3, 50.1, -0.3], [30.0, 60.6, 3.2]
    same_image(
        datasets.make_model_image(SHAPE, MODELS[name](ours), table, **call),
        their_datasets.make_model_image(SHAPE, MODELS[name](theirs), table, **call),
    )


@pytest.mark.parametrize("name", MODELS)
def test_photutils_models_are_rendered(name):
    model = MODELS[name](theirs)
    table = sources()
    same_image(
        datasets.make_model_image(SHAPE, model, table),
        their_datasets.make_model_image(SHAPE, model, table),
    )


@pytest.mark.parametrize("columns", ["fwhm", "model_shape", "local_bkg", "flux", "all"])
def test_columns(columns):
    table = sources()
    rng = np.random.default_rng(9)
    # A size that is no whole number: photutils' may get one pixel more else.
    table["fwhm"] = rng.uniform(1, 4, len(table)).round(2) + 0.001
    table["model_shape"] = rng.integers(1, 15, (len(table), 2))
    table["local_bkg"] = rng.uniform(-9, 9, len(table)) * u.mJy
    table["flux"] = table["flux"] * u.mJy
    kept = {"x_0", "y_0", "flux", columns}
    if columns != "all":
        table = table[[name for name in table.colnames if name in kept]]
    same_image(
        datasets.make_model_image(SHAPE, MODELS["PRF"](ours), table),
        their_datasets.make_model_image(SHAPE, MODELS["PRF"](theirs), table),
    )


@pytest.mark.parametrize("method", ["center", "interp", "oversample", "integrate"])
def test_images_of_astropy_models(method):
    few = 2 if method == "integrate" else 25
    ranges = {"amplitude": [100, 200], "x_mean": [0, 90], "y_mean": [0, 120]}
    ranges |= {"x_stddev": [1, 2], "y_stddev": [1, 3], "theta": [0, 3]}
    table = datasets.make_random_models_table(few, ranges, seed=0)
    call = {"x_name": "x_mean", "y_name": "y_mean", "discretize_method": method}
    for more in ({"model_shape": 3}, {"bbox_factor": 1.55}):
        if method == "integrate" and "bbox_factor" in more:
            continue
        same_image(
            datasets.make_model_image(SHAPE, Gaussian2D(), table, **call, **more),
            their_datasets.make_model_image(SHAPE, Gaussian2D(), table, **call, **more),
        )


def test_compound_models():
    model = Gaussian2D(x_stddev=2) + Moffat2D(amplitude=0.5)
    table = sources()
    for name, column in {"x_mean_0": "x_0", "x_0_1": "x_0", "y_mean_0": "y_0"}.items():
        table[name] = table[column]
    call = {"x_name": "x_mean_0", "y_name": "y_mean_0", "model_shape": 9}
    call["params_map"] = {"y_0_1": "y_0", "amplitude_0": "flux"}
    same_image(
        datasets.make_model_image(SHAPE, model, table, **call),
        their_datasets.make_model_image(SHAPE, model, table, **call),
    )


def test_rows_that_are_left_out(photutils_31):
    table = sources()
    table["local_bkg"] = 1.0
    table["x_0"][3], table["y_0"][5], table["flux"][7] = np.nan, np.inf, np.nan
    table["local_bkg"][9] = np.nan
    image, messages = called(
        datasets.make_model_image, SHAPE, MODELS["PRF"](ours), table
    )
    expected = their_datasets.make_model_image(SHAPE, MODELS["PRF"](theirs), table)
    same_image(image, expected)
    assert len(messages) == 1


def test_the_seeds_simulation(nircam_grid, photutils_31):
    arguments = (2048, 2048), 500
    call = {"flux": (500, 20_000), "min_separation": 25, "seed": 0}
    model = ours.GriddedPSFModel.read(nircam_grid, grid_order="header")
    data, table = ours.make_psf_model_image(arguments[0], model, 500, **call)
    other = theirs.GriddedPSFModel.read(nircam_grid)
    expected, their_table = theirs.make_psf_model_image(
        arguments[0], other, 500, **call
    )
    same_table(table, their_table)
    same_image(data, expected)
    same_image(datasets.make_model_image(arguments[0], model, table), expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (0, 5)},
        {"shape": (4.5, 5)},
        {"shape": (4, 5, 6)},
        {"model": Gaussian2D},
        {"model": Gaussian2D()},
        {"model": Moffat2D()},
        {"params_table": {"x_0": [1.0]}},
        {"params_table": QTable()},
        {"x_name": "a"},
        {"params_map": {"a": "flux"}},
        {"params_map": {"flux": "a"}},
        {"model_shape": 0},
        {"model_shape": 2.5},
        {"discretize_method": "bad"},
    ],
    ids=str,
)
def test_errors(wrong, photutils_31):
    """The same kind of error; our message begins alike, and says what came."""
    model = theirs.CircularGaussianPRF()
    call = {"shape": SHAPE, "model": model, "params_table": sources()} | wrong
    with pytest.raises((TypeError, ValueError)) as expected:
        their_datasets.make_model_image(**call)
    with pytest.raises(expected.type) as error:
        datasets.make_model_image(**call)
    assert str(error.value).split()[:2] == str(expected.value).split()[:2]


@pytest.mark.usefixtures("photutils_31")
def test_psf_images_of_astropy_models():
    model = Gaussian2D(x_stddev=1.5)
    model.x_name, model.y_name, model.flux_name = "x_mean", "y_mean", "amplitude"
    call = {"flux": (3, 4), "x_stddev": (1, 2), "seed": 5, "nonsense": (1, 2)}
    data, table = ours.make_psf_model_image(SHAPE, model, 30, **call)
    expected, their_table = theirs.make_psf_model_image(SHAPE, model, 30, **call)
    same_table(table, their_table)
    same_image(data, expected)
