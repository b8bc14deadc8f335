"""What goes wrong, in one line and without a traceback."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class UsageFault(click.ClickException):
    """Something wrong with the command line itself, whatever the files hold."""

    exit_code = 2


@contextmanager
def one_line_warnings(warn: Callable[[str], object] | None = None) -> Iterator[None]:
    """Give warnings to ``warn``, one line each, or else write them on stderr."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        text = one_line(str(message))
        if warn is None:
            click.echo(f"Warning: {text}", err=True)
        else:
            warn(text)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


@contextmanager
def one_line_messages(warn: Callable[[str], object] | None = None) -> Iterator[None]:
    """Turn faults of files and data into one line, and warnings too.

    Warnings are given to ``warn``, if there is one, or else written on stderr.

    A fault of the program itself keeps its traceback: nobody else can say
    what to do about it.
    """
    from psfphot._workers import WorkersError  # noqa: PLC0415  (only for the work)
    from psfphot.io import MissingPackageError  # noqa: PLC0415  (loads astropy)

    with one_line_warnings(warn):
        try:
            yield
        except (OSError, ValueError, MissingPackageError, WorkersError) as exc:
            raise click.ClickException(one_line(_said(exc))) from exc


@contextmanager
def usage() -> Iterator[None]:
    """Tell faults of the command line itself from those of files."""
    from psfphot.io import FileFormatError  # noqa: PLC0415  (loads astropy)

    try:
        yield
    except FileFormatError:
        raise
    except ValueError as exc:
        raise UsageFault(one_line(str(exc))) from exc


def require_package(option: str, package: str, extra: str) -> None:
    """Fail now if something is wanted that could not be drawn later.

    Raises
    ------
    click.ClickException
        If the package is not installed; the message names the extra that has it.
    """
    if find_spec(package) is None:
        msg = f"{option} needs {package}: pip install 'psfphot[{extra}]'"
        raise click.ClickException(msg)


def one_line(text: str) -> str:
    """Put a text on one line."""
    return " ".join(text.split())


def _said(exc: Exception) -> str:
    # The operating system's own errors hold the file apart from the message.
    if isinstance(exc, OSError) and exc.filename is not None:
        return f"{exc.filename}: {exc.strerror}"
    return str(exc) or type(exc).__name__
