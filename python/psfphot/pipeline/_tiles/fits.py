"""The fit of all stars of an image that was done tile by tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import QTable

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TiledFit:
    """What a list of stars is told of a fit, as `FitResult` tells it.

    Attributes
    ----------
    rows : `~astropy.table.QTable`
        The fits' table, by increasing id.
    significances : (n,) array
        `FitResult.significance` of each, up to that by which stars are dropped.
    errors : (n,) array
        The sum of the pixels' errors in each star's fit box.
    """

    rows: QTable
    significances: NDArray[np.float64]
    errors: NDArray[np.float64]

    def table(self) -> QTable:
        """Make a table of the rows."""
        return self.rows.copy()

    def fits_flux(self) -> bool:
        """Tell whether fluxes were fitted: those that are fixed have no errors."""
        return bool(np.isfinite(np.asarray(self.rows["flux_err"], dtype=float)).any())

    def significance(self, up_to: float | None) -> NDArray[np.float64]:
        """Tell the significance of each row, which was computed in its tile."""
        del up_to
        return self.significances

    def to_init_params(self, *, remove_invalid: bool, reset_ids: bool) -> QTable:
        """Name the values as starting values, those that are not finite included."""
        del remove_invalid, reset_ids
        starts = QTable({"id": self.rows["id"]})
        for name in ("x", "y", "flux"):
            starts[f"{name}_init"] = np.array(self.rows[f"{name}_fit"], dtype=float)
        return starts

    def as_starts(self) -> QTable:
        """Make all rows the starting values of another fit, backgrounds included."""
        starts = self.to_init_params(remove_invalid=False, reset_ids=False)
        starts["local_bkg"] = np.array(self.rows["local_bkg"], dtype=float)
        return starts

    def own_shape(self) -> list[str]:
        """Tell the shape parameters that each source has its own of: none."""
        return []
