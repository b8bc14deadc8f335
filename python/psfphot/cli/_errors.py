"""What goes wrong, in one line and without a traceback."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def one_line_messages() -> Iterator[None]:
    """Turn faults of files and arguments into one line, and warnings too.

    A fault of the program itself keeps its traceback: nobody else can say
    what to do about it.
    """

    def show(message: Warning | str, *_: object, **__: object) -> None:
        click.echo(f"Warning: {_one_line(str(message))}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        try:
            yield
        except (OSError, ValueError) as exc:
            raise click.ClickException(_one_line(_said(exc))) from exc


def require_matplotlib(option: str) -> None:
    """Fail now if a figure is wanted that could not be drawn later.

    Raises
    ------
    click.ClickException
        If matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        msg = f"{option} needs matplotlib: pip install 'psfphot[plot]'"
        raise click.ClickException(msg)


def _said(exc: Exception) -> str:
    # The operating system's own errors hold the file apart from the message.
    if isinstance(exc, OSError) and exc.filename is not None:
        return f"{exc.filename}: {exc.strerror}"
    return str(exc) or type(exc).__name__


def _one_line(text: str) -> str:
    return " ".join(text.split())
