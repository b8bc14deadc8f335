"""Runs `notebook_script` with the imports of either package."""

import contextlib
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SCRIPT = Path(__file__).with_name("notebook_script.py")
GRID = "nircam_nrca1_f200w_fovp101_samp4_npsf16.fits"


class Run(NamedTuple):
    """What the script defined, and the warnings that it gave."""

    names: dict[str, Any]
    warnings: list[warnings.WarningMessage]

    def __getattr__(self, name):
        try:
            return self.names[name]
        except KeyError:
            raise AttributeError(name) from None


def run_script(directory, package, matcher):
    """Run the script where the grid is, with its two import sources changed."""
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    text = SCRIPT.read_text(encoding="utf-8")
    text = text.replace("from photutils.", f"from {package}.")
    text = text.replace("from tweakwcs ", f"from {matcher} ")
    names = {"__name__": SCRIPT.stem}
    with contextlib.chdir(directory), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(compile(text, str(SCRIPT), "exec"), names)  # noqa: S102
        for figure in map(plt.figure, plt.get_fignums()):
            figure.canvas.draw()
        plt.close("all")
    return Run(names, caught)
