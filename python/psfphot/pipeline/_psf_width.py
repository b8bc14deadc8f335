"""The step that measures the PSF's width where none was given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from psfphot.detection import detect_cosmic_rays
from psfphot.io import Psf, measure_fwhm
from psfphot.psf import CircularGaussianPRF, measure_psf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.io import FitsImage

#: What is sharper than a star of this FWHM, pixels, is none on a sampled image.
_SHARPEST = 2.0

#: So many pixels at the image's maximum are full.
_PILE_UP = 10


def measure_image_psf(image: FitsImage, psf: Psf, n_threads: int | None = None) -> Psf:
    """Measure the width of the PSF on the bright stars of an image.

    Parameters
    ----------
    image : `~psfphot.io.FitsImage`
        The image.
    psf : `~psfphot.io.Psf`
        A PSF whose ``measured_as`` says what profile to measure; any other is
        returned as it is.
    n_threads : int, optional
        Number of threads.

    Returns
    -------
    psf : `~psfphot.io.Psf`
        With a model.

    Raises
    ------
    ValueError
        If there are fewer than 5 usable stars, or they are narrower than a pixel.
    """
    if psf.measured_as is None:
        return psf
    # A PSF of the image's own begins with a Moffat.
    name = "moffat" if psf.measured_as == "image" else psf.measured_as
    kind = cast("Literal['gaussian', 'moffat']", name)
    mask = image.mask | _full(image)
    # Hot pixels are the sharpest, and often the brightest, of all.
    sharp = detect_cosmic_rays(
        image.data,
        CircularGaussianPRF(fwhm=_SHARPEST),
        mask=mask,
        error=image.error,
        n_threads=n_threads,
    )
    try:
        measured = measure_psf(
            image.data,
            kind,
            error=image.error,
            mask=mask | sharp,
            n_threads=n_threads,
        )
    except ValueError as exc:
        msg = (
            f"{image.name}: the PSF's width cannot be measured: {exc}; give it, as "
            f"{kind}:FWHM, or a PSF from a file"
        )
        raise ValueError(msg) from exc
    beta = "" if np.isnan(measured.beta) else f", beta {measured.beta:.2f}"
    width = measure_fwhm(measured.model)
    name = type(measured.model).__name__.removesuffix("PRF").removeprefix("Circular")
    chosen = "" if measured.selection == "isolated" else f" ({measured.selection})"
    description = (
        f"{name} measured on {measured.n_stars} stars{chosen}: "
        f"FWHM {measured.fwhm:.3f} px{beta} before the pixels integrate it"
    )
    return replace(
        psf, model=measured.model, description=description, fwhm=width, measured_as=None
    )


def _full(image: FitsImage) -> NDArray[np.bool_]:
    """Tell the pixels that are saturated, as far as the file or its values do."""
    full = np.zeros(image.shape, dtype=bool)
    if image.saturated is not None:
        full |= image.saturated
    with np.errstate(invalid="ignore"):
        if image.saturation is not None:
            full |= image.data >= image.saturation.value
        highest = np.max(image.data[~image.mask], initial=-np.inf)
        at_highest = image.data >= highest
    if np.count_nonzero(at_highest) >= _PILE_UP:
        full |= at_highest
    return full
