"""Columns of source tables: the names under which a starting value may stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# The names under which a starting value is looked for, first match first.
_POSITION = (
    "{}_init {}init {} {}_0 {}0 {}centroid {}_centroid {}_peak {}cen {}_cen {}pos "
    "{}_pos {}_fit {}fit"
)
COLUMN_NAMES = {
    "x": tuple(_POSITION.replace("{}", "x").split()),
    "y": tuple(_POSITION.replace("{}", "y").split()),
    "flux": (
        "flux_init",
        "fluxinit",
        "flux",
        "flux_0",
        "flux0",
        "flux_fit",
        "fluxfit",
        "source_sum",
        "segment_flux",
        "kron_flux",
    ),
}


def find_column(names: Iterable[str], parameter: str) -> str | None:
    """Find the first column that can start a parameter, or `None`."""
    present = set(names)
    own = (f"{parameter}_init", parameter, f"{parameter}_fit")
    for name in COLUMN_NAMES.get(parameter, own):
        if name in present:
            return name
    return None
