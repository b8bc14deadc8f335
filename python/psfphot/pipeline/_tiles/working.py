"""Passes over the tiles of an image, by workers.

A pass is one thing that is done to each tile. Workers are given the name of a file and
a tile: in the file is what is to be done, with all that it knows but for the PSF, which
they have once, and the image's arrays, of which it has the files' names.
"""

from __future__ import annotations

import mmap
import pickle
import socket
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot._workers import (
    WorkersError,
    hire,
    raise_if_passing,
    threads_of_worker,
)
from psfphot.background._sheets import BackgroundSheets
from psfphot.io import Detector, FitsImage
from psfphot.pipeline._settings import ResolvedSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from psfphot._workers import Outcome
    from psfphot.pipeline._tiles.tiling import Tile


class TileError(ValueError):
    """What is wrong with an image shows in a tile, which the message names."""


class TileTask(NamedTuple):
    """What a worker is given.

    Attributes
    ----------
    path : str
        The file with what is to be done.
    tile : `Tile`
        The tile to do it to.
    """

    path: str
    tile: Tile


class Done(NamedTuple):
    """What came of a tile.

    Attributes
    ----------
    value : object
        What the pass gives for it.
    fault : str
        Why there is nothing; empty where there is.
    warned : list of (str, type)
        What was warned of.
    """

    value: Any
    fault: str
    warned: list[tuple[str, type[Warning]]]


class Crew:
    """Workers that do one pass over tiles after another; `hire_crew` makes it.

    Parameters
    ----------
    do : callable
        Has tasks done, see `psfphot._workers.hire`.
    directory : `~pathlib.Path`
        Where files are made that the workers see.
    pickling : dict
        Arguments of `_PassPickler`.
    """

    def __init__(
        self,
        do: Callable[[Sequence[Any]], Iterator[Outcome]],
        directory: Path,
        pickling: dict[str, Any],
    ) -> None:
        self._do, self._directory, self._pickling = do, directory, pickling
        self._n_passes = 0

    def __call__(
        self, work: Callable[[Tile], Any], tiles: Sequence[Tile], name: str
    ) -> list[Any]:
        """Do something to all tiles of an image.

        Parameters
        ----------
        work : callable
            What to do; it changes nothing that it knows.
        tiles : list of `Tile`
            The tiles.
        name : str
            Of the image, for messages.

        Returns
        -------
        results : list
            What came of each tile, in their order.

        Raises
        ------
        TileError
            If a tile cannot be measured.
        WorkersError
            If one was given up: its workers ended, or took too long.
        RuntimeError
            If there is a fault of the program itself.
        """
        self._n_passes += 1
        path = self._directory / f"pass-{self._n_passes}"
        with path.open("wb") as file:
            _PassPickler(file, **self._pickling).dump(work)
        results: list[Any] = [None] * len(tiles)
        for outcome in self._do([TileTask(str(path), tile) for tile in tiles]):
            tile = tiles[outcome.index]
            if outcome.traceback:
                msg = f"{name}, {tile}: {outcome.error}\n{outcome.traceback}"
                raise RuntimeError(msg)
            if outcome.error:
                raise WorkersError(f"{name}, {tile}: {outcome.error}")
            done: Done = outcome.value
            for text, category in done.warned:
                warnings.warn(text, category, stacklevel=2)
            if done.fault:
                raise TileError(done.fault)
            results[outcome.index] = done.value
        path.unlink()
        return results


@contextmanager
def hire_crew(
    model: Any,
    directory: Path,
    n_threads: int | None,
    *,
    n_workers: int | None,
    client: Any,
    retries: int,
    timeout: float | None,
) -> Iterator[Crew | None]:
    """Have workers for the tiles of an image; `None` where nobody is asked for.

    Parameters
    ----------
    model : PSF model
        The PSF, which each worker is sent once.
    directory : `~pathlib.Path`
        Where the image's arrays are, which the workers must see.
    n_threads : int or `None`
        As in the settings.
    n_workers, client, retries, timeout
        As for `psfphot._workers.run_tasks`.
    """
    if n_workers is None and client is None:
        yield None
        return
    pickling = {
        "model": model,
        "n_threads": threads_of_worker(n_threads, n_workers, client),
        "is_far": client is not None,
    }
    how: dict[str, Any] = {"retries": retries, "timeout": timeout}
    with hire(TileWorker(model), n_workers=n_workers, client=client, **how) as do:
        yield Crew(do, directory, pickling)


@dataclass(eq=False)
class TileWorker:
    """What workers do to tiles.

    Parameters
    ----------
    model : PSF model
        The PSF, compiled once in each process.
    loaded : tuple
        The pass that was last asked for: its file, and what to do.
    """

    model: Any
    loaded: tuple[str, Callable[[Tile], Any] | None] = field(default=("", None))

    def __call__(self, task: TileTask) -> Done:
        """Do a pass to a tile; what is wrong with the image is the result."""
        fault, value = "", None
        with warnings.catch_warnings(record=True) as caught:
            try:
                value = self._load(task.path)(task.tile)
            except TileError as exc:
                raise_if_passing(exc.__cause__)
                fault = str(exc)
        warned = [(str(one.message), one.category) for one in caught]
        return Done(value, fault, warned)

    def _load(self, path: str) -> Callable[[Tile], Any]:
        known, work = self.loaded
        if work is None or known != path:
            try:
                with open(path, "rb") as file:  # noqa: PTH123  (a name, as it came)
                    work = _PassUnpickler(file, self.model).load()
            except FileNotFoundError as exc:
                msg = (
                    f"{path}: is not there for a worker on {socket.gethostname()}; "
                    "all must see the directory for temporary files (TMPDIR)"
                )
                raise TileError(msg) from exc
            self.loaded = path, work
        return work


class _PassPickler(pickle.Pickler):
    """Pickles what is to be done to tiles, without the PSF and without pixels.

    Parameters
    ----------
    file : file
        What is written.
    model : PSF model
        The PSF, which the other side has.
    n_threads : int or `None`
        The threads of the other side.
    is_far : bool
        Whether the other side may be another machine, which sees what is on disk only.
    """

    def __init__(
        self, file: Any, *, model: Any, n_threads: int | None, is_far: bool
    ) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._model, self._n_threads, self._is_far = model, n_threads, is_far

    def persistent_id(self, obj: Any) -> Any:
        """Name what the other side has or finds itself."""
        if obj is self._model:
            return ()
        if isinstance(obj, np.memmap) and isinstance(obj.base, mmap.mmap):
            if self._is_far:
                obj.flush()
            return str(obj.filename), obj.dtype.str, obj.shape
        return None

    def reducer_override(self, obj: Any) -> Any:
        """Leave out what tiles do not need, and count the other side's threads."""
        if isinstance(obj, FitsImage):
            # Where on the detector it is is known by the PSF already.
            sent: Any = replace(
                obj, wcs=None, area=None, detector=Detector(), tables=()
            )
        elif isinstance(obj, Settings | ResolvedSettings | BackgroundSheets):
            sent = replace(obj, n_threads=self._n_threads)
        else:
            return NotImplemented
        return sent.__reduce_ex__(pickle.HIGHEST_PROTOCOL)


class _PassUnpickler(pickle.Unpickler):
    """Reads what `_PassPickler` has written."""

    def __init__(self, file: Any, model: Any) -> None:
        super().__init__(file)
        self._model = model

    def persistent_load(self, pid: Any) -> Any:
        """Give what is named: the PSF, or an array on disk."""
        if not pid:
            return self._model
        path, dtype, shape = pid
        return np.memmap(path, dtype, "r", shape=shape)
