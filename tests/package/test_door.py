"""The one door: threads, fork, Ctrl-C, progress, panics."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from psfphot import _core

SHAPE = (101, 101)


def fit(n_sources, *, n_threads=None, progress=None, grouped=False):
    """Fit one star again and again: as long a call as is wanted."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    psf = _core.Psf.analytic("CircularGaussianPRF", [3.0])
    points = (x.ravel().astype(float), y.ravel().astype(float))
    data = psf.evaluate(*points, 1000.0, 50.2, 49.7).reshape(SHAPE)
    data += np.random.default_rng(1).normal(0, 1, SHAPE)
    start = np.linspace(49.5, 50.5, n_sources)
    starts = {
        "x": start,
        "y": start[::-1].copy(),
        "flux": np.full(n_sources, 900.0),
        "local_bkg": np.zeros(n_sources),
        "bkg_variance": None,
        "group_id": np.arange(n_sources) // 2 if grouped else None,
        "shape": np.full((n_sources, 1), 3.0),
    }
    settings = {
        "fit_shape": (31, 31),
        "is_fixed": [False, False, False, True],
        "bounds": [],
        "xy_bounds": (None, None),
        "max_iterations": 100,
        "step_tolerance": 1e-4,
        "robust": None,
        "covariance": None,
        "fit_background": False,
    }
    call = {
        "data": data,
        "error": None,
        "mask": None,
        "noise": None,
        "psf": psf,
        "starts": starts,
        "settings": settings,
    }
    return _core.fit_sources(call, n_threads=n_threads, progress=progress)


def run_python(code, timeout=60):
    """Run code in an interpreter of its own, with `fit` at hand."""
    head = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    # A job in the background inherits that Ctrl-C is ignored.
    head += "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code = head + "from test_door import fit\n" + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.mark.parametrize("grouped", [False, True])
def test_same_bits_for_every_number_of_threads(grouped):
    first, *others = (fit(200, n_threads=n, grouped=grouped) for n in (1, 2, 8))
    for other in others:
        for name, column in first.items():
            assert pickle.dumps(column) == pickle.dumps(other[name]), name


def test_progress_counts_sources_up_to_the_last():
    seen = []
    fit(800, n_threads=2, progress=seen.append)
    assert seen[-1] == 800
    assert seen == sorted(seen)


def test_an_exception_of_the_callback_comes_through_and_stops_the_work():
    calls = []

    def fail(done):
        calls.append(done)
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        fit(300_000, n_threads=2, progress=fail)
    assert calls[0] < 300_000
    assert len(calls) == 1


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_ends_a_long_call(n_threads):
    # Far more work than can be done within the test's time limit.
    result = run_python(
        f"""
        import os, signal, threading, time
        done = []
        def interrupt():
            while not done:
                time.sleep(0.01)
            print("sent", flush=True)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt).start()
        try:
            fit(3_000_000, n_threads={n_threads}, progress=done.append)
        except KeyboardInterrupt:
            print("interrupted", done[-1] < 1_000_000)
        """
    )
    assert result.stdout.split() == ["sent", "interrupted", "True"], result.stderr


LONG_CALLS = """
import os, signal, threading, time
import numpy as np
from psfphot.aperture import CircularAperture
from psfphot.background import Background2D, LocalBackground, MMMBackground
from psfphot.matching import match_positions
from psfphot.psf import SourceGrouper

image = np.random.default_rng(1).normal(0, 1, (2000, 2000))
cells = np.arange(1_000_000) % 2 * 1.5
points = np.random.default_rng(2).uniform(0, 1e4, cells.size)
circles = CircularAperture(np.full((100_000, 2), 300.0), 250)
here = np.full(100_000, 9.0)
calls = [
    # Each of them takes minutes, but for the others.
    lambda: circles.do_photometry(image, method="subpixel", subpixels=10_000),
    lambda: LocalBackground(1, 1e4)(image, here, here),
    # Seconds at most.
    lambda: MMMBackground()(image),
    lambda: Background2D(image, image.shape),
    lambda: SourceGrouper(1.2)(cells, np.linspace(0, 1e-3, cells.size)),
    lambda: match_positions((cells, points), (points, cells), 0.5),
]


def is_entered():
    for thread in os.listdir("/proc/self/task"):
        try:
            if open(f"/proc/self/task/{thread}/comm").read() == "psfphot\\n":
                return True
        except OSError:
            pass
    return False


def interrupt():
    # As soon as the core has the call: its thread has its own name.
    while not is_entered():
        time.sleep(0.001)
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)


for call in calls:
    sent = []
    while is_entered():
        time.sleep(0.001)  # the last call's thread is going
    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    try:
        call()
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted", time.perf_counter() - sent[0])
    thread.join()
"""


