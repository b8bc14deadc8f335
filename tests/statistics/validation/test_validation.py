"""The functions of `make validate`, with few stars: a table, and pulls about right.

Of n pulls a width is known to 0.96 / sqrt(n): the limits are four of these.
"""

import numpy as np
import pytest
from trials import make_scene

pytest.importorskip("scipy")

from psfphot.psf import CircularGaussianPRF

from . import artificial, crowds, lone, pairs, sources
from .least_errors import information, of_groups, of_some
from .page import page
from .rows import compare


def holds(row, low=1.0, high=1.0):
    spread = 4 * 0.96 / np.sqrt(row.n)
    return low - spread < row.pull < high + spread


def test_lone_stars():
    rows = list(lone.rows(8))
    assert len(rows) == 12
    for row in rows:
        assert holds(row), row
        assert abs(row.scatter - 1) < 4 * 0.96 / np.sqrt(row.n), row
        assert row.beyond == 0


@pytest.mark.parametrize("separation", pairs.SEPARATIONS)
def test_pairs(separation):
    for ratio in pairs.RATIOS:
        for row in pairs.of_kind(separation, ratio, 8):
            assert not pairs.is_resolved(row) or holds(row, *pairs.WIDTHS), row
    assert not pairs.is_resolved(next(pairs.of_kind(0.5, 10, 3)))


def test_sources_of_errors():
    rows = {row.scene: row for row in sources.rows(8)}
    for name in (
        "noise model, S/N 15",
        "cosmic rays, robust",
        "slope of the sky, fitted",
    ):
        assert holds(rows[name], 0.95, 1.1), rows[name]
    wrong = ("errors of the data, S/N 15", "no error image, unit, 1e5, 11 x 11")
    for name in wrong:
        assert rows[name].pull > 2, rows[name]


def test_crowds():
    frame = crowds.crowd(80, 128)
    table = crowds.fit(frame, frame.true_error)
    psf = CircularGaussianPRF(fwhm=crowds.FWHM)
    row = crowds.given("crowded", frame, psf, table)
    assert holds(row)
    assert abs(row.scatter - 1) < 4 * 0.96 / np.sqrt(row.n)
    found = crowds.found("found", frame, crowds.catalog(frame, psf))
    assert "0.0 % of the rows no star" in found.note


def test_artificial_stars():
    (row,) = artificial.rows(3)
    assert abs(row.bias) < 4


def test_least_errors_are_the_same_of_blocks_and_of_the_whole():
    psf = CircularGaussianPRF(fwhm=3)
    scene = make_scene(psf, (5000, 500), 100, n_side=2, offset=3)
    matrix = information(psf, scene.truth, scene.starts, scene.variance, 7)
    blocks = np.sqrt(np.diagonal(of_groups(matrix, 6), axis1=1, axis2=2)).ravel()
    np.testing.assert_allclose(of_some(matrix, np.arange(24)), blocks, rtol=1e-9)
    with pytest.raises(ValueError, match="not independent"):
        of_groups(matrix, 3)


def test_the_page_tells_what_was_measured():
    row = compare("a scene", "flux", [0.0, 1.0, -1.0, np.nan], np.ones(4), np.ones(4))
    assert row.beyond == 0.25
    text = page({"lone": [row]}, 1.0)
    assert "| a scene | flux | 4 | +0.000 | 0.683 | 0.683 | 25 % |  |" in text
    with pytest.raises(ValueError, match="no fit of 'nothing' has an error"):
        compare("nothing", "flux", [1.0], [np.nan])
