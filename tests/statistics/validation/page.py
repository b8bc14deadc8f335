"""The page of the documentation."""

import datetime as dt
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from .rows import FAR

TITLE = """# Validation

What `make validate` wrote: every scene is simulated from seeds, so every star
is known. The least errors (Cramér-Rao) are J^T W J at the
true parameters with the true variances and the pixels of the fits.

* *bias*: the median of fit minus truth, in least errors (where there are none: quoted).
* *scatter*: half the range from 16 to 84 % of it, over the least errors: 1 is as good
  as the photons allow.
* *pull*: the same width in quoted errors: 1 where errors are true. That of n fits is
  known to 0.96 / √n.
* *beyond*: the part of the fits farther than {far} quoted errors from the truth, or
  without an error; of a normal distribution it is 6e-7.
"""

ABOUT = {
    "lone": "Stars alone, with the true errors, 7 x 7 pixels.",
    "pairs": (
        "Pairs, a Gaussian of FWHM 3, the brighter with 50,000, 7 x 7 pixels, sky 100. "
        "Where the data cannot tell the separation to 5 %, no error is Gaussian: such "
        "rows are *not resolved*, and reported as they are."
    ),
    "sources": (
        "Each source of errors, fluxes of lone stars. `unit` is photutils' covariance; "
        "the errors of the data are `sqrt(abs(data))`."
    ),
    "crowds": (
        "Whole frames of the density of 20,000 stars on 2048 x 2048. Given: all "
        "stars start within 0.1 px of the truth. Found: by the iterative photometry "
        "and the pipeline, against the brightest star within 0.7 px, blends included."
    ),
    "artificial": "Artificial stars.",
}


def machine():
    """Tell where and with what the numbers were made."""
    parts = [f"Python {platform.python_version()}"]
    for name in ("psfphot", "numpy", "scipy"):
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # a checkout on the path
            continue
    return f"{processor()}, {platform.system()}; {', '.join(parts)}"


def processor():
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [
        line.partition(":")[2].strip()
        for line in text.splitlines()
        if line.startswith("model name")
    ]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


def table(rows):
    """Write rows as Markdown."""
    lines = [
        "| scene | of | n | bias | scatter | pull | beyond | |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        scatter = "" if np.isnan(row.scatter) else f"{row.scatter:.3f}"
        beyond = "0" if row.beyond == 0 else f"{100 * row.beyond:.2g} %"
        lines.append(
            f"| {row.scene} | {row.what} | {row.n:,} | {row.bias:+.3f} | {scatter} | "
            f"{row.pull:.3f} | {beyond} | {row.note} |"
        )
    return "\n".join(lines)


def page(parts, seconds):
    """Write the whole page."""
    today = dt.datetime.now(tz=dt.UTC).date()
    text = [TITLE.format(far=FAR), f"{today}, {machine()}; {seconds:.0f} s.\n"]
    for name, rows in parts.items():
        text += [f"## {name.capitalize()}\n\n{ABOUT[name]}\n", table(rows) + "\n"]
    return "\n".join(text)
