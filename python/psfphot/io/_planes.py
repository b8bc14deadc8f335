"""The planes that go with an image: errors, data quality, masks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy import units as u
from astropy.nddata.bitmask import interpret_bit_flags
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.io._errors import FileFormatError
from psfphot.io._fits import (
    choose_image,
    extension_label,
    is_image,
    open_fits,
    parse_unit,
    read_pixels,
    read_plane,
    split_extension,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from astropy.io import fits
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

#: Names under which a science image is found; only these look for ERR and DQ.
_SCIENCE_NAMES = ("SCI", "PRIMARY", "")

#: JWST flags much that does not spoil a pixel; of all its bits DO_NOT_USE says
#: "leave it out".
_JWST_BAD = "1"

#: Pixels of FITS files have no more bits than these.
_BEYOND_BITS = 2**63

#: What counts as bad elsewhere: any bit.
_ALL = "all"


class Plane(NamedTuple):
    """Pixels that go with an image, and where they are from."""

    pixels: NDArray[Any]
    source: str


class Owner(NamedTuple):
    """The image that a plane is to go with."""

    hdus: fits.HDUList
    hdu: Any
    path: Path
    name: str
    shape: tuple[int, ...]
    unit: u.UnitBase | None

    def sibling(self, name: str) -> Any:
        """Return the extension of this name and the image's version, or `None`."""
        if self.hdu.name not in _SCIENCE_NAMES or (name, self.hdu.ver) not in self.hdus:
            return None
        found = self.hdus[name, self.hdu.ver]
        # Some pipelines write an empty one.
        return found if is_image(found) else None


