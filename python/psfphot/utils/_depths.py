"""How faint a source an image shows."""

from __future__ import annotations

import copy
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.stats import SigmaClip
from astropy.utils.exceptions import AstropyUserWarning

from psfphot import _core
from psfphot._deprecated import old_arguments
from psfphot._progress import progress_callback
from psfphot._repr import make_repr
from psfphot._validate import as_count, as_mask, as_positive, as_scalar
from psfphot.aperture import AperturePhotometry, CircularAperture
from psfphot.utils._footprints import circular_footprint, dilate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DEFAULT_CLIP = SigmaClip(sigma=3.0, maxiters=10)

_RENAMED = {"nsigma": "n_sigma", "napers": "n_apertures", "niters": "n_iters"}

# Without overlap: candidates for each aperture, and how much of the free pixels
# apertures may ask for.
_CANDIDATES = 10
_LARGEST_PART = 0.1


class ImageDepth:
    """The limiting flux of an image, from sums over apertures without sources.

    Apertures are put at random where nothing is masked; the limit is ``n_sigma``
    times the standard deviation of their sums.

    Parameters
    ----------
    aper_radius : float
        The radius of the apertures, pixels.
    n_sigma : float, optional
        The significance of the limit.
    mask_pad : float, optional
        How far beyond its radius an aperture keeps from masked pixels, pixels.
    n_apertures : int, optional
        How many apertures in each round.
    n_iters : int, optional
        How many rounds; their limits are averaged.
    overlap : bool, optional
        Whether apertures may overlap.
    seed : int, optional
        A seed always gives the same apertures.
    zeropoint : float, optional
        The magnitude of the flux 1.
    sigma_clip : `~astropy.stats.SigmaClip` or None, optional
        Clips the sums.
    progress_bar : bool, optional
        Whether to show progress; needs tqdm.

    Attributes
    ----------
    apertures : list of `~psfphot.aperture.CircularAperture`
        Those of each round.
    n_apertures_used : ndarray of int
        How many they were.
    fluxes : list of ndarray
        Their sums, without the clipped ones.
    flux_limits, mag_limits : ndarray
        The limits of each round.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If it is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.utils import ImageDepth
    >>> data = np.random.default_rng(0).normal(0, 2, (400, 400))
    >>> depth = ImageDepth(3, seed=1, zeropoint=25, progress_bar=False)
    >>> flux_limit, mag_limit = depth(data, None)
    >>> bool(abs(flux_limit / (5 * 2 * np.sqrt(np.pi) * 3) - 1) < 0.1)
    True
    """

    @old_arguments(renamed=_RENAMED)
    def __init__(
        self,
        aper_radius: float,
        *,
        n_sigma: float = 5.0,
        mask_pad: float = 0,
        n_apertures: int = 1000,
        n_iters: int = 10,
        overlap: bool = True,
        seed: int | None = None,
        zeropoint: float = 0.0,
        sigma_clip: SigmaClip | None = DEFAULT_CLIP,
        progress_bar: bool = True,
    ) -> None:
        self.aper_radius = as_positive(aper_radius, "aper_radius")
        self.n_sigma = as_positive(n_sigma, "n_sigma")
        self.mask_pad = as_scalar(mask_pad, "mask_pad")
        if not 0 <= self.mask_pad < math.inf:
            raise ValueError(f"mask_pad must be finite and >= 0, got {mask_pad}")
        self.n_apertures = as_count(n_apertures, "n_apertures", least=1)
        self.n_iters = as_count(n_iters, "n_iters", least=1)
        self.overlap = overlap
        self.seed = seed
        self.zeropoint = zeropoint
        if sigma_clip is not None and not callable(sigma_clip):
            msg = f"sigma_clip must be an astropy SigmaClip or None, got {sigma_clip!r}"
            raise TypeError(msg)
        self.sigma_clip = sigma_clip
        self.progress_bar = progress_bar
        self.dilate_radius = math.ceil(self.aper_radius + self.mask_pad)
        self.dilate_footprint = circular_footprint(self.dilate_radius)
        self.apertures: list[CircularAperture] = []
        self.n_apertures_used = np.array([])
        self.fluxes: list[Any] = []
        self.flux_limits: Any = np.array([])
        self.mag_limits = np.array([])

    def __repr__(self) -> str:
        names = ["aper_radius", "n_sigma", "mask_pad", "n_apertures", "n_iters"]
        names += ["overlap", "seed", "zeropoint", "sigma_clip", "progress_bar"]
        return make_repr(self, tuple(names))

    def __call__(
        self, data: ArrayLike | u.Quantity, mask: ArrayLike | None
    ) -> tuple[Any, float]:
        """Measure the limit.

        Parameters
        ----------
        data : 2D array_like or Quantity
            The image, without background, in units of flux.
        mask : 2D array_like of bool, or None
            `True` for sources, and where nothing was exposed.

        Returns
        -------
        flux_limit : float or Quantity
            The mean limit, in the unit of the image.
        mag_limit : float
            Its magnitude.

        Raises
        ------
        ValueError
            If too few pixels are left for the apertures.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If there were fewer apertures than asked for, or a limit is 0.
        """
        places = self._places(np.shape(data), mask)
        if len(places) == 0:
            msg = (
                "no pixel is left for apertures: all are masked, or within "
                f"{self.dilate_radius} pixels of a masked one or of the edges"
            )
            raise ValueError(msg)
        rng = np.random.default_rng(self.seed)
        apertures, fluxes = [], []
        with progress_callback(
            self.n_iters, "Image Depths", enabled=self.progress_bar
        ) as report:
            for i in range(self.n_iters):
                apertures.append(self._scatter(places, rng))
                fluxes.append(self._measure(data, apertures[-1]))
                if report is not None:
                    report(i + 1)
        self.apertures, self.fluxes = apertures, fluxes
        self.n_apertures_used = np.array([len(each) for each in apertures])
        limits = [self.n_sigma * np.std(each) for each in fluxes]
        has_unit = isinstance(limits[0], u.Quantity)
        self.flux_limits = u.Quantity(limits) if has_unit else np.array(limits)
        self._warn()
        limit = np.mean(self.flux_limits)
        self.mag_limits = self._magnitude(self.flux_limits)
        return limit, self._magnitude(limit)

    def _places(self, shape: tuple[int, ...], mask: Any) -> NDArray[np.int_]:
        """Tell the pixels (x, y) on which apertures may be put."""
        taken = as_mask(mask, shape)
        taken = np.zeros(shape, dtype=bool) if taken is None else taken
        border = self.dilate_radius
        free = ~dilate(taken, border)
        free[:border] = free[-border:] = False
        free[:, :border] = free[:, -border:] = False
        y, x = np.nonzero(free)
        return np.column_stack((x, y))

    def _scatter(
        self, places: NDArray[np.int_], rng: np.random.Generator
    ) -> CircularAperture:
        if self.overlap:
            return CircularAperture(
                _draw(places, self.n_apertures, rng), self.aper_radius
            )
        n_wanted = int(min(1.5 * self.n_apertures, _LARGEST_PART * len(places)))
        drawn = _draw(places, _CANDIDATES * n_wanted, rng)
        x, y = np.ascontiguousarray(drawn.T)
        stays = _core.thin_sources(x, y, 2 * self.aper_radius)
        kept = drawn[np.flatnonzero(stays)[: self.n_apertures]]
        return CircularAperture(kept, self.aper_radius)

    def _measure(self, data: Any, apertures: CircularAperture) -> Any:
        fluxes = AperturePhotometry(data, apertures).flux
        if self.sigma_clip is None:
            return fluxes
        # A copy, for a call leaves its traces in it.
        return copy.copy(self.sigma_clip)(fluxes, masked=False)

    def _magnitude(self, flux: Any) -> Any:
        with np.errstate(divide="ignore"):
            return -2.5 * np.log10(getattr(flux, "value", flux)) + self.zeropoint

    def _warn(self) -> None:
        if (self.n_apertures_used < self.n_apertures).any():
            msg = (
                f"only {self.n_apertures_used.min()} apertures without overlap fit on "
                f"the free pixels, not {self.n_apertures}: take fewer or smaller ones, "
                "or overlap=True (see n_apertures_used)"
            )
            warnings.warn(msg, AstropyUserWarning, stacklevel=3)
        if (self.flux_limits == 0).any():
            msg = "a limit is 0: the image is constant in the apertures"
            warnings.warn(msg, AstropyUserWarning, stacklevel=3)


def _draw(
    places: NDArray[np.int_], n: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw different pixels, and points within them."""
    if n > len(places):
        msg = f"too many apertures: {n} for {len(places)} free pixels"
        raise ValueError(msg)
    chosen = places[rng.choice(len(places), n, replace=False)].astype(float)
    return chosen + rng.uniform(-0.5, 0.5, size=chosen.shape)
