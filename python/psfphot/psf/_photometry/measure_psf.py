"""The width of a PSF, measured on the bright stars of an image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from psfphot import _core
from psfphot._matched_filter import MatchedFilter
from psfphot._validate import as_frame, as_n_threads, as_positive, as_positive_int
from psfphot.psf._models.convert import to_core
from psfphot.psf._models.gaussian import CircularGaussianPRF
from psfphot.psf._models.moffat import MoffatPRF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from psfphot._validate import Frame

__all__ = ["PSFMeasurement", "measure_psf"]

#: Where the search for the width begins. From guesses of 2.5 to 6 pixels the
#: measured widths of simulated CCD frames agree to 0.001.
_GUESS = 3.0

#: A star's box reaches so many FWHM from it, and no neighbour with more than
#: 2 % of its flux may be within twice as many.
_REACH, _ALONE, _NEIGHBOUR = 4, 8, 0.02

#: Stars are measured down to this S/N of the filtered image.
_BRIGHT = 30.0

#: Fewer stars than this do not tell a width that one can trust.
_LEAST_STARS = 5

#: Below this the pixels are wider than the star: such "stars" are cosmic rays.
_NARROWEST = 1.0

#: The largest exponent of a fit. Where the stars come near, they are Gaussians,
#: of which a Moffat of this exponent would be 2 % too narrow.
_MOST_BETA = 20.0
_GAUSSIAN_BETA = 15.0

#: The mismatch of a bright star's own profile that its errors do not know.
_MISMATCH = 0.02

#: Stars that the width is measured on while it still changes, one at least.
_FEW = 15

#: Pixels are integrated by 4 x 4 nodes: 1e-4 of the peak at a FWHM of 2.
_NODES = 4


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
    """

    model: Any
    fwhm: float
    beta: float
    fwhm_scatter: float
    n_stars: int
    positions: NDArray[np.float64]


class _Profile(NamedTuple):
    """A family of profiles."""

    make: Callable[[NDArray[np.float64]], Any]
    #: Its derivatives by flux, x, y and the shape.
    derivatives: Callable[..., list[Any]]
    #: Shape parameters of a FWHM, and the FWHM of shape parameters.
    start: Callable[[float], list[float]]
    fwhm: Callable[[NDArray[np.float64]], float]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]


def _moffat_fwhm(shape: NDArray[np.float64]) -> float:
    alpha, beta = shape
    return float(2 * alpha * math.sqrt(2 ** (1 / beta) - 1))


def _moffat_start(fwhm: float) -> list[float]:
    beta = 3.0
    return [fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1)), beta]


_PROFILES = {
    "moffat": _Profile(
        lambda s: MoffatPRF(alpha=s[0], beta=s[1]),
        MoffatPRF(n_nodes=_NODES).fit_deriv,
        _moffat_start,
        _moffat_fwhm,
        (0.1, 1.1),
        (200.0, _MOST_BETA),
    ),
    "gaussian": _Profile(
        lambda s: CircularGaussianPRF(fwhm=s[0]),
        CircularGaussianPRF().fit_deriv,
        lambda fwhm: [fwhm],
        lambda s: float(s[0]),
        (0.1,),
        (200.0,),
    ),
}


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
    flat top. Its pixels are weighted by their noise and 2 % of their light, as
    no star has quite the profile, and outliers lose weight (Huber 1964, Ann.
    Math. Statist. 35, 73).

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.datasets import make_noise_image
    >>> from psfphot.psf import MoffatPRF, make_psf_model_image, measure_psf
    >>> psf = MoffatPRF(alpha=3.5, beta=3)
    >>> image, stars = make_psf_model_image((300, 300), psf, 20, flux=(5000, 20000),
    ...     model_shape=(91, 91), min_separation=45, border_size=20)
    >>> image += make_noise_image(image.shape, mean=100, stddev=1)
    >>> measured = measure_psf(image)
    >>> print(f"{psf.fwhm:.2f} {measured.fwhm:.2f}")
    3.57 3.57
    """
    if kind not in _PROFILES:
        raise ValueError(f"kind must be one of {', '.join(_PROFILES)}, got {kind!r}")
    frame = as_frame(data, error, mask)
    width = _GUESS if fwhm is None else as_positive(fwhm, "fwhm")
    n_stars = as_positive_int(n_stars, "n_stars")
    search = _Search(frame, _PROFILES[kind], n_stars, as_n_threads(n_threads))
    measured = search.measure(width)
    if measured.beta > _GAUSSIAN_BETA:
        search = search._replace(profile=_PROFILES["gaussian"])
        measured = search.measure(measured.fwhm)
    return measured


class _Fits(NamedTuple):
    """The stars' own profiles."""

    fwhm: NDArray[np.float64]
    shape: NDArray[np.float64]
    positions: NDArray[np.float64]


