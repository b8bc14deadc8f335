"""The picture of a grid of PSFs: what is drawn, and where."""

import subprocess
import sys

import numpy as np
import pytest
from astropy.nddata import NDData
from psf_samples import nddata
from stdpsf_files import write_stdpsf

pytest.importorskip("matplotlib")

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from psfphot.psf import GriddedPSFModel, STDPSFGrid


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.fixture
def model():
    meta = {"instrume": "NIRCam", "detector": ("NRCA1", "its name"), "filter": "F200W"}
    return GriddedPSFModel(nddata(shape=(5, 6), **meta))


def drawn(figure):
    return np.asarray(figure.axes[0].images[0].get_array())


def labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def mean_of(model):
    return model.data.astype(float).mean(axis=0)


class TestImages:
    def test_lie_as_on_the_detector(self, model):
        figure = model.plot_grid()
        axes = figure.axes[0]
        picture = drawn(figure)
        assert picture.shape == (2 * 5, 3 * 6)
        assert axes.images[0].origin == "lower"
        assert axes.images[0].get_extent() == [-0.5, 2.5, -0.5, 1.5]
        for i, (x, y) in enumerate(model.grid_xypos):
            column, row = [0, 20, 50].index(x), [0, 30].index(y)
            part = picture[row * 5 : row * 5 + 5, column * 6 : column * 6 + 6]
            np.testing.assert_array_equal(part, model.data[i])
        assert labels(axes.xaxis) == ["0", "20", "50"]
        assert labels(axes.yaxis) == ["0", "30"]
        assert axes.get_xlabel() == "ePSF location in detector X pixels"
        assert axes.get_title() == "NIRCam NRCA1 F200W ePSFs"
        assert figure.axes[1].get_ylabel() == "ePSF flux per pixel"
        assert figure.axes[1].get_yscale() == "log"

    @pytest.mark.parametrize("scale", [None, 0.1])
    def test_logarithmic_stretch(self, model, scale):
        norm = model.plot_grid(vmax_scale=scale).axes[0].images[0].norm
        vmax = model.data.max() * (scale or 1)
        assert norm.vmax == pytest.approx(vmax)
        assert norm.vmin == pytest.approx(vmax / 1e4)
        # log(a x + 1) / log(a + 1), x from 0 to 1
        x = (0.1 * vmax - norm.vmin) / (vmax - norm.vmin)
        expected = np.log(1e4 * x + 1) / np.log(1e4 + 1)
        assert norm(0.1 * vmax) == pytest.approx(expected)

    def test_deltas(self, model):
        figure = model.plot_grid(deltas=True)
        part = drawn(figure)[5:10, 12:18]
        np.testing.assert_allclose(part, model.data[5] - mean_of(model), atol=1e-15)
        norm = figure.axes[0].images[0].norm
        assert norm.vmax == pytest.approx(0.03 * drawn(figure).max())
        assert norm.vmin == -norm.vmax
        assert norm(norm.vmax / 2) == pytest.approx(0.75)
        title = "NIRCam NRCA1 F200W (ePSFs \N{MINUS SIGN} <ePSF>)"
        assert figure.axes[0].get_title() == title
        label = figure.axes[1].get_ylabel()
        assert label == "Difference relative to average ePSF values"
        assert figure.axes[1].get_yscale() != "log"

    def test_peak_norm(self, model):
        figure = model.plot_grid(peak_norm=True)
        assert drawn(figure).max() == 1
        label = figure.axes[1].get_ylabel()
        assert label == "Scale relative to ePSF peak pixel"
        figure = model.plot_grid(peak_norm=True, deltas=True)
        mean = mean_of(model)
        expected = (model.data[0] - mean) / mean.max()
        np.testing.assert_allclose(drawn(figure)[:5, :6], expected, atol=1e-15)
        label = figure.axes[1].get_ylabel()
        assert label == "Difference relative to average ePSF peak"

    def test_blank_images_are_no_part_of_the_mean(self, model):
        data = model.data.copy()
        data[2] = 0
        blank = GriddedPSFModel(NDData(data, meta=model.meta))
        figure = blank.plot_grid(deltas=True)
        mean = data[[0, 1, 3, 4, 5]].mean(axis=0)
        np.testing.assert_allclose(drawn(figure)[:5, :6], data[0] - mean, atol=1e-15)
        assert (drawn(figure)[:5, 12:] == 0).all()

    def test_nothing_to_see(self, model):
        nothing = GriddedPSFModel(NDData(model.data * 0, meta=model.meta))
        for peak_norm in (False, True):
            assert (drawn(nothing.plot_grid(peak_norm=peak_norm)) == 0).all()
        with pytest.raises(ValueError, match="all PSFs of the grid are zero"):
            nothing.plot_grid(deltas=True)
        alone = GriddedPSFModel(nddata([(3, 4)]))
        figure = alone.plot_grid(deltas=True)
        assert (drawn(figure) == 0).all()
        assert figure.axes[0].get_title().startswith("(ePSFs")


