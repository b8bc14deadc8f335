"""How bright artificial stars are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from psfphot._validate import as_positive

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

#: The share of all stars that goes to where the completeness changes, and how far
#: that reaches on both sides, in widths of the curve.
FOCUS_SHARE, FOCUS_REACH = 0.7, 3.0


@dataclass(frozen=True)
class UniformMagnitudes:
    """Fluxes uniform in magnitude over a range, or partly over a part of it.

    Attributes
    ----------
    faint, bright : float
        The range of fluxes.
    """

    faint: float
    bright: float

    @property
    def range(self) -> tuple[float, float]:
        """The range of magnitudes -2.5 log10 flux."""
        return _magnitude(self.bright), _magnitude(self.faint)

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Draw fluxes over the whole range."""
        return _flux(rng.uniform(*self.range, n))

    def draw_within(
        self, limits: tuple[float, float], rng: np.random.Generator, n: int
    ) -> NDArray[np.float64]:
        """Draw fluxes over a range of magnitudes."""
        return _flux(rng.uniform(*limits, n))

    def focus(self, m50: float, width: float) -> tuple[float, float] | None:
        """Tell the range around the middle of a curve; `None` if that is all."""
        low, high = self.range
        near, far = m50 - FOCUS_REACH * width, m50 + FOCUS_REACH * width
        near, far = max(low, near), min(high, far)
        return (near, far) if 0 < far - near < high - low else None

    def weights(
        self, flux: NDArray[np.float64], limits: tuple[float, float], n_focus: int
    ) -> NDArray[np.float64]:
        """Tell by what to weight stars so that magnitudes count uniformly.

        Parameters
        ----------
        flux : 1D array
            All fluxes, drawn over the whole range or over ``limits``.
        limits : (float, float)
            The range of magnitudes that so many more were drawn in.
        n_focus : int
            How many.
        """
        low, high = self.range
        share = n_focus / max(len(flux), 1)
        magnitude = _magnitude(flux)
        inside = (magnitude >= limits[0]) & (magnitude <= limits[1])
        more = share * (high - low) / (limits[1] - limits[0])
        return np.asarray(1 / (1 - share + np.where(inside, more, 0)))


@dataclass(frozen=True)
class ListedFluxes:
    """Fluxes drawn from a list, with replacement."""

    flux: NDArray[np.float64]

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Draw fluxes."""
        return self.flux[rng.integers(len(self.flux), size=n)]


@dataclass(frozen=True)
class CalledFluxes:
    """Fluxes that a user's function draws."""

    function: Callable[[np.random.Generator, int], Any]
    unit: u.UnitBase | None

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Draw fluxes.

        Raises
        ------
        ValueError
            If they are not so many, or not positive.
        """
        flux = as_fluxes(self.function(rng, n), self.unit, "what flux(rng, n) returns")
        if flux.shape != (n,):
            msg = f"flux(rng, n) must return n = {n} fluxes, got shape {flux.shape}"
            raise ValueError(msg)
        return flux


Fluxes = UniformMagnitudes | ListedFluxes | CalledFluxes


def make_fluxes(flux: Any, unit: u.UnitBase | None) -> Fluxes:
    """Look at the argument ``flux``.

    Raises
    ------
    TypeError, ValueError
        If it is none of a range, a table and a callable.
    """
    if isinstance(flux, Table):
        if "flux" not in flux.colnames or not len(flux):
            msg = f"flux must be a table with a column flux, got {flux.colnames}"
            raise ValueError(msg)
        return ListedFluxes(as_fluxes(flux["flux"], unit, "the column flux"))
    if callable(flux):
        return CalledFluxes(flux, unit)
    try:
        low, high = flux
    except (TypeError, ValueError) as exc:
        msg = (
            "flux must be a range (faint, bright), a Table with a column flux or a "
            f"callable, got {flux!r}"
        )
        raise TypeError(msg) from exc
    low, high = (as_positive(_plain(value, unit), "flux") for value in (low, high))
    if low >= high:
        msg = f"flux must be (faint, bright) with faint below bright, got {flux!r}"
        raise ValueError(msg)
    return UniformMagnitudes(low, high)


def as_fluxes(values: Any, unit: u.UnitBase | None, name: str) -> NDArray[np.float64]:
    """Make an array of positive fluxes in the unit of the image.

    Raises
    ------
    ValueError
        If one is not positive and finite, or the unit is another kind.
    """
    flux = np.array(_plain(values, unit), dtype=np.float64)
    if not (np.isfinite(flux) & (flux > 0)).all():
        n_bad = np.count_nonzero(~(np.isfinite(flux) & (flux > 0)))
        msg = f"{name} must be positive and finite, got {n_bad} others"
        raise ValueError(msg)
    return flux


def _plain(values: Any, unit: u.UnitBase | None) -> Any:
    """Strip the unit, which is the image's where there is one."""
    own = getattr(values, "unit", None)
    if own is None:
        return values
    if unit is None:
        msg = f"flux has the unit {own}, and the image has none"
        raise ValueError(msg)
    return u.Quantity(values).to_value(unit)


def _magnitude(flux: Any) -> Any:
    return -2.5 * np.log10(flux)


def _flux(magnitude: Any) -> NDArray[np.float64]:
    return np.asarray(10 ** (-0.4 * magnitude), dtype=np.float64)
