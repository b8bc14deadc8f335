"""One line of the table: fits against the truth and against the least errors."""

from dataclasses import dataclass

import numpy as np
from trials import width

#: Beyond as many quoted errors a result is lost, whatever the noise.
FAR = 5


@dataclass(frozen=True)
class Row:
    """How fits of a scene compare with what there is."""

    scene: str
    what: str
    n: int
    #: Median of fit - truth, in least errors.
    bias: float
    #: Half the range from 16 to 84 % of it.
    scatter: float
    #: Half the same range in quoted errors.
    pull: float
    #: The part of the fits farther than FAR quoted errors, or without an error.
    beyond: float
    note: str = ""


def compare(scene, what, offsets, quoted, least=None, *, note=""):
    """Make a row of fit - truth, the quoted errors, and the least ones if known."""
    offsets, quoted = (np.asarray(v, dtype=float).ravel() for v in (offsets, quoted))
    with np.errstate(invalid="ignore", divide="ignore"):
        pulls = offsets / quoted
    is_good = np.isfinite(pulls)
    if not is_good.any():
        raise ValueError(f"no fit of {scene!r} has an error")
    unit = quoted if least is None else np.asarray(least, dtype=float).ravel()
    relative = (offsets / unit)[is_good]
    return Row(
        scene=scene,
        what=what,
        n=len(pulls),
        bias=float(np.median(relative)),
        scatter=np.nan if least is None else float(width(relative)),
        pull=float(width(pulls[is_good])),
        beyond=float(np.mean(~is_good | ~(np.abs(pulls) <= FAR))),
        note=note,
    )
