"""Calls of every public function with one argument that is not what it should be.

Never a panic, a hang, or an error that tells of the code instead of the argument. A
function that is new and in no list here fails.
"""

import importlib
import inspect
import pkgutil
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import NDData
from astropy.table import QTable

# The modules of plots and of reports are imported with them.
pytest.importorskip("matplotlib")
pytest.importorskip("bokeh")

from hostile.calls import ALLOWED, CALLS, guarded
from hostile.frames import FRAMES
from hostile.images import IMAGES
from hostile.models import MODELS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import psfphot

#: What comes out of functions, and is made by nobody else.
RECORDS = {
    "ArtificialStarResults",
    "CompletenessMap",
    "Coverage",
    "Detector",
    "DetectorCheck",
    "EPSFBuildResults",
    "FitsImage",
    "GeneralizedWCS",
    "HeaderValue",
    "PSFReport",
    "PhotometryRun",
    "PixelArea",
    "PixelMasks",
    "PlacedSources",
    "Psf",
    "PsfCheck",
    "Recovery",
    "ResolvedSettings",
    "Sky",
    "SkyMaps",
    "SourceList",
    "TiledRun",
    "ZeroPoint",
}
#: Others' code, the command line, whose own tests call it, and what only files are for.
ELSEWHERE = {
    "GriddedPSFModelRead": "astropy calls it",
    "ImagePSF": "of psfphot.pipeline; that of psfphot.psf is called",
    "SigmaClip": "astropy's",
    "main": "tests/cli",
    "make_gwcs": "needs gwcs, and has the arguments of make_wcs",
    "replacing": "a context for files: tests/package/test_files.py",
    "require_parquet": "says what is missing: tests/package/test_absent.py",
    "save_figure": "takes a figure of matplotlib: tests/plotting",
}

#: Whose good calls take seconds.
SLOW = {"make_report", "map_frames", "write_report"}

HOSTILE = [
    None,
    True,
    -1,
    0,
    1,
    3,
    2**70,
    -(2**70),
    -0.0,
    0.5,
    -1.5,
    np.nan,
    np.inf,
    -np.inf,
    1e308,
    -1e308,
    5e-324,
    "",
    "a",
    "nan",
    "1e999",
    "\0",
    b"3",
    1j,
    object(),
    print,
    [],
    (1, 2),
    (1, np.nan),
    (-1, 2**70),
    [[1], [2, 3]],
    {},
    {"a": 1},
    range(3),
    np.float32(2),
    np.datetime64("2020-01-01"),
    np.array([]),
    np.array(3.0),
    np.zeros((0, 0)),
    np.zeros((1, 1)),
    np.zeros((0, 7)),
    np.full((3, 4), np.nan),
    np.full((9, 9), np.inf),
    np.full((5, 5), 1e300),
    np.full((9, 9), 5e-324),
    np.ones((3, 3, 3)),
    np.arange(81.0).reshape(9, 9).astype(">f8"),
    np.arange(81).reshape(9, 9).astype("<u2"),
    np.ones((9, 9), dtype=bool),
    np.ones((9, 9), dtype="f2"),
    np.ones(7),
    np.array(["a", "b"]),
    np.array([1 + 2j]),
    np.array([None, 1], dtype=object),
    np.ma.masked_all((9, 9)),
    3 * u.pix,
    3 * u.arcsec,
    np.ones((9, 9)) * u.Jy,
    QTable(),
    QTable({"x": [np.nan], "y": ["a"]}),
    QTable({"x": [1.0], "y": [2.0]})[:0],
    NDData(np.ones((2, 2))),
    int,
]


EXAMPLES = IMAGES | FRAMES | MODELS


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Files are written where bad names say."""
    monkeypatch.chdir(tmp_path)


def public_names():
    """Tell what the public modules offer that can be called, errors left out."""
    for module in pkgutil.walk_packages(psfphot.__path__, "psfphot."):
        if any(part.startswith("_") for part in module.name.split(".")):
            continue
        for name in getattr(importlib.import_module(module.name), "__all__", ()):
            offered = getattr(importlib.import_module(module.name), name)
            is_error = inspect.isclass(offered) and issubclass(offered, BaseException)
            is_tuple = inspect.isclass(offered) and hasattr(offered, "_fields")
            if callable(offered) and not (
                is_error or is_tuple or inspect.isabstract(offered)
            ):
                yield name


def test_every_public_function_is_called():
    called = {name.partition(",")[0] for name in CALLS} | {*EXAMPLES}
    assert called | RECORDS | {*ELSEWHERE} == {*public_names()}
    assert not called & RECORDS


def call(name, folder, **changed):
    """Call with the good arguments but for those that are changed."""
    function, make = EXAMPLES[name]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return function(**make(folder) | changed)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_good(name, tmp_path):
    try:
        call(name, tmp_path)
    except ImportError as exc:
        pytest.skip(str(exc))


@pytest.mark.parametrize("name", EXAMPLES)
def test_bad_arguments_are_refused_or_taken(name, tmp_path):
    @settings(
        max_examples=2 if name in SLOW else 15,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(data=st.data())
    def check(data):
        arguments = EXAMPLES[name][1](tmp_path)
        argument = data.draw(st.sampled_from(sorted(arguments)))
        number = data.draw(st.integers(0, len(HOSTILE) - 1))
        with guarded():
            try:
                call(name, tmp_path, **{argument: HOSTILE[number]})
            except (*ALLOWED, OSError, ImportError) as exc:
                said = str(exc)
            except KeyError as exc:  # photutils' for a table without a column
                said = str(exc)
                assert "must have the column" in said
            else:
                said = "nothing"
        assert said

    try:
        EXAMPLES[name][1](tmp_path)
    except ImportError as exc:
        pytest.skip(str(exc))
    check()
