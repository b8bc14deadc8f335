"""The planes that go with an image: errors and data quality."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from astropy import units as u
from astropy.nddata.bitmask import interpret_bit_flags
from astropy.utils.exceptions import AstropyUserWarning

from psfphot._validate import check_instance
from psfphot.io._errors import FileFormatError
from psfphot.io._fits import (
    Band,
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

#: Extensions with the errors, the first that is there counts; see `_to_sigma`.
_ERROR_NAMES = ("ERR", "VAR", "VARIANCE", "UNCERT")

#: Extensions with parts of the variance, in JWST's files.
_VARIANCES = ("VAR_POISSON", "VAR_RNOISE")

#: Names under which a science image is found; only these look for ERR and DQ.
_SCIENCE_NAMES = ("SCI", "PRIMARY", "")

#: JWST flags much that does not spoil a pixel; of all its bits DO_NOT_USE says
#: "leave it out".
_JWST_BAD = "1"

#: Bits, any of them, of a pixel that was full. JWST's SATURATED (2) is set too
#: where the groups before the pixel was full were enough; only together with
#: DO_NOT_USE (1) nothing was left. HST: full well 256 and converter 2048, in
#: WFPC2 converter 8.
_SATURATED_BITS = {
    "JWST": (1 | 2,),
    "ROMAN": (1 | 2,),
    "HST/ACS": (256, 2048),
    "HST/WFC3": (256, 2048),
    "HST/WFPC2": (8,),
}

#: Pixels of FITS files have no more bits than these.
_BEYOND_BITS = 2**63

#: What counts as bad elsewhere: any bit.
_ALL = "all"


class Plane(NamedTuple):
    """Pixels that go with an image, and where they are from."""

    pixels: NDArray[Any]
    source: str


class Quality(NamedTuple):
    """What a data-quality extension says of the pixels."""

    bad: Plane
    saturated: Plane | None


class Owner(NamedTuple):
    """The image that a plane is to go with."""

    hdus: fits.HDUList
    hdu: Any
    path: Path
    name: str
    shape: tuple[int, ...]
    unit: u.UnitBase | None
    plane: tuple[int, ...] = ()
    #: The rows that are read, of which alone ``shape`` is; `None` for all.
    band: Band | None = None

    @property
    def telescope(self) -> str:
        """The TELESCOP of the file, in capitals."""
        return str(self.hdus[0].header.get("TELESCOP", "")).strip().upper()

    def plane_of(self, hdu: Any) -> tuple[int, ...]:
        """Tell which plane of another extension goes with the image's."""
        return self.plane if len(hdu.shape) == len(self.hdu.shape) else ()

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
    check_instance(text, str, "text")
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
    check_instance(spec, str, "error")
    if spec.lower() == "none":
        return None
    value = check_error(spec)
    if value is None:
        return _error_of_file(owner, spec)
    return Plane(np.full(owner.shape, value), f"--error {value:g}")


def find_variances(owner: Owner) -> dict[str, NDArray[Any]]:
    """Read the variances of JWST's files: those by photons and by the reading.

    Returns
    -------
    fields : dict
        ``var_poisson`` and ``var_rnoise`` of a `~psfphot.io.FitsImage`; none if the
        file does not have both, of the image's shape and unit.
    """
    found = {}
    for label in _VARIANCES:
        hdu = owner.sibling(label)
        if hdu is None or owner.sibling("ERR") is None:
            return {}
        pixels = read_plane(
            hdu, f"{owner.name}'s {label}", owner.plane_of(hdu), owner.band
        )
        unit = parse_unit(hdu.header.get("BUNIT"))
        # Some write the image's unit, not its square.
        if (
            unit is not None
            and owner.unit is not None
            and unit not in (owner.unit, owner.unit**2)
        ):
            return {}
        if shape_problem(pixels.shape, owner) is not None:
            return {}
        found[label.lower()] = pixels
    return found


