"""What every table of results says about its making."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import Any

import astropy
import numpy as np

from psfphot._core import __version__


def table_meta() -> dict[str, Any]:
    """Make the ``date`` (local time) and the ``version`` of each package."""
    return {
        "date": datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z"),
        "version": {
            "Python": platform.python_version(),
            "psfphot": __version__,
            "astropy": astropy.__version__,
            "numpy": np.__version__,
        },
    }
