"""Where on which detector an image is, held against what a grid of PSFs is of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import NDData

from psfphot.psf import GriddedPSFModel
from psfphot.psf._files.stdpsf import find_mosaic, read_stdpsf_grid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from psfphot.io._fits_image import FitsImage
    from psfphot.io._psfs import Psf

#: Words in FILTER and PUPIL that are no filter.
_NO_FILTER = frozenset({"", "CLEAR", "CLEARP", "N/A", "NONE"})

#: One detector under several names; libraries of PSFs have names of their own.
_SAME_DETECTOR = {
    "NRCALONG": "NRCA5",
    "NRCBLONG": "NRCB5",
    "NRCAL": "NRCA5",
    "NRCBL": "NRCB5",
    "NIRISS": "NIS",
    "MIRIM": "MIRIMAGE",
    "WFPC2_1": "PC",
    "WFPC2_2": "WF2",
    "WFPC2_3": "WF3",
    "WFPC2_4": "WF4",
} | {f"{side}{n}": f"NRC{side}{n}" for side in "AB" for n in range(1, 6)}

#: Positions are detector pixels only where both are this close to whole ones.
_BINNED = 1e-6

#: The `detector_id` of STDPSF files whose detectors have other numbers: the chips
#: of ACS/WFC and WFC3/UVIS by CCDCHIP, NIRCam's short-wave detectors by name.
_CHIP_IDS = {2: 1, 1: 2}
_TWO_CHIPS = ("WFC", "UVIS")
_SHORT_WAVE_IDS = {
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
        if self.name in _TWO_CHIPS:
            return _CHIP_IDS.get(self.chip or 0)
        if self.instrument == "WFPC2" and self.name in {"1", "2", "3", "4"}:
            return int(self.name)
        return _SHORT_WAVE_IDS.get(self.name)


@dataclass(frozen=True)
class DetectorCheck:
    """What came of holding an image against a PSF.

    Attributes
    ----------
    warnings : tuple of str
        What does not go together, for people; empty if all does.
    offset : tuple of float
        (x, y) to take off the grid's positions so that they are the image's.
    """

    warnings: tuple[str, ...]
    offset: tuple[float, float]


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
        value = keyword(key)
        usable = isinstance(value, int | float) and np.isfinite(value)
        return float(value) if usable else default

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


def check_detector(image: FitsImage, psf: Psf) -> DetectorCheck:
    """Hold an image's detector, filter and place against a PSF's.

    Parameters
    ----------
    image : `~psfphot.io.FitsImage`
        The image.
    psf : `~psfphot.io.Psf`
        The PSF; only a grid of a file says what it is of.

    Returns
    -------
    check : `DetectorCheck`
    """
    own, model = image.detector, psf.model
    if not isinstance(model, GriddedPSFModel):
        return DetectorCheck((), (0.0, 0.0))
    said: list[str] = []
    detector, filter_name = (_meta(model, key) for key in ("detector", "filter"))
    if detector and own.name and not _same_detector(own, detector):
        chip = "" if own.chip is None else f", chip {own.chip}"
        said.append(
            f"the PSFs are of detector {detector}, the image of {own.name}{chip}"
        )
    if filter_name and own.filters and filter_name not in own.filters:
        filters = " and ".join(own.filters)
        said.append(f"the PSFs are of filter {filter_name}, the image of {filters}")
    if own.resampled:
        said.append(
            "the image is resampled: its pixels are no detector's, and the PSF of "
            "a place on it is not known; the grid's positions are taken as they are"
        )
        return DetectorCheck(tuple(said), (0.0, 0.0))
    if any(abs(one - 1) > _BINNED for one in own.binning):
        said.append(
            f"the image is binned by {own.binning[0]:g} x {own.binning[1]:g}; the "
            "PSFs are of unbinned pixels"
        )
        return DetectorCheck(tuple(said), (0.0, 0.0))
    if own.offset != (0.0, 0.0) and not _reaches(model, image):
        said.append(
            f"the image begins at ({own.offset[0]:g}, {own.offset[1]:g}) of the "
            "detector, where the grid has no PSFs; the nearest are taken"
        )
    return DetectorCheck(tuple(said), own.offset)


def place_psf(psf: Psf, offset: tuple[float, float]) -> Psf:
    """Move a grid of PSFs from the detector's pixels to the image's.

    Parameters
    ----------
    psf : `~psfphot.io.Psf`
        The PSF; it is not changed. One that is no grid is returned as it is.
    offset : tuple of float
        (x, y) of the image's first pixel on the detector, as `check_detector`
        tells it.

    Returns
    -------
    psf : `~psfphot.io.Psf`
    """
    model = psf.model
    if not isinstance(model, GriddedPSFModel) or tuple(offset) == (0.0, 0.0):
        return psf
    meta = dict(model.meta)
    meta["grid_xypos"] = np.asarray(model.grid_xypos, dtype=float) - offset
    moved = GriddedPSFModel(
        NDData(model.data, meta=meta),
        flux=model.flux.value,
        x_0=model.x_0.value,
        y_0=model.y_0.value,
        fill_value=model.fill_value,
    )
    for name in model.param_names:
        getattr(moved, name).fixed = getattr(model, name).fixed
        getattr(moved, name).bounds = getattr(model, name).bounds
    x, y = offset
    said = f"{psf.description}, the image at ({x:g}, {y:g}) of the detector"
    return replace(psf, model=moved, description=said)


def _meta(model: GriddedPSFModel, key: str) -> str:
    """Take a word from a grid's meta, whose values may have comments beside."""
    value = model.meta.get(key)
    if isinstance(value, tuple | list | np.ndarray) and len(value):
        value = value[0]
    return "" if value is None else str(value).strip().upper()


def _same_detector(own: Detector, other: str) -> bool:
    # Libraries count the chips of one camera: WFC1, UVIS2.
    mine = {own.name, f"WFPC2_{own.name}"} if own.instrument == "WFPC2" else {own.name}
    if own.name in _TWO_CHIPS and own.chip is not None:
        mine = {f"{own.name}{own.chip}"}
        other = f"{other}{own.chip}" if other == own.name else other
    if other == "NRCSW":
        return own.name in _SHORT_WAVE_IDS
    names = {_SAME_DETECTOR.get(name, name) for name in mine}
    return _SAME_DETECTOR.get(other, other) in names or other == own.instrument


def _reaches(model: GriddedPSFModel, image: FitsImage) -> bool:
    """Tell whether the image is on the grid, or within a step of it."""
    ny, nx = image.shape
    grid = np.asarray(model.grid_xypos, dtype=float)
    for axis, n, start in zip(grid.T, (nx, ny), image.detector.offset, strict=True):
        nodes = np.unique(axis)
        step = float(np.diff(nodes).max()) if len(nodes) > 1 else np.inf
        if start > nodes[-1] + step or start + n < nodes[0] - step:
            return False
    return True
