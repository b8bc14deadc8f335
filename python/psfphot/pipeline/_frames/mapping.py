"""Measuring many frames, one after another or many at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from psfphot._defaults import RETRIES, TIMEOUT
from psfphot._workers import (
    check_workers,
    raise_if_passing,
    run_tasks,
    threads_of_worker,
)
from psfphot.io import Psf, read_image, read_psf
from psfphot.pipeline._measure import measure
from psfphot.pipeline._settings import Settings, as_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from astropy.table import QTable

    from psfphot.io import FitsImage
    from psfphot.pipeline._run import PhotometryRun


class FrameResult(NamedTuple):
    """What became of a frame.

    Attributes
    ----------
    path : str
        The frame, as it was given.
    status : {"measured", "failed"}
        Whether there is a catalogue.
    result : `~astropy.table.QTable` or str
        The catalogue, or why there is none.
    """

    path: str
    status: Literal["measured", "failed"]
    result: QTable | str


def map_frames(
    paths: Iterable[str | os.PathLike[str]],
    settings: Settings | None = None,
    client: Any = None,
    *,
    psf: Any,
    reading: Mapping[str, str | None] | None = None,
    n_workers: int | None = None,
    retries: int = RETRIES,
    timeout: float | None = TIMEOUT,
) -> Iterator[FrameResult]:
    """Measure frames and tell of each as it is done.

    The workers read the frames, and have the PSF once. Their catalogues have the
    same bits whoever measures them, and in whatever order.

    Parameters
    ----------
    paths : iterable of str or path-like
        The frames: FITS files, each with an extension in brackets or without.
    settings : `Settings`, optional
        How to measure. Where it leaves ``n_threads`` open, a worker of a cluster has
        one thread, and processes share the CPUs evenly.
    client : `distributed.Client`, optional
        Measure on this cluster of Dask (``pip install 'psfphot[dask]'``).
    psf : `~psfphot.io.Psf`, model, str or path-like
        The PSF, as `measure` takes it, or what `psfphot.io.read_psf` reads.
    reading : mapping, optional
        Arguments of `psfphot.io.read_image`: ``{"error": "[UNC]"}``.
    n_workers : int, optional
        Measure in so many processes; by default in this one.
    retries : int, optional
        How often a frame is tried again whose worker was lost. One that cannot be
        read, or has no stars, is not. On a cluster Dask's own setting
        ``allowed-failures`` counts the lost workers.
    timeout : float or `None`, optional
        Seconds after which a worker is ended with its frame, which has failed then.
        Frames that are measured in this process have all the time.

    Yields
    ------
    result : tuple
        (path, status, table or message), in the order in which they are done.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or both a client and workers are given.
    WorkersError
        If the workers cannot start, or cannot load what they need.

    Examples
    --------
    >>> from psfphot.pipeline import map_frames
    >>> for path, status, result in map_frames(["none.fits"], psf="gaussian:2.5"):
    ...     print(path, status, result)
    none.fits failed none.fits: there is no such file
    """
    settings = as_settings(settings)
    check_workers(n_workers, client, retries, timeout)
    if isinstance(psf, str | os.PathLike):
        psf = read_psf(psf)
    threads = threads_of_worker(settings.n_threads, n_workers, client)
    work = _Measuring(psf, settings, threads, dict(reading or {}))
    frames = [os.fspath(path) for path in paths]
    done = run_tasks(
        work,
        frames,
        n_workers=n_workers,
        client=client,
        retries=retries,
        timeout=timeout,
    )
    return (
        FrameResult(frames[one.index], "failed", one.error)
        if one.error
        else FrameResult(frames[one.index], *one.value)
        for one in done
    )


@dataclass(frozen=True)
class _Measuring:
    """What workers do to a frame.

    Parameters
    ----------
    psf : `~psfphot.io.Psf` or model
        The PSF; compiled once in each process.
    settings : `Settings`
        How to measure.
    n_threads : int or `None`
        The threads of a worker.
    reading : dict
        Arguments of `psfphot.io.read_image`.
    """

    psf: Psf | Any
    settings: Settings
    n_threads: int | None
    reading: dict[str, str | None]

    def __call__(self, path: str) -> tuple[str, QTable | str]:
        """Measure a frame; what is wrong with the file is its result."""
        try:
            image = read_image(path, **self.reading)
            run = measure_in_threads(image, self.psf, self.settings, self.n_threads)
        except (OSError, ValueError) as exc:
            raise_if_passing(exc)
            return "failed", str(exc)
        return "measured", run.catalog


def measure_in_threads(
    image: FitsImage,
    psf: Psf | Any,
    settings: Settings,
    n_threads: int | None,
    **how: Any,
) -> PhotometryRun:
    """Measure an image in so many threads, of which the catalogue says nothing.

    Whoever measures it the catalogue is the same: its meta has the number that was
    asked for.
    """
    run = measure(image, psf, replace(settings, n_threads=n_threads), **how)
    run.catalog.meta["n_threads"] = settings.n_threads
    return run
