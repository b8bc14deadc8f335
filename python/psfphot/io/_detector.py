"""Where on which detector an image is, as its header has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psfphot._validate import finite_or_none
from psfphot.psf._files.stdpsf import find_mosaic, read_stdpsf_grid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Words in FILTER and PUPIL that are no filter.
_NO_FILTER = frozenset({"", "CLEAR", "CLEARP", "N/A", "NONE"})

#: The `detector_id` of STDPSF files whose detectors have other numbers: the chips
#: of ACS/WFC and WFC3/UVIS by CCDCHIP, NIRCam's short-wave detectors by name.
_CHIP_IDS = {2: 1, 1: 2}
TWO_CHIPS = ("WFC", "UVIS")
SHORT_WAVE_IDS = {
    f"NRC{name}": i
    for i, name in enumerate(("A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4"), 1)
}


@dataclass(frozen=True)
class Detector:
    """Which detector an image is of, through what, and where on it.

    Attributes
    ----------
    telescope, instrument, name : str
        TELESCOP, INSTRUME and DETECTOR in capitals; empty where not known.
    chip : int or `None`
        CCDCHIP.
    filters : tuple of str
        What stands in FILTER, FILTER1, FILTER2, FILTNAM1 and PUPIL and is a
        filter.
    offset : tuple of float
        (x, y) to add to a position in the image to get the one on the detector,
        both counted from 0.
    offset_source : str
        What says so; empty where nothing does.
    binning : tuple of float
        Detector pixels per image pixel, (x, y).
    resampled : bool
        Whether the image was drizzled: its pixels are no detector's.
    """

    telescope: str = ""
    instrument: str = ""
    name: str = ""
    chip: int | None = None
    filters: tuple[str, ...] = ()
    offset: tuple[float, float] = (0.0, 0.0)
    offset_source: str = ""
    binning: tuple[float, float] = (1.0, 1.0)
    resampled: bool = False

    @property
    def detector_id(self) -> int | None:
        """The ``detector_id`` in an STDPSF file of several detectors, if known."""
        if self.name in TWO_CHIPS:
            return _CHIP_IDS.get(self.chip or 0)
        if self.instrument == "WFPC2" and self.name in {"1", "2", "3", "4"}:
            return int(self.name)
        return SHORT_WAVE_IDS.get(self.name)


def find_detector(
    keyword: Callable[[str], Any], cutout: tuple[int, int] | None = None
) -> Detector:
    """Read where on which detector an image is.

    Parameters
    ----------
    keyword : callable
        Gives the value of a keyword, or `None`.
    cutout : tuple of int, optional
        (x, y) of the image's first pixel on what the header describes, if the
        file tells it in another way.

    Returns
    -------
    detector : `Detector`
        Its offset is that of the subarray, SUBSTRT1/2 (JWST), together with
        that of LTV1/2, which HST's subarrays and IRAF's cutouts have:
        image = LTM * detector + LTV, counted from 1.
    """

    def word(key: str) -> str:
        value = keyword(key)
        # (WFPC2's FILTER1 is a number of a wheel)
        return value.strip().upper() if isinstance(value, str) else ""

    def number(key: str, default: float) -> float:
        value = finite_or_none(keyword(key))
        return default if value is None else value

    found: list[tuple[float, float]] = []
    scales, sources = (1.0, 1.0), []
    starts = number("SUBSTRT1", 1.0), number("SUBSTRT2", 1.0)
    if starts != (1.0, 1.0):
        found.append((starts[0] - 1, starts[1] - 1))
        sources.append("SUBSTRT")
    shift = number("LTV1", 0.0), number("LTV2", 0.0)
    scales = number("LTM1_1", 1.0) or 1.0, number("LTM2_2", 1.0) or 1.0
    if shift != (0.0, 0.0):
        # Pixel i of the image, from 0, is (i + 1 - LTV) / LTM - 1 on the detector.
        x, y = ((1 - v) / m - 1 for v, m in zip(shift, scales, strict=True))
        found.append((x, y))
        sources.append("LTV")
    if cutout is not None and cutout != (0, 0) and not shift[0] and not shift[1]:
        found.append((float(cutout[0]), float(cutout[1])))
        sources.append("the WCS of the whole detector")
    chip = keyword("CCDCHIP")
    filters = (word(key) for key in ("FILTER", "FILTER1", "FILTER2", "FILTNAM1"))
    names = [
        name
        for name in (*filters, word("PUPIL"))
        if name not in _NO_FILTER and not name.startswith("CLEAR")
    ]
    drizzled = word("S_RESAMP") == "COMPLETE" or keyword("NDRIZIM") is not None
    return Detector(
        word("TELESCOP"),
        word("INSTRUME"),
        word("DETECTOR") or str(keyword("DETECTOR") or ""),
        chip if isinstance(chip, int) else None,
        tuple(dict.fromkeys(names)),
        (sum(x for x, _ in found), sum(y for _, y in found)),
        " and ".join(sources),
        (1 / scales[0], 1 / scales[1]),
        drizzled,
    )


def choose_detector_id(path: Path, detector: Detector) -> int | None:
    """Choose the detector of an STDPSF file that an image is of.

    Parameters
    ----------
    path : `~pathlib.Path`
        A file of PSFs.
    detector : `Detector`
        The image's: CCDCHIP chooses between two chips, DETECTOR else.

    Returns
    -------
    detector_id : int or `None`
        `None` where the file holds one detector, or the image is of none of its.
    """
    try:
        mosaic = find_mosaic(read_stdpsf_grid(path))
    except (ValueError, OSError):  # of another kind, or what its reader will tell
        return None
    found = detector.detector_id
    return found if mosaic is not None and found in mosaic.names else None
