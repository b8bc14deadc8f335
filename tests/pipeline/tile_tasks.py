"""What the tests of tiles have done to them: worker processes import it from here."""

import os
import signal
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class DieOnce:
    """Sums up a window; ends its process the first time at the first tile."""

    directory: Path

    def __call__(self, tile, part):
        mark = self.directory / f"died-{tile}"
        if tile.origin == (0, 0) and not mark.exists():
            mark.touch()
            die(tile, part)
        return np.nansum(part.data)


def die(tile, part):
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Fail:
    """Fails at the lower tile of some columns."""

    error: type
    columns: int

    def __call__(self, tile, _):
        if tile.rows.start > 0 and tile.columns.start == self.columns:
            raise self.error("no good")


def warn(tile, part):
    warnings.warn("a bad tile", UserWarning, stacklevel=1)
