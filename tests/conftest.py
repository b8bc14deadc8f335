"""Fixtures shared by the tests: the golden data and the small grid of ePSFs."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import NDData
from hypothesis import settings

from psfphot.psf import GriddedPSFModel

# Machines are noisy: no test fails for having taken long.
settings.register_profile("psfphot", deadline=None)
settings.load_profile("psfphot")


DATA = Path(__file__).parent / "data"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Let no overflow, underflow or NaN of numpy's go by unseen.

    Those of photutils are its own.
    """
    is_parity = item.get_closest_marker("parity") is not None
    with np.errstate(all="ignore" if is_parity else "raise"):
        return (yield)


@pytest.fixture(scope="module")
def cluster():
    """Client of a Dask cluster of two worker processes on this machine."""
    distributed = pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    # What its processes do all the time, though nobody looks at it.
    quiet = {
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "500ms",
        "distributed.admin.system-monitor.interval": "10s",
    }
    with (
        dask.config.set(quiet),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def load_golden():
    """Reader of an ``.npz`` file of ``tests/data``: a dict of its arrays.

    Strings are JSON: they hold the calls that made the arrays.
    """

    def load(name):
        with np.load(DATA / f"{name}.npz") as file:
            arrays = {key: file[key] for key in file.files}
        for key, value in arrays.items():
            if value.ndim == 0 and value.dtype.kind == "U":
                arrays[key] = json.loads(value.item())
        return arrays

    return load


@pytest.fixture(scope="session")
def grid_path():
    return DATA / "grid_3x3_samp4.fits"


@pytest.fixture(scope="session")
def grid_model(grid_path):
    """The file's planes at their true positions, made without our file reader."""
    planes = fits.getdata(grid_path)
    positions = [(x, y) for y in (0.0, 128.0, 255.0) for x in (0.0, 128.0, 255.0)]
    meta = {"grid_xypos": positions, "oversampling": 4}
    return GriddedPSFModel(NDData(planes, meta=meta))


@pytest.fixture(scope="session")
def simulation(load_golden):
    """The simulated image: ``data``, ``model``, ``params``, ``mask``, ..."""
    arrays = load_golden("simulation")
    arrays["data"] = arrays["data"].astype(float)
    return arrays
