"""``psfphot fit`` of many frames: by workers, broken off, gone on with, merged."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from cli_field import FWHM, make_field, run, tangent, write_field

from psfphot.pipeline import _unusable

N_FRAMES = 24
N_SOME = 16
FRAMES = [f"f{i:02d}" for i in range(N_FRAMES)]
SOME = FRAMES[:N_SOME]
PSF = ("--psf", f"gaussian:{FWHM}")
FITS = ("-o", "{name}.fits")  # which keeps all bits


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Small frames of four stars, and lists of all and of some."""
    night = tmp_path_factory.mktemp("night")
    rng = np.random.default_rng(16)
    for i, name in enumerate(FRAMES):
        x, y = np.array([[10, 30, 11, 32], [9, 10, 31, 30]]) + rng.uniform(
            -1, 1, (2, 4)
        )
        flux = rng.uniform(500, 3000, 4)
        data = make_field(i, x=x, y=y, flux=flux, shape=(42, 42))
        write_field(night / f"{name}.fits", data=data, wcs=tangent(24 + i, 24))
    lines = ["# the night", "", *(str(night / f"{name}.fits") for name in FRAMES)]
    (night / "frames.txt").write_text("\n".join(lines))
    (night / "some.txt").write_text("\n".join(lines[: 2 + N_SOME]))
    return night


@pytest.fixture(scope="module")
def serial(night):
    """The catalogues of the frames, measured one after another."""
    result = run(
        "fit", f"@{night}/frames.txt", *PSF, *FITS, "--output-dir", night / "serial"
    )
    assert result.exit_code == 0, result.output
    assert f"{N_FRAMES} of {N_FRAMES} images measured" in result.stdout
    assert f"frame       {N_FRAMES} of {N_FRAMES}" in result.stdout
    return catalogs(night / "serial")


def catalogs(out):
    return {path.stem: QTable.read(path) for path in sorted(out.glob("f*.fits"))}


def records(out):
    lines = (out / "run.jsonl").read_text().splitlines()
    return {Path(one["path"]).stem: one for one in map(json.loads, lines)}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, table in expected.items():
        other = found[name]
        assert other.colnames == table.colnames
        for column in table.colnames:
            assert np.array_equal(
                np.asarray(other[column]),
                np.asarray(table[column]),
                equal_nan=table[column].dtype.kind == "f",
            ), (name, column)
        assert told(other) == told(table)


def told(table):
    """What a catalogue says of its making, but for the time."""
    return [one for one in table.meta["comments"] if not one.startswith("date = ")]


def start(*words):
    """Start the command as its own process."""
    words = [sys.executable, "-c", "from psfphot.cli import main; main()", *words]
    words = [str(word) for word in words]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_records(out, n):
    """Wait until so many frames are done; tell which."""
    for _ in range(12000):
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            if len(done := records(out)) >= n:
                return done
        time.sleep(0.01)
    raise AssertionError("no frames are measured")


def test_workers_give_the_same_bits(night, serial):
    out = night / "workers"
    words = [f"@{night}/frames.txt", *PSF, *FITS, "--output-dir", out, "--workers", 2]
    result = run("fit", *words, "-q")
    assert result.exit_code == 0
    assert result.output == ""
    assert_same(catalogs(out), serial)
    written = records(out)
    assert sorted(written) == FRAMES
    for name, record in written.items():
        file = (night / f"{name}.fits").stat()
        assert record["path"] == str(night / f"{name}.fits")
        assert [record["size"], record["mtime"]] == [file.st_size, file.st_mtime_ns]
        assert record["status"] == "measured"
        assert record["rows"] == len(serial[name])
        assert record["output"] == str(out / f"{name}.fits")
        assert 0 < record["seconds"] < 60


