"""The figures: that they are drawn, of what, and whole or not at all."""

import numpy as np
import pytest
from astropy import units as u

pytest.importorskip("matplotlib")

from psfphot.io import Sky
from psfphot.plotting import plot_residual, save_figure


@pytest.fixture
def field():
    rng = np.random.default_rng(0)
    model = np.zeros((150, 300))
    model[100:103, 200:203] = 500
    data = rng.normal(10, 1, model.shape) + model
    data[0, 0] = np.nan
    return data, model, Sky(10.0, 1.0, "known")


def test_three_panels_share_one_stretch(field):
    figure = plot_residual(*field, unit=u.MJy)
    panels = figure.axes[:6]
    assert [axis.get_title() for axis in panels[:3]] == ["image", "model", "residual"]
    norms = {id(axis.images[0].norm) for axis in panels}
    assert len(norms) == 1
    assert "MJy" in figure.axes[-1].get_ylabel()
    whole = panels[2].images[0].get_array()
    assert np.ma.median(whole) == pytest.approx(0, abs=0.1)
    assert whole.mask[0, 0]
    # The detail is where the light is.
    x_low, x_high = panels[3].get_xlim()
    y_low, y_high = panels[3].get_ylim()
    assert x_low < 201 < x_high
    assert y_low < 101 < y_high


@pytest.mark.parametrize("shape", [(8, 9), (400, 30), (97, 97)])
def test_any_shape_can_be_drawn(shape, tmp_path):
    data = np.random.default_rng(0).normal(0, 1, shape)
    figure = plot_residual(data, np.zeros(shape), Sky(0.0, 1.0, "known"))
    save_figure(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_figure_that_fails_leaves_nothing(field, tmp_path):
    figure = plot_residual(*field)
    with pytest.raises(ValueError, match="not supported"):
        save_figure(figure, tmp_path / "a.gif5")
    assert list(tmp_path.iterdir()) == []


def test_no_pyplot(field):
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    code = "import sys, psfphot.plotting; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
