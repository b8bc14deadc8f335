"""What the commands of ``psfphot psf`` do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.table import QTable

from psfphot.cli._batch import make_teller
from psfphot.cli._errors import UsageFault, require_package, usage
from psfphot.cli._outputs import PLOT_SUFFIXES, check_output
from psfphot.cli._report import describe_image, describe_written
from psfphot.cli._words import number_or_text
from psfphot.io import (
    Psf,
    measure_fwhm,
    read_image,
    read_psf,
    split_extension,
)
from psfphot.pipeline import Exposure, Settings, build_image_psf
from psfphot.pipeline._image_psf import star_residuals
from psfphot.pipeline._unusable import prepare_sky

if TYPE_CHECKING:
    from psfphot.pipeline import ImagePSF

#: Extensions of a file beyond the grid itself, which its readers pass over.
_ERROR, _STARS, _REPORT = "PSF_ERR", "PSF_STARS", "PSF_REPORT"

_SUFFIXES = (".fits", ".fits.gz")


def run_build(name: str, words: dict[str, Any]) -> None:
    """Build a PSF, or refine a library, and write it.

    Parameters
    ----------
    name : str
        The image's file, with an extension or without.
    words : dict
        The options, as click names them.

    Raises
    ------
    UsageFault
        If words do not go together.
    OSError, ValueError
        If a file cannot be read or written, or no PSF can be built.
    """
    output, plot = words["output"], words["plot"]
    options = _as_options(words)
    _check_outputs(output, plot, overwrite=words["overwrite"])
    say = make_teller(quiet=words["quiet"])
    with usage():
        library = None
        if "library" in words:
            library = read_psf(words["library"])
    path, ext = _split(name, words["ext"])
    image = read_image(path, ext, error=words["error"], mask=words["mask"])
    say(describe_image(image))
    built = build_image_psf(
        image,
        Settings(n_threads=words["threads"]),
        psf=library,
        **options,
    )
    say([f"{name:<22}{value}" for name, value in built.report.rows()])
    built.model.write(output, overwrite=words["overwrite"])
    _append(output, built)
    written = [output]
    if plot is not None:
        _draw(
            plot,
            built.model,
            error=built.report.error,
            stars=built.brightest,
            residuals=built.residuals(),
            title=f"{image.name}: {built.description}",
        )
        written.append(plot)
    say(describe_written(written))


def run_show(name: str, words: dict[str, Any]) -> None:
    """Draw the PSF of a file.

    Parameters
    ----------
    name : str
        The PSF's file.
    words : dict
        The options, as click names them.

    Raises
    ------
    UsageFault, OSError, ValueError
        If a file cannot be read or written.
    """
    output, say = words["output"], make_teller(quiet=False)
    require_package("psfphot psf show", "matplotlib", "plot")
    check_output(output, PLOT_SUFFIXES, overwrite=words["overwrite"])
    with usage():
        psf = read_psf(name)
    if not hasattr(psf.model, "data") or not hasattr(psf.model, "oversampling"):
        raise UsageFault(f"{name}: a formula has no samples to draw")
    error, stars = _read_more(name)
    residuals = None
    if words["image"] is not None:
        if stars is None:
            raise UsageFault(f"{name}: does not tell which stars it was built from")
        residuals = _residuals(psf.model, words["image"], stars)
    _draw(
        output,
        psf.model,
        error=error,
        stars=stars,
        residuals=residuals,
        title=f"{Path(name).name}: {psf.description}",
    )
    say(describe_written([output]))


def _as_options(words: dict[str, Any]) -> dict[str, Any]:
    """Make the arguments of `build_psf_grid` of the words."""
    order = words["order"]
    options: dict[str, Any] = {
        "order": None if order == "auto" else order,
        "cutoff": words["cutoff"],
        "kappa": words["kappa"],
        "select": {"n_stars": words["n_stars"], "min_snr": words["min_snr"]},
    }
    if words["size"] is not None:
        options["size"] = words["size"]
    if "oversampling" in words:
        options["oversampling"] = words["oversampling"]
    if words.get("grid") is not None:
        options["grid"] = _as_grid(words["grid"])
    correction = number_or_text(words["aperture_correction"])
    if correction is not None:
        options["aperture_correction"] = correction
    options["apply_correction"] = correction is not None or "library" in words
    return options


def _as_grid(text: str) -> tuple[int, int]:
    """Make (ny, nx) of "NXxNY"."""
    sides = text.lower().split("x")
    if len(sides) == 1:
        sides *= 2
    try:
        nx, ny = (int(side) for side in sides)
    except ValueError:
        nx = ny = 0
    if min(nx, ny) < 1 or nx * ny in (2, 3):
        msg = f"--grid needs NXxNY, not 2 or 3 nodes in all, got {text!r}"
        raise UsageFault(msg)
    return ny, nx


def _split(name: str, ext: str | None) -> tuple[Path, str | None]:
    path, own = split_extension(name)
    if own is not None and ext is not None:
        raise UsageFault(f"{name}: names its extension; leave out --ext")
    return path, ext or own


def _check_outputs(output: Path, plot: Path | None, *, overwrite: bool) -> None:
    check_output(output, _SUFFIXES, overwrite=overwrite)
    if plot is not None:
        require_package("--plot", "matplotlib", "plot")
        check_output(plot, PLOT_SUFFIXES, overwrite=overwrite)


def _append(path: Path, built: ImagePSF) -> None:
    """Add to a grid's file how well it is known, and its stars."""
    report = built.report
    more: list[Any] = []
    if report.error is not None:
        more.append(fits.ImageHDU(report.error.astype(np.float32), name=_ERROR))
    for name, table in ((_STARS, report.stars), (_REPORT, report.table)):
        hdu = fits.table_to_hdu(QTable(table))
        hdu.name = name
        more.append(hdu)
    with fits.open(path, mode="append") as file:
        file.extend(more)


def _read_more(name: str) -> tuple[Any, QTable | None]:
    """Read what `_append` wrote, if there is such."""
    path, _ = split_extension(name)
    if not path.is_file():
        return None, None
    with fits.open(path) as file:
        names = {hdu.name for hdu in file}
        error = np.array(file[_ERROR].data, dtype=float) if _ERROR in names else None
        stars = QTable(file[_STARS].data) if _STARS in names else None
    return error, stars


def _residuals(model: Any, name: str, stars: QTable) -> list[Any]:
    path, ext = split_extension(name)
    image = read_image(path, ext)
    start = Psf(model, "", measure_fwhm(model), is_formula=False)
    exposure = Exposure(image, start)
    prepare_sky(exposure)
    over_y, over_x = model.oversampling
    ny, nx = model.data.shape[-2:]
    # Odd, as the cutouts were that it was built of.
    size = int(ny // over_y) // 2 * 2 + 1, int(nx // over_x) // 2 * 2 + 1
    return star_residuals(model, exposure.subtract_sky(), stars, size)


def _draw(path: Path, model: Any, **parts: Any) -> None:
    """Draw a PSF, see `psfphot.plotting.plot_psf`, once matplotlib is known to be."""
    from psfphot.plotting import plot_psf, save_figure  # noqa: PLC0415

    save_figure(plot_psf(model, **parts), path)
