"""The figures: that they are drawn, of what, and whole or not at all."""

import numpy as np
import pytest
from astropy import units as u

pytest.importorskip("matplotlib")

from psfphot.io import Sky
from psfphot.pipeline._sky_maps import SkyMaps
from psfphot.plotting import plot_residual, save_figure


@pytest.fixture
def field():
    rng = np.random.default_rng(0)
    model = np.zeros((150, 300))
    model[100:103, 200:203] = 500
    data = rng.normal(10, 1, model.shape) + model
    data[0, 0] = np.nan
    return data, model, Sky(10.0, 1.0, "known")


def test_image_and_model_share_a_stretch_and_residuals_are_in_sigma(field):
    data, model, sky = field
    figure = plot_residual(data, model, sky, error=np.full(data.shape, 2.0), unit=u.MJy)
    panels = figure.axes[:6]
    titles = ["image without sky", "model of the stars", "residual in sigma"]
    assert [axis.get_title() for axis in panels[:3]] == titles
    assert [axis.get_title() for axis in panels[3:]] == [f"{t}, detail" for t in titles]
    assert {axis.get_xlabel() for axis in panels} == {"x (pixels)"}
    assert [axis.get_ylabel() for axis in panels[::3]] == ["y (pixels)"] * 2
    assert len({id(panels[k].images[0].norm) for k in (0, 1, 3, 4)}) == 1
    for axis in panels[2::3]:
        assert axis.images[0].get_clim() == (-5, 5)
    light, sigma = (axis.get_ylabel() for axis in figure.axes[6:])
    assert "MJy" in light
    assert "error" in sigma
    whole = panels[2].images[0].get_array()
    np.testing.assert_allclose(whole[1:], (data - 10 - model)[1:] / 2)


def test_the_sky_is_taken_off_as_a_map(field):
    data, model, sky = field
    slope = np.linspace(0, 1000, data.shape[1])
    rms = np.full(data.shape, 1.0)
    maps = SkyMaps(
        sky.level, sky.noise, "known", 10 + slope + np.zeros(data.shape), rms
    )
    tilted = plot_residual(data + slope, model, maps).axes[2].images[0].get_array()
    flat = plot_residual(data, model, sky).axes[2].images[0].get_array()
    np.testing.assert_allclose(tilted[1:], flat[1:], atol=1e-9)


def test_masked_pixels_and_the_detail_are_in_the_legend(field):
    data, model, sky = field
    data[3, 4:6] = np.nan
    figure = plot_residual(data, model, sky)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["the detail below", "masked, 3 pixels"]
    for column in (0, 2):
        shown = figure.axes[column].images[0].get_array()
        assert np.argwhere(shown.mask).tolist() == [[0, 0], [3, 4], [3, 5]]
    # The detail is where the light is.
    x_low, x_high = figure.axes[3].get_xlim()
    y_low, y_high = figure.axes[3].get_ylim()
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
