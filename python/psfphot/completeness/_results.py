"""What a test of artificial stars gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from psfphot._validate import values_of
from psfphot.completeness._curve import CompletenessCurve, fit_completeness
from psfphot.completeness._false import binned_false
from psfphot.completeness._map import CompletenessMap, map_completeness
from psfphot.completeness._statistics import (
    bin_edges,
    binned_completeness,
    binned_pulls,
    binned_residuals,
)
from psfphot.completeness._storage import read_tables, write_tables

if TYPE_CHECKING:
    import os

    from astropy.table import Table
    from matplotlib.figure import Figure

#: Bins with fewer stars calibrate no errors.
_ENOUGH = 20


@dataclass(frozen=True, eq=False)
class ArtificialStarResults:
    """What became of artificial stars, and what that says of a catalogue.

    `ArtificialStarTest` makes it; `read` reads what `write` wrote.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        One row for each artificial star: ``star``, ``batch``, ``x_in`` and ``y_in``
        (pixels), ``flux_in``, ``mag_in``, ``weight`` (makes the input magnitudes
        uniform where a pilot chose them), ``model_in`` (the real stars' light in
        its pixel), ``n_near`` (real stars within 2 FWHM), ``recovered``,
        ``reason``, ``claimed_by``, ``chance``, and every column of the photometry.
        Of stars that nothing was matched to those are NaN, 0, False and empty.
        ``reason`` is ``recovered``, ``unmatched`` (no row is near), ``claimed`` (a
        real star has the row, whose id is ``claimed_by``), ``flux`` (too
        different) or ``cut`` (the row does not pass the cuts).
    noise_table : `~astropy.table.QTable` or `None`
        The rows that pass the cuts of images of the fitted stars and noise;
        ``false`` tells those that are no star. `None` without such images.
    settings : dict
        What was done: numbers and words.
    """

    table: QTable
    noise_table: QTable | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        n = len(self.table)
        found = np.count_nonzero(self.table["recovered"])
        return f"<ArtificialStarResults: {found} of {n} artificial stars recovered>"

    @property
    def zero_point(self) -> float:
        """The magnitude of a flux of 1."""
        return float(self.settings["zero_point"])

    @property
    def chance_rate(self) -> float:
        """The share of stars that would be recovered without having been put in."""
        return float(np.mean(self.table["chance"])) if len(self.table) else np.nan

    def completeness(self, bins: Any = 20, *, by: str = "mag_in") -> QTable:
        """Compute the share of stars recovered in bins.

        Parameters
        ----------
        bins : int or 1D array_like, optional
            How many over the range of the values, or their edges.
        by : str, optional
            The column that is binned: ``mag_in``, or for example ``model_in``.

        Returns
        -------
        table : `~astropy.table.QTable`
            ``low``, ``high``, ``n``, ``n_recovered``, ``completeness`` (weighted)
            and its Wilson interval of 68.3 %, ``lower`` and ``upper``.

        Raises
        ------
        TypeError, ValueError
            If the bins or the column are none.
        """
        return binned_completeness(self.table, bins, by)

    def fit_completeness(self) -> CompletenessCurve:
        """Fit a logistic curve over the input magnitudes, see `fit_completeness`.

        Raises
        ------
        ValueError
            If none fits.
        """
        return fit_completeness(self.table["mag_in"], self.table["recovered"])

    def residuals(self, bins: Any = 20, *, by: str = "mag_in") -> QTable:
        """Compute bias and scatter of the stars recovered, in bins.

        Parameters
        ----------
        bins, by
            As for `completeness`.

        Returns
        -------
        table : `~astropy.table.QTable`
            ``low``, ``high``, ``n_recovered``; ``flux``, the median input flux;
            ``bias``, the median of measured - input, with its error ``bias_err``;
            ``scatter``, half of what holds the middle 68.3 %; the same of x and y;
            and ``completeness``, since all of that is of the stars recovered alone.

        Raises
        ------
        TypeError, ValueError
            If the bins or the column are none.
        """
        return binned_residuals(self.table, bins, by)

    def error_calibration(self, bins: Any = 20, *, by: str = "mag_in") -> QTable:
        """Compare the differences measured - input with the quoted errors, in bins.

        Parameters
        ----------
        bins, by
            As for `completeness`.

        Returns
        -------
        table : `~astropy.table.QTable`
            ``low``, ``high``, ``n``; of the fluxes' pulls (measured - input) / error
            the ``median``, the ``width`` (half of what holds the middle 68.3 %; by
            it errors are to be multiplied), the ``width_95`` (the same of 95 %, over
            1.96) and the share ``beyond_5``; and ``x_width``, ``y_width``.

        Raises
        ------
        TypeError, ValueError
            If the bins or the column are none, or there are no errors.
        """
        return binned_pulls(self.table, bins, by)

    def map(
        self,
        cells: int | tuple[int, int] = 8,
        *,
        mag_range: tuple[float, float] | None = None,
    ) -> CompletenessMap:
        """Compute the completeness in cells of the frame.

        Parameters
        ----------
        cells : int or (ny, nx), optional
            How many.
        mag_range : (float, float), optional
            Count only stars of these magnitudes.

        Returns
        -------
        map : `CompletenessMap`
        """
        return map_completeness(
            self.table, tuple(self.settings["shape"]), cells, mag_range
        )

    def false_rate(self, bins: Any = 20) -> QTable:
        """Compute the share of rows that are no star, in bins of magnitude.

        Parameters
        ----------
        bins : int or 1D array_like, optional
            How many over the range of the input magnitudes, or their edges.

        Returns
        -------
        table : `~astropy.table.QTable`
            ``low``, ``high``, ``n`` rows and ``n_false`` of them of all images of
            noise, ``false_rate`` with its Wilson interval ``lower`` and ``upper``,
            and ``per_image``, the false rows of one image.

        Raises
        ------
        ValueError
            If the test had no images of noise.
        """
        if self.noise_table is None:
            raise ValueError("there were no images of noise: noise_images=0")
        edges = bin_edges(self.table["mag_in"], bins)
        return binned_false(
            self.noise_table, edges, self.zero_point, self.settings["noise_images"]
        )

    def apply(
        self, catalog: Table, *, bins: Any = 12, flux: str = "flux_fit"
    ) -> QTable:
        """Add the completeness and calibrated errors to a catalogue.

        Parameters
        ----------
        catalog : `~astropy.table.Table`
            Of the same photometry; it is not changed.
        bins : int or 1D array_like, optional
            Bins of magnitude in which the errors are calibrated; those of 20 stars
            and more count, and between their centres the width is interpolated.
        flux : str, optional
            Its column of fluxes. ``flux_err`` goes with ``flux_fit``.

        Returns
        -------
        catalog : `~astropy.table.QTable`
            With ``completeness`` (the fitted curve at the measured magnitude; 0
            for fluxes that are not positive), and ``flux_err_calibrated`` where it
            has ``flux_err``.

        Raises
        ------
        ValueError
            If no curve fits, there is no such column, or too few stars were
            recovered.
        """
        if flux not in catalog.colnames:
            msg = f"catalog has no column {flux!r}, got {catalog.colnames}"
            raise ValueError(msg)
        made = QTable(catalog, copy=True)
        values = values_of(catalog[flux])
        magnitude = np.full(len(values), np.inf)
        magnitude[np.isnan(values)] = np.nan
        positive = values > 0
        magnitude[positive] = self.zero_point - 2.5 * np.log10(values[positive])
        made["completeness"] = self.fit_completeness()(magnitude)
        error = flux.replace("_fit", "_err")
        if error in catalog.colnames:
            made[f"{error}_calibrated"] = made[error] * self._widths(magnitude, bins)
        return made

    def _widths(self, magnitude: Any, bins: Any) -> Any:
        """Interpolate the widths of the pulls; the ends are continued."""
        calibration = self.error_calibration(bins)
        good = (calibration["n"] >= _ENOUGH) & np.isfinite(calibration["width"])
        if not good.any():
            msg = f"no bin has the {_ENOUGH} stars that calibrate errors"
            raise ValueError(msg)
        centre = (calibration["low"] + calibration["high"])[good] / 2
        return np.interp(magnitude, centre, calibration["width"][good])

    def plot(self, bins: Any = 20) -> Figure:
        """Draw completeness, residuals, errors and the map; needs matplotlib.

        Parameters
        ----------
        bins : int or 1D array_like, optional
            Bins of magnitude.

        Returns
        -------
        figure : `~matplotlib.figure.Figure`

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        # Here, so that tests without figures need no matplotlib.
        from psfphot.completeness._figures import draw_results  # noqa: PLC0415

        return draw_results(self, bins)

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the tables: exactly, to be read again.

        Parameters
        ----------
        path : path-like
            ``.ecsv``, ``.fits`` or ``.parquet`` (which needs pyarrow and pandas).
            A ``noise_table`` goes into a file beside it, ``NAME_noise.ecsv``.
        overwrite : bool, optional
            Whether files may be replaced.

        Raises
        ------
        ValueError
            If the extension is another.
        OSError
            If a file is there, or cannot be written.
        """
        write_tables(
            path, self.table, self.noise_table, self.settings, overwrite=overwrite
        )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ArtificialStarResults:
        """Read what `write` wrote.

        Raises
        ------
        ValueError
            If it is another table.
        OSError
            If it cannot be read.
        """
        return cls(*read_tables(path))
