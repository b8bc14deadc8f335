"""Optional arguments by position work, and warn where they stand."""

import numpy as np
import pytest

from psfphot._deprecated import by_keyword
from psfphot.aperture import CircularAperture, aperture_photometry
from psfphot.background import LocalBackground, MeanBackground, StdBackgroundRMS
from psfphot.datasets import (
    apply_poisson_noise,
    make_noise_image,
    make_random_models_table,
    make_wcs,
)
from psfphot.psf import SourceGrouper, decode_psf_flags
from psfphot.utils import CutoutImage, circular_footprint, make_random_cmap
from psfphot.utils.exceptions import PhotutilsDeprecationWarning

ONES = np.ones((9, 9))
CIRCLE = CircularAperture((4, 4), r=2)

CALLS = {
    "return_bit_values": lambda: decode_psf_flags(3, True),
    "return_groups_object": lambda: SourceGrouper(3)([1], [1], True),
    "bkg_estimator": lambda: LocalBackground(1, 2, MeanBackground()),
    "sigma_clip": lambda: StdBackgroundRMS(None),
    "axis": lambda: MeanBackground()(ONES, 0),
    "seed": lambda: apply_poisson_noise(ONES, 3),
    "distribution": lambda: make_noise_image((3, 3), "poisson", mean=3),
    "'seed'": lambda: make_random_models_table(3, {"a": (0, 1)}, 5),
    "galactic": lambda: make_wcs((3, 3), True),
    "n_colors": lambda: make_random_cmap(3),
    "dtype": lambda: circular_footprint(2, float),
    "mode": lambda: CutoutImage(ONES, (2, 2), (3, 3), "partial"),
    "error": lambda: aperture_photometry(ONES, CIRCLE, ONES),
    "method": lambda: CIRCLE.to_mask("center"),
    "fill_value": lambda: CIRCLE.to_mask().cutout(ONES, 1.0),
}


@pytest.mark.parametrize("name", CALLS)
def test_arguments_by_position_warn(name):
    if name == "n_colors":
        pytest.importorskip("matplotlib")
    with pytest.warns(PhotutilsDeprecationWarning, match=name) as caught:
        CALLS[name]()
    assert [each.filename for each in caught] == [__file__]


def test_all_arguments_come_through():
    @by_keyword
    def together(a, b=2, c=3, *, d=4):
        return a, b, c, d

    assert together(1, c=5) == (1, 2, 5, 4)
    with pytest.warns(PhotutilsDeprecationWarning, match="'b', 'c'"):
        assert together(1, 5, 6, d=7) == (1, 5, 6, 7)
    with pytest.raises(TypeError, match="multiple values"):
        together(1, a=2)
