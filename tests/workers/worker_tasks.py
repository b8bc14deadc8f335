"""What the tests of the workers have done: worker processes import it from here."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Square:
    """Squares numbers, and tells which process and which object did it."""

    log: list = field(default_factory=list)

    def __call__(self, number):
        self.log.append(number)
        return number**2, os.getpid(), id(self), len(self.log)


def fail(number):
    if number % 4 == 0:
        raise ValueError(f"{number} is no good")
    return number


def unfit(number):
    return (lambda: number) if number == 1 else number


@dataclass(frozen=True)
class DieOnce:
    """Ends its own process at some tasks, the first time that each is done."""

    directory: Path
    at: tuple
    always: tuple = ()

    def __call__(self, number):
        if number in self.always:
            os.kill(os.getpid(), signal.SIGKILL)
        if number in self.at and self._is_first(number):
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    def _is_first(self, number):
        with contextlib.suppress(FileExistsError):
            (self.directory / f"{number}.died").touch(exist_ok=False)
            return True
        return False


@dataclass(frozen=True)
class StallOnce:
    """Fails at a task as a file system that is well a moment later."""

    directory: Path
    errno: int

    def __call__(self, number):
        mark = self.directory / str(number)
        tries = int(mark.read_text()) if mark.exists() else 0
        mark.write_text(str(tries + 1))
        if tries == 0:
            raise OSError(self.errno, os.strerror(self.errno))
        return tries + 1


def sleep(seconds):
    time.sleep(seconds)
    return seconds


@dataclass(frozen=True)
class Evaluate:
    """Evaluates a star of a model, as a fit would: on a copy of it."""

    model: object

    def __call__(self, flux):
        model = self.model.copy()
        model.flux = flux
        value = float(model(model.x_0.value, model.y_0.value))
        return value, os.getpid(), id(model._compiled.psf)
