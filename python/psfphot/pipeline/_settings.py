"""How to measure: what was asked for, and what it comes to with a PSF."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from psfphot._defaults import (
    ANNULUS,
    GROUPING,
    ITERATIONS,
    SEPARATION,
    SMALLEST_BOX,
    SMALLEST_SHIFT,
    THRESHOLD,
)
from psfphot._validate import (
    as_count,
    as_finite,
    as_n_threads,
    as_pair,
    as_positive,
    is_auto,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Auto = Literal["auto"]
Finder = Literal["matched", "dao", "iraf"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to measure the stars of an image; lengths are in pixels.

    ``"auto"`` is filled in from the PSF's width, and `None` turns off.

    Parameters
    ----------
    finder : {"matched", "dao", "iraf"}, optional
        Who finds the stars: `~psfphot.detection.MatchedFilterFinder`,
        `~psfphot.detection.DAOStarFinder` or `~psfphot.detection.IRAFStarFinder`.
    threshold : float, optional
        Detection threshold: the S/N of a star in the image filtered with the PSF;
        for the two others sigma of a background pixel.
    fwhm : float or "auto", optional
        The finder's FWHM; by default the PSF's.
    min_separation : float or "auto", optional
        A detection has no brighter pixel nearer than this; by default 1 FWHM, 2
        for the others.
    iterations : int or "auto", optional
        Most rounds, the first included: in each the stars that show in what the last
        has left are fitted with all others. By default 5, and 1 where the positions
        are given: of stars that are found beside those there are no rows.
    keep_all : bool, optional
        Whether detections that the fit shows to be no stars stay in the catalogue,
        with the flag ``low_snr``.
    confusion : bool or "auto", optional
        Whether errors hold what the fit did not know: stars too faint or too close to
        be found, and how far the PSF is off; see `~psfphot.psf.PSFPhotometry`. By
        default where there is more than one round.
    extra_columns : bool, optional
        Whether the catalogue tells how crowded, how wide and how well fitted each star
        is: ``crowding``, ``sharpness``, ``chi``, ``n_merged`` and
        ``blend_significance`` of `~psfphot.psf.IterativePSFPhotometry`.
    fit_shape : int, tuple of int or "auto", optional
        Sides (ny, nx), odd, of the box of pixels that each star is fitted in;
        by default 2 FWHM + 1, at least 5.
    aperture_radius : float or "auto", optional
        Radius for the first guess of the flux; by default half of the box.
    group_separation : float, "auto" or `None`, optional
        Stars nearer to each other than this are fitted together; `None` fits
        each alone. By default those whose boxes of 2 sides of the fit box (and a
        pixel) overlap. Groups may have any size.
    local_bkg : tuple of float, "auto" or `None`, optional
        Radii (inner, outer) of the annulus for a local background beyond the map
        of the sky, which is subtracted always; `None`, the default, for none.
        "auto" is 2 and 4 sides of the box.
    max_shift : float, "auto" or `None`, optional
        How far a star may go from where it starts, along x and along y; `None`
        for any distance. By default half of the box.
    forced : bool, optional
        Whether the positions are fixed.
    zero_point : float, optional
        The magnitude of a flux of 1; by default the header is asked.
    robust : bool, float or "auto", optional
        Whether pixels that no star explains lose their weight, see
        `~psfphot.psf.PSFPhotometry`; by default where nothing tells cosmic rays: the
        image has no DQ plane, and they were not looked for.
    gain : float, optional
        Electrons in one unit of the image; by default the header is asked.
    read_noise : float, optional
        Electrons. With a gain the errors of an image without any are those of the
        photons and of the read noise; by default the sky's noise is measured.
    n_threads : int, optional
        Threads to use, all CPUs by default; no result depends on them.

    Raises
    ------
    TypeError, ValueError
        If one is no such thing.
    """

    finder: Finder = "matched"
    threshold: float = THRESHOLD
    fwhm: float | Auto = "auto"
    min_separation: float | Auto = "auto"
    fit_shape: int | tuple[int, int] | Auto = "auto"
    aperture_radius: float | Auto = "auto"
    group_separation: float | Auto | None = "auto"
    local_bkg: tuple[float, float] | Auto | None = None
    max_shift: float | Auto | None = "auto"
    forced: bool = False
    iterations: int | Auto = "auto"
    keep_all: bool = False
    confusion: bool | Auto = "auto"
    extra_columns: bool = False
    zero_point: float | None = None
    robust: bool | float | Auto = "auto"
    gain: float | None = None
    read_noise: float | None = None
    n_threads: int | None = None

    def __post_init__(self) -> None:
        as_positive(self.threshold, "threshold")
        if self.finder not in get_args(Finder):
            words = ", ".join(get_args(Finder))
            raise ValueError(f"finder must be one of {words}, got {self.finder!r}")
        if not (is_auto(self.confusion) or isinstance(self.confusion, bool)):
            msg = f"confusion must be True, False or 'auto', got {self.confusion!r}"
            raise TypeError(msg)
        as_n_threads(self.n_threads)
        if self.zero_point is not None:
            as_finite(self.zero_point, "zero_point")
        if self.gain is not None:
            as_positive(self.gain, "gain")
        if self.read_noise is not None:
            _as_not_negative(self.read_noise, "read_noise")
        if not isinstance(self.robust, bool) and not is_auto(self.robust):
            as_positive(self.robust, "robust")
        checks: dict[str, Callable[[Any, str], object]] = {
            "iterations": partial(as_count, least=1),
            "fwhm": as_positive,
            "min_separation": _as_not_negative,
            "fit_shape": _as_box,
            "aperture_radius": as_positive,
            "group_separation": as_positive,
            "local_bkg": _as_annulus,
            "max_shift": as_positive,
        }
        for name, check in checks.items():
            value = getattr(self, name)
            off = value is None and name in _CAN_BE_OFF
            if not off and not is_auto(value):
                check(value, name)

    def resolve(self, psf_fwhm: float) -> ResolvedSettings:
        """Fill in what is ``"auto"``.

        Parameters
        ----------
        psf_fwhm : float
            The PSF's full width at half maximum in pixels.

        Returns
        -------
        settings : `ResolvedSettings`
        """
        fwhm = psf_fwhm if isinstance(self.fwhm, str) else self.fwhm
        # The core and half as much around it; narrower PSFs still need the pixels.
        default_side = max(SMALLEST_BOX, 2 * round(fwhm) + 1)
        shape = (default_side, default_side)
        if not isinstance(self.fit_shape, str):
            shape = _as_box(self.fit_shape, "fit_shape")
        side = max(shape)
        auto: dict[str, Any] = {
            "min_separation": SEPARATION[self.finder] * fwhm,
            "aperture_radius": side / 2,
            "group_separation": float(GROUPING * side + 1),
            "local_bkg": (ANNULUS[0] * side, ANNULUS[1] * side),
        }
        given = {name: getattr(self, name) for name in auto}
        auto |= {name: value for name, value in given.items() if not is_auto(value)}
        return ResolvedSettings(
            finder=self.finder,
            threshold=self.threshold,
            fwhm=fwhm,
            iterations=None if isinstance(self.iterations, str) else self.iterations,
            keep_all=self.keep_all,
            confusion=None if isinstance(self.confusion, str) else self.confusion,
            extra_columns=self.extra_columns,
            fit_shape=shape,
            group_box=self._group_box(shape),
            max_shift=None if self.forced else self._shift(shape),
            forced=self.forced,
            zero_point=self.zero_point,
            robust=None if isinstance(self.robust, str) else self.robust,
            gain=self.gain,
            read_noise=self.read_noise,
            n_threads=self.n_threads,
            **auto,
        )

    def _group_box(self, shape: tuple[int, int]) -> tuple[int, int] | None:
        if not is_auto(self.group_separation):
            return None
        ny, nx = (GROUPING * side + 1 for side in shape)
        return ny, nx

    def _shift(self, shape: tuple[int, int]) -> tuple[float, float] | None:
        if isinstance(self.max_shift, str):
            y, x = (max((side - 1) / 2, SMALLEST_SHIFT) for side in shape)
            return x, y
        return None if self.max_shift is None else (self.max_shift, self.max_shift)


