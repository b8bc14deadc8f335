"""How many stars a saturated blob has, and about where they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

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

# Most stars that the wings may add to a blob, and most places where they may be.
MOST_ADDED = 3
MOST_PLACES = 300


@dataclass(frozen=True)
class StarList:
    """Saturated stars.

    Attributes
    ----------
    x, y, flux : 1D ndarray
        Positions in pixels, and fluxes; NaN where there is none.
    radius : 1D ndarray
        Half of the width of each core, pixels.
    blob : 1D ndarray of int
        The blob that each is in.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    radius: NDArray[np.float64]
    blob: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of stars."""
        return len(self.x)

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

    Parameters
    ----------
    wings : Wings
        The image.
    cores : Cores
        The cores.

    Returns
    -------
    StarList
        One star for each core; the flux of one that finds no place is NaN.
    """
    x, y, flux = cores.x.copy(), cores.y.copy(), np.full(cores.x.size, np.nan)
    image = wings.data.copy()
    order = np.argsort(-cores.radius, kind="stable")
    for again in range(ROUNDS):
        for k in order:
            reach = 2 * (cores.radius[k] + 2 * wings.fwhm)
            window = wings.window(cores.x[k], cores.y[k], reach)
            if again and np.isfinite(flux[k]):
                image[window] += flux[k] * wings.stamp(x[k], y[k], window)
            x[k], y[k], flux[k] = wings.place(
                image, cores.x[k], cores.y[k], cores.radius[k]
            )
            if np.isfinite(flux[k]):
                image[window] -= flux[k] * wings.stamp(x[k], y[k], window)
    return StarList(x, y, flux, cores.radius, cores.blob)


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
    rest = wings.data - model
    chosen = []
    for blob in np.unique(stars.blob):
        members = np.flatnonzero(stars.blob == blob)
        found = _Blob(wings, stars, members, cores.blobs[blob], rest).decide()
        radius = stars.radius[members]
        extra = max(found.x.size - members.size, 0)
        nearest = np.argmin(
            np.hypot(
                found.x[:, None] - stars.x[members], found.y[:, None] - stars.y[members]
            ),
            axis=1,
        )
        del extra
        chosen.append(
            StarList(
                found.x,
                found.y,
                found.flux,
                radius[nearest],
                np.full(found.x.size, blob),
            )
        )
    return StarList(
        *(
            np.concatenate([getattr(one, name) for one in chosen])
            for name in ("x", "y", "flux", "radius", "blob")
        )
    )


class _Blob:
    """A blob, its stars and the wings around it."""

    def __init__(
        self,
        wings: Wings,
        stars: StarList,
        members: NDArray[np.int64],
        pixels: Pixels,
        rest: NDArray[np.float64],
    ) -> None:
        self.wings = wings
        self.pixels = pixels
        y, x = pixels
        self.window: Window = wings.window(x, y, 2 * wings.fwhm)
        self.values = rest[self.window].copy()
        placed = members[np.isfinite(stars.flux[members])]
        for k in placed:
            self.values += stars.flux[k] * wings.stamp(
                stars.x[k], stars.y[k], self.window
            )
        self.lost = stars, members[~np.isfinite(stars.flux[members])]
        self.start = stars.x[placed], stars.y[placed], stars.flux[placed]
        self.full = self._level()

    def _level(self) -> float:
        """Return what a saturated star's peak is at least."""
        y, x = self.pixels
        inside = self.wings.data[y, x]
        around = self.values[~self.wings.excluded[self.window]]
        return float(max(np.median(inside), around.max(initial=0.0)))

    def _fit(self, x: Any, y: Any, flux: Any) -> WingFit:
        return self.wings.fit(self.values, self.window, x, y, flux)

    def decide(self) -> WingFit:
        """Add the stars that the wings ask for, and drop those they do not."""
        best = self._fit(*self.start)
        if not np.isfinite(best.chi2):
            return best
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
        return best

    def _with_one_more(self, best: WingFit) -> WingFit | None:
        if best.reduced_chi2 < BAD_WINGS:
            return None
        values = self.values - self._light(best)
        y, x = self.pixels
        every = max(1, x.size // MOST_PLACES)
        x_more, y_more, flux = self.wings.best_of(
            values, x[::every].astype(float), y[::every].astype(float), self.window
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

    def _light(self, fit: WingFit) -> Any:
        return sum(
            flux * self.wings.stamp(x, y, self.window)
            for x, y, flux in zip(fit.x, fit.y, fit.flux, strict=True)
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
