"""What the benches share: clocks, memory, and photutils where it is installed."""

import importlib
import platform
import statistics
import time
from pathlib import Path

import numpy as np
from astropy.nddata import NDData


def print_machine(what):
    print(f"{platform.machine()}, Python {platform.python_version()}, {what}")


def median_seconds(call, repeats):
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def photutils(module):
    """photutils' module and version; None where it is not installed."""
    try:
        found = importlib.import_module(f"photutils.{module}")
    except ImportError:
        print("photutils is not installed: nothing to compare with")
        return None, None
    return found, importlib.import_module("photutils").__version__


def grid_as_nddata(grid):
    meta = {"grid_xypos": grid.grid_xypos, "oversampling": grid.oversampling}
    return NDData(np.asarray(grid.data), meta=meta)


def memory(kind):
    """The memory of this process in MB: VmRSS now, or VmHWM at the most."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(f"{kind}:"))
    return int(line.split()[1]) / 1024


def forget_peak():
    """Let VmHWM start anew, which getrusage's maximum cannot."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def megabytes(array):
    return array.nbytes / 1024**2
