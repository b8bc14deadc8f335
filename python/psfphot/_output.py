"""What results hold: each column and key of meta, its unit and its meaning.

The one list of them; docstrings and `docs/reference/output.md` are made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from psfphot._docstrings import put_into_docstring

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy.table import Table


class Entry(NamedTuple):
    """A column or a key: its name, its unit, when it is there, what it means."""

    name: str
    unit: str
    when: str
    meaning: str


_ALWAYS = "always"
_ITERATIVE = "IterativePSFPhotometry, psfphot fit"
_FITTED_SKY = "fit_background=True"
_CONFUSION = "confusion=True, psfphot fit"
_EXTRA = "extra_columns=True, --extra-columns"
_FIT = "psfphot fit, pipeline"
_MANY = "psfphot fit --output-dir"
_WCS = "psfphot fit, pipeline; with a WCS"
_MAGNITUDES = "psfphot fit, pipeline; with a zero point"
_PIXELS, _IMAGE = "pixels", "the image's"

#: The columns of `psfphot.psf.PSFPhotometry` and of all that is made of it, in
#: their order. ``{shape}`` stands for a shape parameter that is free or given.
COLUMNS = (
    Entry("frame", "", _MANY, "the image's name, without its ending"),
    Entry("id", "", _ALWAYS, "the source's number, from 1, or that of `init_params`"),
    Entry(
        "source_id", "", _MANY, "the source's number among all frames: 64 bits, stable"
    ),
    Entry("group_id", "", _ALWAYS, "the group in which it was fitted"),
    Entry("group_size", "", _ALWAYS, "how many sources that group has"),
    Entry("iter_detected", "", _ITERATIVE, "the round in which it was found, from 1"),
    Entry(
        "local_bkg", _IMAGE, _ALWAYS, "the background that was subtracted, per pixel"
    ),
    Entry("x_init", _PIXELS, _ALWAYS, "column where the fit started"),
    Entry("y_init", _PIXELS, _ALWAYS, "row where the fit started"),
    Entry("flux_init", _IMAGE, _ALWAYS, "flux with which the fit started"),
    Entry(
        "{shape}_init",
        "the parameter's",
        "the source has its own",
        "shape parameter with which the fit started",
    ),
    Entry("x_fit", _PIXELS, _ALWAYS, "column, 0 at the centre of the first pixel"),
    Entry("y_fit", _PIXELS, _ALWAYS, "row, 0 at the centre of the first pixel"),
    Entry("ra", "deg", _WCS, "right ascension, ICRS"),
    Entry("dec", "deg", _WCS, "declination, ICRS"),
    Entry("flux_fit", _IMAGE, _ALWAYS, "the PSF's total flux"),
    Entry(
        "{shape}_fit",
        "the parameter's",
        "the source has its own",
        "fitted shape parameter",
    ),
    Entry("x_err", _PIXELS, _ALWAYS, "1-sigma error of x_fit"),
    Entry("y_err", _PIXELS, _ALWAYS, "1-sigma error of y_fit"),
    Entry("ra_err", "mas", _WCS, "1-sigma error, along a great circle"),
    Entry("dec_err", "mas", _WCS, "1-sigma error"),
    Entry("flux_err", _IMAGE, _ALWAYS, "1-sigma error of flux_fit"),
    Entry(
        "{shape}_err",
        "the parameter's",
        "the source has its own",
        "1-sigma error of the shape parameter",
    ),
    Entry(
        "pixel_area",
        "",
        "psfphot fit, pipeline; files that tell it",
        "relative area of the star's pixel, which the flux was multiplied by",
    ),
    Entry("mag", "mag", _MAGNITUDES, "magnitude; NaN where the flux is not positive"),
    Entry("mag_err", "mag", _MAGNITUDES, "1-sigma error, to first order"),
    Entry(
        "bkg_fit",
        _IMAGE,
        _FITTED_SKY,
        "the constant that was fitted to its group, per pixel, beyond `local_bkg`",
    ),
    Entry("bkg_err", _IMAGE, _FITTED_SKY, "1-sigma error of bkg_fit"),
    Entry("n_pixels_fit", "", _ALWAYS, "pixels of the source's own box that counted"),
    Entry(
        "confusion_factor",
        "",
        _CONFUSION,
        "by what all errors of the row were multiplied, for stars that were not found",
    ),
    Entry(
        "n_rejected",
        "",
        "robust=True, --robust",
        "pixels of the box that robust weights took away, as those of cosmic rays",
    ),
    Entry(
        "qfit", "", _ALWAYS, "sum of the absolute residuals in the box over the flux"
    ),
    Entry("cfit", "", _ALWAYS, "residual of the starting pixel over the flux"),
    Entry("reduced_chi2", "", _ALWAYS, "chi^2 per degree of freedom in the box"),
    Entry("flags", "", _ALWAYS, "bits that tell what is unusual"),
    Entry("snr", "", f"{_FIT}; {_EXTRA}", "flux_fit / flux_err"),
    Entry(
        "crowding",
        "mag",
        _EXTRA,
        "by how much it would be brighter with the light of all others left in",
    ),
    Entry(
        "sharpness",
        "pixels^2",
        _EXTRA,
        "by how much it is wider than the PSF: DAOPHOT's SHARP",
    ),
    Entry("chi", "", _EXTRA, "scatter of its residuals over their errors"),
    Entry("n_merged", "", _EXTRA, "how many others were merged into it"),
    Entry(
        "blend_significance",
        "",
        f"{_CONFUSION}; {_EXTRA}",
        "largest score of another star beside it; above 3 it is suspect",
    ),
)

#: Keys of ``meta``.
META = (
    Entry("date", "", _ALWAYS, "local time of the call"),
    Entry("version", "", _ALWAYS, "of Python, psfphot, astropy and numpy"),
    Entry("psf_class", "", _ALWAYS, "the class that made the table"),
    Entry("psf_model", "", _ALWAYS, "the PSF"),
    Entry(
        "fit_shape, finder, grouper, fitter, ...",
        "",
        _ALWAYS,
        "the settings of that class by their names",
    ),
    Entry("stopped", "", _ITERATIVE, "what ended the rounds"),
    Entry("n_new", "", _ITERATIVE, "new stars in each round after the first"),
    Entry("n_rounds", "", _FIT, "how many rounds there were"),
    Entry("n_dropped", "", "IterativePSFPhotometry", "stars dropped in the rounds"),
    Entry("n_insignificant", "", _FIT, "stars dropped in the rounds"),
    Entry("n_merged", "", _ITERATIVE, "stars merged in the rounds"),
    Entry(
        "merged_into",
        "",
        "IterativePSFPhotometry",
        "id of what a merged star went into",
    ),
    Entry("image", "", _FIT, "file and extension"),
    Entry("psf", "", _FIT, "the PSF, in words"),
    Entry("sky_level", _IMAGE, _FIT, "median of the sky's map"),
    Entry("sky_noise", _IMAGE, _FIT, "noise of the sky, 1 sigma of a pixel"),
    Entry("sky_method", "", _FIT, "how the sky was measured"),
    Entry("errors", "", _FIT, "where the errors of the pixels are from"),
    Entry("masked", "", _FIT, "pixels left out, by cause"),
    Entry("positions", "", _FIT, "the finder, or the catalogue and its columns"),
    Entry("positions_fixed", "", _FIT, "whether positions were fixed"),
    Entry("group_separation", _PIXELS, _FIT, "distance up to which stars were grouped"),
    Entry("local_bkg_radii", _PIXELS, _FIT, "of the annulus of the local background"),
    Entry("max_shift", _PIXELS, _FIT, "how far stars may go from their starts"),
    Entry("threshold_sigma", "sigma", _FIT, "the finder's threshold"),
    Entry("finder_fwhm", _PIXELS, _FIT, "the finder's width of a star"),
    Entry("finder_min_separation", _PIXELS, _FIT, "least distance of two peaks"),
    Entry("confusion_factor", "", _CONFUSION, "confusion_factor of the median block"),
    Entry("largest_confusion_factor", "", _FIT, "that of the largest"),
    Entry("profile_error", "", _FIT, "part of each flux that the PSF may be off by"),
    Entry("n_tiles", "", "psfphot fit --tile", "how many tiles there were"),
    Entry("mag_system", "", _MAGNITUDES, "AB, or given"),
    Entry("mag_zero_point", "mag", _MAGNITUDES, "magnitude of a flux of 1"),
    Entry("mag_source", "", _MAGNITUDES, "what told the zero point"),
    Entry("pixel_area", "", "files that tell it", "what told the area of pixels"),
)


def describe_columns(table: Table) -> None:
    """Give each column of the registry that has no description its meaning."""
    meanings = {entry.name: entry.meaning for entry in COLUMNS}
    for name in table.colnames:
        if name in meanings and not table[name].info.description:
            table[name].info.description = meanings[name]


def put_columns_into_docstring(documented: Any) -> None:
    """Put a list of the columns where the docstring says ``{columns}``."""
    shown = [entry for entry in COLUMNS if entry.when in (_ALWAYS, _ITERATIVE, _EXTRA)]
    items = (f"``{e.name}``{_unit(e)}: {e.meaning}" for e in shown)
    put_into_docstring(documented, "columns", items)


def markdown_table(entries: Iterable[Entry]) -> str:
    """Write entries as a table of Markdown."""
    rows = [f"| `{e.name}` | {e.unit} | {e.when} | {e.meaning} |" for e in entries]
    return "\n".join(
        ["| name | unit | when | meaning |", "| --- | --- | --- | --- |", *rows]
    )


def _unit(entry: Entry) -> str:
    return f" ({entry.unit})" if entry.unit else ""
