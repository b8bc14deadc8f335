"""What one image of a test comes to: its rows, beside the stars that went in."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from psfphot.completeness._columns import Reason
from psfphot.completeness._injection import Pixels, Room
from psfphot.completeness._matching import (
    MatchingRules,
    find_false,
    match_artificial,
)
from psfphot.completeness._plan import Batch, NoiseImage, Task
from psfphot.completeness._rows import measured_columns, stack
from psfphot.completeness._sources import Sources, make_sources, sources_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from psfphot.completeness._photometers import Photometer


@dataclass(frozen=True)
class Scene:
    """All that the images of a test share; it goes to each process once.

    Attributes
    ----------
    photometer : `Photometer`
        What measures.
    pixels : `Pixels`
        The image without artificial stars.
    psf_model : `~astropy.modeling.Model`
        The PSF of the artificial stars.
    gain : float or `None`
        Electrons in one unit of the image.
    real : `Sources`
        The real stars.
    rules : `MatchingRules`
        When a star is recovered.
    selection : callable or `None`
        The user's cuts.
    passes : 1D bool array
        Which of the real stars pass the cuts.
    window : int or `None`
        Measure only windows of so many pixels on each side of each star.
    expected : tuple of 2D array or float
        The fitted stars and the sky, for images of noise.
    noise : 2D array, float or `None`
        Their errors.
    """

    photometer: Photometer
    pixels: Pixels
    psf_model: Any
    gain: float | None
    real: Sources
    rules: MatchingRules
    selection: Callable[[Table], Any] | None
    passes: NDArray[np.bool_]
    window: int | None = None
    expected: tuple[Any, ...] = ()
    noise: Any = None
    _room: Room = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_room", Room(self.pixels))

    def run(self, task: Task) -> Table:
        """Measure the image of a task.

        Returns
        -------
        rows : `~astropy.table.Table`
            Of a batch one row for each star: what became of it, and what was
            measured, see `measured_columns`. Of an image of noise all its rows that
            pass the cuts, with a column ``false``.
        """
        with warnings.catch_warnings():
            # The image itself has said what there is to say.
            warnings.simplefilter("ignore")
            if isinstance(task, Batch):
                return self._run_batch(task)
            return self._run_noise(task)

    def _run_batch(self, batch: Batch) -> Table:
        stars = make_sources(batch.x, batch.y, batch.flux, batch.star)
        with self._room.with_stars(self.psf_model, batch, self.gain) as pixels:
            if self.window is None:
                rows = self._matched(stars, self.photometer.measure(pixels))
            else:
                half = self.window
                rows = stack(
                    [
                        self._in_window(pixels, stars.take([i]), half)
                        for i in range(len(stars))
                    ]
                )
        rows["batch"] = batch.number
        # Of the stars that were not put in.
        by_chance = match_artificial(
            stars, self.real, self.real, self.rules, self.passes
        )
        rows["chance"] = by_chance.reason == Reason.RECOVERED
        return rows

    def _in_window(self, pixels: Pixels, star: Sources, half: int) -> Table:
        """Measure one star in a window of its own."""
        x, y = np.floor(star.points[0] + 0.5).astype(int)
        window = tuple(
            slice(max(at - half, 0), min(at + half + 1, n))
            for at, n in zip((y, x), pixels.data.shape, strict=True)
        )
        cut = Pixels(
            pixels.data[window], None if pixels.error is None else pixels.error[window]
        )
        table = self.photometer.measure(cut, window)
        for name in table.colnames:
            axis = {"x": 1, "y": 0}.get(name.partition("_")[0])
            if axis is not None and name.partition("_")[2] in {"fit", "init"}:
                table[name] = table[name] + window[axis].start
        return self._matched(star, table)

    def _matched(self, stars: Sources, table: Table) -> Table:
        passes = passing(self.selection, table)
        found = match_artificial(
            stars, sources_of(table), self.real, self.rules, passes
        )
        rows = Table({"star": stars.ids, "reason": found.reason})
        rows["claimed_by"] = found.claimed_by
        for name, column in measured_columns(table, found.row).items():
            rows[name] = column
        return rows

    def _run_noise(self, task: NoiseImage) -> Table:
        data, error = self.pixels
        rng = np.random.default_rng(task.seed)
        made = rng.standard_normal(data.shape)
        made *= self.noise
        for part in self.expected:
            made += part
        np.copyto(made, data, where=~np.isfinite(made))
        made = made.astype(data.dtype, copy=False)
        table = self.photometer.measure(Pixels(made, error))
        passes = passing(self.selection, table)
        rows = sources_of(table)
        is_false = find_false(rows, self.real, self.rules.radius, passes)
        kept = np.flatnonzero(passes & rows.is_placed)
        found = Table({"image": np.full(len(kept), task.number)})
        found["false"] = is_false[kept]
        for name, column in measured_columns(table, kept).items():
            found[name] = column
        return found


def passing(
    selection: Callable[[Table], Any] | None, table: Table
) -> NDArray[np.bool_]:
    """Tell which rows pass the user's cuts.

    Raises
    ------
    ValueError
        If the selection returns something else than a truth value for each row.
    """
    if selection is None or not len(table):
        return np.ones(len(table), dtype=bool)
    passes = np.asarray(selection(table))
    if passes.shape != (len(table),) or passes.dtype.kind != "b":
        msg = (
            f"selection must return {len(table)} bools for a table of so many rows, "
            f"got {passes.dtype} of shape {passes.shape}"
        )
        raise ValueError(msg)
    return passes
