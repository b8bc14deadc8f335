"""What a run says on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from psfphot._core import flag_definitions
from psfphot.cli._photometry import error_source

if TYPE_CHECKING:
    from astropy.table import QTable

    from psfphot.cli._photometry import Run, Settings
    from psfphot.io import FitsImage, Psf


def describe_input(image: FitsImage, psf: Psf) -> list[str]:
    """Describe the image and the PSF, one line each."""
    ny, nx = image.shape
    unit = "no unit" if image.unit is None else image.unit.to_string()
    frame = "no WCS" if image.wcs is None else f"WCS {image.wcs.wcs.ctype[0]}"
    masked = f"{np.count_nonzero(image.mask)} pixels masked"
    return [
        _line("image", f"{image.name}: {nx} x {ny}, {unit}, {frame}, {masked}"),
        _line("PSF", f"{psf.description}; FWHM {psf.fwhm:.2f} px"),
    ]


def describe_run(run: Run, image: FitsImage, settings: Settings) -> list[str]:
    """Describe what was found and fitted, and how long it took."""
    sky, catalog, seconds = run.sky, run.catalog, run.seconds
    sizes = run.group_sizes
    fitted = np.count_nonzero(np.isfinite(np.asarray(catalog["flux_err"])))
    groups = "off: every star is fitted alone"
    if run.group_separation is not None:
        groups = (
            f"{len(sizes)} within {run.group_separation:.3g} px, "
            f"{np.count_nonzero(sizes > 1)} of 2 or more, the largest of {sizes.max()}"
        )
    background = "one level for the whole image"
    if settings.local_bkg is not None:
        inner, outer = settings.local_bkg
        background = f"of each star, median between {inner:g} and {outer:g} px"
    box = f"{settings.fit_shape} x {settings.fit_shape} px"
    return [
        _line("sky", f"level {sky.level:.4g}, noise {sky.noise:.4g} ({sky.method})"),
        _line(
            "found",
            f"{len(catalog)} stars above {settings.threshold:g} sigma, "
            f"FWHM {settings.fwhm:.2f} px",
        ),
        _line("groups", groups),
        _line("background", background),
        _line("fitted", f"{fitted} stars in boxes of {box}"),
        _line("errors", error_source(image)),
        _line("quality", describe_quality(catalog)),
        *describe_flags(np.asarray(catalog["flags"])),
        _line("seconds", ", ".join(f"{k} {s:.2f}" for k, s in seconds.items())),
    ]


def describe_quality(catalog: QTable) -> str:
    """Tell from the bright stars how well the PSF fits the image."""
    fluxes, qfit = (np.asarray(catalog[name]) for name in ("flux_fit", "qfit"))
    good = np.isfinite(fluxes) & np.isfinite(qfit) & (np.asarray(catalog["flags"]) == 0)
    if not good.any():
        return "no star without a flag"
    bright = good & (fluxes >= np.percentile(fluxes[good], 90))
    return (
        f"residuals are {100 * np.median(qfit[bright]):.2g} % of the flux "
        "(median qfit of the brightest tenth)"
    )


def describe_flags(flags: np.ndarray) -> list[str]:
    """Count the flagged stars by the flags' names; a star may have several."""
    counts = [
        (np.count_nonzero(flags & bit), name) for bit, name, _ in flag_definitions()
    ]
    lines = [_line("flagged", f"{np.count_nonzero(flags)} stars")]
    lines += [_line("", f"{n:6d} {name}") for n, name in sorted(counts)[::-1] if n]
    return lines


def _line(subject: str, text: str) -> str:
    return f"{subject:<12}{text}"
