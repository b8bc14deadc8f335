"""``--merge``: one catalogue of all images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psfphot._files import file_suffix
from psfphot.cli._errors import UsageFault
from psfphot.cli._outputs import check_output
from psfphot.cli._report import describe_merged
from psfphot.io import CATALOG_SUFFIXES, require_parquet
from psfphot.pipeline._frames.merging import merge_catalogs, without_sky

if TYPE_CHECKING:
    from pathlib import Path

    from psfphot.cli._outputs import Outputs
    from psfphot.cli._words import FitWords


def check_merge(words: FitWords, taken: dict[Path, str]) -> None:
    """Find out before the work whether the merged catalogue can be written.

    Parameters
    ----------
    words : `FitWords`
        What was typed.
    taken : dict
        Files that no output may replace, resolved, and what they are.

    Raises
    ------
    UsageFault
        If it is another's name.
    OSError, MissingPackageError
        If it cannot be written.
    """
    path = _path(words)
    if path is None:
        return
    for one in (path, without_sky(path)):
        other = taken.get(one.resolve())
        if other is not None:
            msg = f"--merge {one}: is {other} already; give every output its own name"
            raise UsageFault(msg)
        may_replace = words.overwrite or words.resume
        check_output(one, CATALOG_SUFFIXES, overwrite=may_replace)
    if file_suffix(path) == ".parquet":
        require_parquet(path, reading=True)


def merge(done: list[tuple[dict[str, Any], Outputs]], words: FitWords) -> list[str]:
    """Write the catalogue of all images that were measured, now or before.

    Parameters
    ----------
    done : list of tuple
        The entry of each image, and its outputs.
    words : `FitWords`
        What was typed.

    Returns
    -------
    told : list of str
        What was written, for people.
    """
    path = _path(words)
    catalogs = [out.catalog for entry, out in done if entry["status"] != "failed"]
    if path is None or not catalogs:
        return describe_merged(None)
    return describe_merged(merge_catalogs(catalogs, path))


def _path(words: FitWords) -> Path | None:
    if words.merge is None or words.output_dir is None:
        return None
    return words.output_dir / words.merge