def test_a_cluster_gives_the_same_bits(night, serial, cluster, monkeypatch):
    out = Path("on_cluster")
    monkeypatch.chdir(night)
    address = ("--scheduler", cluster.scheduler.address)
    # The workers are elsewhere: names are made absolute.
    frames = [f"{name}.fits" for name in FRAMES]
    result = run("fit", *frames, *PSF, *FITS, "--output-dir", out, *address)
    assert result.exit_code == 0, result.output
    assert_same(catalogs(out), serial)
    assert sorted(records(out)) == FRAMES


def test_corrupt_frames_cost_no_others(night, tmp_path):
    """5 % of the frames are cut off: 95 % are measured, and status is 1."""
    names = []
    for i, name in enumerate(FRAMES[:20]):
        content = (night / f"{name}.fits").read_bytes()
        broken = i == 0
        (tmp_path / f"{name}.fits").write_bytes(content[:6000] if broken else content)
        names.append(tmp_path / f"{name}.fits")
    words = [*names, *PSF, "--output-dir", tmp_path / "out", "--workers", 2]
    result = run("fit", *words, "--json")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "19 of 20 images measured" in result.stderr
    errors = [one for one in result.stderr.splitlines() if one.startswith("Error")]
    assert len(errors) == 1
    entries = json.loads(result.stdout)["images"]
    assert [entry["name"] for entry in entries] == FRAMES[:20]
    failed = [entry["name"] for entry in entries if entry["status"] == "failed"]
    assert failed == ["f00"]
    record = records(tmp_path / "out")["f00"]
    assert record["status"] == "failed"
    assert record["tries"] == 1
    assert "cut off or broken" in record["message"]


children = Path("/proc/self/task") / str(os.getpid()) / "children"


@pytest.mark.skipif(not children.exists(), reason="no list of child processes")
def test_a_killed_worker_loses_no_frame(night, serial, tmp_path):
    out = tmp_path / "out"
    words = [f"@{night}/some.txt", *PSF, *FITS, "--output-dir", out, "--workers", 2]
    driver = start("fit", *words)
    wait_for_records(out, 3)
    pids = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
    assert len(pids) == 2
    os.kill(int(pids[0]), signal.SIGKILL)
    output, errors = driver.communicate(timeout=300)
    assert driver.returncode == 0, errors
    assert b"16 of 16 images measured" in output
    assert_same(catalogs(out), {name: serial[name] for name in SOME})
    assert sorted(records(out)) == SOME


def test_a_killed_driver_is_gone_on_with(night, serial, tmp_path):
    """Only what was in flight is done again: what has a record stays as it is."""
    out = tmp_path / "out"
    words = [f"@{night}/some.txt", *PSF, *FITS, "--output-dir", out, "--workers", 2]
    driver = start("fit", *words)
    wait_for_records(out, 5)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate(timeout=300)
    with (out / "run.jsonl").open("a") as log:
        log.write('{"path": "cut o')  # amid a line
    done = {}
    for line in (out / "run.jsonl").read_text().splitlines()[:-1]:
        name = Path(json.loads(line)["path"]).stem
        done[name] = (out / f"{name}.fits").stat().st_mtime_ns
    assert 5 <= len(done) < N_SOME
    result = run("fit", *words, "--resume")
    assert result.exit_code == 0, result.output
    assert f"resume      {len(done)} images are done and unchanged" in result.stdout
    assert f"again       {N_SOME - len(done)}, not done yet: " in result.stdout
    for name, mtime in done.items():
        assert (out / f"{name}.fits").stat().st_mtime_ns == mtime
    assert_same(catalogs(out), {name: serial[name] for name in SOME})
    assert sorted(records(out)) == SOME


