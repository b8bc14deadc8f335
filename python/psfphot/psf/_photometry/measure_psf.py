"""The width of a PSF, measured on the bright stars of an image."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from psfphot import _core
from psfphot._matched_filter import MatchedFilter
from psfphot._robust import robust_sigma
from psfphot._validate import as_frame, as_n_threads, as_positive, as_positive_int
from psfphot.psf._models.convert import to_core
from psfphot.psf._models.gaussian import CircularGaussianPRF
from psfphot.psf._photometry.profile_fit import PROFILES, Pixels, Profile, fit_star

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from psfphot._validate import Frame

__all__ = ["PSFMeasurement", "measure_psf"]

#: Where the search for the width begins. From guesses of 2.5 to 6 pixels the
#: measured widths of simulated CCD frames agree to 0.001.
_GUESS = 3.0

#: Stars are measured down to this S/N of the filtered image.
_BRIGHT = 30.0

#: Fewer stars than this do not tell a width that one can trust.
_LEAST_STARS = 5

#: Below this the pixels are wider than the star: such "stars" are cosmic rays.
_NARROWEST = 1.0

#: Where the exponents come near the largest one of a fit, 20, the stars are
#: Gaussians, of which a Moffat of that exponent would be 2 % too narrow.
_GAUSSIAN_BETA = 15.0

#: The mismatch of a bright star's own profile that its errors do not know.
_MISMATCH = 0.02

#: Stars that the width is measured on while it still changes, one at least.
_FEW = 15

#: A star's neighbours are fitted with it within so many FWHM, up to so many of them,
#: the brightest, and none with less than 1 % of its flux.
_FITTED_WITHIN, _MOST_FITTED, _LEAST_FITTED = 6, 12, 0.01

#: Where stars have neighbours their own widths scatter by less than this part of
#: the median, or they are no stars.
_LARGEST_SCATTER = 0.25


class _Stage(NamedTuple):
    """Which stars are used."""

    #: No neighbour with more than this part of a star's flux is within so many FWHM.
    neighbour: float
    alone: float
    #: The pixels fitted reach so many FWHM: a box, or a disc among neighbours.
    reach: float
    #: Whether neighbours are fitted along.
    fits_neighbours: bool
    #: The most stars to measure: with neighbours each takes longer.
    most: int
    name: str


#: Each is tried where the one before leaves too few stars.
_STAGES = (
    _Stage(0.02, 8, 4, False, 10_000, "isolated"),
    _Stage(0.1, 4, 3, True, 30, "neighbours below 10 % within 4 FWHM, fitted along"),
    _Stage(
        0.5, 2.5, 3, True, 30, "neighbours below 50 % within 2.5 FWHM, fitted along"
    ),
)


class PSFMeasurement(NamedTuple):
    """The width of the PSF of an image.

    Attributes
    ----------
    model : `MoffatPRF` or `CircularGaussianPRF`
        The PSF, of flux 1, integrated over the pixels.
    fwhm : float
        The full width at half maximum of the profile before it is integrated,
        pixels.
    beta : float
        The exponent of the Moffat; NaN for a Gaussian.
    fwhm_scatter : float
        The robust standard deviation of the stars' own widths, pixels.
    n_stars : int
        How many stars were measured.
    positions : (n_stars, 2) ndarray
        Their x and y, pixels.
    selection : str
        Which stars were taken: "isolated" ones, or, in a crowd, what neighbours
        they may have.
    """

    model: Any
    fwhm: float
    beta: float
    fwhm_scatter: float
    n_stars: int
    positions: NDArray[np.float64]
    selection: str


def measure_psf(
    data: Any,
    kind: Literal["moffat", "gaussian"] = "moffat",
    *,
    fwhm: float | None = None,
    error: Any = None,
    mask: Any = None,
    n_stars: int = 60,
    n_threads: int | None = None,
) -> PSFMeasurement:
    """Measure the width of the stars of an image.

    A profile with a sky of its own is fitted to each of the brightest isolated
    stars, and the medians are taken; with the new width the stars are found
    again, until it changes by less than 2 %.

    Parameters
    ----------
    data : (ny, nx) array_like
        The image. The sky need not be subtracted.
    kind : {"moffat", "gaussian"}, optional
        The profile: a Moffat function or a circular Gaussian, each integrated
        over the pixels. Stars that are no Moffats but Gaussians (an exponent
        above 15) are measured as such.
    fwhm : float, optional
        A guess of the full width at half maximum, pixels; twice or half of
        the true one will do.
    error : (ny, nx) array_like, optional
        1-sigma errors, in the unit of the data.
    mask : (ny, nx) bool array, optional
        `True` where a pixel is to be ignored: saturated ones must be.
    n_stars : int, optional
        The most stars to measure.
    n_threads : int, optional
        Number of threads; `None` means all CPUs that this process may use.

    Returns
    -------
    PSFMeasurement
        The model, its width, and the stars that it was measured on.

    Raises
    ------
    TypeError
        If an argument is not of its type.
    ValueError
        If an argument is out of its range; if fewer than 5 stars can be used;
        or if they are narrower than a pixel.

    Notes
    -----
    A star is used if its S/N is 30 or more, no star with more than 2 % of its
    flux is within 8 FWHM, and no pixel within 1.5 FWHM is masked or one of a
    flat top. Where fewer than 5 are left, neighbours of up to 10 % within 4 FWHM,
    then of up to 50 % within 2.5 FWHM, are allowed and fitted along with the
    star; the stars' widths must then agree to 25 %. Pixels are weighted by their
    noise and 2 % of their light, as no star has quite the profile, and outliers
    lose weight (Huber 1964, Ann. Math. Statist. 35, 73).

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.datasets import make_noise_image
    >>> from psfphot.psf import MoffatPRF, make_psf_model_image, measure_psf
    >>> psf = MoffatPRF(alpha=3.5, beta=3)
    >>> image, stars = make_psf_model_image((300, 300), psf, 20, flux=(5000, 20000),
    ...     model_shape=(91, 91), min_separation=45, border_size=20)
    >>> image += make_noise_image(image.shape, mean=100, stddev=1, seed=1)
    >>> measured = measure_psf(image)
    >>> print(f"{psf.fwhm:.2f} {measured.fwhm:.2f}")
    3.57 3.57
    """
    if kind not in PROFILES:
        raise ValueError(f"kind must be one of {', '.join(PROFILES)}, got {kind!r}")
    frame = as_frame(data, error, mask)
    width = _GUESS if fwhm is None else as_positive(fwhm, "fwhm")
    n_stars = as_positive_int(n_stars, "n_stars")
    profile, n_threads = PROFILES[kind], as_n_threads(n_threads)
    for stage in _STAGES[:-1]:
        with contextlib.suppress(_TooFewStarsError):
            return _Search(frame, profile, n_stars, n_threads, stage).measure(width)
    return _Search(frame, profile, n_stars, n_threads, _STAGES[-1]).measure(width)


class _TooFewStarsError(ValueError):
    """Another selection of stars may have more."""


class _Fits(NamedTuple):
    """The stars' own profiles."""

    fwhm: NDArray[np.float64]
    shape: NDArray[np.float64]
    positions: NDArray[np.float64]


