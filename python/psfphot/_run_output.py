"""What a run tells besides its catalogue: its report and the lines on the terminal.

The one list of them; `docs/commandline.md` is made of it.
"""

from __future__ import annotations

from psfphot._output import Entry

_ALWAYS = "always"
_NO_CATALOG = "without --catalog"
_ROUNDS = "with more than one round"
_MAGNITUDES = "with a zero point"
_CONFUSION = "unless --no-confusion"
_ARTIFICIAL = "psfphot completeness"
_SEVERAL = "several images"
_PIXELS, _IMAGE = "pixels", "the image's"

#: Keys of `psfphot.pipeline.PhotometryRun.report`, and of an image's entry of
#: ``psfphot fit --json``. A dot leads into an object; one that is null has none of its
#: keys.
REPORT = (
    Entry("extension", "", _ALWAYS, "what was read: the file's name and its extension"),
    Entry("shape", _PIXELS, _ALWAYS, "[ny, nx]"),
    Entry("unit", "", _ALWAYS, "of the data, or null"),
    Entry("wcs", "", _ALWAYS, "whether there is one"),
    Entry("n_masked", "", _ALWAYS, "pixels left out"),
    Entry("masked_by", "", _ALWAYS, "how many by what; a pixel may count twice"),
    Entry("errors", "", _ALWAYS, "where the errors of the pixels are from"),
    Entry("sky.level", _IMAGE, _ALWAYS, "median of the sky's map"),
    Entry("sky.noise", _IMAGE, _ALWAYS, "noise of the sky, 1 sigma of a pixel"),
    Entry("sky.lowest", _IMAGE, _ALWAYS, "lowest level where pixels are used"),
    Entry("sky.highest", _IMAGE, _ALWAYS, "highest level where pixels are used"),
    Entry("sky.method", "", _ALWAYS, "how the sky was measured"),
    Entry("psf.description", "", _ALWAYS, "the PSF, in words"),
    Entry("psf.fwhm", _PIXELS, _ALWAYS, "its width in the image"),
    Entry("psf.measured", "", _ALWAYS, "whether the image gave the width"),
    Entry("psf.mismatch", "", _ALWAYS, "part of the PSF that bright stars are off by"),
    Entry("psf.stars_fwhm", _PIXELS, _ALWAYS, "width of the bright stars, or null"),
    Entry("psf.suggested", "", _ALWAYS, "a `--psf` that fits better, or null"),
    Entry("positions", "", _ALWAYS, "`finder`, or the catalogue and its columns"),
    Entry("positions_fixed", "", _ALWAYS, "whether they were, as with `--forced`"),
    Entry("n_sources", "", _ALWAYS, "rows of the catalogue"),
    Entry("n_off_image", "", _ALWAYS, "sources of a catalogue that are off the image"),
    Entry("n_saturated", "", _ALWAYS, "stars measured from their wings"),
    Entry("finder", "", _ALWAYS, "what found the stars; null with a catalogue"),
    Entry("threshold", "sigma", _NO_CATALOG, "the finder's threshold"),
    Entry("finder_fwhm", _PIXELS, _NO_CATALOG, "the finder's width of a star"),
    Entry("n_bright", "", _NO_CATALOG, "stars of the first pass"),
    Entry("n_trails", "", _NO_CATALOG, "trails of satellites and bleeding columns"),
    Entry("n_dropped", "", _NO_CATALOG, "rows that were no stars"),
    Entry("dropped", "", _NO_CATALOG, "how many of them by what rule"),
    Entry("iterations", "", _ALWAYS, "most rounds"),
    Entry("n_rounds", "", _ALWAYS, "how many rounds there were"),
    Entry("n_new", "", _ROUNDS, "new stars in each round after the first"),
    Entry("n_insignificant", "", _ROUNDS, "stars dropped in the rounds"),
    Entry("n_merged", "", _ROUNDS, "stars merged in the rounds"),
    Entry(
        "stopped",
        "",
        _ROUNDS,
        "what ended them: `nothing found`, `few found` or `maxiters`",
    ),
    Entry(
        "confusion.confusion_factor",
        "",
        _CONFUSION,
        "by what errors were multiplied in the median block, for stars not found",
    ),
    Entry("confusion.largest_confusion_factor", "", _CONFUSION, "that of the largest"),
    Entry(
        "confusion.profile_error",
        "",
        _CONFUSION,
        "part of each flux that the PSF may be off by",
    ),
    Entry("n_fitted", "", _ALWAYS, "stars that have a flux with an error"),
    Entry("n_flagged", "", _ALWAYS, "stars with a flag"),
    Entry("flags", "", _ALWAYS, "stars of each flag by its name"),
    Entry("n_groups", "", _ALWAYS, "groups of stars fitted together"),
    Entry("largest_group", "", _ALWAYS, "stars in the largest"),
    Entry(
        "group_separation",
        _PIXELS,
        _ALWAYS,
        "distance up to which stars were grouped; null where each was fitted alone",
    ),
    Entry("fit_shape", _PIXELS, _ALWAYS, "[ny, nx] of the box fitted"),
    Entry("magnitudes.system", "", _MAGNITUDES, "AB, or given"),
    Entry("magnitudes.zero_point", "mag", _MAGNITUDES, "magnitude of a flux of 1"),
    Entry("magnitudes.source", "", _MAGNITUDES, "what told the zero point"),
    Entry("seconds", "s", _ALWAYS, "wall time of each step by its name"),
)