class _Search(NamedTuple):
    """Looks for stars of a width and fits each."""

    frame: Frame
    profile: _Profile
    n_stars: int
    n_threads: int | None

    def measure(self, fwhm: float) -> PSFMeasurement:
        """Search and fit until the width stays."""
        few = min(_FEW, self.n_stars)
        for _ in range(8):
            before = fwhm
            fwhm = float(np.median(self.fit(fwhm, few, least=1).fwhm))
            if abs(fwhm / before - 1) < 0.02:  # noqa: PLR2004
                break
        return _summarised(self.fit(fwhm, self.n_stars), self.profile)

    def fit(self, fwhm: float, n_stars: int, least: int = _LEAST_STARS) -> _Fits:
        """Fit the brightest stars that are found at a width."""
        found: list[tuple[float, NDArray[np.float64], tuple[float, float]]] = []
        n_isolated = 0
        for x, y, flux in self._isolated(fwhm):
            n_isolated += 1
            star = self._star(x, y, flux, fwhm)
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
                f"{fwhm:.3g} pixels)"
            )
            raise ValueError(msg)
        widths, shapes, at = zip(*found, strict=True)
        return _Fits(np.array(widths), np.array(shapes), np.array(at))

    def _isolated(self, fwhm: float) -> Iterator[tuple[float, float, float]]:
        """Tell x, y and flux of isolated stars, the brightest first."""
        psf = to_core(CircularGaussianPRF(fwhm=fwhm))
        search = MatchedFilter(psf, n_threads=self.n_threads)
        stars, _ = _core.find_matched_stars(search, *self.frame.arrays, None)
        order = np.argsort(-stars["flux"])
        x, y, flux, snr = (
            stars[name][order] for name in ("x_centroid", "y_centroid", "flux", "snr")
        )
        for k in np.flatnonzero(snr >= _BRIGHT):
            near = np.hypot(x - x[k], y - y[k]) < _ALONE * fwhm
            near[k] = False
            if not np.any(flux[near] > _NEIGHBOUR * flux[k]):
                yield x[k], y[k], flux[k]

    def _star(
        self, x: float, y: float, flux: float, fwhm: float
    ) -> tuple[NDArray[np.float64], tuple[float, float]] | None:
        """Fit one star; `None` where its core is not whole or the fit fails."""
        reach = max(math.ceil(_REACH * fwhm), 4)
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
        core = distance < max(1.5 * fwhm, 1.5)
        is_flat = np.count_nonzero(values[core] == np.max(values[core])) > 2  # noqa: PLR2004
        if not good[core].all() or is_flat:
            return None
        rim = values[good & (distance > 0.75 * reach)]
        if rim.size < 8:  # noqa: PLR2004
            return None
        sky = float(np.median(rim))
        noise = 1.4826 * float(np.median(np.abs(rim - sky)))
        if self.frame.error is not None:
            own = np.asarray(self.frame.error[part], dtype=float)
            good &= np.isfinite(own) & (own > 0)
            noise = own[good]
        pixels = _Pixels(
            np.broadcast_to(columns, values.shape)[good].astype(float),
            np.broadcast_to(rows[:, None], values.shape)[good].astype(float),
            values[good],
            np.hypot(noise, _MISMATCH * np.maximum(values[good] - sky, 0)),
        )
        start = np.array([flux, x, y, *self.profile.start(fwhm), sky])
        fitted = _fit_star(pixels, self.profile, start)
        if fitted is None or math.hypot(fitted[1] - x, fitted[2] - y) > fwhm:
            return None
        return fitted[3:-1], (float(fitted[1]), float(fitted[2]))


class _Pixels(NamedTuple):
    """The pixels that one star is fitted to."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    values: NDArray[np.float64]
    error: NDArray[np.float64]


#: Residuals beyond so many sigma lose weight.
_HUBER = 2.0


@np.errstate(under="ignore")  # far wings are 0 to a float
def _fit_star(
    pixels: _Pixels, profile: _Profile, start: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Fit flux, x, y, shape and sky by Levenberg-Marquardt, outliers weighted down.

    Returns `None` where that does not converge.
    """
    low = np.array([0.0, -np.inf, -np.inf, *profile.lowest, -np.inf])
    high = np.array([np.inf, np.inf, np.inf, *profile.highest, np.inf])
    current, damping = start, 1e-3
    jacobian, residual = _linearised(pixels, profile, current)
    cost = _huber(residual)
    for _ in range(40):
        weight = np.minimum(1, _HUBER / np.maximum(np.abs(residual), 1e-300))
        normal = jacobian.T @ (weight[:, None] * jacobian)
        gradient = jacobian.T @ (weight * residual)
        damped = normal + damping * np.diag(np.diag(normal))
        try:
            step = np.linalg.solve(damped, gradient)
        except np.linalg.LinAlgError:
            return None
        trial = np.clip(current + step, low, high)
        new_jacobian, new_residual = _linearised(pixels, profile, trial)
        new_cost = _huber(new_residual)
        if not new_cost <= cost:
            damping *= 10
            if damping > 1e6:  # noqa: PLR2004
                return None
            continue
        has_converged = cost - new_cost < 1e-4 * cost + 1e-9
        current, jacobian, residual, cost = trial, new_jacobian, new_residual, new_cost
        damping /= 10
        if has_converged:
            return current if np.isfinite(current).all() else None
    return None


def _linearised(
    pixels: _Pixels, profile: _Profile, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the derivatives of the model and the residuals, both over the errors."""
    flux, x, y, *shape, sky = values
    planes = profile.derivatives(pixels.x, pixels.y, flux, x, y, *shape)
    derivatives = np.array([*planes, np.ones_like(pixels.x)])
    # The flux is linear: its derivative is the profile.
    residual = pixels.values - flux * derivatives[0] - sky
    return (derivatives / pixels.error).T, residual / pixels.error


def _huber(residual: NDArray[np.float64]) -> float:
    size = np.abs(residual)
    return float(np.sum(np.where(size < _HUBER, size**2, _HUBER * (2 * size - _HUBER))))


def _summarised(fits: _Fits, profile: _Profile) -> PSFMeasurement:
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
    scatter = 1.4826 * float(np.median(np.abs(fits.fwhm - fwhm)))
    n_stars = len(fits.fwhm)
    return PSFMeasurement(
        profile.make(shape), fwhm, beta, scatter, n_stars, fits.positions
    )
