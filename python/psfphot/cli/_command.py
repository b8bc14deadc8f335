"""How the commands read: options in sections, faults in one line."""

from __future__ import annotations

import math
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING, Any

import click

from psfphot.cli._errors import UsageFault, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType


#: What click 8.2 and later raise to show the help of a group without a command.
_HELP: tuple[type[BaseException], ...] = tuple(
    filter(None, [getattr(click.exceptions, "NoArgsIsHelpError", None)])
)

#: No star and no detector is larger.
_LARGEST_BOX = 99_999

#: Where ``--help`` stands.
_LAST_SECTION = "The run"

#: Width of the options' names; the explanations are beside them, or below.
_COLUMN = 24


class OneLineGroup(click.Group):
    """A group of commands that says in one line what is wrong with its words."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is named."""
        with _one_line_usage(ctx):
            return super().invoke(ctx)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the words before the command's name."""
        with _one_line_usage(None):
            return super().make_context(*args, **kwargs)


class SectionedCommand(click.Command):
    """A command whose help lists the options in sections."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; what is wrong with them is this command's."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as exc:
            # Not all faults of click's parser tell.
            exc.ctx = exc.ctx or ctx
            raise

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the sections, in the order of their first options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and record is not None:
                title = getattr(parameter, "section", _LAST_SECTION)
                name, text = record
                # Padded, so that all sections have one margin.
                sections.setdefault(title, []).append((f"{name:<{_COLUMN}}", text))
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=_COLUMN)


class SectionedOption(click.Option):
    """An option of a section."""

    def __init__(self, *args: Any, section: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


def option(section: str, *names: str, **kwargs: Any) -> Callable[[Any], Any]:
    """Make the decorator of an option that stands in a section of the help."""
    return click.option(*names, cls=SectionedOption, section=section, **kwargs)


def add_options(
    options: Sequence[Callable[[Any], Any]],
) -> Callable[[Callable[..., Any]], Any]:
    """Make the decorator of all of some options, which stand in their order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        return reduce(lambda made, add: add(made), reversed(options), command)

    return decorate


class Finite(ParamType):
    """A finite number: ``nan`` and ``inf`` are none here."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a number."""
        number = float(click.FLOAT.convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class FiniteRange(click.FloatRange):
    """A finite number of a range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a number."""
        return float(super().convert(Finite().convert(value, param, ctx), param, ctx))


#: Numbers above 0, and from 0; whole ones from 0, and from 1.
ABOVE_0, FROM_0 = FiniteRange(min=0, min_open=True), FiniteRange(min=0)
COUNT, COUNT_FROM_1 = click.IntRange(min=0), click.IntRange(min=1)


class ValueRange(ParamType):
    """Two numbers, the smaller first: ``22:28``.

    Parameters
    ----------
    least : float, optional
        What both must be above.
    """

    name = "range"

    def __init__(self, least: float = -math.inf) -> None:
        self._least = least

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Read two numbers."""
        if isinstance(value, tuple):
            return value
        try:
            low, high = (float(word) for word in str(value).split(":"))
        except ValueError:
            low = high = math.nan
        if not self._least < low < high < math.inf:
            above = "" if self._least == -math.inf else f" above {self._least:g}"
            msg = f"give two numbers{above}, the smaller first: 22:28; got {value!r}"
            self.fail(msg, param, ctx)
        return low, high


class Box(ParamType):
    """The sides of a box, odd: ``N`` or ``NY,NX``."""

    name = "box"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read one or two odd numbers."""
        if isinstance(value, tuple):
            return value
        words = str(value).split(",")
        try:
            sides = [int(word) for word in words]
        except ValueError:
            sides = []
        if len(sides) not in {1, 2} or min(sides) < 1 or max(sides) > _LARGEST_BOX:
            msg = f"give one side or NY,NX, from 1 to {_LARGEST_BOX}; got {value!r}"
            self.fail(msg, param, ctx)
        even = [side for side in sides if side % 2 == 0]
        if even:
            msg = f"--box must be odd, got {value}; use {even[0] + 1}"
            raise UsageFault(msg)
        return sides[0], sides[-1]


class Shift(ParamType):
    """A distance in pixels, or ``none`` (infinity)."""

    name = "shift"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a positive number or the word."""
        if str(value).lower() == "none":
            return float("inf")
        try:
            shift = float(value)
        except ValueError:
            shift = float("nan")
        if not 0 < shift < float("inf"):
            self.fail(f"give pixels above 0, or none; got {value!r}", param, ctx)
        return shift


@contextmanager
def _one_line_usage(ctx: click.Context | None) -> Iterator[None]:
    try:
        yield
    except _HELP:
        raise
    except click.UsageError as exc:
        where = exc.ctx or ctx
        path = where.command_path if where is not None else "psfphot"
        text = one_line(exc.format_message()).rstrip(".")
        msg = f"{text} ({path} --help tells more)"
        raise UsageFault(msg) from exc
