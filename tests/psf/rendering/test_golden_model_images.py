"""Images of any models, random tables and Poisson noise as photutils makes them."""

import numpy as np
import pytest
from astropy.modeling.models import Gaussian2D, Moffat2D
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.datasets import (
    apply_poisson_noise,
    make_model_image,
    make_model_params,
    make_random_models_table,
)
from psfphot.psf import CircularGaussianPRF

MODELS = {
    "prf": CircularGaussianPRF(fwhm=2.3),
    "gaussian": Gaussian2D(x_stddev=1.2),
    "compound": Gaussian2D(x_stddev=1.2) + Moffat2D(amplitude=3.0),
}
NAMES = [
    "center",
    "even_box",
    "own_boxes",
    "levels",
    "prf_interp",
    "prf_oversample",
    "gaussian_center",
    "gaussian_factor",
    "gaussian_interp",
    "gaussian_oversample",
    "gaussian_integrate",
    "compound",
]


@pytest.mark.parametrize("name", NAMES)
def test_same_image(load_golden, name):
    golden = load_golden("model_images")
    case, table = golden["cases"][name], golden[name]
    drawn = make_random_models_table(
        case["n_sources"], case["ranges"], seed=case["seed"]
    )
    assert drawn.colnames == list(table.dtype.names)
    for column in drawn.colnames:
        np.testing.assert_array_equal(drawn[column], table[column])
    if name == "gaussian_integrate":
        pytest.importorskip("scipy")
    expected = golden[f"{name}_image"]
    image = make_model_image(
        expected.shape, MODELS[case["model"]], drawn, **case["call"]
    )
    np.testing.assert_allclose(
        image, expected, rtol=0, atol=1e-10 * np.abs(expected).max()
    )


def test_all_cases_are_tested(load_golden):
    assert sorted(NAMES) == sorted(load_golden("model_images")["cases"])


def test_negative_separation(load_golden):
    golden = load_golden("model_images")
    with pytest.warns(AstropyUserWarning, match="Unable to produce 200 coordinates"):
        table = make_model_params(**golden["setup"]["negative"])
    for column in table.colnames:
        np.testing.assert_array_equal(table[column], golden["negative"][column])


def test_poisson_noise(load_golden):
    golden = load_golden("model_images")
    seed = golden["setup"]["poisson_seed"]
    counts = apply_poisson_noise(golden["expected_counts"], seed=seed)
    np.testing.assert_array_equal(counts, golden["counts"])
