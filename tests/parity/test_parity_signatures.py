"""Our functions and classes take what photutils 3.1's take, by the same names."""

import importlib
import inspect

import pytest

pytest.importorskip("photutils")
pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("photutils_31")]

MODULES = (
    "aperture",
    "background",
    "centroids",
    "datasets",
    "detection",
    "psf",
    "utils",
)

# Old arguments are taken by a decorator, and are in no signature.
OLD = {"sharplo", "sharphi", "roundlo", "roundhi", "minsep_fwhm"}

# Segmentation images are photutils'; and circles on the sky stay circles.
ABSENT = {"segmentation_image", "labels", "mask_method", "as_ellipse"}
ABSENT |= {"overlap_maxiters"}  # without effect there

# All processors by default; and what differs in its repr only.
OTHER_DEFAULTS = {"n_threads", "sigma_clip"}


def common():
    for module in MODULES:
        ours = importlib.import_module(f"psfphot.{module}")
        theirs = importlib.import_module(f"photutils.{module}")
        for name in ours.__all__:
            thing = getattr(ours, name)
            is_warning = inspect.isclass(thing) and issubclass(thing, Warning)
            if callable(thing) and hasattr(theirs, name) and not is_warning:
                yield pytest.param(thing, getattr(theirs, name), id=name)


def parameters(function):
    every = inspect.signature(function).parameters
    return {
        k: p
        for k, p in every.items()
        if k != "self" and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }


def check(ours, theirs):
    mine, yours = parameters(ours), parameters(theirs)
    assert set(yours) - set(mine) <= OLD | ABSENT
    for name in set(mine) & set(yours) - OLD - OTHER_DEFAULTS:
        mine_, yours_ = mine[name].default, yours[name].default
        if inspect.isfunction(yours_):
            mine_, yours_ = mine_.__name__, yours_.__name__
        assert mine_ == yours_ or mine_ is yours_, name  # NaN is not itself
    positional = [k for k, p in yours.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    required = [k for k in positional if yours[k].default is inspect.Parameter.empty]
    assert list(mine)[: len(required)] == required


@pytest.mark.parametrize(("ours", "theirs"), [*common()])
def test_signatures(ours, theirs):
    check(ours, theirs)
    if not inspect.isclass(ours):
        return
    for name, method in inspect.getmembers(theirs, inspect.isfunction):
        public = not name.startswith("_") or name == "__call__"
        is_theirs = method.__module__.startswith("photutils")
        if public and is_theirs and hasattr(ours, name):
            check(getattr(ours, name), method)
