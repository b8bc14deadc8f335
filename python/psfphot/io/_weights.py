"""Weight maps: which pixels were exposed, and how large their errors are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.io._errors import FileFormatError
from psfphot.io._fits import read_array, read_plane
from psfphot.io._planes import Plane, pixels_of, refuse_plane, shape_problem
from psfphot.io._sky import estimate_sky

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.io._planes import Owner

#: What a weight can be: proportional to the exposure (so to the inverse of the
#: sky's variance), or the inverse variance itself.
WEIGHT_TYPES = ("exposure", "ivar")

#: Extensions that say what went into a pixel of a combined image: a weight, or
#: which exposures, a bit for each, in planes of an integer.
_WEIGHT, _CONTEXT = "WHT", ("CON", "CTX")


def check_weight_type(weight_type: str | None) -> None:
    """Refuse a kind of weight that there is not.

    Raises
    ------
    ValueError
        If it is neither "exposure" nor "ivar", nor `None`.
    """
    if weight_type is not None and weight_type not in WEIGHT_TYPES:
        known = " or ".join(repr(known) for known in WEIGHT_TYPES)
        msg = f"weight_type must be {known}, got {weight_type!r}"
        raise ValueError(msg)


def find_weight(owner: Owner, spec: str | None) -> Plane | None:
    """Read the weights that were asked for, else the WHT extension.

    Parameters
    ----------
    owner : `~psfphot.io._planes.Owner`
        The image.
    spec : str, optional
        ``FILE``, ``FILE[EXT]``, ``EXT`` or ``[EXT]`` in the image's own file,
        or ``none``; by default WHT, if there is one that can be used.

    Returns
    -------
    weight : `~psfphot.io._planes.Plane` or `None`
        As in the file; what is not finite and above 0 is no weight.

    Raises
    ------
    FileFormatError
        If what was asked for is not there or does not go with the image.
    """
    if spec is not None and spec.lower() == "none":
        return None
    if spec is None:
        found = owner.sibling(_WEIGHT)
        if found is None:
            return None
        name = f"the {_WEIGHT} extension"
        pixels = read_plane(
            found, f"{owner.name}'s {_WEIGHT}", owner.plane_of(found), owner.band
        )
    else:
        in_file = spec in owner.hdus and not spec.isdigit()
        what = f"[{spec}]" if in_file else spec
        pixels, name, _ = pixels_of(owner, what, read_plane)
    problem = shape_problem(pixels.shape, owner)
    if problem is None and owner.band is None and not np.any(pixels > 0):
        problem = "no value in it is above 0"
    if problem is not None:
        what = f"{owner.name}: {name}" if spec is None else f"--weight {name}"
        refuse_plane(what, problem, asked=spec is not None)
        return None
    return Plane(pixels, name)


def find_unexposed(owner: Owner) -> Plane | None:
    """Find pixels that no exposure went into, by the context of the image."""
    for label in _CONTEXT:
        found = owner.sibling(label)
        if found is None:
            continue
        context = read_array(found, f"{owner.name}'s {label}", owner.band)
        if context.ndim < 2 or context.shape[-2:] != owner.shape:  # noqa: PLR2004
            continue
        context = context.reshape(-1, *owner.shape)
        empty = ~np.any(context != 0, axis=0)
        # One of zeros was not filled in.
        is_unused = owner.band is None and empty.all()
        return None if is_unused else Plane(empty, f"{label} (no exposure)")
    return None


def no_weight(weight: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which pixels have no data: weight not finite, 0 or negative."""
    return np.asarray(~(np.isfinite(weight) & (weight > 0)))


def error_of_weight(
    data: NDArray[Any],
    weight: Plane,
    weight_type: str | None,
    mask: NDArray[np.bool_],
) -> Plane:
    """Make 1-sigma errors of weights.

    Parameters
    ----------
    data : 2D array
        The image.
    weight : `~psfphot.io._planes.Plane`
        Its weights.
    weight_type : {"exposure", "ivar"}, optional
        "ivar": the errors are 1/sqrt(weight), in the image's unit. "exposure",
        the default: they are k/sqrt(weight) with the k that makes the noise of
        data/error, measured as `psfphot.io.estimate_sky` does, equal to 1. Either
        has the sky's noise, and that of the stars if whoever made the weights
        put it there.
    mask : 2D bool array
        `True` where pixels are left out of the measurement.

    Raises
    ------
    FileFormatError
        If no pixel has a weight, or there is no noise to scale to.
    """
    bad = no_weight(weight.pixels)
    error = np.full(data.shape, np.nan, dtype=weight.pixels.dtype)
    error[~bad] = 1 / np.sqrt(weight.pixels[~bad])
    if weight_type == "ivar":
        return Plane(error, f"{weight.source} (inverse variances)")
    unused = mask | bad
    if unused.all():
        msg = f"{weight.source}: no pixel that is not masked has a weight above 0"
        raise FileFormatError(msg)
    level = estimate_sky(data, unused).level
    # Without its level, or the sky would vary with the weight.
    scaled = (np.asarray(data, dtype=np.float64) - level) / error
    noise = estimate_sky(scaled, unused).noise
    if not noise > 0:
        msg = f"{weight.source}: the image has no noise that weights could be scaled to"
        raise FileFormatError(msg)
    said = f"{weight.source} (relative, scaled to the measured noise)"
    return Plane(error * error.dtype.type(noise), said)
