"""How many stars a saturated blob has, and about where they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot import _core

if TYPE_CHECKING:
    from astropy.table import Table
    from numpy.typing import NDArray

    from psfphot.pipeline._cores import Cores, Pixels
    from psfphot.pipeline._wings import Window, WingFit, Wings

# How often stars are placed, the others subtracted.
ROUNDS = 2

# Wings whose reduced chi-squared is higher may want another star, which must
# lower chi-squared to this part of it.
BAD_WINGS = 2.0
BETTER = 0.5

# A star is needed if without it chi-squared is so many times as large.
NEEDED = 1.5

# A star in a saturated blob has at least this part of the blob's level at its peak.
PEAK = 0.5

# A blob is of others' light, as a speckle of a ring is, where that comes to this part
# of the brightest pixel beside it.
EXPLAINED = 0.7

# Most stars that the wings may add to a blob, and most places where they may be.
MOST_ADDED = 3
MOST_PLACES = 300


@dataclass(frozen=True)
class StarList:
    """Saturated stars, and others that shine into their boxes.

    Attributes
    ----------
    x, y, flux : 1D ndarray
        Positions in pixels, and fluxes; NaN where there is none.
    radius : 1D ndarray
        Half of the width of each core, pixels.
    blob : 1D ndarray of int
        The blob that each is in; -1 for a companion, which is in none.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    radius: NDArray[np.float64]
    blob: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of stars."""
        return len(self.x)

    @property
    def is_saturated(self) -> NDArray[np.bool_]:
        """Which stars are in a blob."""
        return self.blob >= 0

    def select(self, chosen: NDArray[Any]) -> StarList:
        """Keep some of the stars."""
        return StarList(*(values[chosen] for values in self._columns()))

    def __add__(self, others: StarList) -> StarList:
        """Append others."""
        pairs = zip(self._columns(), others._columns(), strict=True)
        return StarList(*(np.concatenate(pair) for pair in pairs))

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.x, self.y, self.flux, self.radius, self.blob

    def moved_to(self, table: Table) -> StarList:
        """Take fitted positions and fluxes, where they are finite."""
        x, y, flux = (np.asarray(table[f"{p}_fit"], float) for p in ("x", "y", "flux"))
        good = np.isfinite(x) & np.isfinite(y) & (flux > 0)
        return replace(
            self,
            x=np.where(good, x, self.x),
            y=np.where(good, y, self.y),
            flux=np.where(good, flux, np.nan),
        )


def start_stars(wings: Wings, cores: Cores) -> StarList:
    """Place a star on each core, those with the largest cores first.

    A blob that is as bright by the light of those before has none.

    Parameters
    ----------
    wings : Wings
        The image.
    cores : Cores
        The cores.

    Returns
    -------
    StarList
        One star for each other core; the flux of one that finds no place is NaN.
    """
    x, y, flux = cores.x.copy(), cores.y.copy(), np.full(cores.x.size, np.nan)
    image = wings.data.copy()
    order = np.argsort(-cores.radius, kind="stable")
    crowded = _have_neighbours(cores, wings.fwhm)
    is_star = np.ones(len(flux), bool)
    for again in range(ROUNDS):
        for k in order[crowded[order]] if again else order:
            reach = 2 * (cores.radius[k] + 2 * wings.fwhm)
            window = wings.window(cores.x[k], cores.y[k], reach)
            if not again:
                is_star[k] = not _is_explained(wings, image, cores.blobs[cores.blob[k]])
            if not is_star[k]:
                continue
            if again and np.isfinite(flux[k]):
                image[window] += flux[k] * wings.stamp(x[k], y[k], window)
            x[k], y[k], flux[k] = wings.place(
                image, cores.x[k], cores.y[k], cores.radius[k]
            )
            if np.isfinite(flux[k]):
                image[window] -= flux[k] * wings.stamp(x[k], y[k], window)
    return StarList(x, y, flux, cores.radius, cores.blob).select(is_star)


def _is_explained(wings: Wings, image: NDArray[np.float64], pixels: Pixels) -> bool:
    """Tell whether a blob is as bright by the light that was subtracted."""
    y, x = pixels
    light = np.median(wings.data[y, x] - image[y, x])
    window = wings.window(x, y, wings.fwhm)
    beside = np.where(wings.excluded[window], 0.0, wings.data[window])
    highest = float(beside.max())
    return bool(highest > 0 and light > EXPLAINED * highest)


def _have_neighbours(cores: Cores, fwhm: float) -> NDArray[np.bool_]:
    """Tell which cores have another within reach of their wings."""
    if not cores.x.size:
        return np.zeros(0, bool)
    at = np.column_stack([cores.x, cores.y])
    first, second = _core.near_pairs(at, at, 4 * (cores.radius.max() + 2 * fwhm))
    others = first != second
    has: NDArray[np.bool_] = np.bincount(first[others], minlength=cores.x.size) > 0
    return has


def decide_stars(
    wings: Wings, stars: StarList, cores: Cores, model: NDArray[np.float64]
) -> StarList:
    """Decide by the wings how many stars each blob has.

    Parameters
    ----------
    wings : Wings
        The image.
    stars : StarList
        The stars that the blobs' shapes suggest.
    cores : Cores
        Their cores.
    model : 2D ndarray
        The image of the stars.

    Returns
    -------
    StarList
        The stars.
    """
    stars = _with_their_blobs(stars, cores)
    decided = stars.select(~stars.is_saturated)
    for blob in np.unique(cores.blob):
        members = stars.select(stars.blob == blob)
        if len(members):
            found = _Blob(wings, members, cores.blobs[blob], model).decide()
            decided = found + decided
    return decided


def _with_their_blobs(stars: StarList, cores: Cores) -> StarList:
    """Let companions that are in a blob be stars of it."""
    blob, radius = stars.blob.copy(), stars.radius.copy()
    inside = {
        pixel: int(number)
        for number in np.unique(cores.blob)
        for pixel in zip(*(at.tolist() for at in cores.blobs[number]), strict=True)
    }
    radius_of = dict(zip(cores.blob.tolist(), cores.radius.tolist(), strict=True))
    for k in np.flatnonzero(~stars.is_saturated):
        number = inside.get((round(stars.y[k]), round(stars.x[k])))
        if number is not None:
            blob[k], radius[k] = number, radius_of[number]
    return replace(stars, blob=blob, radius=radius)


class _Blob:
    """A blob, its stars and the wings around it."""

    def __init__(
        self,
        wings: Wings,
        members: StarList,
        pixels: Pixels,
        model: NDArray[np.float64],
    ) -> None:
        self.wings = wings
        self.members = members
        self.pixels = pixels
        y, x = pixels
        self.window: Window = wings.window(x, y, 2 * wings.fwhm)
        self.rest = wings.data[self.window] - model[self.window]

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """The pixels of the window without the light of other stars."""
        placed = self._placed()
        light = self._light(placed.x, placed.y, placed.flux)
        return np.asarray(self.rest + light)

    @cached_property
    def full(self) -> float:
        """What the peak of a saturated star is at least."""
        y, x = self.pixels
        inside = self.wings.data[y, x]
        around = self.values[~self.wings.excluded[self.window]]
        return float(max(np.median(inside), around.max(initial=0.0)))

    def _fit(self, x: Any, y: Any, flux: Any) -> WingFit:
        return self.wings.fit(self.values, self.window, x, y, flux)

    def _placed(self) -> StarList:
        return self.members.select(np.isfinite(self.members.flux))

    def decide(self) -> StarList:
        """Add the stars that the wings ask for, and drop those they do not."""
        placed = self._placed()
        alone = len(self.members) == 1
        if not len(placed) or (alone and not self._is_bad()):
            return self.members
        best = self._fit(placed.x, placed.y, placed.flux)
        if not np.isfinite(best.chi2):
            return self.members
        for _ in range(MOST_ADDED):
            more = self._with_one_more(best)
            if more is None:
                break
            best = more
        while best.x.size > 1:
            less = self._with_one_less(best)
            if less is None:
                break
            best = less
        return self._as_stars(best)

    def _is_bad(self) -> bool:
        """Tell whether the wings are not those of the stars."""
        return (
            self.wings.reduced_chi2(self.rest, self.window, len(self.members))
            > BAD_WINGS
        )

    def _as_stars(self, fit: WingFit) -> StarList:
        """Give each star the core that it is nearest to."""
        cores = self.members
        apart = np.hypot(fit.x[:, None] - cores.x, fit.y[:, None] - cores.y)
        # The last star of a blob stays, whatever it is.
        is_full = self._is_full(fit)
        if not is_full.any():
            is_full[np.argmax(fit.flux)] = True
        return StarList(
            fit.x,
            fit.y,
            fit.flux,
            cores.radius[np.argmin(apart, axis=1)],
            np.where(is_full, cores.blob[0], -1),
        )

    def _with_one_more(self, best: WingFit) -> WingFit | None:
        if best.reduced_chi2 < BAD_WINGS:
            return None
        values = self.values - self._light(best.x, best.y, best.flux)
        y, x = self.pixels
        every = max(1, x.size // MOST_PLACES)
        x_more, y_more, flux = self.wings.best_of(
            values, x[::every], y[::every], self.window
        )
        if not np.isfinite(flux):
            return None
        more = self._fit(
            np.append(best.x, x_more),
            np.append(best.y, y_more),
            np.append(best.flux, flux),
        )
        if more.chi2 > BETTER * best.chi2 or not self._is_full(more).all():
            return None
        return more

    def _with_one_less(self, best: WingFit) -> WingFit | None:
        """Drop the star that is least needed, if any is not."""
        trials = [
            self._fit(*(np.delete(v, k) for v in (best.x, best.y, best.flux)))
            for k in range(best.x.size)
        ]
        less = min(trials, key=lambda trial: trial.chi2)
        # Each star that goes gives its three parameters back.
        allowed = NEEDED * best.chi2 + 3
        return less if less.chi2 < allowed else None

    def _light(self, x: Any, y: Any, flux: Any) -> Any:
        return sum(
            (
                one * self.wings.stamp(a, b, self.window)
                for a, b, one in zip(x, y, flux, strict=True)
            ),
            np.zeros(self.rest.shape),
        )

    def _is_full(self, fit: WingFit) -> NDArray[np.bool_]:
        """Tell which stars are bright enough, and lie in the blob's box."""
        y, x = self.pixels
        peaks = np.array(
            [
                flux * self.wings.stamp(a, b, _pixel(a, b))[0, 0]
                for a, b, flux in zip(fit.x, fit.y, fit.flux, strict=True)
            ]
        )
        inside = (abs(fit.x - np.clip(fit.x, x.min(), x.max())) <= 1) & (
            abs(fit.y - np.clip(fit.y, y.min(), y.max())) <= 1
        )
        return (peaks >= PEAK * self.full) & inside


def _pixel(x: float, y: float) -> Window:
    i, j = round(x), round(y)
    return slice(j, j + 1), slice(i, i + 1)
