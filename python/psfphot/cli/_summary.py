"""What a run says to programs: one JSON document."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._core import __version__
from psfphot.cli._report import count_flags

if TYPE_CHECKING:
    from pathlib import Path

    from psfphot.cli._jobs import Job
    from psfphot.cli._photometry import Run
    from psfphot.cli._settings import Settings
    from psfphot.io import FitsImage, Psf


def summarize(
    job: Job, run: Run, image: FitsImage, settings: Settings, written: dict[str, Path]
) -> dict[str, Any]:
    """Sum up the run of one image.

    Returns
    -------
    entry : dict
        What `as_json` takes; positions and lengths in pixels, fluxes in
        ``unit``.
    """
    flags = np.asarray(run.catalog["flags"])
    zero = run.zero_point
    return {
        **_head(job, "measured"),
        "extension": image.name,
        "shape": list(image.shape),
        "unit": None if image.unit is None else image.unit.to_string(),
        "wcs": image.wcs is not None,
        "n_masked": int(np.count_nonzero(image.mask)),
        "masked_by": image.n_masked,
        "errors": image.error_source or None,
        "sky": {"level": run.sky.level, "noise": run.sky.noise},
        "positions": run.positions or "finder",
        "positions_fixed": settings.forced,
        "n_sources": len(run.catalog),
        "n_off_image": run.n_off,
        "n_fitted": run.n_fitted,
        "n_flagged": int(np.count_nonzero(flags)),
        "flags": count_flags(flags),
        "n_groups": len(run.group_sizes),
        "largest_group": int(run.group_sizes.max()),
        "group_separation": run.group_separation,
        "fit_shape": list(settings.fit_shape),
        "magnitudes": (
            None
            if zero.value is None
            else {
                "system": zero.system,
                "zero_point": zero.value,
                "source": zero.source,
            }
        ),
        "seconds": run.seconds,
        "outputs": {kind: str(path) for kind, path in written.items()},
    }


def summarize_failure(job: Job, message: str) -> dict[str, Any]:
    """Say that an image could not be measured, and why."""
    return {**_head(job, "failed"), "error": message}


def as_json(psf: Psf, entries: list[dict[str, Any]]) -> str:
    """Write the document: what is not finite becomes null.

    Returns
    -------
    text : str
        An object with ``psfphot`` (the version), ``psf``, ``n_failed``, and
        ``images``, a list of the entries.
    """
    document = {
        "psfphot": __version__,
        "psf": {"description": psf.description, "fwhm": psf.fwhm},
        "n_failed": sum(entry["status"] == "failed" for entry in entries),
        "images": entries,
    }
    return json.dumps(_finite(document), indent=2, allow_nan=False)


def _head(job: Job, status: str) -> dict[str, Any]:
    return {"image": job.label, "name": job.name, "status": status}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
