"""PSFs over the field, refined libraries, neighbours and the light outside."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table, vstack
from astropy.utils.exceptions import AstropyUserWarning
from fields import compare, cutouts, field, truth

from psfphot.psf import (
    GriddedPSFModel,
    MoffatPRF,
    PSFPhotometry,
    build_psf_grid,
    refine_psf,
    select_psf_stars,
)


@pytest.fixture(scope="module")
def single():
    image, error, stars = field(49)
    model, report = build_psf_grid(image, error, stars, size=15, order="single")
    return image, error, stars, model, report


def test_one_psf_is_the_truth(single):
    _, _, stars, model, report = single
    assert isinstance(model, GriddedPSFModel)
    assert model.data.shape == (1, 61, 61)
    assert compare(model.data[0]) < 4e-3
    assert (report.order, report.flags, report.n_used) == ("single", (), 49)
    assert report.is_good
    assert report.chi2 == pytest.approx(1, abs=0.2)
    assert 0 < report.phase_error < 5e-3
    assert 0 < report.flux_phase_error < 2e-3
    assert np.abs(report.stars["x"] - stars["x"]).max() < 0.03


def test_the_report_speaks(single):
    report = single[4]
    assert "49 of 49" in repr(report)
    assert "error of the core" in str(report)
    unknown = dict(replace(report, phase_error=np.nan).rows())
    assert unknown["error by pixel phase"] == "not known"
    table = report.table
    assert table.colnames == ["quantity", "value"]
    assert "model error" in table["quantity"]


def test_a_built_psf_measures(single):
    image, error, stars, model, _ = single
    found = PSFPhotometry(model, 7)(image, error=error, init_params=stars)
    pull = (found["x_fit"] - stars["x"]) / found["x_err"]
    assert 0.7 < np.std(pull) < 1.4


def test_held_out_stars_choose_the_order():
    def width(x):
        return 2.4 + 0.6 * x

    image, error, stars = field(100, width=width)
    model, report = build_psf_grid(image, error, stars, size=15, degree=1)
    assert report.order == "linear"
    assert report.held_out["linear"] < report.held_out["single"]
    assert len(model.data) == 4
    # The PSF is wider on the right, by as much.
    peaks = model.data.max(axis=(1, 2)).reshape(2, 2)
    side = image.shape[1]
    for column, x in enumerate((0.0, (side - 1) / side)):
        expected = truth(width(x))
        peak = float(expected(0, 0))
        assert peaks[:, column] == pytest.approx(peak, rel=0.04)
    image, error, stars = field(49, seed=5)
    _, report = build_psf_grid(image, error, stars, size=15, degree=1)
    assert report.order == "single"
    assert report.flags == ()


def test_too_few_stars_for_what_was_asked_are_told_of():
    image, error, stars = field(16)
    with pytest.warns(AstropyUserWarning, match="16 stars are too few for that"):
        _, report = build_psf_grid(image, error, stars, size=15)
    assert report.order == "single"
    assert report.flags == ("lower_order",)
    with pytest.warns(AstropyUserWarning, match="too few to build a PSF"):
        _, report = build_psf_grid(
            image, error, stars[:2], size=15, order="single", kappa=1
        )
    assert "few_stars" in report.flags


def test_starved_nodes_are_flagged():
    image, error, stars = field(49)
    with pytest.warns(AstropyUserWarning, match="nodes with fewer than 3 stars"):
        model, report = build_psf_grid(
            image,
            error,
            stars[stars["x"] < 40],
            size=15,
            order="nodes",
            grid=2,
            kappa=1,
        )
    assert "starved_nodes" in report.flags
    assert report.nodes["is_starved"].tolist() == [False, True, False, True]
    # A node without stars has what is extrapolated, over five times as far.
    assert compare(model.data[1]) < 0.2


def test_bunched_phases_are_flagged():
    image, error, stars = field(64, seed=2)
    phase = (stars["x"] + 0.5) % 1
    bunched = stars[(phase > 0.05) & (phase < 0.45)]
    assert len(bunched) > 24
    with pytest.warns(AstropyUserWarning, match="positions in the pixel"):
        _, report = build_psf_grid(image, error, bunched, size=15, order="single")
    assert report.flags == ("bunched_phases",)
    assert report.phase_coverage == 0


def test_no_convergence_is_told_of(monkeypatch):
    from psfphot.psf._epsf import orders  # noqa: PLC0415

    def solve_once(*args, **options):
        return solve(*args, **options | {"max_rounds": 1})

    solve = orders.solve
    monkeypatch.setattr(orders, "solve", solve_once)
    image, error, stars = field(9)
    with pytest.warns(AstropyUserWarning, match="still changed"):
        _, report = build_psf_grid(image, error, stars, size=15, order="single")
    assert "not_converged" in report.flags
    assert not report.converged


def test_a_library_is_refined():
    image, error, stars = field(36)
    psf = truth(2.9)
    library = MoffatPRF(alpha=psf.alpha.value, beta=3)
    model, report = refine_psf(library, image, error, stars, order=0, size=15)
    y, x = (np.indices((61, 61)) - 30) / 4
    before = library.evaluate(x, y, 1.0, 0, 0, library.alpha.value, 3.0)
    assert compare(model.data[0] * 16 / model.data[0].sum()) < 0.1 * compare(
        before * 16 / before.sum()
    )
    assert report.order == "constant"
    # Fluxes are total, as the library's were.
    assert report.is_corrected
    assert report.aperture_correction == pytest.approx(16 / before.sum())
    assert model.data[0].sum() == pytest.approx(before.sum())
    with pytest.raises(ValueError, match="order must be 0, 1 or None"):
        refine_psf(library, image, error, stars, order=2)


def test_a_library_grid_keeps_its_nodes(single):
    image, error, stars = field(36)
    grid = single[3]
    nodes = np.array([(0, 0), (150, 0), (0, 150), (150, 150)], dtype=float)
    from astropy.nddata import NDData  # noqa: PLC0415

    meta = {"grid_xypos": nodes, "oversampling": 4}
    library = GriddedPSFModel(NDData(np.repeat(grid.data, 4, axis=0), meta=meta))
    model, report = refine_psf(library, image, error, stars, order=1, size=15)
    assert np.array_equal(model.grid_xypos, nodes)
    assert report.order == "linear"
    assert max(compare(one) for one in model.data) < 0.02


def with_neighbours(seed=3):
    """Give each star of a field a neighbour of 0.3 of its flux, 4 pixels away."""
    image, error, stars = field(49, seed=seed)
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(stars))
    others = Table(
        {
            "x": stars["x"] + 4 * np.cos(angle),
            "y": stars["y"] + 4 * np.sin(angle),
            "flux": 0.3 * stars["flux"],
        }
    )
    rows, columns = np.indices(image.shape)
    psf = truth()
    light = sum(
        psf.evaluate(columns, rows, *one, psf.alpha.value, 3.0)
        for one in zip(others["flux"], others["x"], others["y"], strict=True)
    )
    return image + light, np.hypot(error, np.sqrt(light)), stars, others


def test_neighbours_are_fitted_and_taken_away():
    image, error, stars, others = with_neighbours()
    options = {"size": 15, "order": "single"}
    # No one PSF is that of stars with neighbours on all sides, and the report says so.
    with pytest.warns(AstropyUserWarning, match="the stars differ from the PSF by 2%"):
        spoilt, first = build_psf_grid(image, error, stars, **options)
    assert first.flags == ("mismatched",)
    # An error that fell with the model would leave 0.14.
    assert compare(spoilt.data[0]) < 0.1
    model, report = build_psf_grid(
        image, error, stars, neighbours=vstack([stars, others]), **options
    )
    assert compare(model.data[0]) < min(0.5 * compare(spoilt.data[0]), 0.02)
    assert report.n_used == len(stars)
    assert report.is_good
    assert report.model_error < 0.2 * first.model_error
    with pytest.raises(ValueError, match="n_rounds must be <= 3"):
        build_psf_grid(image, error, stars, neighbours=stars, n_rounds=4)


def test_linked_and_cut_stars_are_taken():
    stars, _ = cutouts(25)
    model, report = build_psf_grid(None, stars=stars, order="single")
    assert compare(model.data[0]) < 0.01
    assert report.n_stars == 25
    with pytest.raises(ValueError, match="need the image"):
        build_psf_grid(
            None, stars=stars, order="single", neighbours=Table({"x": [1], "y": [1]})
        )


def test_light_outside_is_measured_and_applied():
    image, error, stars = field(16, sky=1.0)
    # A square of 15 pixels holds less than the light of a Moffat.
    psf = truth()
    y, x = np.mgrid[-7:8, -7:8]
    held = psf.evaluate(x, y, 1.0, 0, 0, psf.alpha.value, 3.0).sum()
    wide, wide_error = (np.pad(one, 40, mode="edge") for one in (image, error))
    wide[:40] = wide[-40:] = wide[:, :40] = wide[:, -40:] = 0
    moved = Table({"x": stars["x"] + 40, "y": stars["y"] + 40, "flux": stars["flux"]})
    options = {"size": 15, "order": "single", "apply_correction": True}
    model, report = build_psf_grid(
        wide, wide_error, moved, aperture_correction=1 / held, **options
    )
    assert model.data.sum() == pytest.approx(16 * held)
    assert report.stars["flux"] == pytest.approx(
        np.array(stars["flux"]) * held, rel=0.02
    )
    assert "in the PSF" in str(report)
    with pytest.raises(ValueError, match="aperture_correction must be a number"):
        build_psf_grid(wide, wide_error, moved, aperture_correction="guess", **options)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"grid": 2, "degree": 1}, ValueError, "grid and degree exclude"),
        ({"degree": 3}, ValueError, "degree must be 1 or 2"),
        ({"order": "cubic"}, ValueError, "order must be one of single"),
        ({"kappa": -1}, ValueError, "kappa must be positive"),
        ({"cutoff": 0}, ValueError, "cutoff must be positive"),
        ({"size": 4}, ValueError, "size must have an odd"),
        ({"stars": [1]}, TypeError, "stars must be a table"),
        ({"stars": Table({"x": [], "y": []})}, ValueError, "there are no stars"),
        ({"stars": Table({"x": [-9.0], "y": [3.0]})}, ValueError, "on the image"),
        ({"data": None}, ValueError, "data must be given"),
    ],
)
def test_what_cannot_be_used_is_named(options, error, said):
    image, _, stars = field(4)
    with pytest.raises(error, match=said):
        build_psf_grid(**{"data": image, "stars": stars} | options)


def test_selected_stars_are_taken():
    image, error, stars = field(49)
    chosen = select_psf_stars(image, stars, error=error, fwhm=2.6, size=15, n_stars=30)
    _, report = build_psf_grid(image, error, chosen, size=15, order="single")
    assert report.n_stars == 30
    assert report.dropped == {"not needed": 19}
