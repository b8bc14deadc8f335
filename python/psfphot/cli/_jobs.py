"""Which images a run measures, and the files that go with each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psfphot._files import check_readable
from psfphot.cli._errors import UsageFault
from psfphot.cli._outputs import Outputs
from psfphot.io import FileFormatError, science_extensions, split_extension
from psfphot.io._images import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What stands for the image's name in the names of other files.
NAME = "{name}"


@dataclass(frozen=True)
class Job:
    """One image, and what is read and written for it.

    Attributes
    ----------
    path : `~pathlib.Path`
        The image's file.
    ext : str or `None`
        Its extension; `None` for the one that `psfphot.io.read_image` takes.
    name : str
        What ``{name}`` stands for: the file's name without its ending, and
        the extension where several of a file are measured.
    fault : str
        What is known to be wrong with the file, or with those to be written for
        it, already; empty otherwise.
    is_refused : bool
        Whether the fault is that of the files to be written.
    """

    path: Path
    ext: str | None
    name: str
    fault: str = ""
    is_refused: bool = False

    @property
    def label(self) -> str:
        """The file, and the extension where one is named."""
        return str(self.path) if self.ext is None else f"{self.path}[{self.ext}]"

    def named(self, template: str) -> str:
        """Put the image's name into the name of another file."""
        return template.replace(NAME, self.name)


def read_lists(images: Sequence[str]) -> list[str]:
    """Put the images that a list names, as ``@list.txt``, in its place.

    Parameters
    ----------
    images : sequence of str
        What was typed. Lists have an image a line; blank lines and those that begin
        with ``#`` count for nothing.

    Returns
    -------
    images : list of str

    Raises
    ------
    OSError
        If a list cannot be read.
    UsageFault
        If it names no image.
    """
    found: list[str] = []
    for text in images:
        if not text.startswith("@"):
            found.append(text)
            continue
        path = Path(text[1:])
        check_readable(path, "a list of images")
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        named = [line.strip() for line in lines]
        named = [line for line in named if line and not line.startswith("#")]
        if not named:
            raise UsageFault(f"{text}: the list names no image")
        found += named
    return found


def make_jobs(
    images: Sequence[str], extensions: Sequence[str], *, all_extensions: bool
) -> list[Job]:
    """List the images to measure.

    Parameters
    ----------
    images : sequence of str
        Files, each with an extension in brackets or without.
    extensions : sequence of str
        The extensions to measure in each file; empty for the default one.
    all_extensions : bool
        Whether to measure all SCI extensions of each file.

    Returns
    -------
    jobs : list of `Job`
        A file whose extensions cannot be listed is one job, with its fault.

    Raises
    ------
    UsageFault
        If extensions are named in two ways.
    """
    if extensions and all_extensions:
        msg = "--ext and --all-ext exclude each other; give one"
        raise UsageFault(msg)
    found: list[tuple[Path, str | None, str]] = []
    for text in images:
        path, own = split_extension(text)
        if own is not None and (extensions or all_extensions):
            msg = f"{text}: names its extension; leave out --ext and --all-ext"
            raise UsageFault(msg)
        if all_extensions:
            found += _all_of(path)
        else:
            named: list[str | None] = [*extensions] or [own]
            found += [(path, ext, "") for ext in named]
    n_of = Counter(path for path, _, _ in found)
    return [
        Job(path, ext, _name(path, ext if n_of[path] > 1 else None), fault)
        for path, ext, fault in found
    ]


def outputs_of(
    job: Job, templates: Mapping[str, str], directory: Path | None
) -> Outputs:
    """Name the files that a job writes.

    Parameters
    ----------
    job : `Job`
        The image.
    templates : dict
        The name of each kind of output, with ``{name}`` or without.
    directory : `~pathlib.Path`, optional
        Where relative names are.

    Returns
    -------
    outputs : `Outputs`
    """
    paths = {kind: Path(job.named(text)) for kind, text in templates.items()}
    if directory is not None:
        paths = {kind: directory / path for kind, path in paths.items()}
    return Outputs(**paths)


def check_templates(templates: Mapping[str, str], n_jobs: int) -> None:
    """Refuse one name for several files.

    Parameters
    ----------
    templates : dict
        The name of each kind of output, by its option.
    n_jobs : int
        The number of images.

    Raises
    ------
    UsageFault
        If there are several images and a name lacks ``{name}``.
    """
    for option, text in templates.items():
        if n_jobs > 1 and NAME not in text:
            msg = (
                f"{option} {text}: there are {n_jobs} images; put {NAME} into it, "
                "which stands for each image's name"
            )
            raise UsageFault(msg)


def _all_of(path: Path) -> list[tuple[Path, str | None, str]]:
    try:
        return [(path, ext, "") for ext in science_extensions(path)]
    except (OSError, FileFormatError) as exc:
        return [(path, None, str(exc))]


def _name(path: Path, ext: str | None) -> str:
    name = path.name
    for suffix in sorted(IMAGE_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
            break
    return name if ext is None else f"{name}_{ext.replace(',', '').replace(' ', '')}"