def check_bits(text: str) -> int | None:
    """Read which bits of a data-quality plane are bad.

    Parameters
    ----------
    text : str
        ``all``, or the bits' values joined by commas (``4,16``); with ``~``
        in front, all bits but those.

    Returns
    -------
    bits : int or `None`
        The bad bits; `None` stands for all.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if text.strip().lower() == _ALL:
        return None
    try:
        bits = interpret_bit_flags(text)
    except (ValueError, TypeError) as exc:
        reason = str(exc)
    else:
        if bits is not None and bits != 0 and abs(bits) < _BEYOND_BITS:
            return int(bits)
        reason = "no bit of a pixel would be bad; --dq none says that"
    msg = (
        "--dq-bits must be 'all' or powers of 2 joined by commas, as 4,16 or ~4,16, "
        f"got {text!r} ({reason})"
    )
    raise ValueError(msg)


def check_error(spec: str) -> float | None:
    """Read a number of ``--error``; `None` if it is no number.

    Raises
    ------
    ValueError
        If it is a number that no error can be.
    """
    try:
        value = float(spec)
    except ValueError:
        return None
    if not (np.isfinite(value) and value > 0):
        msg = f"--error must be above 0 and finite, got {spec}"
        raise ValueError(msg)
    return value


def find_error(owner: Owner, spec: str | None) -> Plane | None:
    """Find the 1-sigma errors of an image's pixels.

    Parameters
    ----------
    owner : `Owner`
        The image.
    spec : str, optional
        A number for all pixels, ``FILE``, ``FILE[EXT]``, ``[EXT]`` in the
        image's own file, or ``none``; by default the ERR extension, if there
        is one that can be used.

    Raises
    ------
    ValueError
        If what was asked for has another shape, no positive value, or a unit
        that does not go with the image's.
    OSError
        If the file cannot be read.
    """
    if spec is None:
        return _own_error(owner)
    if spec.lower() == "none":
        return None
    value = check_error(spec)
    if value is None:
        return _error_of_file(owner, spec)
    return Plane(np.full(owner.shape, value), f"--error {value:g}")


def find_bad_quality(owner: Owner, ext: str | None, bits: str | None) -> Plane | None:
    """Find the pixels that a data-quality extension calls bad.

    Parameters
    ----------
    owner : `Owner`
        The image.
    ext : str, optional
        The extension, or ``none``; by default DQ, if there is one.
    bits : str, optional
        The bad bits, see `check_bits`; by default 1 (DO_NOT_USE) for JWST and
        all for others.

    Raises
    ------
    ValueError
        If the extension that was asked for is not there, or cannot be used.
    """
    if ext is None:
        found, asked = owner.sibling("DQ"), False
    elif ext.lower() == "none":
        found, asked = None, True
    else:
        found, asked = choose_image(owner.hdus, ext, owner.path), True
    if found is None:
        return None
    label = extension_label(owner.hdus, found)
    flags = read_pixels(found, f"{owner.name}'s {label}")
    problem = _shape_problem(flags.shape, owner)
    if flags.dtype.kind not in "biu" and not np.array_equal(flags, np.trunc(flags)):
        problem = "its pixels must be integers"
    if problem is not None:
        _unusable(f"{owner.name}: the {label} extension", problem, asked=asked)
        return None
    if bits is None:
        is_jwst = str(owner.hdus[0].header.get("TELESCOP", "")).strip() == "JWST"
        bits = _JWST_BAD if is_jwst else _ALL
    chosen = check_bits(bits)
    bad = flags != 0 if chosen is None else (flags.astype(np.int64) & chosen) != 0
    said = "any bit" if chosen is None else f"bits {bits}"
    return Plane(bad, f"{label} ({said})")


def find_mask(owner: Owner, spec: str) -> Plane:
    """Read a mask: not zero, or not finite, is bad.

    Parameters
    ----------
    owner : `Owner`
        The image.
    spec : str
        ``FILE``, ``FILE[EXT]``, or ``[EXT]`` in the image's own file.

    Raises
    ------
    ValueError
        If its shape is not the image's.
    OSError
        If the file cannot be read.
    """
    values, name = _pixels_of(owner, spec, read_pixels)[:2]
    problem = _shape_problem(values.shape, owner)
    if problem is not None:
        _unusable(f"--mask {name}", problem, asked=True)
    return Plane(values != 0, name)


def _own_error(owner: Owner) -> Plane | None:
    found = owner.sibling("ERR")
    if found is None:
        return None
    error = read_plane(found, f"{owner.name}'s ERR")
    problem = _error_problem(error, owner)
    if problem is not None:
        _unusable(f"{owner.name}: the ERR extension", problem, asked=False)
        return None
    return Plane(error, "the ERR extension")


def _error_of_file(owner: Owner, spec: str) -> Plane:
    error, name, header = _pixels_of(owner, spec, read_plane)
    problem = _error_problem(error, owner)
    if problem is not None:
        _unusable(f"--error {name}", problem, asked=True)
    unit = parse_unit(header.get("BUNIT"))
    if owner.unit is None or unit is None:
        return Plane(error, name)
    try:
        factor = unit.to(owner.unit)
    except u.UnitConversionError as exc:
        msg = f"--error {name}: its unit is {unit}, the image's {owner.unit}"
        raise FileFormatError(msg) from exc
    return Plane(error * error.dtype.type(factor), name)


def _pixels_of(
    owner: Owner, spec: str, read: Callable[[Any, str], NDArray[Any]]
) -> tuple[NDArray[Any], str, fits.Header]:
    """Read an extension of the image's file or of another."""
    if spec.startswith("[") and spec.endswith("]"):
        hdu = choose_image(owner.hdus, spec[1:-1], owner.path)
        name = f"{owner.path.name}[{extension_label(owner.hdus, hdu)}]"
        return read(hdu, name), name, hdu.header
    path, ext = split_extension(spec)
    with open_fits(path) as hdus:
        hdu = choose_image(hdus, ext, path)
        name = f"{path.name}[{extension_label(hdus, hdu)}]"
        return read(hdu, name), name, hdu.header.copy()


def _shape_problem(shape: tuple[int, ...], owner: Owner) -> str | None:
    if shape == owner.shape:
        return None
    return f"its shape is {shape}, the image's {owner.shape}"


def _error_problem(error: NDArray[Any], owner: Owner) -> str | None:
    positive = np.any(error > 0)
    return _shape_problem(error.shape, owner) or (
        None if positive else "no value in it is above 0"
    )


def _unusable(what: str, problem: str, *, asked: bool) -> None:
    """Fail if it was asked for, else warn that it is left out."""
    if asked:
        msg = f"{what}: {problem}"
        raise FileFormatError(msg)
    warnings.warn(f"{what} is left out: {problem}", AstropyUserWarning, stacklevel=4)
