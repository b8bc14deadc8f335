"""The words and the columns of the table of artificial stars."""

from __future__ import annotations

from enum import StrEnum

import numpy as np


class Reason(StrEnum):
    """What became of an artificial star."""

    RECOVERED = "recovered"
    #: No row is near.
    UNMATCHED = "unmatched"
    #: The row that is near is a real star that was there before.
    CLAIMED = "claimed"
    #: Its flux is too different.
    FLUX = "flux"
    #: It does not pass the user's cuts.
    CUT = "cut"

    @classmethod
    def dtype(cls) -> np.dtype[np.str_]:
        """Return the type of a column of reasons."""
        return np.dtype(f"U{max(len(reason) for reason in cls)}")


#: What each column of ours is, for the table's descriptions; units of the image.
DESCRIPTIONS = {
    "star": "number of the artificial star",
    "batch": "image that it was put into",
    "x_in": "input position, pixels",
    "y_in": "input position, pixels",
    "flux_in": "input flux",
    "mag_in": "input magnitude",
    "weight": "makes the input magnitudes uniform",
    "model_in": "light of the real stars in the pixel",
    "n_near": "real stars within 2 FWHM",
    "recovered": "whether it was recovered",
    "reason": "recovered, unmatched, claimed, flux or cut",
    "claimed_by": "id of the real star that has the row; 0 without",
    "chance": "whether it would be recovered without having been put in",
}
