"""Which artificial stars are recovered, and why others are not."""

import numpy as np
import pytest
from astropy.table import QTable, Table

from psfphot.completeness import QualityCuts
from psfphot.completeness._matching import MatchingRules, find_false, match_artificial
from psfphot.completeness._sources import make_sources, sources_of

RULES = MatchingRules(radius=1.5, flux_tolerance=0.75, fwhm=3.0)
NOBODY = make_sources([], [], [])


def match(star, rows, real=NOBODY, rules=RULES, passes=None):
    stars = make_sources(*([value] for value in star))
    passes = np.ones(len(rows), dtype=bool) if passes is None else passes
    found = match_artificial(stars, rows, real, rules, passes)
    return str(found.reason[0]), int(found.row[0]), int(found.claimed_by[0])


def test_a_star_alone():
    rows = make_sources([50.0, 10.4], [50.0, 9.9], [100.0, 110.0])
    assert match((10.0, 10.0, 100.0), rows) == ("recovered", 1, 0)
    assert match((12.0, 10.0, 100.0), rows) == ("unmatched", -1, 0)


def test_the_window_of_flux_is_in_magnitudes_and_open_to_none():
    rows = make_sources([10.0], [10.0], [100.0])
    factor = 10 ** (0.4 * 0.75)
    for flux, reason in (
        (100 * factor * 0.999, "recovered"),
        (100 * factor * 1.001, "flux"),
        (100 / factor * 1.001, "recovered"),
        (100 / factor * 0.999, "flux"),
    ):
        assert match((10.0, 10.0, flux), rows)[0] == reason
    anything = MatchingRules(1.5, np.inf, 3.0)
    assert match((10.0, 10.0, 1e5), rows, rules=anything)[0] == "recovered"
    negative = make_sources([10.0], [10.0], [-5.0])
    assert match((10.0, 10.0, 1e5), negative)[0] == "flux"


def test_rows_without_a_position_or_flux_match_nothing():
    rows = make_sources([np.nan, 10.0], [10.0, 10.0], [100.0, np.nan])
    assert match((10.0, 10.0, 100.0), rows)[0] == "unmatched"


def test_a_real_star_that_was_there_is_no_recovery():
    real = make_sources([10.5], [10.0], [120.0], [7])
    assert match((10.0, 10.0, 100.0), real, real) == ("claimed", 0, 7)


def test_whose_light_is_more_has_the_row():
    # Both stars are one row, between them.
    rows = make_sources([10.0], [10.0], [150.0])
    for flux, outcome in ((60.0, ("recovered", 0, 0)), (160.0, ("claimed", 0, 3))):
        real = make_sources([11.0], [10.0], [flux], [3])
        assert match((9.0, 10.0, 140.0), rows, real) == outcome


def test_a_real_star_with_a_row_of_its_own_claims_no_other():
    real = make_sources([12.0], [10.0], [1e5], [3])
    rows = make_sources([10.0, 12.0], [10.0, 10.0], [100.0, 1e5])
    assert match((10.0, 10.0, 100.0), rows, real) == ("recovered", 0, 0)
    # Without that row the light of the bright one is all there is.
    assert match((10.0, 10.0, 100.0), rows.take([0]), real) == ("claimed", 0, 3)


def test_of_several_the_one_with_the_most_light_claims():
    real = make_sources([10.5, 9.8], [10.0, 10.0], [300.0, 400.0], [3, 4])
    rows = make_sources([10.0], [10.0], [150.0])
    assert match((10.0, 10.0, 100.0), rows, real)[2] == 4


def test_cuts_come_last():
    rows = make_sources([10.0], [10.0], [100.0])
    fails = np.zeros(1, dtype=bool)
    assert match((10.0, 10.0, 100.0), rows, passes=fails)[0] == "cut"
    assert match((10.0, 10.0, 1000.0), rows, passes=fails)[0] == "flux"


def test_false_rows_pass_the_cuts_and_are_no_star():
    rows = make_sources([10.0, 10.8, 30.0, 40.0], [10.0] * 4, [100.0] * 4)
    real = make_sources([10.1], [10.0], [90.0])
    passes = np.array([True, True, True, False])
    assert find_false(rows, real, 1.5, passes).tolist() == [False, True, True, False]


def test_tables_need_positions_and_fluxes():
    table = Table({"x_fit": [1.0], "y_fit": [1.0]})
    with pytest.raises(ValueError, match="flux_fit"):
        sources_of(table)
    masked = Table({"x_fit": [1.0, 2], "y_fit": [1.0, 2], "flux_fit": [1.0, 2]})
    masked = Table(masked, masked=True)
    masked["x_fit"].mask[1] = True
    assert sources_of(masked).is_placed.tolist() == [True, False]


def test_cuts_are_comparisons():
    table = QTable({"snr": [3.0, 6.0, np.nan], "flags": [0, 4, 6]})
    assert QualityCuts(["snr>=3"])(table).tolist() == [True, True, False]
    assert QualityCuts(["flags & 4 != 0", "snr < 9"])(table).tolist() == [
        False,
        True,
        False,
    ]
    assert QualityCuts([])(table).all()
    with pytest.raises(ValueError, match="no column 'qfit'"):
        QualityCuts(["qfit<1"])(table)


@pytest.mark.parametrize("text", ["snr", "snr > ", "snr = 3", "snr > nan", "a b > 3"])
def test_what_is_no_cut(text):
    with pytest.raises(ValueError, match="COLUMN OP NUMBER"):
        QualityCuts([text])