@dataclass(frozen=True, kw_only=True)
class ResolvedSettings:
    """What an exposure is measured with; lengths are in pixels.

    Attributes
    ----------
    finder : str
        Who finds the stars.
    threshold : float
        Detection threshold in sigma.
    fwhm : float
        The finder's FWHM.
    min_separation : float
        A detection has no brighter pixel nearer than this.
    fit_shape : tuple of int
        Sides (ny, nx) of the box of pixels that each star is fitted in.
    aperture_radius : float
        Radius for the first guess of the flux.
    group_separation : float or `None`
        Stars nearer to each other than this are fitted together; `None` fits
        each alone.
    group_box : tuple of int or `None`
        Stars whose boxes of so many pixels (ny, nx) overlap are fitted together,
        whatever their distance; `None` goes by the distance.
    local_bkg : tuple of float or `None`
        Radii of the annulus for the local background; `None` subtracts the
        sky's level instead.
    max_shift : tuple of float or `None`
        How far (x, y) a star may go from where it starts; `None` for any
        distance.
    forced : bool
        Whether the positions are fixed.
    iterations : int or `None`
        Most rounds; `None` leaves them to what gives the positions, see `rounds`.
    keep_all : bool
        Whether detections that are no stars stay in the catalogue, flagged.
    confusion : bool or `None`
        Whether errors hold what the fit did not know; `None` leaves it to the rounds,
        see `has_confusion`.
    extra_columns : bool
        Whether the catalogue has columns of crowding and shape.
    zero_point : float or `None`
        The magnitude of a flux of 1; `None` asks the header.
    robust : bool, float or `None`
        Whether weights are robust; `None` leaves it to what the image tells.
    gain, read_noise : float or `None`
        Electrons per unit of the image, and electrons; `None` where nobody says.
    n_threads : int or `None`
        Threads to use; `None` takes all CPUs.
    """

    finder: Finder
    threshold: float
    fwhm: float
    min_separation: float
    fit_shape: tuple[int, int]
    aperture_radius: float
    group_separation: float | None
    group_box: tuple[int, int] | None
    local_bkg: tuple[float, float] | None
    max_shift: tuple[float, float] | None
    forced: bool
    iterations: int | None
    keep_all: bool
    confusion: bool | None
    extra_columns: bool
    zero_point: float | None
    robust: bool | float | None
    gain: float | None
    read_noise: float | None
    n_threads: int | None

    def rounds(self, *, are_given: bool) -> int:
        """Tell the most rounds of stars that are found, or given."""
        if self.iterations is not None:
            return self.iterations
        return 1 if are_given else ITERATIONS

    def has_confusion(self, *, are_given: bool) -> bool:
        """Tell whether the errors of stars that are found, or given, hold the rest."""
        if self.confusion is not None:
            return self.confusion
        return self.rounds(are_given=are_given) > 1