class _Candidate(NamedTuple):
    """A star to be fitted."""

    x: float
    y: float
    flux: float
    #: Flux, x and y of those fitted along, (n, 3).
    neighbours: NDArray[np.float64]


class _Search(NamedTuple):
    """Looks for stars of a width and fits each."""

    frame: Frame
    profile: Profile
    n_stars: int
    n_threads: int | None
    stage: _Stage

    def measure(self, fwhm: float) -> PSFMeasurement:
        """Search and fit until the width stays; Gaussians are fitted as such."""
        measured = self._measure(fwhm)
        if measured.beta > _GAUSSIAN_BETA:
            search = self._replace(profile=PROFILES["gaussian"])
            measured = search._measure(measured.fwhm)
        return measured

    def _measure(self, fwhm: float) -> PSFMeasurement:
        most = min(self.n_stars, self.stage.most)
        few = min(_FEW, most)
        for _ in range(8):
            before = fwhm
            fwhm = float(np.median(self.fit(fwhm, few, least=1).fwhm))
            if abs(fwhm / before - 1) < 0.02:  # noqa: PLR2004
                break
        return _summarised(self.fit(fwhm, most), self.profile, self.stage)

    def fit(self, fwhm: float, n_stars: int, least: int = _LEAST_STARS) -> _Fits:
        """Fit the brightest stars that are found at a width."""
        found: list[tuple[float, NDArray[np.float64], tuple[float, float]]] = []
        n_isolated = 0
        for candidate in self._isolated(fwhm):
            n_isolated += 1
            star = self._star(candidate, fwhm)
            if star is not None:
                shape, at = star
                found.append((self.profile.fwhm(shape), shape, at))
            if len(found) == n_stars:
                break
        if len(found) < least:
            msg = (
                f"data must have {_LEAST_STARS} or more bright, isolated, unsaturated "
                f"stars to measure the PSF's width, got {len(found)} of {n_isolated} "
                f"isolated ones above {_BRIGHT:g} sigma (looked for at a FWHM of "
                f"{fwhm:.3g} pixels; {self.stage.name})"
            )
            raise _TooFewStarsError(msg)
        widths, shapes, at = zip(*found, strict=True)
        return _Fits(np.array(widths), np.array(shapes), np.array(at))

    def _isolated(self, fwhm: float) -> Iterator[_Candidate]:
        """Tell the stars whose neighbours allow it, the brightest first."""
        psf = to_core(CircularGaussianPRF(fwhm=fwhm))
        search = MatchedFilter(psf, n_threads=self.n_threads)
        stars, _ = _core.find_matched_stars(search, *self.frame.arrays, None)
        order = np.argsort(-stars["flux"])
        x, y, flux, snr = (
            stars[name][order] for name in ("x_centroid", "y_centroid", "flux", "snr")
        )
        for k in np.flatnonzero(snr >= _BRIGHT):
            distance = np.hypot(x - x[k], y - y[k])
            distance[k] = np.inf
            near = distance < self.stage.alone * fwhm
            if np.any(flux[near] > self.stage.neighbour * flux[k]):
                continue
            fitted = np.zeros(0, dtype=int)
            if self.stage.fits_neighbours:
                is_fitted = distance < _FITTED_WITHIN * fwhm
                is_fitted &= flux > _LEAST_FITTED * flux[k]
                fitted = np.flatnonzero(is_fitted)[:_MOST_FITTED]
            neighbours = np.column_stack([flux, x, y])[fitted]
            yield _Candidate(x[k], y[k], flux[k], neighbours)

    def _star(
        self, candidate: _Candidate, fwhm: float
    ) -> tuple[NDArray[np.float64], tuple[float, float]] | None:
        """Fit one star; `None` where its core is not whole or the fit fails."""
        x, y, flux, neighbours = candidate
        reach = max(math.ceil(self.stage.reach * fwhm), 4)
        i, j = round(x), round(y)
        ny, nx = self.frame.data.shape
        rows = np.arange(max(j - reach, 0), min(j + reach + 1, ny))
        columns = np.arange(max(i - reach, 0), min(i + reach + 1, nx))
        part = np.ix_(rows, columns)
        values = np.asarray(self.frame.data[part], dtype=float)
        good = np.isfinite(values)
        if self.frame.mask is not None:
            good &= ~self.frame.mask[part]
        distance = np.hypot(columns - x, rows[:, None] - y)
        if self.stage.fits_neighbours:
            good &= distance < reach + 0.5
        core = distance < max(1.5 * fwhm, 1.5)
        is_flat = np.count_nonzero(values[core] == np.max(values[core])) > 2  # noqa: PLR2004
        if not good[core].all() or is_flat:
            return None
        rim = values[good & (distance > 0.75 * reach)]
        if rim.size < 8:  # noqa: PLR2004
            return None
        sky = float(np.median(rim))
        noise = robust_sigma(rim, sky)
        if self.frame.error is not None:
            own = np.asarray(self.frame.error[part], dtype=float)
            good &= np.isfinite(own) & (own > 0)
            noise = own[good]
        pixels = Pixels(
            np.broadcast_to(columns, values.shape)[good].astype(float),
            np.broadcast_to(rows[:, None], values.shape)[good].astype(float),
            values[good],
            np.hypot(noise, _MISMATCH * np.maximum(values[good] - sky, 0)),
        )
        start = np.array([flux, x, y, *self.profile.start(fwhm), sky])
        fitted = fit_star(pixels, self.profile, start, neighbours)
        if fitted is None or math.hypot(fitted[1] - x, fitted[2] - y) > fwhm:
            return None
        return fitted[3:-1], (float(fitted[1]), float(fitted[2]))


