"""What photutils' builder refuses and warns of, ours does."""

import numpy as np
import pytest
from astropy.stats import SigmaClip
from outcomes import is_error, outcome

from psfphot import psf

theirs = pytest.importorskip("photutils.psf")
pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("photutils_31")]

OPTIONS = [
    {"oversampling": None},
    {"oversampling": 0},
    {"oversampling": 1.5},
    {"oversampling": (2, 3, 4)},
    {"shape": 0},
    {"shape": (10, 11)},
    {"smoothing_kernel": "cubic"},
    {"smoothing_kernel": [[1.0]]},
    {"alias_passband": 1.0},
    {"alias_passband": "all"},
    {"alias_passband": True},
    {"alias_passband": [0.5]},
    {"sigma_clip": 3},
    {"recentering_maxiters": 0},
    {"recentering_maxiters": 1.5},
    {"recentering_boxsize": 4},
    {"recentering_boxsize": 1},
    {"center_accuracy": 0},
    {"center_accuracy": "1"},
    {"center_accuracy": 2.0},
    {"converged_fraction": 0},
    {"converged_fraction": 1.1},
    {"converged_fraction": True},
    {"fitter": 1},
    {"fit_shape": "all"},
    {"fit_shape": 4},
    {"fitter_maxiters": 0},
    {"fitter_maxiters": 1.5},
    {"constrain_fluxes": 1},
    {"maxiters": 0},
    {"maxiters": 2.0},
    {"maxiters": True},
    {"maxiters": 101},
    {"refinement_iters": -1},
    {"refinement_iters": 1.0},
    {"wing_smoothing": "yes"},
]


def answer(function, *args, **options):
    """The kind of the error; or `None`, and the warnings' texts."""
    result, said = outcome(function, *args, **options)
    return (result, []) if is_error(result) else (None, said)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_same_refusals(options):
    assert answer(psf.EPSFBuilder, **options) == answer(theirs.EPSFBuilder, **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sigma_clip": SigmaClip(4)},
        {"smoothing_kernel": np.ones((3, 3)) / 9},
        {"recentering_boxsize": (3, 5)},
    ],
    ids=str,
)
def test_what_photutils_takes_is_taken(options):
    assert answer(psf.EPSFBuilder, **options)[0] is None


@pytest.mark.parametrize("kind", ["empty", "list", "small", "shape", "oversampling"])
def test_same_refusals_of_stars(kind):
    def build(module):
        star = module.EPSFStar(np.ones((2, 9) if kind == "small" else (9, 9)))
        stars = module.EPSFStars([] if kind == "empty" else [star])
        shape = 11 if kind == "shape" else None
        builder = module.EPSFBuilder(shape=shape, progress_bar=False)
        if kind == "oversampling":
            epsf = module.ImagePSF(np.ones((37, 37)), oversampling=2)
            builder.build_epsf(stars, epsf=epsf)
        builder([star] if kind == "list" else stars)

    assert answer(build, psf) == answer(build, theirs)
