"""What a run says to programs: one JSON document."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from psfphot._core import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from psfphot.cli._jobs import Job
    from psfphot.io import Psf
    from psfphot.pipeline import PhotometryRun


def summarize(job: Job, run: PhotometryRun, written: dict[str, Path]) -> dict[str, Any]:
    """Sum up the run of one image.

    Returns
    -------
    entry : dict
        What `as_json` takes; positions and lengths in pixels, fluxes in
        ``unit``.
    """
    return {
        **_head(job, "measured"),
        **run.report(),
        "outputs": {kind: str(path) for kind, path in written.items()},
    }


def summarize_failure(job: Job, message: str) -> dict[str, Any]:
    """Say that an image could not be measured, and why."""
    return {**_head(job, "failed"), "error": message}


def summarize_skipped(
    job: Job, n_sources: int, files: dict[str, Path]
) -> dict[str, Any]:
    """Say that an image was measured in a run before."""
    outputs = {kind: str(path) for kind, path in files.items()}
    return {**_head(job, "skipped"), "n_sources": n_sources, "outputs": outputs}


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