#: Keys that ``psfphot fit --json`` has beside those of the report.
IMAGES = (
    Entry("image", "", _ALWAYS, "the file as it was named"),
    Entry("name", "", _ALWAYS, "what `{name}` stood for"),
    Entry("status", "", _ALWAYS, "`measured`, `failed` or, with --resume, `skipped`"),
    Entry("error", "", "failed", "why; of the report there is nothing"),
    Entry("outputs", "", "measured, skipped", "the files written, by what they are"),
)

#: What lines on the terminal begin with.
LINES = (
    Entry("PSF", "", _ALWAYS, "the PSF, and its width in the image"),
    Entry("image", "", _ALWAYS, "what was read: shape, unit, WCS, pixels masked"),
    Entry("masked", "", "the file masks pixels", "how many by what"),
    Entry("tiles", "", "large images", "the side of the tiles, taken unasked"),
    Entry("masked too", "", "the run masks pixels", "how many more by what"),
    Entry("sky", "", _ALWAYS, "level, its range, noise, and how it was measured"),
    Entry("background", "", "--local-bkg", "the annulus of each star"),
    Entry("mismatch", "", "enough bright stars", "how far the PSF is off them"),
    Entry("WARNING", "", "the PSF does not fit", "the stars' width, what to type"),
    Entry("catalogue", "", "--catalog", "its sources and columns"),
    Entry("found", "", _NO_CATALOG, "stars, threshold, width, finder, first pass"),
    Entry("saturated", "", "there are any", "stars measured from their wings"),
    Entry("dropped", "", "there are any", "rows that were no stars, by what rule"),
    Entry("rounds", "", _ROUNDS, "new stars in each, what ended them"),
    Entry("groups", "", _ALWAYS, "how many stars were fitted together"),
    Entry("fitted", "", _ALWAYS, "stars with errors, the box, how far they may go"),
    Entry(
        "errors",
        "",
        _ALWAYS,
        "where the errors of the pixels are from; of artificial stars, how far their "
        "fluxes scatter in units of the quoted ones",
    ),
    Entry("confusion", "", _CONFUSION, "by what errors were multiplied, and why"),
    Entry("magnitudes", "", _ALWAYS, "system, zero point and its source, or why none"),
    Entry("quality", "", _ALWAYS, "residuals of the bright stars, part of the flux"),
    Entry("flagged", "", _ALWAYS, "stars with a flag; below, of each flag"),
    Entry("seconds", "", _ALWAYS, "wall time of each step"),
    Entry("wrote", "", _ALWAYS, "the files"),
    Entry("in all", "", _SEVERAL, "images measured, stars"),
    Entry("failed", "", _SEVERAL, "an image that could not be measured"),
    Entry("resume", "", "--resume", "images that are done and unchanged"),
    Entry("again", "", "--resume", "images that are measured again, and why"),
    Entry("merged", "", "--merge", "rows of all catalogues, and the file"),
    Entry("stars", "", _ARTIFICIAL, "stars put in, and how many images"),
    Entry("chance", "", _ARTIFICIAL, "matches without being there"),
    Entry("curve", "", _ARTIFICIAL, "why no completeness curve could be fitted"),
    Entry("m50", "", _ARTIFICIAL, "where half of the stars are found"),
    Entry("false rows", "", _ARTIFICIAL, "rows that are no stars"),
)
