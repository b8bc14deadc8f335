"""Readers, the writer and the plot of grids of PSFs against photutils'."""

import gzip
import io
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import NDData
from stdpsf_files import FILES, write_stdpsf

from psfphot import psf

theirs = pytest.importorskip("photutils.psf")
pytestmark = pytest.mark.parity

AXIS = (-0.25, 1 / 3, 2047.5)
SQUARE = [(x, y) for x in AXIS for y in AXIS]
RECTANGLE = [(x, y) for x in AXIS for y in (1.0, 2.0)]


@dataclass
class Grid:
    """A grid, to be made by either package."""

    positions: list
    dtype: str = "f4"

    def make(self, module, **meta):
        rng = np.random.default_rng(3)
        data = rng.normal(size=(len(self.positions), 6, 7)).astype(self.dtype)
        meta |= {"grid_xypos": self.positions, "oversampling": 3}
        return module.GriddedPSFModel(NDData(data, meta=meta))


def assert_same(ours, other):
    np.testing.assert_array_equal(ours.data, other.data)
    np.testing.assert_array_equal(ours.grid_xypos, other.grid_xypos)
    assert ours.grid_xypos.dtype == other.grid_xypos.dtype
    assert tuple(ours.oversampling) == tuple(other.oversampling)
    meta = {k: v for k, v in ours.meta.items() if k != "grid_xypos"}
    their_meta = {k: v for k, v in other.meta.items() if k != "grid_xypos"}
    assert meta == their_meta


@pytest.mark.parametrize("format", [None, "stdpsf"])
@pytest.mark.parametrize("name", FILES)
def test_stdpsf(photutils_31, tmp_path, name, format):  # noqa: A002
    path = write_stdpsf(tmp_path, name)
    n_detectors, *_ = FILES[name]
    for detector_id in [None] if n_detectors == 1 else range(1, n_detectors + 1):
        chosen = {"format": format, "detector_id": detector_id}
        ours = psf.GriddedPSFModel.read(path, **chosen)
        assert_same(ours, theirs.GriddedPSFModel.read(path, **chosen))
        assert_same(
            psf.GriddedPSFModel.read(filename=path, **chosen | {"format": "stdpsf"}),
            theirs.GriddedPSFModel.read(filename=path, **chosen | {"format": "stdpsf"}),
        )


@pytest.mark.parametrize("name", FILES)
def test_stdpsf_grid(photutils_31, tmp_path, name):
    path = write_stdpsf(tmp_path, name)
    ours, other = psf.STDPSFGrid(path), theirs.STDPSFGrid(path)
    np.testing.assert_array_equal(ours.data, other.data)
    np.testing.assert_array_equal(ours.grid_xypos, other.grid_xypos)
    assert ours.grid_shape == other.grid_shape
    assert tuple(ours.oversampling) == tuple(other.oversampling)
    assert ours.meta == other.meta
    assert repr(ours).split("\n")[1:] == repr(other).split("\n")[1:]


def test_stdpsf_compressed_and_open(photutils_31, tmp_path):
    path = write_stdpsf(tmp_path, "STDPSF_NRCSW_F200W")
    zipped = tmp_path / f"{path.name}.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    chosen = {"format": "stdpsf", "detector_id": 5}
    ours = psf.GriddedPSFModel.read(zipped, **chosen)
    assert_same(ours, theirs.GriddedPSFModel.read(zipped, **chosen))
    with path.open("rb") as file, path.open("rb") as their_file:
        assert_same(
            psf.GriddedPSFModel.read(file, detector_id=5),
            theirs.GriddedPSFModel.read(their_file, detector_id=5),
        )


def test_wrong_detectors_are_wrong_there_too(tmp_path):
    path = write_stdpsf(tmp_path, "STDPSF_WFPC2_F814W")
    for detector_id in (None, 0, 5):
        for module in (psf, theirs):
            with pytest.raises(ValueError, match="detector_id must be"):
                module.GriddedPSFModel.read(path, detector_id=detector_id)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("positions", [SQUARE, RECTANGLE], ids=["square", "rectangle"])
def test_what_is_written(photutils_version, tmp_path, positions, dtype):
    if photutils_version < (3, 1) and positions is RECTANGLE:
        pytest.skip("photutils 3.0 exchanges x and y")
    model = Grid(positions, dtype).make(psf, detector="NRCA1")
    path = tmp_path / "grid.fits"
    model.write(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = theirs.GriddedPSFModel.read(path)
    assert other.data.dtype.newbyteorder("=") == model.data.dtype
    np.testing.assert_array_equal(other.data, model.data)
    np.testing.assert_array_equal(other.grid_xypos, model.grid_xypos)
    assert tuple(other.oversampling) == (3, 3)
    assert other.meta["detector"] == "NRCA1"


def test_a_real_size_grid(photutils_31, nircam_grid, tmp_path):
    ours = psf.GriddedPSFModel.read(nircam_grid, grid_order="header")
    other = theirs.GriddedPSFModel.read(nircam_grid)
    ours.meta.pop("grid_order")
    assert_same(ours, other)
    by_auto = psf.GriddedPSFModel.read(nircam_grid)
    assert by_auto.meta["grid_order"] == "sorted"
    np.testing.assert_array_equal(by_auto.data, fits.getdata(nircam_grid))
    by_auto.write(tmp_path / "grid.fits.gz")
    other = theirs.GriddedPSFModel.read(tmp_path / "grid.fits.gz", format="webbpsf")
    np.testing.assert_array_equal(other.data, by_auto.data)
    np.testing.assert_array_equal(other.grid_xypos, by_auto.grid_xypos)


def pixels(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba", dpi=50)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)


PLOTS = [
    {},
    {"deltas": True},
    {"peak_norm": True, "vmax_scale": 0.1, "figsize": (9, 9)},
    {"deltas": True, "peak_norm": True, "vmax_scale": 0.5, "cmap": "gray"},
    {"dividers": False},
    {"divider_color": "red", "divider_ls": ":"},
]


@pytest.mark.parametrize("options", PLOTS, ids=str)
def test_the_plots_are_the_same_pixel_for_pixel(photutils_31, tmp_path, options):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    path = write_stdpsf(tmp_path, "STDPSF_NRCSW_F200W")
    meta = {"instrume": ("NIRCam", "name"), "detector": "NRCA1", "filter": "F200W"}
    for make in (
        lambda module: Grid(RECTANGLE).make(module, **meta),
        lambda module: module.STDPSFGrid(path),
    ):
        ours, other = (make(m).plot_grid(**options) for m in (psf, theirs))
        np.testing.assert_array_equal(pixels(ours), pixels(other))
        plt.close("all")
