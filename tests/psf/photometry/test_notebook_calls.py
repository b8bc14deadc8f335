"""A photutils notebook runs after changing its import lines, old names included."""

import numpy as np
import pytest
from notebook_runner import GRID, SCRIPT, run_script

from psfphot.datasets import make_nircam_psf_grid
from psfphot.matching import match_positions
from psfphot.utils.exceptions import DataErrorWarning, PhotutilsDeprecationWarning


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("notebook")
    make_nircam_psf_grid(16, fov_pixels=101).write(directory / GRID)
    return run_script(directory, "psfphot", "psfphot.matching")


def lines_with(text):
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    return [number for number, line in enumerate(lines, start=1) if text in line]


def test_old_names_and_errors_of_data_warn_where_they_stand(run):
    old = ("xcentroid", "ycentroid", "ncolors")
    expected = sorted((line, name) for name in old for line in lines_with(name))
    assert len(expected) == 3
    # Of its errors each of the three fits warns where it stands.
    told = [w for w in run.warnings if w.category is DataErrorWarning]
    assert [w.lineno for w in told] == lines_with("error=error")
    others = [w for w in run.warnings if w not in told]
    assert len(others) == len(expected)
    for warning, (line, name) in zip(others, expected, strict=True):
        assert warning.category is PhotutilsDeprecationWarning
        assert (warning.filename, warning.lineno) == (str(SCRIPT), line)
        assert name in str(warning.message)


def test_the_grid(run):
    assert run.psf_model.data.shape == (16, 404, 404)
    np.testing.assert_array_equal(run.psf_model.oversampling, [4, 4])
    assert run.psf_model.meta["grid_order"] in {"header", "sorted"}
    assert "GriddedPSFModel" in run.shown_model
    for figure in (run.grid_figure, run.deltas_figure):
        np.testing.assert_array_equal(figure.get_size_inches(), [9, 9])
        assert len(figure.axes[0].images) == 1


def test_the_image(run):
    assert run.params.colnames == ["id", "x_0", "y_0", "flux"]
    assert len(run.params) == 500
    assert run.data.shape == run.error.shape == (2048, 2048)
    distances = np.hypot(
        *(run.params[n][:, None] - run.params[n] for n in ("x_0", "y_0"))
    )
    assert distances[np.triu_indices(500, 1)].min() >= 25


def test_the_stars(run):
    pairs = match_positions(run.params, run.stars, radius=1)
    assert len(pairs[0]) == 500
    # Knots in the diffraction pattern of the brightest may pass the finder.
    assert 500 <= len(run.stars) <= 505
    assert len(run.first_stars) == 5
    assert len(run.star_patches) == len(run.stars)
    centres = [patch.center for patch in run.star_patches]
    np.testing.assert_array_equal(centres, np.transpose([run.x, run.y]))
    np.testing.assert_allclose(run.star_patches[0].get_edgecolor(), (1, 0, 0, 1))


def test_the_fit(run):
    assert len(run.phot) == len(run.stars)
    assert "group_size" in run.shown_phot
    assert not run.phot["flags"].any()
    # The notebook's errors are those of photons; its image has only noise of 0.5.
    assert np.median(run.phot["reduced_chi2"]) < 0.1
    assert np.std(run.resid) == pytest.approx(0.5, rel=0.01)
    np.testing.assert_allclose(run.model + run.resid, run.data, atol=1e-12)


def test_the_comparison(run):
    assert len(run.ref_idx) == len(run.fit_idx) == 500
    assert len(set(run.ref_idx)) == 500
    distance = np.hypot(
        run.fitted["x_fit"] - run.true["x_0"], run.fitted["y_fit"] - run.true["y_0"]
    )
    assert distance.max() < 0.1
    assert abs(np.median(run.percent)) < 0.1
    assert np.abs(run.percent).max() < 5


def test_the_groups(run):
    np.testing.assert_array_equal(run.group_ids, run.grouped["group_id"])
    assert run.cmap.colors.shape == (500, 4)
    sizes = np.bincount(run.group_ids)[run.group_ids]
    np.testing.assert_array_equal(run.group_columns[1], sizes)
    assert len(run.group_axes.patches) == len(run.stars)
    assert np.std(run.grouped_resid) == pytest.approx(0.5, rel=0.01)


def test_one_star(run):
    nearest = np.hypot(run.params["x_0"] - 743, run.params["y_0"] - 1044)
    true = run.params[np.argmin(nearest)]
    assert nearest.min() < 1.5
    one = run.one[0]
    assert len(run.one) == 1
    assert (one["x_init"], one["y_init"]) == (743, 1044)
    assert one["x_fit"] == pytest.approx(true["x_0"], abs=0.02)
    assert one["y_fit"] == pytest.approx(true["y_0"], abs=0.02)
    assert one["flux_fit"] == pytest.approx(true["flux"], rel=0.02)
    box = np.s_[1034:1055, 733:754]
    assert np.std(run.one_resid[box]) < 0.6
    rest = np.ones(run.data.shape, dtype=bool)
    rest[900:1200, 600:900] = False
    np.testing.assert_array_equal(run.one_resid[rest], run.data[rest])


def test_an_aperture_is_drawn_on_several_axes(run):
    patches = [patch for ax in run.one_axes for patch in ax.patches]
    # The last call goes to the current axes.
    assert [len(ax.patches) for ax in run.one_axes] == [1, 1, 2]
    assert patches[-1] is run.one_patches[0]
    circles = {(*patch.center, patch.radius) for patch in patches}
    assert circles == {(743.0, 1044.0, 20.0)}
