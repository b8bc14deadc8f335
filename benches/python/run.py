"""Run the benches against whatever is installed, and write one page and its plot.

    python benches/python/run.py [--output PAGE] [--plot FILE] [TASK ...]

Ratios are to psfphot on as many threads as the other tool used: one. Tools that are
not installed are named and left out.
"""

import argparse
import datetime as dt
import importlib
import os
import platform
import shutil
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from _timing import print_rows

#: The benches, and what of them is run here.
TASKS = {
    "photometry": {},
    "finding": {},
    "rendering": {},
    "stages": {},
    "crowded": {"names": ("sizes", "undersampled", "group")},
    "star_lists": {"names": ("crowded",)},
    "iraf": {"n_stars": 20_000},
}
PACKAGES = ("psfphot", "numpy", "astropy", "photutils", "sep")
PROGRAMS = ("irafcl", "source-extractor", "psfex")
TITLE = """# Benchmarks, as measured

What `make bench` wrote: the same seeded arrays for every tool, in one run, medians.
*Ratio*: the time of a tool over psfphot's on one thread (or on the fewest threads that
psfphot was run on) for as many stars.
"""


def installed(name):
    """Name a package's version; one that is only on the path has it in itself."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        pass
    try:
        return f"{name} {importlib.import_module(name).__version__}"
    except ImportError:
        return f"no {name}"


def machine():
    """Name the processor and the versions."""
    text = Path("/proc/cpuinfo")
    names = [platform.processor() or platform.machine()]
    if text.exists():
        lines = text.read_text(encoding="utf-8").splitlines()
        names = [
            x.partition(":")[2].strip() for x in lines if x.startswith("model name")
        ]
    found = [installed(name) for name in PACKAGES]
    found += [name if shutil.which(name) else f"no {name}" for name in PROGRAMS]
    return (
        f"{os.cpu_count()} x {names[0] if names else platform.machine()}, "
        f"{platform.system()}, Python {platform.python_version()}; {', '.join(found)}"
    )


def collect(name):
    """Run one bench: its rows, printed as they come."""
    rows = []

    def heard():
        for row in importlib.import_module(name).rows(**TASKS[name]):
            rows.append(row)
            yield row

    print_rows(heard())
    return rows


def ratios(rows):
    """The ratio of each row to psfphot's first of the task, None for that one."""
    ours, made = {}, []
    for row in rows:
        each = row.seconds / row.n
        if row.tool == "psfphot" and row.task not in ours:
            ours[row.task] = each
            made.append(None)
        else:
            made.append(each / ours[row.task] if row.task in ours else None)
    return made


def table(rows):
    """Write rows as Markdown."""
    lines = [
        "| task | tool | threads | time | a second | ratio | accuracy |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for row, ratio in zip(rows, ratios(rows), strict=True):
        rate = f"{row.n / row.seconds:,.0f}" if row.n > 1 else ""
        times = "" if ratio is None else f"{ratio:.3g}"
        lines.append(
            f"| {row.task} | {row.tool} | {row.n_threads} "
            f"| {1e3 * row.seconds:,.1f} ms | {rate} | {times} | {row.accuracy} |"
        )
    return "\n".join(lines)


def plot(parts, path):
    """Draw how many times as long as psfphot the others took."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (an extra)

    bars = [
        (f"{row.task} ({row.tool})", ratio)
        for rows in parts.values()
        for row, ratio in zip(rows, ratios(rows), strict=True)
        if row.tool != "psfphot" and ratio is not None
    ]
    if not bars:
        print("nothing to compare with: no plot")
        return
    names, values = zip(*bars, strict=True)
    figure = Figure(figsize=(9, 1 + 0.25 * len(bars)), layout="constrained")
    axes = figure.subplots()
    axes.barh(range(len(bars)), values, color="tab:blue")
    axes.set_yticks(range(len(bars)), names, fontsize=7)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("time, psfphot on the fewest threads = 1")
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description="Run the benches.")
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=", ".join(TASKS))
    parser.add_argument("--output", type=Path, help="the page to write")
    parser.add_argument("--plot", type=Path, help="the plot to write, beside the page")
    options = parser.parse_args()
    unknown = set(options.tasks) - set(TASKS)
    if unknown:
        parser.error(f"no task {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore")
    print(machine(), flush=True)
    begin, parts = time.monotonic(), {}
    for name in options.tasks or TASKS:
        parts[name] = collect(name)
    seconds = time.monotonic() - begin
    if options.plot is not None:
        plot(parts, options.plot)
    if options.output is not None:
        today = dt.datetime.now(tz=dt.UTC).date()
        text = [TITLE, f"{today}, {machine()}; {seconds:.0f} s.\n"]
        if options.plot is not None and options.plot.exists():
            at = os.path.relpath(options.plot, options.output.parent)
            text.append(f"![Times of other tools over psfphot's]({at})\n")
        text += [f"## {n}\n\n{table(rows)}\n" for n, rows in parts.items() if rows]
        options.output.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
