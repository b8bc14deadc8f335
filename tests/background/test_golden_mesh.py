"""`Background2D` against photutils' numbers."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

import psfphot.background
from psfphot.background import BkgZoomInterpolator

SCRIPT = Path(__file__).parents[1] / "data" / "golden_mesh.py"


@pytest.fixture(scope="module")
def script():
    """The script that made the numbers, for its image; photutils is not needed."""
    spec = importlib.util.spec_from_file_location("golden_mesh", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_meshes_and_maps(script, load_golden):
    golden = load_golden("mesh")
    arrays = script.scene()
    for k, case in enumerate(golden["cases"]):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*not finite.*")
            background = script.call(psfphot.background, case, arrays)
        # To 1e-9 of the noise, which is 2.
        close = {"rtol": 0, "atol": 2e-9, "err_msg": str(case)}
        for name in ("background", "background_rms"):
            mesh, image = (getattr(background, f"{name}{s}") for s in ("_mesh", ""))
            np.testing.assert_allclose(mesh, golden[f"{name}_mesh_{k}"], **close)
            pixels = image.ravel()[:: script.STEP]
            np.testing.assert_allclose(pixels, golden[f"{name}_{k}"], **close)
        np.testing.assert_array_equal(background.n_pixels_mesh, golden[f"n_pixels_{k}"])


@pytest.mark.parametrize("mode", ["reflect", "mirror", "constant", "nearest", "wrap"])
@pytest.mark.parametrize("order", range(6))
def test_zooms_are_those_of_scipy(order, mode):
    # Before 1.18 scipy mirrors a small mesh to 1e-5 only.
    pytest.importorskip("scipy", minversion="1.18")
    zoom = pytest.importorskip("scipy.ndimage").zoom
    rng = np.random.default_rng(order)
    for shape in ((1, 2), (3, 4), (7, 15)):
        mesh = rng.normal(0, 1, shape)
        interpolator = BkgZoomInterpolator(order=order, mode=mode, cval=0.4, clip=False)
        sizes = {"shape": (shape[0] * 4, shape[1] * 5), "box_size": (4, 5)}
        ours = interpolator(mesh, dtype=float, **sizes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = zoom(
                mesh, (4, 5), order=order, mode=mode, cval=0.4, grid_mode=True
            )
        # scipy's padded mesh, for 'nearest', is filtered to 1e-8.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8)
