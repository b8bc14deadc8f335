"""What a run says on the terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from psfphot.io import FitsImage, Psf
    from psfphot.pipeline import PhotometryRun, PsfCheck
    from psfphot.pipeline._frames.merging import MergedCatalogs

#: Widths that differ by less are not what is wrong with a PSF.
_SAME_WIDTH = 0.05

#: So many images are named in one line.
_MOST_NAMES = 5


def describe_psf(psf: Psf) -> list[str]:
    """Describe the PSF in one line."""
    width = "" if psf.model is None else f"; FWHM {psf.fwhm:.2f} px in the image"
    return [make_line("PSF", f"{psf.description}{width}")]


def describe_image(image: FitsImage) -> list[str]:
    """Describe the image in one line, and in another what masks it."""
    ny, nx = image.shape
    unit = "no unit" if image.unit is None else image.unit.to_string()
    frame = (
        "no WCS"
        if image.wcs is None
        else f"WCS from {image.wcs_source or 'the simulation'}"
    )
    masked = f"{np.count_nonzero(image.mask)} pixels masked"
    lines = [
        make_line("image", f"{image.name}: {nx} x {ny}, {unit}, {frame}, {masked}")
    ]
    counted = {what: n for what, n in image.n_masked.items() if n}
    if counted.keys() - {"not finite"}:
        counts = ", ".join(f"{n} {what}" for what, n in counted.items())
        lines.append(make_line("masked", f"{counts} (a pixel may count twice)"))
    return lines


def describe_tiles(shape: tuple[int, int], side: int) -> list[str]:
    """Say that a large image is measured by tiles though nobody asked for that."""
    ny, nx = shape
    said = f"of {side} pixels on a side, as the image has {nx} x {ny}"
    return [make_line("tiles", f"{said} (--no-tile measures it whole, in memory)")]


def describe_run(run: PhotometryRun) -> list[str]:
    """Describe what was found and fitted, and how long it took."""
    sky, sizes = run.sky, run.group_sizes
    groups = "off: every star is fitted alone"
    if run.group_separation is not None:
        groups = (
            f"{len(sizes)} within {run.group_separation:.3g} px, "
            f"{np.count_nonzero(sizes > 1)} of 2 or more, the largest of {sizes.max()}"
        )
    lowest, highest = run.sky_range
    levels = f"level {sky.level:.4g} ({lowest:.4g} to {highest:.4g})"
    return [
        *_describe_masks(run),
        make_line("sky", f"{levels}, noise {sky.noise:.4g} ({sky.method})"),
        *_describe_local_sky(run),
        *_describe_psf_of(run),
        *_describe_stars(run),
        *_describe_rounds(run),
        make_line("groups", groups),
        make_line("fitted", _describe_fit(run)),
        make_line("errors", run.exposure.error_source),
        *_describe_confusion(run),
        make_line("magnitudes", describe_zero_point(run)),
        make_line("quality", describe_quality(run)),
        *describe_flags(run),
        make_line("seconds", ", ".join(f"{k} {s:.2f}" for k, s in run.seconds.items())),
    ]


def describe_zero_point(run: PhotometryRun) -> str:
    """Tell how magnitudes were made, or why there are none."""
    zero = run.zero_point
    if zero.value is None:
        return f"none: {zero.source}; --zeropoint gives them"
    if zero.system == "given":
        return zero.source
    return f"{zero.system}, zero point {zero.value:.4f} from {zero.source}"


def describe_quality(run: PhotometryRun) -> str:
    """Tell from the bright stars how well the PSF fits the image."""
    if run.bright_qfit is None:
        return "no star without a flag"
    return (
        f"residuals are {100 * run.bright_qfit:.2g} % of the flux "
        "(median qfit of the brightest tenth)"
    )


def describe_flags(run: PhotometryRun) -> list[str]:
    """List the flagged stars by the flags' names."""
    lines = [make_line("flagged", f"{run.n_flagged} stars")]
    lines += [make_line("", f"{n:6d} {name}") for name, n in run.flag_counts.items()]
    return lines


def describe_all(entries: Sequence[dict[str, Any]]) -> list[str]:
    """Sum up a run of several images by the entries of the summary."""
    n_of = Counter(entry["status"] for entry in entries)
    n_stars = sum(entry.get("n_sources", 0) for entry in entries)
    done = n_of["measured"] + n_of["skipped"]
    said = f"{done} of {len(entries)} images measured, {n_stars} stars"
    if n_of["skipped"]:
        said += f"; {n_of['skipped']} of them before"
    failed = [entry["image"] for entry in entries if entry["status"] == "failed"]
    return [
        "",
        make_line("in all", said),
        *(make_line("failed", name) for name in failed),
    ]


def describe_again(n_done: int, reasons: dict[str, list[str]]) -> list[str]:
    """Tell what a resumed run leaves out, and what it does again and why."""
    lines = [make_line("resume", f"{n_done} images are done and unchanged")]
    for reason, names in reasons.items():
        shown = ", ".join(names[:_MOST_NAMES])
        more = f" and {len(names) - _MOST_NAMES} more" if names[_MOST_NAMES:] else ""
        lines.append(make_line("again", f"{len(names)}, {reason}: {shown}{more}"))
    return lines