@pytest.fixture
def unmeasured(tmp_path, monkeypatch):
    """Four frames, the last without coordinates."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate("abcd"):
        wcs = None if name == "d" else tangent(24 + i, 24)
        write_field(tmp_path / f"{name}.fits", data=make_field(i), wcs=wcs)
    return tmp_path


@pytest.fixture
def few(unmeasured):
    """Those frames, measured."""
    assert run("fit", *few_words()).exit_code == 0
    return unmeasured


def few_words(*more):
    images = [f"{name}.fits" for name in "abcd"]
    return [*images, *PSF, "--output-dir", "out", *more]


def test_what_is_done_and_unchanged_is_left_out(few):
    before = {p: p.stat().st_mtime_ns for p in (few / "out").glob("*.ecsv")}
    result = run("fit", *few_words("--resume"))
    assert result.exit_code == 0
    assert "resume      4 images are done and unchanged\n" in result.stdout
    assert "again" not in result.stdout
    assert "4 of 4 images measured, 36 stars; 4 of them before" in result.stdout
    assert before == {p: p.stat().st_mtime_ns for p in (few / "out").glob("*.ecsv")}
    again = run("fit", *few_words("--resume", "--json"))
    entries = json.loads(again.stdout)["images"]
    assert [entry["status"] for entry in entries] == ["skipped"] * 4
    assert entries[1]["outputs"] == {"catalog": "out/b.ecsv"}


def test_what_has_changed_is_done_again(few):
    fits.writeto("a.fits", make_field(9), overwrite=True)
    (few / "out" / "c.ecsv").unlink()
    result = run("fit", *few_words("--resume"))
    assert result.exit_code == 0
    assert "resume      2 images are done and unchanged" in result.stdout
    assert "again       1, the file has changed: a\n" in result.stdout
    assert "again       1, an output is not there: c\n" in result.stdout
    result = run("fit", *few_words("--resume", "--threshold", 6))
    assert "again       4, other settings: a, b, c, d\n" in result.stdout
    # Threads and workers change nothing.
    words = few_words("--resume", "--threshold", 6, "--threads", 1, "--workers", 1)
    result = run("fit", *words)
    assert "resume      4 images are done" in result.stdout
    lines = (
        (few / "out" / "run.jsonl").read_text().replace('"version": "', '"version": "0')
    )
    (few / "out" / "run.jsonl").write_text(lines)
    result = run("fit", *few_words("--resume", "--threshold", 6))
    assert "again       4, measured by version 0" in result.stdout


def test_what_has_failed_is_tried_again(few):
    whole = (few / "b.fits").read_bytes()
    (few / "b.fits").write_bytes(whole[:6000])
    assert run("fit", *few_words("--resume")).exit_code == 1
    result = run("fit", *few_words("--resume"))
    assert result.exit_code == 1
    assert "again       1, failed before: b\n" in result.stdout
    (few / "b.fits").write_bytes(whole)
    result = run("fit", *few_words("--resume"))
    assert result.exit_code == 0
    assert "again       1, failed before: b\n" in result.stdout
    assert [r["status"] for r in records(few / "out").values()] == ["measured"] * 4


def test_files_read_with_a_frame_count(few):
    for name in "abcd":
        fits.writeto(f"{name}_mask.fits", np.zeros((80, 90), dtype=np.uint8))
    words = few_words("--mask", "{name}_mask.fits", "--resume")
    assert "again       4, other settings" in run("fit", *words).stdout
    fits.writeto("c_mask.fits", np.eye(80, 90, dtype=np.uint8), overwrite=True)
    result = run("fit", *words)
    said = "again       1, a file that is read with it has changed: c\n"
    assert said in result.stdout


def test_what_is_there_is_not_overwritten(few):
    before = (few / "out" / "run.jsonl").read_text()
    result = run("fit", *few_words())
    assert result.exit_code == 1
    assert result.stderr.count("exists already") == 4
    # A frame that was refused is as it was.
    assert (few / "out" / "run.jsonl").read_text() == before


def test_merged(few):
    result = run("fit", *few_words("--resume", "--merge", "all.fits"))
    assert result.exit_code == 0, result.output
    assert "merged      27 rows: out/all.fits" in result.stdout
    said = "merged      9 rows without a position on the sky: out/all_without_sky.fits"
    assert said in result.stdout
    merged = QTable.read("out/all.fits")
    assert list(np.unique(merged["frame"].astype(str))) == ["a", "b", "c"]
    assert np.isfinite(merged["ra"]).all()
    others = QTable.read("out/all_without_sky.fits")
    assert set(others["frame"].astype(str)) == {"d"}
    ids = np.concatenate([merged["source_id"], others["source_id"]])
    assert len(np.unique(ids)) == 36
    assert ids.dtype.kind == "i"
    assert ids.min() > 0
    alone = QTable.read("out/b.ecsv")
    assert alone.colnames[:3] == ["frame", "id", "source_id"]
    rows = merged["frame"].astype(str) == "b"
    assert np.array_equal(merged["source_id"][rows], alone["source_id"])
    assert np.allclose(merged["flux_fit"][rows], alone["flux_fit"], rtol=1e-6)
    # A hash that is the same on all machines, and for all time.
    assert alone["source_id"][0] == 2385976210466362334


def test_what_workers_warn_of_names_the_frame(unmeasured):
    write_field(unmeasured / "e.fits", BUNIT="furlongs")
    words = ["e.fits", *PSF, "--output-dir", "out", "--workers", 1, "-q"]
    result = run("fit", *words)
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: e.fits: ")
    assert "BUNIT 'furlongs'" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_fault_of_the_program_ends_one_frame(few, monkeypatch):
    def fails(exposure, **kwargs):
        if exposure.image.name.startswith("b"):
            raise RuntimeError("a bug")
        return measure_sky(exposure, **kwargs)

    measure_sky = _unusable.measure_sky
    monkeypatch.setattr(_unusable, "measure_sky", fails)
    result = run("fit", *few_words("--overwrite"))
    assert result.exit_code == 1
    said = "Error: b.fits: a fault of psfphot itself: RuntimeError: a bug\n"
    assert result.stderr == said
    written = records(few / "out")
    assert [written[name]["status"] for name in "acd"] == ["measured"] * 3
    assert written["b"]["traceback"].startswith("Traceback")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--workers", "2", "--scheduler", "tcp://h:1"], "exclude each other"),
        (["--workers", "0"], "--workers"),
        (["--retries", "1"], "--retries is of workers"),
        (["--timeout", "9"], "--timeout is of workers"),
        (["--resume", "--overwrite"], "exclude each other"),
        (["--merge", "a.ecsv"], "is another output already"),
        (["--merge", "a.png"], "unknown extension"),
    ],
)
def test_words_that_do_not_go_together(unmeasured, words, message):
    result = run("fit", *few_words(*words))
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_words_that_need_a_directory(unmeasured):
    for word in (["--resume"], ["--merge", "m.fits"]):
        result = run("fit", "a.fits", *PSF, "-o", "x.ecsv", *word)
        assert result.exit_code == 2
        assert "give --output-dir" in result.stderr


def test_lists_that_cannot_be_read(unmeasured):
    (unmeasured / "empty.txt").write_text("# none\n")
    result = run("fit", "@empty.txt", *PSF, "--output-dir", "o")
    assert result.exit_code == 2
    assert "@empty.txt: the list names no image" in result.stderr
    result = run("fit", "@none.txt", *PSF, "--output-dir", "o")
    assert result.exit_code == 1
    assert "none.txt: there is no such file" in result.stderr


def test_a_scheduler_that_is_not_there(unmeasured):
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    words = ["--scheduler", "tcp://127.0.0.1:1", "--overwrite"]
    with dask.config.set({"distributed.comm.timeouts.connect": "0.3s"}):
        result = run("fit", *few_words(*words))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_dask_is_not_installed(unmeasured, monkeypatch):
    monkeypatch.setattr("psfphot.cli._cluster.find_spec", lambda _: None)
    result = run("fit", *few_words("--scheduler", "tcp://h:1", "--overwrite"))
    assert result.exit_code == 1
    assert "pip install 'psfphot[dask]'" in result.stderr