class TestOptions:
    def test_dividers(self, model):
        axes = model.plot_grid(divider_color="red", divider_ls=":").axes[0]
        assert [line.get_xdata()[0] for line in axes.lines[:2]] == [0.5, 1.5]
        assert axes.lines[2].get_ydata()[0] == 0.5
        assert {line.get_color() for line in axes.lines} == {"red"}
        assert {line.get_linestyle() for line in axes.lines} == {":"}
        assert not model.plot_grid(dividers=False).axes[0].lines

    def test_figure_and_colours(self, model):
        figure = model.plot_grid(figsize=(9, 4), cmap="gray")
        assert figure.get_size_inches().tolist() == [9, 4]
        assert figure.axes[0].images[0].get_cmap().name == "gray"
        assert plt.fignum_exists(figure.number)

    def test_into_axes(self, model):
        figure, (left, right) = plt.subplots(1, 2)
        assert model.plot_grid(ax=right) is figure
        assert len(right.images) == 1
        assert not left.images
        # Without pyplot, and with a layout of its own.
        figure = Figure(layout="constrained")
        model.plot_grid(ax=figure.subplots())
        assert type(figure.get_layout_engine()).__name__ == "ConstrainedLayoutEngine"
        parts = figure.subfigures(1, 2)
        assert model.plot_grid(ax=parts[1].subplots()) is parts[1]

    def test_wrong_scales(self, model):
        for wrong in (0, -1, np.nan):
            with pytest.raises(ValueError, match="vmax_scale must be positive"):
                model.plot_grid(vmax_scale=wrong)
        with pytest.raises(TypeError, match="vmax_scale must be a number"):
            model.plot_grid(vmax_scale="1")
        assert not plt.get_fignums()

    def test_leaves_the_model_as_it_was(self, model):
        before = model.data.copy()
        model.plot_grid(deltas=True, peak_norm=True)
        assert np.array_equal(model.data, before)


class TestSTDPSFGrid:
    def test_nircam_has_its_detectors_named(self, tmp_path):
        figure = STDPSFGrid(write_stdpsf(tmp_path, "STDPSF_NRCSW_F200W")).plot_grid()
        axes = figure.axes[0]
        assert figure.get_size_inches().tolist() == [20, 8]
        assert labels(axes.xaxis) == ["0", "511", "1023", "1535", "2047"] * 4
        assert labels(axes.yaxis) == ["0", "511", "1023", "1535", "2047"] * 2
        named = {
            text.get_text(): tuple(np.round(text.get_position(), 2))
            for text in axes.texts
        }
        assert named == {
            "A1": (-0.45, 4.45),
            "A3": (4.55, 4.45),
            "B4": (9.55, 4.45),
            "B2": (14.55, 4.45),
            "A2": (-0.45, 9.45),
            "A4": (4.55, 9.45),
            "B3": (9.55, 9.45),
            "B1": (14.55, 9.45),
        }
        bold = [line for line in axes.lines if line.get_color() == "orange"]
        assert len(bold) == 4
        assert axes.get_title() == "JWST/NIRCam NRCSW F200W ePSFs"

    def test_a_position_on_two_detectors(self, tmp_path):
        grid = STDPSFGrid(write_stdpsf(tmp_path, "STDPSF_ACSWFC_F814W"))
        axes = grid.plot_grid(deltas=True).axes[0]
        assert labels(axes.yaxis)[4:6] == ["2047", "2047"]
        assert not axes.texts


def test_without_matplotlib(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match="plot_grid needs matplotlib: pip install"):
        model.plot_grid()


def test_matplotlib_is_imported_late():
    code = "import sys, psfphot.psf; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
