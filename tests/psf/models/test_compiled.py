"""Splines are computed once in a process, and are those of the samples."""

import copy
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from astropy.nddata import NDData

from psfphot.psf import GriddedPSFModel, ImagePSF
from psfphot.psf._models import sampled
from psfphot.psf._models.compiled import SplineCache, digest_of


def image_psf(seed, **kwargs):
    data = np.random.default_rng(seed).random((12, 15))
    return ImagePSF(data, x_0=3, y_0=4, **kwargs)


def gridded_psf(seed):
    data = np.random.default_rng(seed).random((4, 12, 15)).astype(np.float32)
    corners = [(x, y) for y in (0, 50) for x in (0, 40)]
    nddata = NDData(data, meta={"grid_xypos": corners, "oversampling": 2})
    return GriddedPSFModel(nddata, x_0=3, y_0=4)


@pytest.fixture
def computed(monkeypatch):
    """The splines that were computed in an empty cache: one name each."""
    names = []

    def counting(kind):
        original = kind._splines
        return lambda model: names.append(kind.__name__) or original(model)

    for kind in (ImagePSF, GriddedPSFModel):
        monkeypatch.setattr(kind, "_splines", counting(kind))
    monkeypatch.setattr(sampled, "SPLINES", SplineCache(2**20))
    return names


def unpickled(model):
    return pickle.loads(pickle.dumps(model))  # noqa: S301


@pytest.mark.parametrize("make", [image_psf, gridded_psf])
def test_one_computation_for_all_that_are_alike(make, computed):
    model = make(1)
    value = model(3.3, 4.1)
    for twin in (unpickled(model), unpickled(unpickled(model)), make(1)):
        assert twin(3.3, 4.1) == value
    assert len(computed) == 1
    assert make(2)(3.3, 4.1) != value
    assert len(computed) == 2


def test_a_pickle_that_is_known_is_not_digested_again(computed, monkeypatch):
    model = image_psf(1)
    model(3, 4)
    pickles = pickle.dumps(model)

    def refuse(*args):
        raise AssertionError

    monkeypatch.setattr(sampled, "digest_of", refuse)
    assert pickle.loads(pickles)(3, 4) == model(3, 4)  # noqa: S301
    # Nor are copies digested.
    assert copy.deepcopy(model)(3, 4) == model.copy()(3, 4) == model(3, 4)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: setattr(model, "oversampling", (2, 3)),
        lambda model: setattr(model, "origin", (5, 6)),
        lambda model: setattr(model, "data", model.data * 2),
    ],
    ids=["oversampling", "origin", "data"],
)
def test_what_changes_the_splines_is_another_content(change, computed):
    model = image_psf(1)
    before = model(3.3, 4.1)
    changed = unpickled(model)
    change(changed)
    assert changed(3.3, 4.1) != before
    assert unpickled(changed)(3.3, 4.1) == changed(3.3, 4.1)
    assert len(computed) == 2


def test_samples_changed_by_force_are_not_taken_for_those_before(computed):
    model = image_psf(1)
    before = model(3.3, 4.1)
    forced = unpickled(model)
    changed = model.data * 2
    model._data.flags.writeable = True
    model._data[...] = changed
    # Pickles are of what is there, whatever was compiled before.
    assert unpickled(model)(3.3, 4.1) == ImagePSF(changed, x_0=3, y_0=4)(3.3, 4.1)
    assert forced(3.3, 4.1) == before


def test_a_digest_that_a_pickle_brought_is_not_believed_on_a_miss(computed):
    model = image_psf(1)
    model._compiled.content = b"another's"
    value = model(3.3, 4.1)
    other = image_psf(2)
    other._compiled.content = b"another's"
    assert other(3.3, 4.1) != value


def test_types_and_shapes_are_content():
    zeros = np.zeros((4, 6))
    alike = [zeros, zeros.reshape(6, 4), zeros.astype(np.float32).repeat(2, 0)]
    assert len({digest_of([a], {}) for a in alike}) == 3
    assert digest_of([zeros], {}) == digest_of([zeros.copy()], {})
    assert digest_of([zeros], {}) != digest_of([zeros], {"origin": (0, 0)})


def test_the_cache_is_bounded_and_keeps_the_last_used():
    cache = SplineCache(100)
    computed = []

    def get(name, n_bytes=40):
        return cache.get(
            None, name.encode, lambda: computed.append(name) or name, n_bytes
        )

    for name in "ab":
        get(name)
    get("a")
    get("c")
    assert computed == ["a", "b", "c"]
    get("a")  # b went, which was used longest ago
    assert computed == ["a", "b", "c"]
    get("b")
    assert computed == ["a", "b", "c", "b"]
    get("large", 1000)
    get("large", 1000)
    assert computed == ["a", "b", "c", "b", "large"]
    assert list(cache._known) == [b"large"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_a_fork_amid_another_threads_use():
    """In a process of its own: forks beside threads are warned of."""
    script = """
        import os, sys, warnings
        from psfphot.psf._models.compiled import SPLINES
        import numpy as np
        from psfphot.psf import ImagePSF

        warnings.simplefilter("ignore")
        value = ImagePSF(np.eye(5))(0, 0)
        SPLINES._lock.acquire()
        child = os.fork()
        if child == 0:
            same = ImagePSF(np.eye(5))(0, 0) == value
            os._exit(0 if same and ImagePSF(np.eye(6))(0.5, 0.5) > 0 else 1)
        _, status = os.waitpid(child, 0)
        sys.exit(os.waitstatus_to_exitcode(status))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], timeout=60, check=False
    )
    assert done.returncode == 0