def test_ctrl_c_ends_every_long_call():
    if not Path("/proc/self/task").is_dir():
        pytest.skip("needs /proc")
    result = run_python(LONG_CALLS)
    assert result.stdout.count("interrupted") == 6, result.stdout + result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_call_after_fork_finishes():
    result = run_python(
        """
        import os, warnings
        warnings.simplefilter("ignore")
        before = fit(200, n_threads=2)["parameters"]
        child = os.fork()
        if child == 0:
            after = fit(200, n_threads=2)["parameters"]
            os._exit(0 if (before == after).all() else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    assert result.stdout.split() == ["0"], result.stderr


CALLS = [
    ({"RAYON_NUM_THREADS": "5"}, "", 5),
    ({"RAYON_NUM_THREADS": "5"}, ", n_threads=1", 0),
    ({"RAYON_NUM_THREADS": "5", "OMP_NUM_THREADS": "1"}, "", 5),
    # A worker of Dask or joblib: one plain thread, unless the call says otherwise.
    ({"OMP_NUM_THREADS": "1"}, "", 0),
    ({"OMP_NUM_THREADS": "1,2"}, "", 0),
    ({"OMP_NUM_THREADS": "1"}, ", n_threads=3", 3),
]


@pytest.mark.parametrize(("environment", "argument", "expected"), CALLS)
def test_the_environment_sets_the_number_of_threads(
    environment, argument, expected, monkeypatch
):
    if not Path("/proc/self/task").is_dir():
        pytest.skip("needs /proc")
    monkeypatch.delenv("RAYON_NUM_THREADS", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = run_python(
        f"""
        import time
        from pathlib import Path
        fit(100{argument})
        # A thread gives itself its name, when it comes to run.
        for _ in range(200 if {expected} else 1):
            comms = Path("/proc/self/task").glob("*/comm")
            count = sum(comm.read_text().startswith("psfphot-") for comm in comms)
            if count == {expected}:
                break
            time.sleep(0.05)
        print(count)
        """
    )
    assert int(result.stdout) == expected, result.stderr


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_panic_is_an_ordinary_exception(n_threads, capfd):
    panic = getattr(_core, "_panic_for_tests", None)
    if panic is None:
        pytest.skip("needs a build with the feature panic-test")
    with pytest.raises(_core.InternalError, match="injected"):
        panic(n_threads=n_threads)
    assert issubclass(_core.InternalError, Exception)
    assert "injected" in capfd.readouterr().err
    # The door still opens.
    assert len(fit(3, n_threads=n_threads)["flags"]) == 3


def test_few_points_of_many_nodes_are_a_long_call():
    psf = _core.Psf.analytic("AiryDiskPRF", [3.0], 200)
    ticks, done = [0], threading.Event()

    def tick():
        while not done.is_set():
            ticks[0] += 1

    ticker = threading.Thread(target=tick)
    ticker.start()
    try:
        points = np.linspace(0, 9, 200)
        before = ticks[0]
        psf.evaluate(points, points, 1.0, 4.0, 4.0)
        after = ticks[0]
    finally:
        done.set()
        ticker.join()
    # The lock was free for the other thread.
    assert after > before


def test_zero_threads_are_refused():
    with pytest.raises(ValueError, match="n_threads must be None or at least 1"):
        fit(1, n_threads=0)


def test_signals_keep_their_handlers():
    before = signal.getsignal(signal.SIGINT)
    fit(10)
    assert signal.getsignal(signal.SIGINT) is before
