"""What a measurement gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._core import flag_definitions
from psfphot.pipeline._clock import Clock
from psfphot.psf import PSF_FLAGS

if TYPE_CHECKING:
    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.io import FitsImage, Sky, ZeroPoint
    from psfphot.pipeline._confusion import Confusion
    from psfphot.pipeline._exposure import Exposure
    from psfphot.pipeline._passes import Passes
    from psfphot.pipeline._psf_check import PsfCheck
    from psfphot.pipeline._rounds import History
    from psfphot.pipeline._saturated_stars import SaturatedStars
    from psfphot.pipeline._settings import ResolvedSettings
    from psfphot.psf import PSFPhotometry

#: The stars brighter than this share of those without a flag tell the quality.
_BRIGHT_PERCENTILE = 90


@dataclass(eq=False)
class PhotometryRun:
    """The catalogue of an image, and what was found on the way to it.

    `measure` makes it.

    Attributes
    ----------
    exposure : `Exposure`
        The image with its PSF, settings, masks and sky.
    catalog : `~astropy.table.QTable`
        The table of `~psfphot.psf.PSFPhotometry`, with units and, where the
        header tells, RA and Dec, and magnitudes.
    photometry : `~psfphot.psf.PSFPhotometry`
        What fitted the stars.
    zero_point : `~psfphot.io.ZeroPoint`
        What makes magnitudes of the fluxes, or why there are none.
    positions : str or `None`
        What gave the positions; `None` for the finder.
    n_off_image : int
        How many of those are off the image.
    group_separation : float or `None`
        The distance in pixels up to which stars were grouped.
    passes : `Passes` or `None`
        How the stars were found; `None` for those of a catalogue.
    saturated : `SaturatedStars` or `None`
        The stars with full or lost cores; `None` without.
    history : `History` or `None`
        What the rounds after the first have come to; `None` without any.
    confusion : `Confusion` or `None`
        By how much the errors were made larger for what is left; `None` where they
        were not.
    psf_check : `PsfCheck` or `None`
        How the PSF compares with the stars; `None` for those of a catalogue.
    """

    exposure: Exposure
    catalog: QTable
    photometry: PSFPhotometry
    zero_point: ZeroPoint
    positions: str | None = None
    n_off_image: int = 0
    group_separation: float | None = None
    clock: Clock = field(default_factory=Clock, repr=False)
    passes: Passes | None = None
    saturated: SaturatedStars | None = None
    history: History | None = None
    confusion: Confusion | None = None
    psf_check: PsfCheck | None = None

    @property
    def image(self) -> FitsImage:
        """The image that was measured."""
        return self.exposure.image

    @property
    def sky(self) -> Sky:
        """Level and noise of the background."""
        return self.exposure.sky

    @property
    def settings(self) -> ResolvedSettings:
        """What was measured with, in pixels."""
        return self.exposure.settings

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds of wall time of each step that was taken, by its name."""
        return dict(self.clock.seconds)

    @cached_property
    def model(self) -> NDArray[np.float64]:
        """2D array: the fitted stars, without sky; made when first asked for."""
        with self.clock.step("model"):
            model = np.asarray(self.photometry.make_model_image(self.exposure.shape))
        return model if self.saturated is None else model + self.saturated.model

    @property
    def residual(self) -> NDArray[Any]:
        """2D array: the image with its sky, without the fitted stars."""
        residual: NDArray[Any] = self.image.data - self.model
        return residual

    @property
    def group_sizes(self) -> NDArray[np.int64]:
        """The number of stars in each group, in no particular order."""
        return np.unique(np.asarray(self.catalog["group_id"]), return_counts=True)[1]

    @property
    def n_fitted(self) -> int:
        """The number of stars that have a flux with an error."""
        return int(np.count_nonzero(np.isfinite(np.asarray(self.catalog["flux_err"]))))

    @property
    def n_flagged(self) -> int:
        """The number of stars with a flag."""
        return int(np.count_nonzero(np.asarray(self.catalog["flags"])))

    @property
    def flag_counts(self) -> dict[str, int]:
        """The stars of each flag by its name, most first; one may have several."""
        flags = np.asarray(self.catalog["flags"])
        counts = [
            (int(np.count_nonzero(flags & bit)), name)
            for bit, name, _ in flag_definitions()
        ]
        return {name: n for n, name in sorted(counts)[::-1] if n}

    @property
    def bright_qfit(self) -> float | None:
        """How well the PSF fits: median qfit of the brightest tenth of the stars.

        Stars with a flag other than ``neighbour_in_box`` are left out; `None` if
        none is left.
        """
        fluxes, qfit, flags = (
            np.asarray(self.catalog[name]) for name in ("flux_fit", "qfit", "flags")
        )
        good = np.isfinite(fluxes) & np.isfinite(qfit)
        good &= flags & ~PSF_FLAGS.NEIGHBOUR_IN_BOX == 0
        if not good.any():
            return None
        limit = np.percentile(fluxes[good], _BRIGHT_PERCENTILE)
        return float(np.median(qfit[good & (fluxes >= limit)]))

    @property
    def n_saturated(self) -> int:
        """The number of stars with full or lost cores."""
        return 0 if self.saturated is None else len(self.saturated.table)

    @property
    def sky_range(self) -> tuple[float, float]:
        """The lowest and the highest level of the sky where pixels are used."""
        levels = self.exposure.sky.background[~self.exposure.mask]
        return float(levels.min()), float(levels.max())

    def report(self) -> dict[str, Any]:
        """Sum up the run in numbers and words that JSON can hold.

        Returns
        -------
        report : dict
            Positions and lengths in pixels, levels and fluxes in ``unit``.
        """
        image, settings, zero = self.image, self.settings, self.zero_point
        sizes = self.group_sizes
        magnitudes = {
            "system": zero.system,
            "zero_point": zero.value,
            "source": zero.source,
        }
        return {
            "extension": image.name,
            "shape": list(image.shape),
            "unit": None if image.unit is None else image.unit.to_string(),
            "wcs": image.wcs is not None,
            "n_masked": int(np.count_nonzero(self.exposure.mask)),
            "masked_by": self.exposure.masks.counts,
            "errors": self.exposure.error_source,
            "sky": self._report_sky(),
            "psf": self._report_psf(),
            "positions": self.positions or "finder",
            "positions_fixed": settings.forced,
            "n_sources": len(self.catalog),
            "n_off_image": self.n_off_image,
            "n_saturated": self.n_saturated,
            **self._report_finding(),
            **self._report_rounds(),
            "confusion": None if self.confusion is None else self.confusion.summary(),
            "n_fitted": self.n_fitted,
            "n_flagged": self.n_flagged,
            "flags": self.flag_counts,
            "n_groups": len(sizes),
            "largest_group": int(sizes.max()),
            "group_separation": self.group_separation,
            "fit_shape": list(settings.fit_shape),
            "magnitudes": None if zero.value is None else magnitudes,
            "seconds": self.seconds,
        }

    def _report_sky(self) -> dict[str, Any]:
        lowest, highest = self.sky_range
        return {
            "level": self.sky.level,
            "noise": self.sky.noise,
            "lowest": lowest,
            "highest": highest,
            "method": self.sky.method,
        }

    def _report_psf(self) -> dict[str, Any]:
        psf, check = self.exposure.psf, self.psf_check
        return {
            "description": psf.description,
            "fwhm": psf.fwhm,
            "measured": self.exposure.has_measured_psf,
            "mismatch": None if check is None else check.mismatch,
            "stars_fwhm": None if check is None else check.measured_fwhm,
            "suggested": None if check is None or not check.is_off else check.option,
        }

    def _report_finding(self) -> dict[str, Any]:
        """Tell how the stars were found, where no catalogue gave them."""
        if self.passes is None:
            return {"finder": None}
        return {
            "finder": self.settings.finder,
            "threshold": self.settings.threshold,
            "finder_fwhm": self.settings.fwhm,
            "n_bright": self.passes.n_bright,
            "n_trails": 0 if self.passes.trails is None else self.passes.trails.n,
            "n_dropped": sum(self.passes.dropped.values()),
            "dropped": dict(self.passes.dropped),
        }

    def _report_rounds(self) -> dict[str, Any]:
        """Tell what the rounds of finding more stars have come to."""
        history = self.history
        most = self.settings.rounds(are_given=self.positions is not None)
        told: dict[str, Any] = {"iterations": most}
        return told | ({"n_rounds": 1} if history is None else history.summary())
