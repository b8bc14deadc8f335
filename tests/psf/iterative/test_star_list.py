"""The star list of iterative photometry: ids, merging, dropping, barred places."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from psfphot.psf._iterative.management import StarListManagement
from psfphot.psf._iterative.star_list import StarList


def make(x, flux, *, first=1, number=1, is_given=False):
    ids = first + np.arange(len(x))
    table = QTable({"id": ids, "x_init": np.asarray(x, float)})
    table["y_init"] = np.full(len(x), 5.0)
    table["flux_init"] = np.asarray(flux, float) * u.Jy
    return StarList(table, number, is_given)


def test_the_brighter_takes_the_fainter_in():
    stars = make([10.0, 10.2, 20.0, 30.0], [100.0, 300.0, 50.0, 60.0])
    assert stars.merge(0.3)
    assert stars.starts["id"].tolist() == [2, 3, 4]
    assert stars.merged_into == {1: 2}
    np.testing.assert_allclose(stars.starts["x_init"], [10.15, 20.0, 30.0])
    np.testing.assert_allclose(stars.starts["flux_init"].to_value(u.Jy), [400, 50, 60])
    assert stars.n_merged.tolist() == [1, 0, 0]
    assert not stars.merge(0.3)


def test_a_chain_becomes_one():
    stars = make([10.0, 10.2, 10.4], [100.0, 300.0, 200.0])
    assert stars.merge(0.25)
    assert stars.starts["id"].tolist() == [2]
    assert stars.n_merged.tolist() == [2]


def test_the_users_stars_take_in_and_are_not_taken_in():
    stars = make([10.0, 20.0, 20.1], [100.0, 5.0, 6.0], is_given=True)
    stars.append(make([10.2], [300.0], first=4, number=2))
    assert stars.merge(0.3)
    # The user's two stars at 20 stay two.
    assert stars.starts["id"].tolist() == [1, 2, 3]
    assert stars.merged_into == {4: 1}
    np.testing.assert_allclose(stars.starts["x_init"], [10.0, 20.0, 20.1])
    assert stars.starts["flux_init"][0] == 400 * u.Jy


def test_numbers_are_given_once():
    stars = make([10.0, 20.0], [1.0, 2.0])
    new = QTable({"x_init": [3.0], "y_init": [4.0], "flux_init": [5.0] * u.Jy})
    first = stars.number(new.copy())
    second = stars.number(new.copy())
    assert (first["id"][0], second["id"][0]) == (3, 4)
    assert first.colnames == stars.starts.colnames


def test_light_is_taken_but_not_all_of_it():
    stars = make([10.0, 20.0, 30.0], [100.0, 100.0, -3.0])
    stars.take_light(np.array([0, 0, 1, 2]), np.array([10.0, 20.0, 500.0, 1.0]))
    np.testing.assert_allclose(stars.starts["flux_init"].value, [70.0, 5.0, -3.0])


def test_stars_off_the_image_are_dropped_and_their_place_is_barred():
    stars = make([10.0, -0.6, 99.4], [100.0, 100.0, 100.0])
    assert stars.drop((50, 100), 1.0, bar=True)
    assert stars.starts["id"].tolist() == [1, 3]
    assert stars.n_dropped == 1
    assert stars.is_barred([-0.5, 10.0], [5.0, 5.0], 0.5).tolist() == [True, False]
    assert not stars.drop((50, 100), 1.0, bar=True)
    assert not make([-5.0], [1.0]).drop((50, 100), None, bar=True)
    assert not make([-5.0], [1.0], is_given=True).drop((50, 100), 1.0, bar=True)


def test_of_a_clump_without_significance_the_oldest_stays_with_its_light():
    stars = make([10.0, 30.0, 50.0], [-100.0, 500.0, 3.0])
    stars.append(make([10.6, 11.0], [90.0, 210.0], first=4, number=2))
    stars._significance[:] = [-0.5, 50.0, 0.5, 0.3, 0.7]
    assert stars.drop((50, 100), 2.0, bar=False, clump=1.5)
    assert stars.starts["id"].tolist() == [1, 2]
    np.testing.assert_allclose(stars.starts["flux_init"].value, [200.0, 500.0])
    np.testing.assert_allclose(stars.starts["x_init"], [10.88, 30.0])
    assert stars.n_dropped == 3
    # Alone it must be significant.
    stars._significance[0] = 1.0
    assert stars.drop((50, 100), 2.0, bar=False, clump=1.5)
    assert stars.starts["id"].tolist() == [2]


def test_what_goes_is_not_found_again():
    rules = StarListManagement(n_sigma=3.0)
    assert rules.least_significance() == pytest.approx(2.7)
    assert rules.least_significance() < rules.n_sigma
    assert StarListManagement(drop_below=None).least_significance() is None


def test_few_new_stars():
    rules = StarListManagement()
    assert rules.is_few(2, 100)
    assert not rules.is_few(3, 100)
    assert rules.is_few(19, 20000)
    assert not rules.is_few(20, 20000)
