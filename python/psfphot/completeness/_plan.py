"""Which stars go into which image: planned before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot._defaults import POSITIONS
from psfphot.completeness._fluxes import FOCUS_SHARE, Fluxes, UniformMagnitudes
from psfphot.completeness._positions import (
    Field,
    draw_by_density,
    draw_uniform,
    lattices,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class Batch(NamedTuple):
    """The artificial stars of one image.

    Attributes
    ----------
    number : int
        The image's, from 0.
    star : (n,) int array
        The stars' numbers, from 1.
    x, y, flux : (n,) array
        Their positions, pixels, and fluxes.
    seed : `~numpy.random.SeedSequence`
        Of the photons' noise.
    """

    number: int
    star: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    seed: np.random.SeedSequence

    @property
    def name(self) -> str:
        """What its part is called."""
        return f"stars-{self.number:06d}"


class NoiseImage(NamedTuple):
    """An image of the fitted stars with noise of its own.

    Attributes
    ----------
    number : int
        From 0.
    seed : `~numpy.random.SeedSequence`
        Of its noise.
    """

    number: int
    seed: np.random.SeedSequence

    @property
    def name(self) -> str:
        """What its part is called."""
        return f"noise-{self.number:06d}"


Task = Batch | NoiseImage


@dataclass
class Planner:
    """Plans batches, in the order of their numbers.

    The same arguments give the same batches.

    Parameters
    ----------
    place : `Field`
        The image.
    positions : str or (n, 2) array
        One of `POSITIONS`, or the positions themselves.
    fluxes : `~psfphot.completeness._fluxes.Fluxes`
        What draws fluxes.
    seed : int
        Of all that is random.
    own_flux : (n,) array, optional
        The fluxes that belong to the positions; then none are drawn.
    """

    place: Field
    positions: str | NDArray[np.float64]
    fluxes: Fluxes | None
    seed: int
    own_flux: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        self._places, self._draws, self._photons, self._noise = np.random.SeedSequence(
            self.seed
        ).spawn(4)
        self._n_batches = self._n_stars = 0
        self._n_focus, self._limits = 0, (0.0, 0.0)

    def pilot(self, n_stars: int, most: int) -> list[Batch]:
        """Plan images of stars over the whole range of fluxes.

        Parameters
        ----------
        n_stars : int
            How many there are to be at least. The last image is filled: it costs no
            more.
        most : int
            How many at most.
        """
        images, n = [], 0
        for points in self._images(most):
            images.append(points)
            n += len(points)
            if n >= n_stars:
                break
        return self._batches(images, self._drawn(n))

    def rest(
        self, n_stars: int, curve: tuple[float, float] | None = None
    ) -> list[Batch]:
        """Plan the other stars.

        Parameters
        ----------
        n_stars : int
            How many there are to be in all, those of the pilot too.
        curve : (float, float), optional
            m50 and width, in magnitudes of flux 1, around which most stars go.
        """
        left = max(n_stars - self._n_stars, 0)
        images = list(self._images(left))
        limits = None
        if curve is not None and isinstance(self.fluxes, UniformMagnitudes):
            limits = self.fluxes.focus(*curve)
        n_focus = 0 if limits is None else min(left, round(FOCUS_SHARE * n_stars))
        flux = self._drawn(left)
        if limits is not None and isinstance(self.fluxes, UniformMagnitudes):
            self._n_focus, self._limits = n_focus, limits
            rng = np.random.default_rng(self._draws.spawn(1)[0])
            chosen = rng.permutation(left)[:n_focus]
            flux[chosen] = self.fluxes.draw_within(limits, rng, n_focus)
        return self._batches(images, flux)

    def noise_images(self, n: int) -> list[NoiseImage]:
        """Plan images of the fitted stars and noise."""
        return [NoiseImage(i, each) for i, each in enumerate(self._noise.spawn(n))]

    def weights(self, flux: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tell the weights of all stars, see `UniformMagnitudes.weights`."""
        if not self._n_focus or not isinstance(self.fluxes, UniformMagnitudes):
            return np.ones(len(flux))
        return self.fluxes.weights(flux, self._limits, self._n_focus)

    def _drawn(self, n: int) -> NDArray[np.float64]:
        """Draw fluxes, or take those of the positions in the order of the images."""
        if self.own_flux is not None:
            flux: NDArray[np.float64] = self.own_flux[self._order]
            return flux
        if self.fluxes is None:
            raise ValueError("flux must be given where positions have no column flux")
        return self.fluxes.draw(np.random.default_rng(self._draws.spawn(1)[0]), n)

    def _images(self, n_stars: int) -> Iterator[NDArray[np.float64]]:
        """Yield the positions of each image."""
        seed = self._places.spawn(1)[0]
        if isinstance(self.positions, np.ndarray):
            shares = list(spread(self.place, self.positions[:n_stars]))
            self._order = np.concatenate([*shares, np.empty(0, dtype=np.int64)])
            yield from (self.positions[share] for share in shares)
        elif self.positions == "lattice":
            yield from lattices(self.place, n_stars, seed)
        else:
            draw = draw_uniform if self.positions == "uniform" else draw_by_density
            points = draw(self.place, n_stars, np.random.default_rng(seed))
            yield from (points[share] for share in spread(self.place, points))

    def _batches(
        self, images: list[NDArray[np.float64]], flux: NDArray[np.float64]
    ) -> list[Batch]:
        batches, start = [], 0
        for points in images:
            n = len(points)
            x, y = np.ascontiguousarray(points.T)
            star = np.arange(self._n_stars + 1, self._n_stars + n + 1)
            seed = self._photons.spawn(1)[0]
            batches.append(
                Batch(self._n_batches, star, x, y, flux[start : start + n], seed)
            )
            start += n
            self._n_stars += n
            self._n_batches += 1
        return batches


def as_positions(positions: Any) -> str | NDArray[np.float64]:
    """Look at the argument ``positions``.

    Raises
    ------
    TypeError, ValueError
        If it is neither one of `POSITIONS` nor a table of positions.
    """
    if isinstance(positions, str) and positions in POSITIONS:
        return positions
    names = getattr(positions, "colnames", None)
    if names is None:
        words = ", ".join(map(repr, POSITIONS))
        msg = f"positions must be one of {words} or a Table, got {positions!r}"
        raise (ValueError if isinstance(positions, str) else TypeError)(msg)
    pair = next(
        (pair for pair in (("x", "y"), ("x_0", "y_0")) if pair[0] in names), None
    )
    if pair is None or pair[1] not in names or not len(positions):
        msg = f"positions must have rows, and columns x and y, got {names}"
        raise ValueError(msg)
    points = np.column_stack([np.asarray(positions[name], float) for name in pair])
    if not np.isfinite(points).all():
        msg = "positions must be finite"
        raise ValueError(msg)
    return points
