"""Reading a grid: which plane of the file stands at which position."""

import numpy as np
import pytest
from astropy.io import fits

from psfphot.psf import GriddedPSFModel


@pytest.fixture
def old_file(grid_path, tmp_path):
    """The same file under the name of a writer whose header is right."""
    path = tmp_path / "old.fits"
    with fits.open(grid_path) as hdus:
        hdus[0].header["VERSION"] = "1.2.1"
        hdus[0].header["DATE"] = "2023-08-18T00:00:00"
        hdus.writeto(path)
    return path


def test_positions_are_sorted_by_y_then_x(grid_path):
    model = GriddedPSFModel.read(grid_path, grid_order="sorted")
    axis = (0.0, 128.0, 255.0)
    expected = [(x, y) for y in axis for x in axis]
    np.testing.assert_array_equal(model.grid_xypos, expected)
    assert tuple(model.oversampling) == (4, 4)


def test_sorted_planes_stay_in_the_files_order(grid_path, load_golden):
    planes = fits.getdata(grid_path)
    model = GriddedPSFModel.read(grid_path, grid_order="sorted")
    np.testing.assert_array_equal(model.data, planes)


def test_header_order_is_what_photutils_reads(grid_path, load_golden):
    golden = load_golden("grid_read")
    planes = fits.getdata(grid_path)
    model = GriddedPSFModel.read(grid_path, grid_order="header")
    np.testing.assert_array_equal(model.grid_xypos, golden["grid_xypos"])
    np.testing.assert_array_equal(model.data, planes[golden["header_order"]])


def test_header_order_evaluates_as_photutils(grid_path, load_golden):
    golden = load_golden("grid_read")
    expected = golden["header_value"]
    args = (golden["x"], golden["y"], 1000.0, 91.3, 208.8)
    model = GriddedPSFModel.read(grid_path, grid_order="header")
    value = model.evaluate(*args)
    np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12 * expected.max())
    # The transposed grid is another model: 3 % of the peak here.
    other = GriddedPSFModel.read(grid_path, grid_order="sorted").evaluate(*args)
    assert np.abs(other - expected).max() > 0.01 * expected.max()


def test_auto_trusts_the_planes_of_a_new_file(grid_path):
    auto = GriddedPSFModel.read(grid_path)
    expected = GriddedPSFModel.read(grid_path, grid_order="sorted")
    np.testing.assert_array_equal(auto.data, expected.data)
    np.testing.assert_array_equal(auto.grid_xypos, expected.grid_xypos)


def test_auto_trusts_the_header_of_an_old_file(old_file, grid_path):
    auto = GriddedPSFModel.read(old_file, grid_order="auto")
    expected = GriddedPSFModel.read(grid_path, grid_order="header")
    np.testing.assert_array_equal(auto.data, expected.data)
