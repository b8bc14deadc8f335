"""The background of an image whose sky may be steep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from psfphot import _core
from psfphot._repr import make_repr
from psfphot._validate import as_count, as_n_threads, as_pair, as_positive
from psfphot.background._estimators import (
    MedianBackground,
    as_own_estimator,
    core_estimator,
)
from psfphot.background._maps import BackgroundMaps, as_arrays, as_fill_value

if TYPE_CHECKING:
    from astropy.nddata import NDData
    from astropy.units import Quantity
    from numpy.typing import ArrayLike, NDArray

    from psfphot.background._estimators import BackgroundBase

# A box of so many FWHM holds enough sky between the stars.
BOX_PER_FWHM = 12
SMALLEST_BOX = 16

# The defaults.
SOURCE_THRESHOLD = 4.0
HIGHEST_DEGREE = 5
ROUNDS = 2


class ResidualBackground2D(BackgroundMaps):
    """The background of an image and its noise, from meshes of residuals.

    In a plain mesh (`Background2D`) the gradient within a box counts as noise,
    and the background is flat in the outer half box. Here a polynomial surface is
    fitted robustly to the mesh and subtracted; the mesh of what is left is median
    filtered, continued as a parabola beyond the edges, interpolated by a
    cubic spline and added; and that again. The noise is the median absolute
    deviation in each box of what is left in the end, as a standard deviation.

    The step of digitised values is found, also where a flat field has moved them, and
    values are spread over it, or their clipped standard deviation is taken where
    the noise is smaller than the step: medians of integers are integers. The noise
    holds that of the rounding.

    Parameters
    ----------
    data : 2D array_like, masked array, Quantity or NDData
        The image. Pixels that are not finite or masked (also by the mask of
        NDData) take no part.
    box_size : int or (ny, nx), optional
        About the size of a box, pixels: the boxes are as even as whole pixels
        allow. `None` for 12 ``fwhm``, but at least 16.
    mask : 2D array_like of bool, optional
        `True` for pixels that take no part: sources, bad pixels.
    coverage_mask : 2D array_like of bool, optional
        `True` for pixels without data: they take no part, and the maps have
        ``fill_value`` there. See `psfphot.background.coverage_mask`.
    fill_value : float, optional
        See ``coverage_mask``.
    fwhm : float, optional
        The full width at half maximum of stars, pixels. Sources are then looked
        for, and masked for one mesh more: the pixels where the image, less the
        background so far and in units of the noise, stands out of a Gaussian
        filter of this width by more than ``source_threshold``, and those within
        one FWHM of them. Never more than 90 % of a box are masked so.
    source_threshold : float, optional
        See ``fwhm``; standard deviations of the filtered image.
    highest_degree : int, optional
        The highest degree of the surface, 0 to 5. It is that by which a surface
        through one half of the boxes predicts the other half best.
    rounds : int, optional
        How many meshes of residuals are added.
    bkg_estimator : estimator of this package, optional
        How the level in a box is estimated; by default a `MedianBackground`, with
        a clip at 3 standard deviations.
    n_threads : int or None, optional
        How many threads to use; `None` for all processors. The result does not
        depend on it.

    Raises
    ------
    TypeError
        If an argument is of another kind.
    ValueError
        If shapes do not go together, a number is out of its range, neither
        ``box_size`` nor ``fwhm`` is given, or no pixel can be used.

    Notes
    -----
    Boxes of which less than a tenth can be used get what their neighbours have.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.background import ResidualBackground2D
    >>> sky = np.linspace(100, 3000, 256) + np.zeros((256, 1))
    >>> data = sky + np.random.default_rng(1).normal(0, 5, sky.shape)
    >>> background = ResidualBackground2D(data, 32)
    >>> bool(np.abs(background.background - sky).max() < 2)
    True
    >>> round(float(background.background_rms_median))
    5
    """

    _parameters: ClassVar = (
        "box_size",
        "fill_value",
        "fwhm",
        "source_threshold",
        "highest_degree",
        "rounds",
        "bkg_estimator",
        "n_threads",
    )

    def __init__(
        self,
        data: ArrayLike | Quantity | NDData,
        box_size: int | ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
        coverage_mask: ArrayLike | None = None,
        fill_value: float = 0.0,
        fwhm: float | None = None,
        source_threshold: float = SOURCE_THRESHOLD,
        highest_degree: int = HIGHEST_DEGREE,
        rounds: int = ROUNDS,
        bkg_estimator: BackgroundBase | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._arrays = as_arrays(data, mask, coverage_mask)
        self.fwhm = None if fwhm is None else as_positive(fwhm, "fwhm")
        self.box_size = np.array(_as_box_size(box_size, self.fwhm))
        self.fill_value = fill_value
        as_fill_value(fill_value, self._arrays.frame.unit)
        self.source_threshold = as_positive(source_threshold, "source_threshold")
        self.highest_degree = as_count(highest_degree, "highest_degree")
        self.rounds = as_count(rounds, "rounds")
        self.bkg_estimator = (
            MedianBackground() if bkg_estimator is None else bkg_estimator
        )
        self.n_threads = as_n_threads(n_threads)
        self._measure()

    def __repr__(self) -> str:
        return make_repr(self, self._parameters)

    def _measure(self) -> None:
        known = core_estimator(as_own_estimator(self.bkg_estimator))
        if known is None:
            msg = (
                "bkg_estimator must be an estimator of psfphot.background with a "
                f"sigma clip of its usual functions, got {self.bkg_estimator!r}"
            )
            raise TypeError(msg)
        level, clip = known
        frame = self._arrays.frame
        background, rms, meshes, self._excluded, degree, sources = (
            _core.residual_background(
                frame.data,
                frame.mask,
                {
                    "box_shape": tuple(self.box_size.tolist()),
                    "level": level,
                    "scatter": ("mad_std", []),
                    "clip": clip,
                    "highest_degree": self.highest_degree,
                    "rounds": self.rounds,
                    "fwhm": self.fwhm,
                    "threshold": self.source_threshold,
                },
                n_threads=self.n_threads,
            )
        )
        dtype = self._arrays.dtype
        self._maps = tuple(
            self._finish(image.astype(dtype, copy=False)) for image in (background, rms)
        )
        self._meshes, self._numbers = meshes[:2], meshes[2]
        self._sources = sources
        self._degree = degree
        self._edges = tuple(
            np.arange(n + 1) * size // n
            for n, size in zip(self._numbers.shape, frame.data.shape, strict=True)
        )

    @property
    def background(self) -> NDArray[Any] | Quantity:
        """The background at each pixel, 2D, in the unit of the image."""
        return self._maps[0]

    @property
    def background_rms(self) -> NDArray[Any] | Quantity:
        """The noise (1 sigma) of each pixel, 2D, in the unit of the image."""
        return self._maps[1]

    @property
    def source_mask(self) -> NDArray[np.bool_] | None:
        """Where sources were found, 2D; `None` if they were not looked for."""
        return self._sources

    @property
    def degree(self) -> int:
        """The degree of the surface."""
        return self._degree


def _as_box_size(box_size: Any, fwhm: float | None) -> tuple[int, int]:
    if box_size is not None:
        return as_pair(box_size, "box_size", lower=1)
    if fwhm is None:
        msg = "box_size or fwhm must be given, got None for both"
        raise ValueError(msg)
    return box_of_fwhm(fwhm)


def box_of_fwhm(fwhm: float) -> tuple[int, int]:
    """Tell the size of the boxes that holds enough sky between stars of a width."""
    return as_pair(max(SMALLEST_BOX, round(BOX_PER_FWHM * fwhm)), "box_size", lower=1)
