"""Tests that were killed go on, and give the same bits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import killed_run
import numpy as np
import pytest
import studies

from psfphot.completeness import ArtificialStarTest


def every_row(table):
    return np.ones(len(table), dtype=bool)


SCRIPT = Path(killed_run.__file__)


@pytest.fixture(scope="module")
def whole():
    with pytest.MonkeyPatch.context():
        return killed_run.run()


def same_rows(one, other):
    for name in one.colnames:
        np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(other[name]))


def parts_of(directory):
    return sorted(path.name for path in directory.glob("*.npy"))


@pytest.mark.filterwarnings("ignore")
def test_a_second_call_measures_what_is_missing(tmp_path, whole, monkeypatch):
    same_rows(killed_run.run(tmp_path).table, whole.table)
    names = parts_of(tmp_path)
    assert len(names) == whole.settings["n_images"] + 1
    for name in names[2:5]:
        (tmp_path / name).unlink()
    kept = {name: (tmp_path / name).stat().st_mtime_ns for name in parts_of(tmp_path)}
    results = killed_run.run(tmp_path)
    same_rows(results.table, whole.table)
    same_rows(results.noise_table, whole.noise_table)
    assert parts_of(tmp_path) == names
    for name, mtime in kept.items():
        assert (tmp_path / name).stat().st_mtime_ns == mtime


@pytest.mark.filterwarnings("ignore")
def test_killed_and_resumed(tmp_path, whole):
    parts, table = tmp_path / "parts", tmp_path / "table.npy"
    words = [sys.executable, str(SCRIPT), str(parts), "2", str(table)]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(parts_of(parts)) < 2 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # Whatever the moment was, what is there is whole.
    for name in parts_of(parts):
        np.load(parts / name)
    same_rows(killed_run.run(parts).table, whole.table)


@pytest.mark.filterwarnings("ignore")
def test_parts_of_another_test_are_refused(tmp_path):
    scene = studies.make_scene(96)
    given = {"flux": (300, 5e4), "gain": 1.0, "pilot": 0}

    def run(data=scene.data, n_stars=10, **more):
        test = ArtificialStarTest(studies.one_pass(), **(given | more))
        return test(data, error=scene.error, n_stars=n_stars, resume=tmp_path)

    run()
    for changes, words in (
        ({"data": scene.data + 1e-9}, "the image"),
        ({"seed": 1}, "the settings"),
        ({"n_stars": 11}, "the settings"),
        ({"flux": (200, 5e4)}, "flux"),
        ({"psf_model": type(studies.PSF)(fwhm=3.1)}, "the PSF of the artificial"),
        ({"selection": every_row}, "selection"),
    ):
        with pytest.raises(ValueError, match=f"different are .*{words}"):
            run(**changes)
    other = ArtificialStarTest(studies.one_pass(60.0), **given)
    with pytest.raises(ValueError, match="photometry"):
        other(scene.data, error=scene.error, n_stars=10, resume=tmp_path)
