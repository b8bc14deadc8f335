"""What the benches share: clocks, memory, and photutils where it is installed."""

import importlib
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.nddata import NDData


@dataclass(frozen=True)
class Row:
    """What a tool took for a task, and how good what it made is."""

    task: str
    tool: str
    seconds: float
    n_threads: int = 1
    #: What was done in that time: stars, where tools did different numbers.
    n: int = 1
    accuracy: str = ""


def print_rows(rows):
    """Print rows as they come, with ratios to psfphot's first of the task."""
    ours = {}
    for row in rows:
        each = row.seconds / row.n
        if row.tool == "psfphot":
            ours.setdefault(row.task, each)
        line = f"{row.task:52s} {row.tool:17s} {row.n_threads} thread(s) "
        line += f"{1e3 * row.seconds:9.1f} ms"
        line += f" ({row.n / row.seconds:,.0f} a second)" if row.n > 1 else ""
        if row.task in ours:
            line += f", ratio {each / ours[row.task]:.3g}"
        print(line, row.accuracy, flush=True)


def print_machine(what):
    print(f"{platform.machine()}, Python {platform.python_version()}, {what}")


def timed(call):
    """What a call returns, and its seconds: of the wall clock, and of the CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = call()
    return made, time.perf_counter() - wall, time.process_time() - cpu


def median_seconds(call, repeats):
    return statistics.median(timed(call)[1] for _ in range(repeats))


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
