"""Statistics of the pixels in apertures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import stats
from astropy import units as u

from psfphot._deprecated import by_keyword, results_table
from psfphot._meta import table_meta
from psfphot._validate import as_n_threads
from psfphot.aperture._columns import per_aperture
from psfphot.aperture._cutouts import cut_out
from psfphot.aperture._flags import APERTURE_FLAGS, decode_aperture_flags
from psfphot.aperture._pixel import check_method
from psfphot.aperture._scene import as_pixel_aperture, as_scene, footprint_flags
from psfphot.aperture._shapes import ShapeColumns

if TYPE_CHECKING:
    from astropy.table import QTable
    from astropy.units import Quantity
    from numpy.typing import ArrayLike, NDArray

    from psfphot.aperture._cutouts import Cutout
    from psfphot.aperture._pixel import Method

DEFAULT_COLUMNS = (
    "id",
    "x_centroid",
    "y_centroid",
    "sky_centroid",
    "sum",
    "sum_err",
    "sum_aper_area",
    "center_aper_area",
    "min",
    "max",
    "mean",
    "median",
    "mode",
    "std",
    "mad_std",
    "var",
    "biweight_location",
    "biweight_midvariance",
    "fwhm",
    "semimajor_axis",
    "semiminor_axis",
    "orientation",
    "eccentricity",
    "flags",
)


class ApertureStats(ShapeColumns):
    """Statistics of the pixels in circles or annuli.

    Sums weight pixels by their parts in the aperture; all else is of the pixels
    whose centres are inside. Pixels that are not finite are left out.

    Parameters
    ----------
    data : 2D array_like, Quantity or `~astropy.nddata.NDData`
        The image, without background. The mask, uncertainty, unit and WCS of NDData
        are used, in the place of those arguments.
    aperture : aperture
        Circles or annuli, on the image or on the sky.
    error : 2D array_like or Quantity, optional
        The 1-sigma errors of ``data``, the sources' Poisson noise included.
    mask : 2D array_like of bool, optional
        `True` for pixels that do not take part.
    wcs : WCS object, optional
        Anything with astropy's ``pixel_to_world``; apertures on the sky need it.
    sigma_clip : `~astropy.stats.SigmaClip`, optional
        Clips the values of each aperture.
    sum_method : {'exact', 'center', 'subpixel'}, optional
        What part of a pixel counts in sums where the edge cuts it; see
        `CircularAperture.do_photometry`.
    subpixels : int, optional
        The points per pixel and axis of the method 'subpixel'.
    ddof : int, optional
        ``var`` and ``std`` divide by the number of pixels less this.
    local_bkg : float, array_like or Quantity, optional
        What is subtracted from each pixel: one value, or one for each position.
    n_threads : int or None, optional
        How many threads to use for the flags; `None` for all processors.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If shapes or units do not go together, a background is not finite, the method
        is none, or an aperture on the sky has no WCS.

    Notes
    -----
    Each property has one value for each position; a scalar if the position is.
    Where there are no pixels it is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.aperture import ApertureStats, CircularAperture
    >>> y, x = np.mgrid[:40, :40]
    >>> data = np.hypot(x - 10, y - 12)
    >>> statistics = ApertureStats(data, CircularAperture((10, 12), r=2))
    >>> print(statistics.centroid, f"{statistics.median:.4f}")
    [10. 12.] 1.0000
    """

    _old_names = {  # noqa: RUF012  (never changed)
        "covar_sigx2": "covariance_xx",
        "covar_sigxy": "covariance_xy",
        "covar_sigy2": "covariance_yy",
        "cxx": "ellipse_cxx",
        "cxy": "ellipse_cxy",
        "cyy": "ellipse_cyy",
        "data_sumcutout": "data_sum_cutout",
        "error_sumcutout": "error_sum_cutout",
        "get_id": "select_id",
        "get_ids": "select_ids",
        "ids": "id",
        "n_apertures": "n_positions",
        "semimajor_sigma": "semimajor_axis",
        "semiminor_sigma": "semiminor_axis",
        "xcentroid": "x_centroid",
        "ycentroid": "y_centroid",
    }

    def __init__(
        self,
        data: Any,
        aperture: Any,
        *,
        error: ArrayLike | Quantity | None = None,
        mask: ArrayLike | None = None,
        wcs: Any = None,
        sigma_clip: Any = None,
        sum_method: Method = "exact",
        subpixels: int = 5,
        ddof: int = 0,
        local_bkg: ArrayLike | Quantity | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._scene = as_scene(data, error, mask, wcs)
        if sigma_clip is not None and not isinstance(sigma_clip, stats.SigmaClip):
            msg = f"sigma_clip must be an astropy SigmaClip or None, got {sigma_clip!r}"
            raise TypeError(msg)
        check_method(sum_method, "sum_method")
        self.sigma_clip = sigma_clip
        self.sum_method = sum_method
        self.subpixels = subpixels
        self.ddof = ddof
        self.n_threads = as_n_threads(n_threads)
        self._aperture = as_pixel_aperture(aperture, self._scene.wcs)
        self._local_bkg = _as_levels(
            local_bkg, self.n_positions, self._scene.frame.unit
        )
        self._ids = np.arange(1, self.n_positions + 1)
        self.default_columns = [*DEFAULT_COLUMNS]
        self.meta = table_meta()
        self._cache: dict[str, Any] = {}

    def __getitem__(self, index: Any) -> ApertureStats:
        if self.isscalar:
            msg = f"A scalar {type(self).__name__!r} object cannot be indexed"
            raise TypeError(msg)
        chosen = self.copy()
        chosen._aperture = self._aperture[index]
        chosen._local_bkg = np.atleast_1d(self._local_bkg[index])
        chosen._ids = np.atleast_1d(self._ids[index])
        return chosen

    def __len__(self) -> int:
        if self.isscalar:
            raise TypeError(f"A scalar {type(self).__name__!r} object has no len()")
        return self.n_positions

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        kind = type(self)
        length = "" if self.isscalar else f"\nLength: {len(self)}"
        return f"<{kind.__module__}.{kind.__qualname__}>{length}"

    def copy(self) -> ApertureStats:
        """Make a copy; the image is shared."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, _cache={}, meta=dict(self.meta))
        return made

    @property
    def isscalar(self) -> bool:
        """Whether there is one position that is no list."""
        return self._aperture.isscalar

    @property
    def n_positions(self) -> int:
        """Number of positions."""
        return len(np.atleast_2d(self._aperture.positions))

    @per_aperture
    def id(self) -> Any:
        """The positions' numbers, from 1."""
        return self._ids

    def select_id(self, id_num: int) -> ApertureStats:
        """Give the statistics of one id; see `select_ids`."""
        return self[self._indices([id_num])[0]]

    def select_ids(self, id_nums: ArrayLike) -> ApertureStats:
        """Give the statistics of some ids.

        Raises
        ------
        ValueError
            If there is no such id.
        """
        return self[self._indices(id_nums)]

    def _indices(self, ids: Any) -> list[int]:
        known = {number: i for i, number in enumerate(self._ids.tolist())}
        wanted = np.atleast_1d(ids).tolist()
        missing = [number for number in wanted if number not in known]
        if missing:
            raise ValueError(f"no such id: {missing}")
        return [known[number] for number in wanted]

    @by_keyword
    def to_table(self, *, columns: str | list[str] | None = None) -> QTable:
        """Make a table with one row for each position.

        Parameters
        ----------
        columns : str or list of str, optional
            Which properties; `default_columns` by default.

        Raises
        ------
        ValueError
            If there is no such property.
        """
        chosen = self.default_columns if columns is None else np.atleast_1d(columns)
        table = results_table(self.meta)
        known = ["id", *self.properties]
        for name in map(str, chosen):
            current = self._old_names.get(name, name)
            if current not in known:
                raise ValueError(f"columns must be of {known}, got {name!r}")
            values = self.column(current)
            table[current] = [None] * self.n_positions if values is None else values
        return table

    # Of the pixels.

    @property
    def _center(self) -> list[Cutout]:
        """The cutouts of the pixels whose centres are inside."""
        return self._cut("center", 1)

    @property
    def _weighted(self) -> list[Cutout]:
        """The cutouts of the pixels that enter the sums."""
        return self._cut(self.sum_method, self.subpixels)

    def _cut(self, method: Any, subpixels: int) -> list[Cutout]:
        key = f"cutouts by {method}"
        if key not in self._cache:
            self._cache[key] = cut_out(
                self._scene,
                self._aperture,
                (method, subpixels),
                local_bkg=self._local_bkg,
                sigma_clip=self.sigma_clip,
            )
        cutouts: list[Cutout] = self._cache[key]
        return cutouts

    def _with_unit(self, values: Any, power: int = 1) -> Any:
        unit = self._scene.frame.unit
        return values if unit is None else values << unit**power

    def _per_aperture(self, statistic: Any) -> NDArray[np.float64]:
        """Compute a statistic of each aperture's values; NaN of none."""
        return np.array(
            [
                statistic(cutout.used_values) if cutout.used.any() else np.nan
                for cutout in self._center
            ],
            dtype=np.float64,
        )

    @property
    def _n_pixels(self) -> NDArray[np.float64]:
        counts = np.array([cutout.used.sum() for cutout in self._center], dtype=float)
        return np.where(counts > 0, counts, np.nan)

    @per_aperture
    def data_cutout(self) -> Any:
        """The pixels whose centres are inside, as masked arrays; less local_bkg."""
        return _as_objects([cutout.masked(cutout.values) for cutout in self._center])

    @per_aperture
    def data_sum_cutout(self) -> Any:
        """The weighted pixels of the sums, as masked arrays; less ``local_bkg``."""
        return _as_objects([cutout.masked(cutout.values) for cutout in self._weighted])

    @per_aperture
    def error_sum_cutout(self) -> Any:
        """The weighted errors of the pixels of the sums; `None` without ``error``."""
        return _as_objects(
            [
                None if cutout.error is None else cutout.masked(cutout.error)
                for cutout in self._weighted
            ]
        )

    @per_aperture
    def center_aper_area(self) -> Any:
        """The number of pixels whose centres are inside, pix²."""
        return self._n_pixels << u.pix**2

    @per_aperture
    def sum_aper_area(self) -> Any:
        """The area of the pixels of the sums, pix²."""
        areas = [cutout.weights[cutout.used].sum() for cutout in self._weighted]
        return np.where(np.array(areas) > 0, areas, np.nan) << u.pix**2

    @per_aperture
    def sum(self) -> Any:
        """The sums of the weighted values."""
        sums = [
            (cutout.values * cutout.weights)[cutout.used].sum()
            if cutout.used.any()
            else np.nan
            for cutout in self._weighted
        ]
        return self._with_unit(np.array(sums))

    @per_aperture
    def sum_err(self) -> Any:
        """Their errors, √(Σ error² · weight²); NaN without ``error``."""
        errors = [
            np.nan
            if cutout.error is None or not cutout.used.any()
            else np.sqrt(((cutout.error * cutout.weights)[cutout.used] ** 2).sum())
            for cutout in self._weighted
        ]
        return self._with_unit(np.array(errors, dtype=np.float64))

    @per_aperture
    def min(self) -> Any:
        """The smallest values."""
        return self._with_unit(self._per_aperture(np.min))

    @per_aperture
    def max(self) -> Any:
        """The largest values."""
        return self._with_unit(self._per_aperture(np.max))

    @per_aperture
    def mean(self) -> Any:
        """The means."""
        return self._with_unit(self._per_aperture(np.mean))

    @property
    def _mean_err(self) -> NDArray[np.float64]:
        return self._per_aperture(
            lambda values: (
                np.sqrt(values.var(ddof=1) / values.size) if values.size > 1 else np.nan
            )
        )

    @per_aperture
    def mean_err(self) -> Any:
        """The standard errors of the means."""
        return self._with_unit(self._mean_err)

    @per_aperture
    def median(self) -> Any:
        """The medians."""
        return self._with_unit(self._per_aperture(np.median))

    @per_aperture
    def median_err(self) -> Any:
        """The standard errors of the medians of Gaussian noise, √(π/2) mean_err."""
        return self._with_unit(np.sqrt(np.pi / 2) * self._mean_err)

    @per_aperture
    def mode(self) -> Any:
        """The modes, estimated as 3 median - 2 mean."""
        return 3 * self.column("median") - 2 * self.column("mean")

    @property
    def _variance(self) -> NDArray[np.float64]:
        return self._per_aperture(
            lambda values: (
                values.var(ddof=self.ddof) if values.size > self.ddof else np.nan
            )
        )

    @per_aperture
    def var(self) -> Any:
        """The variances."""
        return self._with_unit(self._variance, 2)

    @per_aperture
    def std(self) -> Any:
        """The standard deviations."""
        return self._with_unit(np.sqrt(self._variance))

    @per_aperture
    def mad_std(self) -> Any:
        """Standard deviations from the median absolute deviation, 1.4826 MAD."""
        return self._with_unit(self._per_aperture(stats.mad_std))

    @per_aperture
    def biweight_location(self) -> Any:
        """The biweight locations (c = 6)."""
        return self._with_unit(self._per_aperture(stats.biweight_location))

    @per_aperture
    def biweight_midvariance(self) -> Any:
        """The biweight midvariances (c = 9)."""
        return self._with_unit(self._per_aperture(stats.biweight_midvariance), 2)

    @per_aperture
    def gini(self) -> Any:
        """The Gini coefficients of the absolute values (Lotz et al. 2004, eq. 6)."""
        return self._per_aperture(_gini)

    @per_aperture
    def flags(self) -> Any:
        """The flags; see `decode_aperture_flags`."""
        args = self._scene, self._aperture
        flags = footprint_flags(*args, "center", 1, self.n_threads)
        flags &= ~APERTURE_FLAGS.NON_FINITE_ERROR
        flags |= footprint_flags(*args, self.sum_method, self.subpixels, self.n_threads)
        n_used = np.array([cutout.used.sum() for cutout in self._center])
        n_usable = np.array([cutout.usable.sum() for cutout in self._center])
        any_pixel = np.array([(cutout.weights > 0).any() for cutout in self._center])
        flags[n_used < n_usable] |= APERTURE_FLAGS.SIGMA_CLIPPED
        flags[(n_usable > 0) & (n_used == 0)] |= APERTURE_FLAGS.ALL_CLIPPED
        too_few = (n_used == 1) | ((self.ddof > 0) & (n_used <= self.ddof))
        flags[any_pixel & too_few] |= APERTURE_FLAGS.TOO_FEW_PIXELS
        return flags | self._shape_flags(any_pixel & (n_usable == 0))

    def decode_flags(self, *, return_bit_values: bool = False) -> dict[int, Any]:
        """Tell which flags each position has; see `AperturePhotometry.decode_flags`."""
        decoded = decode_aperture_flags(
            self.column("flags"), return_bit_values=return_bit_values
        )
        return dict(zip(self._ids.tolist(), decoded, strict=True))


def _as_levels(local_bkg: Any, n: int, unit: Any) -> NDArray[np.float64]:
    """Make a background for each position.

    Raises
    ------
    ValueError
        If there are neither one nor ``n``, one is not finite, or the unit is another
        than the image's.
    """
    if local_bkg is None:
        return np.zeros(n)
    own = getattr(local_bkg, "unit", None)
    if own != unit:
        msg = f"local_bkg must have the unit of the data, {unit}, got {own}"
        raise ValueError(msg)
    levels = np.atleast_1d(getattr(local_bkg, "value", local_bkg)).astype(np.float64)
    if levels.shape not in {(1,), (n,)} or not np.isfinite(levels).all():
        msg = f"local_bkg must be one finite value, or one for each of {n} positions"
        raise ValueError(msg)
    return np.broadcast_to(levels, n).copy()


def _as_objects(arrays: list[Any]) -> NDArray[np.object_]:
    objects = np.empty(len(arrays), dtype=object)
    objects[:] = arrays
    return objects


def _gini(values: NDArray[np.float64]) -> float:
    n = values.size
    ranked = np.sort(np.abs(values))
    total = ranked.sum() * (n - 1)
    if total == 0:
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) * ranked).sum() / total)
