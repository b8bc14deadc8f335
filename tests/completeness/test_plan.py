"""Where artificial stars go, and how bright they are."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

pytest.importorskip("scipy")

from scipy.spatial import cKDTree
from scipy.stats import kstest

from psfphot.completeness._fluxes import UniformMagnitudes, make_fluxes
from psfphot.completeness._plan import Planner, as_positions
from psfphot.completeness._positions import Field

RANGE = UniformMagnitudes(1.0, 1e4)


def field(shape=(200, 300), spacing=20.0, **more):
    return Field(np.ones(shape, dtype=bool), spacing, **more)


def plan(n, place=None, positions="lattice", seed=0, **more):
    planner = Planner(place or field(), positions, RANGE, seed, **more)
    return planner.rest(n)


def points_of(batches):
    return np.concatenate([np.column_stack([b.x, b.y]) for b in batches])


@pytest.mark.parametrize("positions", ["lattice", "uniform", "density"])
def test_plans_are_the_seed_s(positions):
    stars = np.random.default_rng(1).uniform(0, 200, (50, 2))
    place = field(density=stars)
    one, same, other = (plan(500, place, positions, seed=seed) for seed in (3, 3, 4))
    assert [batch.star.tolist() for batch in one] == [b.star.tolist() for b in same]
    np.testing.assert_array_equal(points_of(one), points_of(same))
    assert (points_of(one)[:5] != points_of(other)[:5]).all()
    states = {tuple(batch.seed.generate_state(2)) for batch in one}
    assert len(states) == len(one)
    np.testing.assert_array_equal(
        np.concatenate([batch.star for batch in one]), np.arange(1, 501)
    )


@pytest.mark.parametrize("positions", ["lattice", "uniform"])
def test_stars_of_an_image_keep_apart(positions):
    for batch in plan(500, positions=positions):
        points = np.column_stack([batch.x, batch.y])
        if len(points) > 1:
            nearest = cKDTree(points).query(points, k=2)[0][:, 1]
            assert nearest.min() >= 0.75 * 20


@pytest.mark.parametrize("positions", ["lattice", "uniform"])
def test_positions_are_uniform_in_the_frame_and_in_the_pixel(positions):
    x, y = points_of(plan(3000, positions=positions)).T
    for values, n in ((x, 300), (y, 200)):
        assert kstest((values + 0.5) / n, "uniform").pvalue > 1e-3
        assert kstest((values + 0.5) % 1, "uniform").pvalue > 1e-3


def test_a_lattice_fills_the_image():
    per_image = len(plan(10**4)[0].star)
    assert per_image == pytest.approx(200 * 300 / 20**2 * 2 / np.sqrt(3), rel=0.1)


@pytest.mark.parametrize("positions", ["lattice", "uniform", "density"])
def test_stars_are_on_usable_pixels(positions):
    usable = np.zeros((200, 300), dtype=bool)
    usable[40:90, 100:260] = True
    place = Field(usable, 20.0, density=np.array([[120.0, 60.0], [200.0, 50.0]]))
    x, y = np.round(points_of(plan(300, place, positions))).astype(int).T
    assert usable[y, x].all()


def test_one_star_at_a_time():
    batches = plan(7, field(at_once=1))
    assert [len(batch.star) for batch in batches] == [1] * 7


def test_positions_of_a_table_keep_their_fluxes():
    rng = np.random.default_rng(2)
    points, flux = rng.uniform(0, 200, (100, 2)), rng.uniform(1, 2, 100)
    batches = plan(80, positions=points, own_flux=flux)
    of_point = {tuple(point): value for point, value in zip(points, flux, strict=True)}
    for batch in batches:
        for x, y, value in zip(batch.x, batch.y, batch.flux, strict=True):
            assert of_point[x, y] == value
    assert sum(len(batch.star) for batch in batches) == 80


def test_density_follows_the_stars():
    stars = np.array([[50.0, 50.0]] * 3 + [[250.0, 150.0]])
    x = points_of(plan(2000, field(density=stars), "density"))[:, 0]
    assert np.mean(x < 150) == pytest.approx(0.75, abs=0.04)
    with pytest.raises(ValueError, match="needs stars"):
        plan(10, positions="density")


def test_a_pilot_puts_stars_where_completeness_changes():
    planner = Planner(field(), "lattice", RANGE, 0)
    pilot = planner.pilot(150, 600)
    n_pilot = sum(len(batch.star) for batch in pilot)
    assert 150 <= n_pilot <= 600
    rest = planner.rest(3000, (-5.0, 0.3))
    flux = np.concatenate([batch.flux for batch in [*pilot, *rest]])
    assert len(flux) == 3000
    magnitude = -2.5 * np.log10(flux)
    focus = np.abs(magnitude + 5) < 0.9
    assert np.mean(focus) == pytest.approx(0.7 + 0.3 * 1.8 / 10, abs=0.02)
    # By their weights they are uniform again.
    weights = planner.weights(flux)
    counts, _ = np.histogram(magnitude, np.linspace(-10, 0, 11), weights=weights)
    np.testing.assert_allclose(counts / 3000, 0.1, atol=0.04)


def test_fluxes_uniform_in_magnitude():
    flux = RANGE.draw(np.random.default_rng(0), 2000)
    assert kstest(np.log10(flux) / 4, "uniform").pvalue > 1e-3
    assert RANGE.focus(-5.0, 10.0) is None


def test_fluxes_of_a_table_of_a_function_and_with_units():
    rng = np.random.default_rng(0)
    listed = make_fluxes(Table({"flux": [1.0, 5.0]}), None)
    assert set(listed.draw(rng, 50)) == {1.0, 5.0}
    called = make_fluxes(lambda rng, n: rng.uniform(2, 3, n), None)
    assert called.draw(rng, 4).shape == (4,)
    in_mjy = make_fluxes((1 * u.uJy, 1 * u.mJy), u.mJy)
    assert (in_mjy.faint, in_mjy.bright) == (pytest.approx(1e-3), 1)


@pytest.mark.parametrize(
    ("flux", "error", "message"),
    [
        (3, TypeError, "a range"),
        ((5, 2), ValueError, "faint below bright"),
        ((-5, 2), ValueError, "positive"),
        (Table({"mag": [1]}), ValueError, "column flux"),
        (Table({"flux": [1.0, 0.0]}), ValueError, "got 1 others"),
        ((1 * u.Jy, 2 * u.Jy), ValueError, "image has none"),
    ],
)
def test_what_are_no_fluxes(flux, error, message):
    with pytest.raises(error, match=message):
        make_fluxes(flux, None)


def test_a_function_must_return_so_many():
    called = make_fluxes(lambda _, n: np.ones(n + 1), None)
    with pytest.raises(ValueError, match="must return n = 3"):
        called.draw(np.random.default_rng(0), 3)


def test_what_are_no_positions():
    with pytest.raises(ValueError, match="'lattice'"):
        as_positions("grid")
    with pytest.raises(TypeError, match="Table"):
        as_positions(3)
    with pytest.raises(ValueError, match="columns x and y"):
        as_positions(Table({"x": [1.0]}))
    with pytest.raises(ValueError, match="finite"):
        as_positions(Table({"x": [1.0], "y": [np.nan]}))