def find_quality(owner: Owner, ext: str | None, bits: str | None) -> Quality | None:
    """Find the pixels that a data-quality extension calls bad, or saturated.

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
        found, asked = choose_image(owner.hdus, ext, owner.path)[0], True
    if found is None:
        return None
    label = extension_label(owner.hdus, found)
    flags = read_pixels(
        found, f"{owner.name}'s {label}", owner.plane_of(found), owner.band
    )
    problem = shape_problem(flags.shape, owner)
    if flags.dtype.kind not in "biu" and not np.array_equal(flags, np.trunc(flags)):
        problem = "its pixels must be integers"
    if problem is not None:
        refuse_plane(f"{owner.name}: the {label} extension", problem, asked=asked)
        return None
    if bits is None:
        bits = _JWST_BAD if owner.telescope == "JWST" else _ALL
    chosen = check_bits(bits)
    full = _SATURATED_BITS.get(_camera(owner))
    if chosen is not None or full is not None:
        flags = flags.astype(np.int64, copy=False)
    bad = flags != 0 if chosen is None else (flags & chosen) != 0
    said = "any bit" if chosen is None else f"bits {bits}"
    saturated = None
    if full is not None:
        saturated = Plane(
            np.any([(flags & bit) == bit for bit in full], axis=0),
            f"{label} (bits {', '.join(map(str, full))})",
        )
    return Quality(Plane(bad, f"{label} ({said})"), saturated)


def _camera(owner: Owner) -> str:
    header = owner.hdus[0].header
    if owner.telescope == "HST":
        return f"HST/{str(header.get('INSTRUME', '')).strip().upper()}"
    return owner.telescope


def _own_error(owner: Owner) -> Plane | None:
    label, found = next(
        ((name, hdu) for name in _ERROR_NAMES if (hdu := owner.sibling(name))),
        ("", None),
    )
    if found is None:
        return None
    pixels = read_plane(
        found, f"{owner.name}'s {label}", owner.plane_of(found), owner.band
    )
    plane = _to_sigma(owner, pixels, found.header, f"the {label} extension")
    problem = _error_problem(plane.pixels, owner)
    if problem is not None:
        refuse_plane(f"{owner.name}: the {label} extension", problem, asked=False)
        return None
    return plane


def _error_of_file(owner: Owner, spec: str) -> Plane:
    pixels, name, header = pixels_of(owner, spec, read_plane)
    plane = _to_sigma(owner, pixels, header, name)
    problem = _error_problem(plane.pixels, owner)
    if problem is not None:
        refuse_plane(f"--error {name}", problem, asked=True)
    return plane


def _to_sigma(
    owner: Owner, pixels: NDArray[Any], header: fits.Header, source: str
) -> Plane:
    """Make 1-sigma errors in the image's unit of errors or of variances.

    Variances are told by the extension's name (VAR, VARIANCE, VAR_POISSON, ...)
    or, as `~astropy.nddata.CCDData` writes them, by UTYPE.
    """
    kind = str(header.get("UTYPE", "")).strip()
    if str(header.get("EXTNAME", "")).strip().upper().startswith("VAR"):
        kind = "VarianceUncertainty"
    power = {"VarianceUncertainty": 2, "InverseVariance": -2}.get(kind, 1)
    if power != 1:
        with np.errstate(all="ignore"):
            pixels = np.sqrt(pixels if power > 0 else 1 / pixels)
        source += " (variances)" if power > 0 else " (inverse variances)"
    unit = parse_unit(header.get("BUNIT"))
    # Many write the image's unit, not its square, beside variances.
    if owner.unit is None or unit is None or unit == owner.unit:
        return Plane(pixels, source)
    try:
        factor = (unit ** (1 / power)).to(owner.unit)
    except u.UnitConversionError as exc:
        msg = f"--error {source}: its unit is {unit}, the image's {owner.unit}"
        raise FileFormatError(msg) from exc
    return Plane(pixels * pixels.dtype.type(factor), source)


def pixels_of(
    owner: Owner, spec: str, read: Callable[..., NDArray[Any]]
) -> tuple[NDArray[Any], str, fits.Header]:
    """Read an extension of the image's file or of another.

    Parameters
    ----------
    owner : `Owner`
        The image.
    spec : str
        ``FILE``, ``FILE[EXT]``, ``[EXT]`` in the image's own file, each perhaps
        with a plane, ``[EXT][2]``; by default that of the image.
    read : callable
        `read_plane` or `read_pixels`.

    Returns
    -------
    pixels : 2D array
    name : str
        What was read, for messages.
    header : `~astropy.io.fits.Header`
    """
    path, ext = split_extension(spec)
    if spec.startswith("["):
        hdu, plane = choose_image(owner.hdus, ext, owner.path)
        name = f"{owner.path.name}[{extension_label(owner.hdus, hdu)}]"
        pixels = read(hdu, name, plane or owner.plane_of(hdu), owner.band)
        return pixels, name, hdu.header
    with open_fits(path) as hdus:
        hdu, plane = choose_image(hdus, ext, path)
        name = f"{path.name}[{extension_label(hdus, hdu)}]"
        pixels = read(hdu, name, plane or owner.plane_of(hdu), owner.band)
        return pixels, name, hdu.header.copy()


def shape_problem(shape: tuple[int, ...], owner: Owner) -> str | None:
    """Say what is wrong with a shape, `None` if it is the image's."""
    if shape == owner.shape:
        return None
    return f"its shape is {shape}, the image's {owner.shape}"


def _error_problem(error: NDArray[Any], owner: Owner) -> str | None:
    # Of a band all may be bad.
    positive = owner.band is not None or np.any(error > 0)
    return shape_problem(error.shape, owner) or (
        None if positive else "no value in it is above 0"
    )


def refuse_plane(what: str, problem: str, *, asked: bool) -> None:
    """Fail if it was asked for, else warn that it is left out."""
    if asked:
        msg = f"{what}: {problem}"
        raise FileFormatError(msg)
    warnings.warn(f"{what} is left out: {problem}", AstropyUserWarning, stacklevel=4)