def describe_merged(merged: MergedCatalogs | None) -> list[str]:
    """Tell what was written of the catalogues of all images."""
    if merged is None:
        return [make_line("merged", "nothing: no image was measured")]
    lines = []
    if merged.path is not None:
        lines.append(make_line("merged", f"{merged.n_rows} rows: {merged.path}"))
    if merged.path_without_sky is not None:
        said = f"{merged.n_without_sky} rows without a position on the sky"
        lines.append(make_line("merged", f"{said}: {merged.path_without_sky}"))
    return lines


def _describe_masks(run: PhotometryRun) -> list[str]:
    """Tell what the measurement masked beyond what the file says."""
    masks = run.exposure.masks
    added = [f"{masks.counts[cause]} {cause}" for cause in masks.added]
    if not added:
        return []
    n = np.count_nonzero(run.exposure.mask)
    return [make_line("masked too", f"{', '.join(added)}; {n} pixels in all")]


def _describe_local_sky(run: PhotometryRun) -> list[str]:
    if run.settings.local_bkg is None:
        return []
    inner, outer = run.settings.local_bkg
    said = f"of each star too, median between {inner:g} and {outer:g} px"
    return [make_line("background", said)]


def _describe_psf_of(run: PhotometryRun) -> list[str]:
    """Tell a measured PSF, how well it fits, and what would fit better."""
    psf, check = run.exposure.psf, run.psf_check
    lines = describe_psf(psf) if run.exposure.has_measured_psf else []
    if check is None or check.mismatch is None:
        return lines
    said = f"the PSF is off the bright stars by {100 * check.mismatch:.2g} % or less"
    lines.append(make_line("mismatch", said))
    if check.is_off:
        lines.append(make_line("WARNING", _describe_mismatch(psf, check)))
    return lines


def _describe_mismatch(psf: Psf, check: PsfCheck) -> str:
    if check.measured_fwhm is None:
        return "the PSF does not fit the stars: their fluxes are off; check --psf"
    if abs(check.measured_fwhm / psf.fwhm - 1) < _SAME_WIDTH:
        return (
            f"the PSF does not fit the stars: its FWHM is right ({psf.fwhm:.2f} px), "
            f"its shape is not; try --psf {check.option}"
        )
    return (
        f"the PSF does not fit the stars: its FWHM is {psf.fwhm:.2f} px, theirs "
        f"{check.measured_fwhm:.2f} px; try --psf {check.option}"
    )


def _describe_stars(run: PhotometryRun) -> list[str]:
    n, settings, passes = len(run.catalog), run.settings, run.passes
    if passes is None:
        off = f", {run.n_off_image} of them off the image" if run.n_off_image else ""
        return [make_line("catalogue", f"{n} sources at {run.positions}{off}")]
    lines = [
        make_line(
            "found",
            f"{n} stars above {settings.threshold:g} sigma, FWHM "
            f"{settings.fwhm:.2f} px, finder {settings.finder}; "
            f"{passes.n_bright} in a first pass of bright ones",
        )
    ]
    if run.n_saturated:
        lines.append(
            make_line("saturated", f"{run.n_saturated} stars, from their wings")
        )
    dropped = {rule: rows for rule, rows in passes.dropped.items() if rows}
    if dropped:
        rules = ", ".join(f"{rows} {rule}" for rule, rows in dropped.items())
        n_dropped = sum(dropped.values())
        hint = "--keep-all keeps those that were fitted"
        lines.append(
            make_line("dropped", f"{n_dropped} that are no stars: {rules} ({hint})")
        )
    return lines


#: What ends the rounds, for people.
_STOPPED = {
    "nothing found": "nothing was left to find",
    "few found": "few were left to find",
    "maxiters": "--iterations allows no more",
}


def _describe_rounds(run: PhotometryRun) -> list[str]:
    """Tell the stars that showed when the others had been subtracted."""
    history = run.history
    if history is None:
        return []
    counts = ", ".join(map(str, history.n_new)) or "none"
    beside = "" if run.positions is None else " beside the catalogue's, without rows"
    said = f"{history.n}; new stars in those after the first: {counts}{beside}"
    gone = {"insignificant": history.n_dropped, "merged": history.n_merged}
    said += "".join(f", {n} {what}" for what, n in gone.items() if n)
    return [make_line("rounds", f"{said}; {_STOPPED[history.stopped]}")]


def _describe_confusion(run: PhotometryRun) -> list[str]:
    """Tell by how much errors were made larger."""
    found = run.confusion
    if found is None:
        return []
    said = f"errors times {found.factor:.3g} (up to {found.largest:.3g}), for stars "
    said += "that were not found"
    if found.profile_error:
        said += f", and {100 * found.profile_error:.2g} % of the flux for the PSF"
    return [make_line("confusion", said)]


def _describe_fit(run: PhotometryRun) -> str:
    settings = run.settings
    ny, nx = settings.fit_shape
    said = f"{run.n_fitted} stars in boxes of {ny} x {nx} px"
    if settings.forced:
        return f"{said}, at fixed positions"
    if settings.max_shift is None:
        return said
    x, y = settings.max_shift
    shift = f"{x:g}" if x == y else f"{x:g} (x) and {y:g} (y)"
    return f"{said}, up to {shift} px from their starts"


def describe_written(paths: Iterable[Path]) -> list[str]:
    """Name the files that were written."""
    return [make_line("wrote", ", ".join(map(str, paths)))]


def make_line(subject: str, text: str) -> str:
    return f"{subject:<12}{text}"
