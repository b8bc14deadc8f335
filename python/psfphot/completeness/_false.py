"""The share of a catalogue's rows that are no stars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from psfphot._validate import values_of
from psfphot.completeness._intervals import wilson_interval
from psfphot.completeness._statistics import Bins

if TYPE_CHECKING:
    from astropy.table import QTable, Table
    from numpy.typing import NDArray


def binned_false(
    noise_table: Table, edges: NDArray[np.float64], zero_point: float, n_images: int
) -> QTable:
    """Count false rows in bins, see `ArtificialStarResults.false_rate`."""
    flux = values_of(noise_table["flux_fit"]) if len(noise_table) else np.empty(0)
    magnitude = np.full(len(flux), np.nan)
    magnitude[flux > 0] = zero_point - 2.5 * np.log10(flux[flux > 0])
    is_false = np.asarray(noise_table["false"], dtype=bool)
    sorted_in = Bins.of(magnitude, edges)
    made = sorted_in.table()
    every = list(sorted_in.members(np.ones(len(flux), dtype=bool)))
    made["n"] = [len(members) for members in every]
    made["n_false"] = [np.count_nonzero(is_false[members]) for members in every]
    counts = np.asarray(made["n"], dtype=float)
    made["false_rate"] = np.where(
        counts > 0, made["n_false"] / np.maximum(counts, 1), np.nan
    )
    made["lower"], made["upper"] = wilson_interval(made["n_false"], made["n"])
    made["per_image"] = made["n_false"] / n_images
    return made
