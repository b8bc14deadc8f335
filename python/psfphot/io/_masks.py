"""Pixels that are left out because a mask, or a comparison, says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from psfphot._operators import OPERATORS
from psfphot.io._fits import read_pixels
from psfphot.io._planes import Plane, pixels_of, refuse_plane, shape_problem

if TYPE_CHECKING:
    from psfphot.io._planes import Owner

_COMPARISON = re.compile(r"\s*(?P<what>.*?)\s*(?P<op>[=!<>]=?)\s*(?P<number>[^=!<>]*)")


class Comparison(NamedTuple):
    """An image, an operator and a number: ``WHT==0``."""

    what: str
    op: str
    number: float


def parse_mask(spec: str) -> Comparison | None:
    """Read the comparison of a mask; `None` if it names an image alone.

    Parameters
    ----------
    spec : str
        ``EXT OP NUMBER``, with an extension of the image's own file (``WHT``
        or ``[WHT]``), or ``FILE[EXT]``; one of ``== != <= >= < >``; and a
        number. A file of the very name counts first.

    Raises
    ------
    ValueError
        If it looks like a comparison and is none.
    """
    found = _COMPARISON.fullmatch(spec)
    if found is None or Path(spec).exists():
        return None
    try:
        number = float(found["number"])
    except ValueError:
        number = np.nan
    if found["op"] not in OPERATORS or not found["what"] or np.isnan(number):
        known = " ".join(OPERATORS)
        msg = (
            "--mask takes EXT OP NUMBER, as 'WHT==0', with one of "
            f"{known} and a number, got {spec!r}"
        )
        raise ValueError(msg)
    what = found["what"]
    is_file = what.startswith("[") or "[" in what or Path(what).exists()
    return Comparison(what if is_file else f"[{what}]", found["op"], number)


def find_mask(owner: Owner, spec: str) -> Plane:
    """Read a mask: not zero, or what a comparison is true of, is bad.

    Parameters
    ----------
    owner : `Owner`
        The image.
    spec : str
        ``FILE``, ``FILE[EXT]``, or ``[EXT]`` in the image's own file; or a
        comparison, see `parse_mask`. Values that are not finite are bad in
        both.

    Raises
    ------
    ValueError
        If its shape is not the image's.
    OSError
        If the file cannot be read.
    """
    comparison = parse_mask(spec)
    what = spec if comparison is None else comparison.what
    values, name, _ = pixels_of(owner, what, read_pixels)
    problem = shape_problem(values.shape, owner)
    if problem is not None:
        refuse_plane(f"--mask {name}", problem, asked=True)
    if comparison is None:
        return Plane(values != 0, name)
    _, op, number = comparison
    bad = np.asarray(OPERATORS[op](values, number), dtype=bool) | ~np.isfinite(values)
    return Plane(bad, f"{name} {op} {number:g}")
