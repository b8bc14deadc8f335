"""The page: its parts in their order, one file that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.embed import components
from bokeh.resources import INLINE
from jinja2 import Environment, PackageLoader

from psfphot._core import __version__, flag_definitions
from psfphot._files import replacing
from psfphot._validate import check_instance
from psfphot.pipeline import PhotometryRun
from psfphot.report._cutouts import draw_worst
from psfphot.report._planes import draw_plane, light_planes, map_plane, sigma_plane
from psfphot.report._stars import draw_diagrams, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from numpy.typing import NDArray


def write_report(
    run: PhotometryRun, path: str | PathLike[str], *, notes: Iterable[str] = ()
) -> None:
    """Write `make_report`'s page into a file, whole or not at all.

    Parameters
    ----------
    run : `~psfphot.pipeline.PhotometryRun`
        What `psfphot.pipeline.measure` gave.
    path : str or path
        The file, replaced if it is there.
    notes : iterable of str, optional
        Lines shown first, as they are.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    page = make_report(run, notes=notes)
    with replacing(Path(path)) as part:
        part.write_text(page, encoding="utf-8")


def make_report(run: PhotometryRun, *, notes: Iterable[str] = ()) -> str:
    """Make one HTML page of a measurement that needs no network.

    It shows what was done and why, the maps of sky and noise, the PSF and how it
    compares with the stars, image, model and residual in sigma (zoomed and moved
    together, with the row under the pointer), diagrams of errors against
    brightness, the flags, and the rows whose residuals are worst.

    Parameters
    ----------
    run : `~psfphot.pipeline.PhotometryRun`
        What `psfphot.pipeline.measure` gave.
    notes : iterable of str, optional
        Lines shown first, as they are.

    Returns
    -------
    page : str
        HTML. Images larger than 1000 pixels are shrunk: light to its means,
        residuals to those farthest from 0. Of more than 20,000 rows the brightest
        are marked.

    Raises
    ------
    TypeError
        If ``run`` is none.

    Examples
    --------
    >>> from psfphot.pipeline import measure, simulate_star_field
    >>> from psfphot.psf import CircularGaussianPRF
    >>> from psfphot.report import write_report  # doctest: +SKIP
    >>> psf_model = CircularGaussianPRF(fwhm=2.5)
    >>> image, _ = simulate_star_field(psf_model, 128, 20, seed=1)
    >>> run = measure(image, psf_model)
    >>> write_report(run, "report.html")  # doctest: +SKIP
    """
    check_instance(run, PhotometryRun, "run")
    planes = _planes(run)
    sections = _sections(run, planes)
    script, pieces = components(
        {
            f"{section['title']} {number}": figure
            for section in sections
            for number, figure in enumerate(section["figures"])
        }
    )
    for section in sections:
        n = len(section["figures"])
        section["figures"] = [pieces[f"{section['title']} {k}"] for k in range(n)]
    fit_shape = run.settings.fit_shape
    page = Environment(
        loader=PackageLoader("psfphot.report", "."), autoescape=True
    ).get_template("page.html")
    return page.render(
        title=f"psfphot: {run.image.name}",
        version=__version__,
        resources=INLINE.render(),
        script=script,
        notes=list(notes),
        steps=_lines(run.report()),
        flags=_flags(run),
        sections=sections,
        worst=draw_worst(run.catalog, planes, run.sky.noise, fit_shape),
    )


def _planes(run: PhotometryRun) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Image without its sky, model, and residual in sigma; NaN where masked."""
    exposure, sky = run.exposure, run.exposure.sky
    image = np.where(exposure.mask, np.nan, run.image.data - sky.background)
    error = sky.noise if exposure.error is None else exposure.error
    with np.errstate(invalid="ignore", divide="ignore"):
        return image, run.model, (image - run.model) / error


def _sections(
    run: PhotometryRun, planes: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
) -> list[dict[str, Any]]:
    """Make the parts of the page that can be zoomed, in their order."""
    sky, shape = run.exposure.sky, run.exposure.shape
    image, model, sigma = planes
    rows = rows_of(run.catalog)
    light, stars = light_planes(image, model, sky.noise)
    first = draw_plane(light, shape, rows)
    others = [draw_plane(p, shape, rows, first) for p in (stars, sigma_plane(sigma))]
    maps = [
        draw_plane(map_plane(title, np.broadcast_to(plane, shape)), shape)
        for title, plane in (("sky", sky.background), ("its noise", sky.rms))
    ]
    has_magnitudes = "mag" in run.catalog.colnames
    return [
        _section("Image, model, residual", [first, *others], "Zoom moves all three."),
        _section("Brightness", draw_diagrams(rows, has_magnitudes=has_magnitudes)),
        _section("Sky", maps, size="medium"),
        _section("The PSF", [_draw_psf(run)], _describe_psf(run), "medium"),
    ]


def _section(
    title: str, figures: list[Any], text: str = "", size: str = "large"
) -> dict[str, Any]:
    return {"title": title, "text": text, "figures": figures, "size": size}


def _draw_psf(run: PhotometryRun) -> Any:
    """Draw the PSF in the middle of the image, a pixel of it for a pixel."""
    model = run.exposure.psf.model.copy()
    ny, nx = run.exposure.shape
    half = round(4 * run.exposure.psf.fwhm) + 2
    x0, y0 = nx // 2, ny // 2
    model.x_0, model.y_0, model.flux = x0, y0, 1.0
    y, x = np.mgrid[y0 - half : y0 + half + 1, x0 - half : x0 + half + 1]
    stamp = np.asarray(model(x, y), dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        height = np.log10(np.maximum(stamp, stamp.max() * 1e-5))
    return draw_plane(map_plane("log10 of the PSF in the middle", height), stamp.shape)


def _describe_psf(run: PhotometryRun) -> str:
    psf, check = run.exposure.psf, run.psf_check
    said = f"{psf.description}; FWHM {psf.fwhm:.2f} pixels"
    if check is not None and check.mismatch is not None:
        said += f"; off the bright stars by {100 * check.mismatch:.2g} % or less"
    return said


def _flags(run: PhotometryRun) -> list[tuple[str, int, str]]:
    """List the flags that rows have: name, rows, meaning."""
    meanings = {name: text for _, name, text in flag_definitions()}
    return [(name, n, meanings[name]) for name, n in run.flag_counts.items()]


def _lines(told: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Flatten a report into lines of a name and a value."""
    lines = []
    for name, value in told.items():
        if isinstance(value, dict):
            lines += _lines(value, f"{prefix}{name}: ")
        else:
            text = f"{value:.5g}" if isinstance(value, float) else str(value)
            lines.append((f"{prefix}{name}".replace("_", " "), text))
    return lines
