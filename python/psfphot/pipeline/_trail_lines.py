"""A line of light, followed from a point to its ends and measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot._robust import robust_sigma

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: So far beside a line, in FWHM, there is no light of it: half of the widest trail.
BESIDE = 5.0

#: Pieces, FWHM long, that a line is followed by; sigma of a piece with light; how
#: many it has at least, and how many of those that it crosses.
_PIECE, _LIT, _LEAST_PIECES, _LIT_PART = 8.0, 3.0, 5, 0.75

#: Pieces without light end a line.
_GAP = 3

#: How far a line may turn aside from one piece to the next, FWHM.
_ASIDE = 1.2

#: The pieces' light is so even, highest quarter of them over lowest.
_LARGEST_RATIO = 5.0

#: So likely is it at most that chance makes one of all lines tried.
_CHANCE = 1e-4

#: A trail lifts the lowest part of what it crosses by so much of what it lifts the
#: rest, and by so many sigma of what the lines beside it are.
_LOWEST, _LIFT, _LIFT_SIGMA = 0.2, 0.6, 4.0


class Line(NamedTuple):
    """A straight line: a point, pixels, and its direction, radians from +x."""

    x: float
    y: float
    angle: float

    def positions(
        self, along: NDArray[Any] | float, aside: NDArray[Any] | float
    ) -> tuple[Any, Any]:
        """Return positions so far along the line, and aside of it to its left."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        x = self.x + along * cos - aside * sin
        return x, self.y + along * sin + aside * cos

    def coordinates(
        self, x: NDArray[Any], y: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return how far along the line and aside of it positions are."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        dx, dy = x - self.x, y - self.y
        return dx * cos + dy * sin, dy * cos - dx * sin


@dataclass(frozen=True)
class TrailPath:
    """A line of light, piece by piece.

    Attributes
    ----------
    line : `Line`
        About where it is.
    bend : 1D ndarray
        The polynomial, highest power first, of the offset to the left against the
        distance along the direction, pixels.
    start, stop : float
        The distances of its ends.
    at : 1D ndarray
        The distances of the pieces' centres.
    level : 1D ndarray
        The light at the centre of each piece, in the image's unit.
    offset : 1D ndarray
        Offsets from the centre line, pixels.
    profile : 1D ndarray
        The light at those offsets, as a part of the level.
    """

    line: Line
    bend: NDArray[np.float64]
    start: float
    stop: float
    at: NDArray[np.float64]
    level: NDArray[np.float64]
    offset: NDArray[np.float64]
    profile: NDArray[np.float64]

    def coordinates(
        self, x: NDArray[Any], y: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return distances along the line and offsets from it, of positions."""
        along, aside = self.line.coordinates(x, y)
        inside = np.clip(along, self.start, self.stop)
        return along, aside - np.polyval(self.bend, inside)


@dataclass(frozen=True)
class Frame:
    """The pixels that lines are followed on.

    Attributes
    ----------
    data : 2D array
        The image without its sky.
    noise : 2D array
        The 1-sigma noise of its sky.
    mask : 2D bool array
        Pixels without data.
    fwhm : float
        The PSF's full width at half maximum, pixels.
    """

    data: NDArray[Any]
    noise: NDArray[Any]
    mask: NDArray[np.bool_]
    fwhm: float

    def sample(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
        """Return the nearest pixels in sigma; NaN where there are none."""
        ny, nx = self.data.shape
        i, j = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
        inside = (i >= 0) & (j >= 0) & (i < nx) & (j < ny)
        flat = np.where(inside, j * nx + i, 0)
        value = np.take(self.data, flat) / np.take(self.noise, flat)
        value = np.where(inside & ~np.take(self.mask, flat), value, np.nan)
        return np.asarray(value, dtype=np.float64)


def row_medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return medians without NaN along the last axis, 0 where all are."""
    ordered = np.sort(values, axis=-1)
    n = np.count_nonzero(np.isfinite(ordered), axis=-1)
    low, high = np.maximum(n - 1, 0) // 2, np.maximum(n, 1) // 2
    high = np.minimum(high, np.maximum(n - 1, 0))
    pair = np.take_along_axis(ordered, np.stack([low, high], -1), -1)
    return np.where(n > 0, pair.mean(axis=-1), 0.0)


def line_snr(frame: Frame, path: TrailPath) -> float:
    """Return the S/N of a line's light in the noise-equivalent area of a Gaussian."""
    sigma = [
        _noise_at(frame, path.line, at, float(np.polyval(path.bend, at)))
        for at in path.at
    ]
    return float(np.median(path.level / sigma)) * 1.5 * frame.fwhm


def lifts_all(frame: Frame, path: TrailPath) -> bool:
    """Tell whether a line lifts its darkest places as much as the others.

    A trail adds its light to the faint stars and the sky alike. Stars that line up
    leave gaps: the lowest fifth of a line through them is like that of others.
    """
    fwhm = frame.fwhm
    step = 0.8 * fwhm
    first, last = path.at[0] - _PIECE * fwhm / 2, path.at[-1] + _PIECE * fwhm / 2
    along = np.arange(first, last, step)
    small = np.linspace(-0.5, 0.5, max(3, round(fwhm)))
    edge = float(abs(path.offset).max())
    # As wide as the line has half of its light, and not less than the PSF.
    bright = path.offset[path.profile > 0.5]  # noqa: PLR2004
    middle = float(bright.mean())
    beside = edge + fwhm * np.arange(1.5, 9, 1.5)
    lows, medians = [], []
    for aside in (middle, *(middle - beside), *(middle + beside)):
        u = along[:, None, None] + small[:, None] * step
        v = np.polyval(path.bend, u) + aside + small * fwhm
        values = frame.sample(*path.line.positions(u, v))
        n_good = np.count_nonzero(np.isfinite(values), axis=(1, 2))
        total = np.nansum(values, axis=(1, 2))
        steps = total[n_good > 0] / n_good[n_good > 0]
        if steps.size < along.size // 2:
            steps = np.full(1, np.nan)
        low, median = np.quantile(steps, (_LOWEST, 0.5))
        lows.append(low)
        medians.append(median)
    others = np.array(lows[1:])
    others = others[np.isfinite(others)]
    if others.size < 4:  # noqa: PLR2004
        return False
    lift = lows[0] - np.median(others)
    lift_of_median = medians[0] - np.nanmedian(medians[1:])
    return bool(
        lift > _LIFT * lift_of_median and lift > _LIFT_SIGMA * float(np.std(others))
    )


@dataclass(frozen=True)
class _Pieces:
    """What was measured on the pieces of a line."""

    at: NDArray[np.float64]
    centre: NDArray[np.float64]
    level: NDArray[np.float64]
    is_lit: NDArray[np.bool_]
    by_chance: float


def follow(frame: Frame, line: Line, n_chances: int) -> TrailPath | None:
    """Follow a line from a detection to its ends; `None` if it is none."""
    pieces = _collect(frame, line)
    n_lit = int(np.count_nonzero(pieces.is_lit))
    n_all = len(pieces.at)
    if n_lit < _LEAST_PIECES or n_lit < _LIT_PART * n_all:
        return None
    if n_chances * _tail(n_lit, n_all, pieces.by_chance) > _CHANCE:
        return None
    ordered = np.sort(pieces.level[pieces.is_lit])
    quarter = max(1, n_lit // 4)
    lowest, highest = np.median(ordered[:quarter]), np.median(ordered[-quarter:])
    if highest > _LARGEST_RATIO * lowest:
        return None
    degree = min(2, n_lit // 4)
    lit = pieces.is_lit
    bend = np.polyfit(pieces.at[lit], pieces.centre[lit], degree)
    return _measure(frame, line, bend, pieces)


def _tail(n_lit: int, n: int, chance: float) -> float:
    """Return the probability that chance lights so many of n pieces or more."""
    return math.fsum(
        math.comb(n, k) * chance**k * (1 - chance) ** (n - k)
        for k in range(n_lit, n + 1)
    )


def _collect(frame: Frame, line: Line) -> _Pieces:
    """Measure piece after piece, to one side and then to the other."""
    length = _PIECE * frame.fwhm
    at: list[float] = []
    centre: list[float] = []
    level: list[float] = []
    lit: list[bool] = []
    beside: list[NDArray[np.bool_]] = []
    for side in (1, -1):
        n_dark, k = 0, 0 if side == 1 else -1
        while n_dark < _GAP:
            where = k * length
            known = [i for i, one in enumerate(lit) if one]
            expected = _expect(at, centre, known, where)
            found = _piece(frame, line, where, expected)
            if found is None:
                break
            one_centre, one_level, one_lit, others = found
            at.append(where)
            centre.append(one_centre)
            level.append(one_level)
            lit.append(one_lit)
            beside.append(others)
            n_dark = 0 if one_lit else n_dark + 1
            k += side
            n_lit = sum(lit)
            if not n_lit or (len(lit) - n_lit) > max(1, n_lit // 3):
                break
        # What is dark at an end is not of the line.
        while lit and not lit[-1]:
            columns: tuple[list[Any], ...] = (at, centre, level, lit, beside)
            for column in columns:
                column.pop()
        if not lit:
            break
    order = np.argsort(at, kind="stable")
    others = np.concatenate([np.zeros(0, bool), *beside])
    # Never 0, however few lines beside there are.
    by_chance = (np.count_nonzero(others) + 1) / (len(others) + 10)
    return _Pieces(
        np.array(at, float)[order],
        np.array(centre, float)[order],
        np.array(level, float)[order],
        np.array(lit, bool)[order],
        float(by_chance),
    )


def _expect(
    at: list[float], centre: list[float], known: list[int], where: float
) -> float:
    """Extrapolate the centres of the nearest known pieces."""
    if len(known) < 2:  # noqa: PLR2004
        return centre[known[0]] if known else 0.0
    near = sorted(known, key=lambda i: abs(at[i] - where))[:8]
    places, values = (np.array([column[i] for i in near]) for column in (at, centre))
    # From the detection's own direction alone, a turn is not known yet.
    slope, level = np.polyfit(places, values, 1)
    return float(slope * where + level)


def _piece(
    frame: Frame, line: Line, where: float, expected: float
) -> tuple[float, float, bool, NDArray[np.bool_]] | None:
    """Measure a piece: its centre, level and whether it is lit; `None` off the image.

    And whether lines beside it are.
    """
    fwhm = frame.fwhm
    half = 2 * BESIDE * fwhm
    offset = np.arange(-math.ceil(half), math.ceil(half) + 1.0)
    profile, error = _profile(frame, line, where, expected + offset)
    if profile is None:
        return None
    width = max(1, round(fwhm))
    smooth = _running_mean(profile, width)
    error = error / math.sqrt(width)
    outer = abs(offset) > BESIDE * fwhm
    beside = smooth[outer]
    base = float(np.median(beside))
    spread = robust_sigma(beside, base)
    limit = base + _LIT * max(error, spread)
    window = abs(offset) <= _ASIDE * fwhm
    top = int(np.argmax(np.where(window, smooth, -np.inf)))
    is_lit = bool(smooth[top] > limit)
    part = (abs(offset - offset[top]) <= 1.5 * fwhm) & (
        smooth - base > (smooth[top] - base) / 2
    )
    weight = np.where(part, smooth - base, 0.0)
    total = weight.sum()
    centre = float((weight * offset).sum() / total) if total > 0 else 0.0
    n_windows = max(1, int(half / 2 // (2 * _ASIDE * fwhm)))
    lines = np.array_split(
        smooth[: outer.size // 2][outer[: outer.size // 2]], n_windows
    )
    lines += np.array_split(
        smooth[outer.size // 2 :][outer[outer.size // 2 :]], n_windows
    )
    others = np.array([line.max(initial=-np.inf) > limit for line in lines])
    sigma = _noise_at(frame, line, where, expected)
    return expected + centre, float(smooth[top] - base) * sigma, is_lit, others


def _noise_at(frame: Frame, line: Line, where: float, aside: float) -> float:
    ny, nx = frame.data.shape
    i, j = line.positions(where, aside)
    return float(
        frame.noise[
            int(min(max(round(j), 0), ny - 1)), int(min(max(round(i), 0), nx - 1))
        ]
    )


def _profile(
    frame: Frame,
    line: Line,
    where: float,
    offset: NDArray[np.float64],
) -> tuple[NDArray[np.float64] | None, float]:
    """Return the medians along a piece at offsets from the line, and their error.

    In sigma of a pixel; `None` where less than a third of the piece has data.
    """
    n = max(8, round(_PIECE * frame.fwhm))
    along = where + (np.arange(n) - (n - 1) / 2) * (_PIECE * frame.fwhm / n)
    values = frame.sample(*line.positions(along, offset[:, None]))
    n_good = np.count_nonzero(np.isfinite(values), axis=1)
    middle = len(offset) // 2
    reach = max(1, round(frame.fwhm))
    if n_good[middle - reach : middle + reach + 1].mean() < n / 3:
        return None, 0.0
    return row_medians(values), 1.2533 / math.sqrt(max(n_good.mean(), 1))


def _running_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    return np.convolve(values, np.full(width, 1 / width), mode="same")


def _measure(
    frame: Frame,
    line: Line,
    bend: NDArray[np.float64],
    pieces: _Pieces,
) -> TrailPath:
    """Measure the profile across a line that is known, and its level along it."""
    for _ in range(2):
        section = _cross_section(frame, line, bend, pieces)
        bend = bend + _correction(section, pieces, len(bend) - 1)
    offset, every, low, high = _cross_section(frame, line, bend, pieces)
    part = every[:, low : high + 1]
    shape = np.maximum(row_medians(part.T), 0)
    shape = shape / max(shape.max(), np.finfo(float).tiny)
    known = np.isfinite(part)
    norm = (known * shape**2).sum(axis=1)
    level = (np.where(known, part, 0) * shape).sum(axis=1)
    level = np.where(norm > 0, level / np.where(norm > 0, norm, 1), 0)
    length = _PIECE * frame.fwhm
    return TrailPath(
        line,
        np.asarray(bend),
        float(pieces.at.min() - length),
        float(pieces.at.max() + length),
        pieces.at,
        np.maximum(level, 0),
        offset[low : high + 1],
        shape,
    )


class _Section(NamedTuple):
    """The light across the pieces of a line.

    At offsets from its centre, piece by piece; and the indices of the first and
    the last offset with light, with one more on either side.
    """

    offset: NDArray[np.float64]
    light: NDArray[np.float64]
    low: int
    high: int


def _cross_section(
    frame: Frame,
    line: Line,
    bend: NDArray[np.float64],
    pieces: _Pieces,
) -> _Section:
    """Measure the light across each piece of a line that is known."""
    half = 2 * BESIDE * frame.fwhm
    offset = np.arange(-math.ceil(half), math.ceil(half) + 1.0)
    outer = abs(offset) > 1.5 * BESIDE * frame.fwhm
    rows, sigmas = [], []
    for where in pieces.at:
        expected = float(np.polyval(bend, where))
        profile, _ = _profile(frame, line, where, expected + offset)
        sigmas.append(_noise_at(frame, line, where, expected))
        rows.append(
            np.full(offset.size, np.nan)
            if profile is None
            else (profile - np.median(profile[outer])) * sigmas[-1]
        )
    every = np.array(rows)
    mean = row_medians(every.T)
    floor = max(3 * float(np.std(mean[outer])), 0.15 * float(np.median(sigmas)))
    within = abs(offset) <= BESIDE * frame.fwhm
    low = high = int(np.argmax(np.where(within, mean, -np.inf)))
    while low > 0 and mean[low - 1] > floor:
        low -= 1
    while high < len(mean) - 1 and mean[high + 1] > floor:
        high += 1
    return _Section(offset, every, max(0, low - 1), min(len(mean) - 1, high + 1))


def _correction(section: _Section, pieces: _Pieces, degree: int) -> NDArray[np.float64]:
    """Return the polynomial of how far aside of the line its light is."""
    offset, every, low, high = section
    margin = (high - low) // 2 + 1
    near = slice(max(0, low - margin), high + margin + 1)
    part = every[:, near]
    # Half of its own highest light: what is below is noise.
    light = np.maximum(part - np.nanmax(part, axis=1, initial=0)[:, None] / 2, 0)
    light = np.where(np.isfinite(light), light, 0)
    total = light.sum(axis=1)
    good = pieces.is_lit & (total > 0)
    centre = (light * offset[near]).sum(axis=1)[good] / total[good]
    at = pieces.at[good]
    if len(at) <= degree:
        return np.zeros(degree + 1)
    fit = np.polyfit(at, centre, degree)
    apart = centre - np.polyval(fit, at)
    kept = abs(apart) <= 3 * robust_sigma(apart, 0.0) + 0.1
    return np.asarray(np.polyfit(at[kept], centre[kept], degree))
