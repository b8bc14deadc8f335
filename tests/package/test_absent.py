"""Names of photutils that are not here say so; all others are ordinary errors."""

import importlib

import pytest

import psfphot
from psfphot import _absent

ABSENT = [
    (package, name, "photutils'")
    for package, names in _absent._THEIRS.items()
    for name in names
]


@pytest.mark.parametrize(("package", "name", "said"), ABSENT)
def test_absent_names_say_what_to_do(package, name, said):
    ours = ".".join(filter(None, ["psfphot", package]))
    module = importlib.import_module(ours)
    with pytest.raises(AttributeError, match=said):
        getattr(module, name)
    assert not hasattr(module, name)
    assert name not in module.__all__
    with pytest.raises(ImportError, match=said):
        exec(f"from {ours} import {name}", {})  # noqa: S102


@pytest.mark.parametrize(
    "package", ["", "aperture", "datasets", "detection", "psf", "utils"]
)
@pytest.mark.parametrize("name", ["nothing", "__wrapped__", "__path_hooks__", "PSF"])
def test_other_names_are_ordinary_errors(package, name):
    ours = ".".join(filter(None, ["psfphot", package]))
    module = importlib.import_module(ours)
    message = f"module '{ours}' has no attribute '{name}'"
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    assert str(caught.value) == message
    assert caught.value.name == name
    assert caught.value.obj is module
    with pytest.raises(ImportError, match=f"cannot import name '{name}'"):
        exec(f"from {ours} import {name}", {})  # noqa: S102


def test_submodules_are_found():
    assert importlib.import_module("psfphot.matching") is psfphot.matching
