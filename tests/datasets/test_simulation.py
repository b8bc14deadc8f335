"""Simulated sources, noise and images."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from hypothesis import given, settings
from hypothesis import strategies as st

from psfphot.datasets import (
    apply_poisson_noise,
    make_model_params,
    make_noise_image,
    make_random_models_table,
    params_table_to_models,
)
from psfphot.psf import CircularGaussianPRF, ImagePSF, make_psf_model_image


def test_the_random_stream_is_that_of_the_documentation():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(4, 196, 200), rng.uniform(2, 98, 200)
    flux, sky = rng.uniform(1, 2, 20), rng.uniform(-1, 0, 20)
    table = make_model_params(
        (100, 200),
        20,
        min_separation=1e-6,
        border_size=(2, 4),
        seed=3,
        flux=(1, 2),
        sky=(-1, 0),
    )
    assert table.colnames == ["id", "x_0", "y_0", "flux", "sky"]
    np.testing.assert_array_equal(table["id"], np.arange(1, 21))
    expected = [x[:20], y[:20], flux, sky]
    for name, column in zip(table.colnames[1:], expected, strict=True):
        np.testing.assert_array_equal(table[name], column)


@pytest.mark.parametrize("separation", [0, -1])
def test_without_a_positive_separation_no_more_are_drawn_than_needed(separation):
    rng = np.random.default_rng(0)
    table = make_model_params((50, 60), 5, min_separation=separation, flux=(1, 2))
    np.testing.assert_array_equal(table["x_0"], rng.uniform(0, 60, 5))
    np.testing.assert_array_equal(table["y_0"], rng.uniform(0, 50, 5))
    np.testing.assert_array_equal(table["flux"], rng.uniform(1, 2, 5))


@settings(max_examples=30)
@given(st.floats(0.5, 20), st.integers(0, 60), st.integers(0, 2**32))
def test_the_lower_index_wins(separation, n_sources, seed):
    rng = np.random.default_rng(seed)
    candidates = np.transpose(
        [rng.uniform(0, 200, 10 * n_sources), rng.uniform(0, 150, 10 * n_sources)]
    )
    kept = []
    for point in candidates:
        if all(((point - other) ** 2).sum() > separation**2 for other in kept):
            kept.append(point)
    if len(kept) < n_sources:
        with pytest.warns(AstropyUserWarning, match=f"Only {len(kept)} coordinates"):
            table = make_model_params(
                (150, 200), n_sources, min_separation=separation, seed=seed
            )
    else:
        table = make_model_params(
            (150, 200), n_sources, min_separation=separation, seed=seed
        )
    expected = np.reshape(kept[:n_sources], (-1, 2))
    np.testing.assert_array_equal(np.transpose([table["x_0"], table["y_0"]]), expected)


def test_fewer_sources_come_with_a_warning():
    message = "Unable to produce 3 coordinates.* Only 1 coordinates were generated"
    with pytest.warns(AstropyUserWarning, match=message) as caught:
        table = make_model_params((50, 60), 3, min_separation=np.inf)
    assert len(table) == 1
    assert caught[0].filename == __file__


def test_names_meta_and_no_sources():
    table = make_model_params(50, 0, x_name="x_mean", y_name="y_mean")
    assert table.colnames == ["id", "x_mean", "y_mean"]
    assert len(table) == 0
    assert {"date", "version"} == set(table.meta)
    assert "psfphot" in table.meta["version"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_sources": -1}, "n_sources must be >= 0"),
        ({"shape": (0, 60)}, "shape must be >= 1"),
        ({"shape": (50.5, 60)}, "shape must have integer values"),
        ({"shape": (50, 60, 2)}, "shape must have 1 or 2 elements"),
        ({"border_size": 25}, "border_size is too large for the given shape"),
        ({"border_size": -1}, "border_size must be >= 0"),
        ({"flux": 1}, "flux must be a 2-tuple"),
        ({"shape": (-5, 60)}, "shape must be >= 1"),
        ({"flux": (3, 1)}, "flux must be finite and lower <= upper"),
        ({"flux": (0, np.nan)}, "flux must be finite and lower <= upper"),
        ({"id": (1, 2)}, "id cannot be used as a keyword argument"),
        ({"x_0": (1, 2)}, "x_0 cannot be used as a keyword argument"),
        ({"min_separation": np.nan}, "min_separation must be a number"),
    ],
)
def test_bad_arguments_of_make_model_params(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_model_params(**{"shape": (50, 60), "n_sources": 3} | arguments)


def test_wrong_types_of_make_model_params():
    with pytest.raises(TypeError, match="n_sources must be an integer"):
        make_model_params((50, 60), 3.5)
    with pytest.raises(TypeError, match="min_separation must be a number"):
        make_model_params((50, 60), 3, min_separation=None)
    with pytest.raises(TypeError, match="shape must be an array of real numbers"):
        make_model_params("a", 3)
    for limits in [(1 * u.Jy, 2 * u.Jy), [1, 2] * u.Jy, ("a", "b")]:
        with pytest.raises(TypeError, match="each end of flux must be a number"):
            make_model_params((50, 60), 3, flux=limits)


def test_random_models_are_numpy_s():
    ranges = {"flux": (1, 2), "x_0": [0, 50], "a": (-1, 1)}
    table = make_random_models_table(7, ranges, seed=3)
    assert table.colnames == ["id", *ranges]
    assert {"date", "version"} == set(table.meta)
    np.testing.assert_array_equal(table["id"], np.arange(1, 8))
    rng = np.random.default_rng(3)
    for name, limits in ranges.items():
        np.testing.assert_array_equal(table[name], rng.uniform(*limits, 7))
    assert len(make_random_models_table(0, ranges)) == 0


@pytest.mark.parametrize(
    ("n_sources", "ranges", "error", "message"),
    [
        (-1, {}, ValueError, "n_sources must be >= 0"),
        (2.5, {}, TypeError, "n_sources must be an integer"),
        (1, [1], TypeError, "param_ranges must be a dict"),
        (1, {"id": (1, 2)}, ValueError, "param_ranges cannot contain an 'id' key"),
        (1, {"a": 1}, ValueError, "a must be a 2-tuple"),
        (1, {"a": (2, 1)}, ValueError, "a must be finite and lower <= upper"),
        (1, {"a": (1 * u.s, 2)}, TypeError, "each end of a must be a number"),
    ],
)
def test_bad_arguments_of_make_random_models_table(n_sources, ranges, error, message):
    with pytest.raises(error, match=message):
        make_random_models_table(n_sources, ranges)


def test_models_of_a_table():
    model = CircularGaussianPRF(x_0=9, fwhm=3, name="star", bounds={"flux": (0, 9)})
    table = QTable({"flux": [1, 2] * u.Jy, "y_0": [3, 4], "other": [5, 6]})
    one, two = params_table_to_models(table, model)
    assert (one.flux.quantity, two.flux.quantity) == (1 * u.Jy, 2 * u.Jy)
    assert (two.x_0, two.y_0, two.fwhm, two.name) == (9, 4, 3, "star")
    assert two.bounds == model.bounds
    assert (model.flux, model.y_0) == (1, 0)
    table["name"] = ["a", "b"]
    assert [each.name for each in params_table_to_models(table, model)] == ["a", "b"]
    assert params_table_to_models(table[:0], model) == []


def test_bad_arguments_of_params_table_to_models():
    with pytest.raises(ValueError, match="No matching model parameter names found"):
        params_table_to_models(QTable({"x": [1]}), CircularGaussianPRF())
    with pytest.raises(TypeError, match="model must be a Model instance"):
        params_table_to_models(QTable({"x_0": [1]}), CircularGaussianPRF)
    with pytest.raises(TypeError, match="params_table must be an astropy Table"):
        params_table_to_models({"x_0": [1]}, CircularGaussianPRF())


def test_noise_is_that_of_numpy():
    rng = np.random.default_rng(2)
    noise = make_noise_image((20, 30), mean=1, stddev=0.5, seed=2)
    np.testing.assert_array_equal(noise, rng.normal(1, 0.5, (20, 30)))
    rng = np.random.default_rng(2)
    noise = make_noise_image((20, 30), distribution="poisson", mean=3.5, seed=2)
    np.testing.assert_array_equal(noise, rng.poisson(3.5, (20, 30)))
    assert noise.dtype == np.int64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "'mean' must be input"),
        ({"mean": 0}, "'stddev' must be input for Gaussian noise"),
        ({"mean": 0, "stddev": -1}, "stddev must be >= 0"),
        ({"mean": -1, "distribution": "poisson"}, "mean must be >= 0"),
        ({"mean": 0, "distribution": "flat"}, "Invalid distribution: flat"),
    ],
)
def test_bad_arguments_of_make_noise_image(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_noise_image((2, 2), **arguments)


def test_noise_takes_no_units():
    for wrong in ({"mean": 1 * u.Jy, "stddev": 1}, {"mean": 1, "stddev": 1 * u.Jy}):
        with pytest.raises(TypeError, match="must be a number without a unit"):
            make_noise_image((2, 2), **wrong)
    with pytest.raises(ValueError, match="negative dimensions"):
        make_noise_image((-2, 2), mean=0, stddev=1)


@pytest.mark.parametrize("dtype", [float, np.float32, ">f4", int, np.int16, np.uint16])
def test_poisson_noise_is_that_of_numpy(dtype):
    data = np.asfortranarray(np.arange(60).reshape(6, 10)[::2, ::3].astype(dtype))
    noisy = apply_poisson_noise(data, seed=4)
    expected = np.random.default_rng(4).poisson(data)
    assert noisy.dtype == data.dtype
    np.testing.assert_array_equal(noisy, expected)
    np.testing.assert_array_equal(apply_poisson_noise(data.tolist(), seed=4), expected)


def test_poisson_noise_keeps_masks():
    data = np.ma.array([5.0, np.nan, -2.0, 7.0, 8.0], mask=[0, 1, 1, 1, 0])
    noisy = apply_poisson_noise(data, seed=1)
    np.testing.assert_array_equal(noisy.mask, data.mask)
    expected = np.random.default_rng(1).poisson([5, 0, 0, 7, 8])
    np.testing.assert_array_equal(noisy.data, expected)
    assert apply_poisson_noise(3, seed=0) == np.random.default_rng(0).poisson(3)
    assert apply_poisson_noise(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([1, np.nan], ValueError, "data must not contain any nonfinite values"),
        ([1, np.inf], ValueError, "data must not contain any nonfinite values"),
        ([1, -1], ValueError, "data must not contain any negative values"),
        ([1e30], ValueError, "lam value too large"),
        (np.full(99, 255, np.uint8), ValueError, "dtype uint8 cannot hold the count"),
        ([1j], TypeError, "data must be an array of real numbers"),
        (["a"], TypeError, "data must be an array of real numbers"),
        (None, TypeError, "data must be an array of real numbers"),
        ([1, 2] * u.ct, TypeError, "data must be counts without a unit, got ct"),
    ],
)
def test_bad_data_of_apply_poisson_noise(data, error, message):
    with pytest.raises(error, match=message):
        apply_poisson_noise(data, seed=0)


def test_an_image_holds_the_sources_of_its_table():
    psf = CircularGaussianPRF(fwhm=2.0)
    data, table = make_psf_model_image(
        (80, 100), psf, 12, flux=(50, 70), min_separation=12, model_shape=11
    )
    assert table.colnames == ["id", "x_0", "y_0", "flux"]
    # The default border keeps the boxes on the image.
    assert table["x_0"].min() >= 5
    assert table["y_0"].max() <= 75
    np.testing.assert_allclose(data.sum(), table["flux"].sum(), rtol=1e-6)


def test_parameters_without_a_range_are_the_models():
    psf = CircularGaussianPRF(flux=7.0, fwhm=2.0)
    data, table = make_psf_model_image((60, 60), psf, 3)
    assert table.colnames == ["id", "x_0", "y_0"]
    np.testing.assert_allclose(data.sum(), 21, rtol=1e-6)


def test_ranges_of_the_shape_are_used_and_others_ignored():
    psf = CircularGaussianPRF()
    data, table = make_psf_model_image(
        (60, 60),
        psf,
        4,
        x_0=(1, 2),
        nonsense=(1, 2),
        fwhm=(2, 4),
        flux=(5, 6),
        model_shape=(25, 25),
    )
    assert table.colnames == ["id", "x_0", "y_0", "fwhm", "flux"]
    expected = np.zeros_like(data)
    yy, xx = np.indices(data.shape)
    for _, x, y, fwhm, flux in table.iterrows():
        expected += CircularGaussianPRF(flux=flux, x_0=x, y_0=y, fwhm=fwhm)(xx, yy)
    np.testing.assert_allclose(data, expected, atol=1e-8)


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_every_number_of_threads_gives_the_same_bits(n_threads):
    psf = ImagePSF(np.random.default_rng(1).random((44, 44)), oversampling=4)
    settings = {"flux": (1, 9), "seed": 5}
    expected, _ = make_psf_model_image((150, 90), psf, 40, **settings)
    data, _ = make_psf_model_image((150, 90), psf, 40, n_threads=n_threads, **settings)
    np.testing.assert_array_equal(data, expected)


def test_bad_arguments_of_make_psf_model_image():
    with pytest.raises(TypeError, match="psf_model must be an Astropy Model"):
        make_psf_model_image((40, 40), 3, 3)
    with pytest.raises(ValueError, match="model_shape must be >= 1"):
        make_psf_model_image((40, 40), CircularGaussianPRF(), 3, model_shape=0)
    with pytest.raises(ValueError, match="flux must be a 2-tuple"):
        make_psf_model_image((40, 40), CircularGaussianPRF(), 3, flux=3)
