"""An image's place on its detector, held against what a grid of PSFs is of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from astropy.nddata import NDData

from psfphot._validate import check_instance
from psfphot.io._detector import SHORT_WAVE_IDS, TWO_CHIPS, Detector
from psfphot.io._fits_image import FitsImage
from psfphot.io._psfs import Psf
from psfphot.psf import GriddedPSFModel

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
        Of a resampled or binned image no offset.
    """
    check_instance(image, FitsImage, "image")
    check_instance(psf, Psf, "psf")
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
        # Its pixels are no detector's, and no place on one is known.
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


def place_psf(
    psf: Psf, offset: tuple[float, float], whole: tuple[int, int] | None = None
) -> Psf:
    """Move a grid of PSFs from the detector's pixels to the image's.

    Parameters
    ----------
    psf : `~psfphot.io.Psf`
        The PSF; it is not changed. One that is no grid is returned as it is.
    offset : tuple of float
        (x, y) of the image's first pixel on the detector, as `check_detector`
        tells it.
    whole : (ny, nx), optional
        The shape of a larger image, if the image is a part of it at this offset: stars
        are found in the part as in the whole.

    Returns
    -------
    psf : `~psfphot.io.Psf`
    """
    check_instance(psf, Psf, "psf")
    model = psf.model
    if not isinstance(model, GriddedPSFModel):
        return psf
    if whole is None and tuple(offset) == (0.0, 0.0):
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
    if whole is not None:
        moved._see_in((int(x), int(y)), whole)
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
    if own.name in TWO_CHIPS and own.chip is not None:
        mine = {f"{own.name}{own.chip}"}
        other = f"{other}{own.chip}" if other == own.name else other
    if other == "NRCSW":
        return own.name in SHORT_WAVE_IDS
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
