"""What a finder shows of itself: text, kernel, effective threshold."""

import numpy as np
from astropy import units as u

from psfphot.detection import DAOStarFinder, IRAFStarFinder, StarFinder


def test_finders_show_themselves_line_by_line():
    finder = DAOStarFinder(5.0, 3.0, xycoords=[(1, 2)])
    lines = str(finder).split("\n")
    assert lines[0].endswith("DAOStarFinder>")
    assert lines[1:3] == ["threshold: 5.0", "fwhm: 3.0"]
    assert "n_threads" not in str(finder)
    assert "min_separation: 7.5" in str(IRAFStarFinder(5.0, 3.0))
    assert "kernel: <array; shape=(3, 3)>" in str(StarFinder(5.0, np.ones((3, 3))))


def test_the_kernel_of_a_finder_is_what_it_convolves_with():
    finder = DAOStarFinder(5.0, 3.0, ratio=0.7, theta=20.0, sigma_radius=2.0)
    kernel = finder.kernel
    assert kernel.shape == kernel.data.shape == kernel.mask.shape
    assert kernel.shape == (2 * kernel.y_radius + 1, 2 * kernel.x_radius + 1)
    assert kernel.n_pixels == kernel.mask.sum()
    assert (kernel.data[kernel.mask == 0] == 0).all()
    np.testing.assert_allclose(kernel.data.sum(), 0, atol=1e-12)
    # The noise of a sum of independent pixels.
    np.testing.assert_allclose(kernel.rel_err, np.sqrt((kernel.data**2).sum()))
    assert finder.threshold_eff == 5.0 * kernel.rel_err
    assert DAOStarFinder(5.0, 3.0, scale_threshold=False).threshold_eff == 5.0
    scaled = DAOStarFinder(5.0 * u.Jy, 3.0).threshold_eff
    assert scaled.unit == u.Jy
    assert IRAFStarFinder(5.0, 3.0).kernel.shape == (5, 5)
    assert "fwhm=3.0, ratio=0.7" in repr(kernel)