def _summarised(fits: _Fits, profile: Profile, stage: _Stage) -> PSFMeasurement:
    """Take the medians, and refuse what is no star."""
    fwhm = float(np.median(fits.fwhm))
    if fwhm < _NARROWEST:
        msg = (
            f"data must have stars with a FWHM of {_NARROWEST:g} pixel or more, got "
            f"{fwhm:.2f} from {len(fits.fwhm)} sources: cosmic rays, or a PSF that is "
            "no such profile"
        )
        raise ValueError(msg)
    shape = np.median(fits.shape, axis=0)
    beta = math.nan
    if len(shape) > 1:
        # Of one FWHM and one exponent: their medians, which are less
        # correlated than those of alpha and beta.
        beta = float(shape[1])
        shape[0] = fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1))
    scatter = robust_sigma(fits.fwhm, fwhm)
    n_stars = len(fits.fwhm)
    if stage.fits_neighbours and scatter > _LARGEST_SCATTER * fwhm:
        msg = (
            f"data must have {_LEAST_STARS} or more bright stars of one width, got "
            f"{n_stars} of {fwhm:.2f} +- {scatter:.2f} pixels ({stage.name})"
        )
        raise _TooFewStarsError(msg)
    return PSFMeasurement(
        profile.make(shape), fwhm, beta, scatter, n_stars, fits.positions, stage.name
    )
