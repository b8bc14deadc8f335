"""photutils lets a pixel of two boxes count twice, and quotes errors too small."""

import numpy as np
import pytest
from trials import make_scene, pulls_of, width

from psfphot.psf import CircularGaussianPRF, PSFPhotometry

theirs = pytest.importorskip("photutils.psf")

pytestmark = pytest.mark.parity

SIZE = 7
FWHM = 3.0


@pytest.mark.filterwarnings("ignore")
def test_errors_of_a_pair():
    ours = CircularGaussianPRF(fwhm=FWHM)
    scene = make_scene(ours, 20_000, 100, n_side=22, offset=1.5)
    fit = theirs.PSFPhotometry(theirs.CircularGaussianPRF(fwhm=FWHM), SIZE)
    their_pulls, their_errors = pulls_of(fit, scene, 1)
    our_pulls, our_errors = pulls_of(PSFPhotometry(ours, SIZE), scene, 1)
    ratio = np.concatenate(our_errors["flux"]) / np.concatenate(their_errors["flux"])
    # 484 pairs: 4.4 % for a width.
    assert 1.2 < np.median(ratio) < 1.35
    assert 0.87 < width(our_pulls["flux"]) < 1.13
    assert 1.2 < width(their_pulls["flux"]) < 1.5