def as_settings(settings: Any) -> Settings:
    """Check settings; `None` stands for the defaults.

    Raises
    ------
    TypeError
        If they are none.
    """
    if settings is None:
        return Settings()
    if not isinstance(settings, Settings):
        msg = f"settings must be Settings, got {type(settings).__name__}"
        raise TypeError(msg)
    return settings


#: Settings that `None` turns off.
_CAN_BE_OFF = ("group_separation", "local_bkg", "max_shift")


def _as_not_negative(value: Any, name: str) -> float:
    number = as_finite(value, name)
    if number < 0:
        msg = f"{name} must not be negative, got {value!r}"
        raise ValueError(msg)
    return number


def _as_box(value: Any, name: str) -> tuple[int, int]:
    shape = as_pair(value, name, lower=1)
    if any(side % 2 == 0 for side in shape):
        msg = f"{name} must be odd, got {value!r}"
        raise ValueError(msg)
    return shape


def _as_annulus(value: Any, name: str) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:  # noqa: PLR2004
        msg = f"{name} must be two radii (inner, outer), got {value!r}"
        raise TypeError(msg)
    inner, outer = (as_positive(radius, name) for radius in value)
    if inner >= outer:
        msg = f"{name} must have inner below outer, got {value!r}"
        raise ValueError(msg)
    return inner, outer
