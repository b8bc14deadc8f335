"""Stars for a PSF: who is taken, and why the others are not."""

import numpy as np
import pytest
from astropy.table import Table
from fields import field

from psfphot.psf import PSF_FLAGS, select_psf_stars


def select(image, stars, **options):
    return select_psf_stars(image, stars, **{"fwhm": 2.6, "size": 15} | options)


def reasons(selection):
    return dict(
        zip(selection.dropped["id"].tolist(), selection.dropped["reason"], strict=True)
    )


def test_each_reason_is_told():
    image, _, stars = field(25)
    stars["flags"] = 0
    stars["flags"][2] = PSF_FLAGS.SATURATED
    stars["flux_err"] = stars["flux"] / 100
    stars["flux_err"][3] = stars["flux"][3] / 10
    x, y = np.rint(stars["x"]).astype(int), np.rint(stars["y"]).astype(int)
    image[y[4], x[4]] = np.nan
    image[y[5] - 1 : y[5] + 2, x[5] - 1 : x[5] + 2] = 1e6  # a flat top
    image[y[6], x[6]] += 2 * stars["flux"][6]  # a cosmic ray
    stars.add_row([stars["x"][7] + 4, stars["y"][7], 0.3 * stars["flux"][7], 0, 1e-3])
    stars.add_row([3.0, 60.0, 1e5, 0, 1.0])
    stars.add_row([np.nan, 60.0, 1e5, 0, 1.0])
    told = reasons(select(image, stars))
    assert {k: str(v) for k, v in told.items()} == {
        3: "flagged",
        4: "too faint",
        5: "saturated or masked",
        6: "saturated or masked",
        7: "no point source",
        8: "with a neighbour",
        26: "with a neighbour",
        27: "too near to an edge",
        28: "without place or flux",
    }


def test_masks_and_levels_count():
    image, _, stars = field(9)
    mask = np.zeros(image.shape, dtype=bool)
    mask[round(stars["y"][0]), round(stars["x"][0])] = True
    level = 0.9 * max(image[round(y), round(x)] for x, y in stars["x", "y"][1:])
    chosen = select(image, stars, mask=mask, saturation=level)
    assert set(chosen.counts) == {"saturated or masked"}
    assert 1 in reasons(chosen)
    assert chosen.counts["saturated or masked"] >= 2


def test_neighbours_that_are_fitted_may_stay():
    image, _, stars = field(9)
    stars.add_row([stars["x"][0] + 6, stars["y"][0], 0.3 * stars["flux"][0]])
    assert len(select(image, stars).stars) == 8
    assert len(select(image, stars, fits_neighbours=True, min_snr=1).stars) == 10


def test_stars_are_found_and_spread():
    image, error, _ = field(100, flux=(2e4, 4e4))
    chosen = select_psf_stars(image, error=error, size=15, n_stars=32)
    assert chosen.fwhm == pytest.approx(2.6, rel=0.1)
    assert chosen.counts["not needed"] == 68
    _, _, stars = field(100)
    low, span = np.min(stars["x"]), np.ptp(stars["x"]) * 1.001
    x, y = (((chosen.stars[name] - low) / span * 4).astype(int) for name in "xy")
    cells = set(zip(x.tolist(), y.tolist(), strict=True))
    assert len(cells) == 16
    assert "32 of 100" in repr(chosen)


def test_a_catalogue_alone_will_do():
    _, _, stars = field(9)
    chosen = select_psf_stars(stars, fwhm=2.6)
    assert len(chosen.stars) == 9
    assert chosen.stars["flux"][0] == stars["flux"].max()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({}, ValueError, "data or catalog must be given"),
        ({"catalog": Table({"x": [1.0], "y": [1], "flux": [1]})}, ValueError, "fwhm"),
        (
            {"data": np.ones((9, 9)), "catalog": 3, "fwhm": 2},
            TypeError,
            "catalog must be",
        ),
        ({"catalog": Table({"x": [1.0], "y": [1]}), "fwhm": 2}, ValueError, "of flux"),
        ({"data": np.ones((9, 9)), "fwhm": -1}, ValueError, "fwhm must be positive"),
    ],
)
def test_what_cannot_be_used_is_named(options, error, said):
    with pytest.raises(error, match=said):
        select_psf_stars(**options)


def test_cosmic_rays_are_no_stars_though_they_are_the_most():
    rng = np.random.default_rng(4)
    image, error, stars = field(36, width=lambda _: 1.5)
    n_stars = len(stars)
    # Between the stars: a pixel, or two of a track, with no light beside them.
    for x, y, flux in stars["x", "y", "flux"].as_array().tolist():
        for dx, dy in ((7, 0), (0, 7), (7, 7)):
            i, j = round(x + dx), round(y + dy)
            image[j, i : i + rng.integers(1, 3)] += flux * rng.uniform(0.3, 0.6)
            stars.add_row([i, j, flux / 2])
    chosen = select(image, stars, fwhm=1.7, size=7, max_neighbour=1, error=error)
    assert sorted(chosen.stars["id"]) == list(range(1, n_stars + 1))
    assert chosen.counts["no point source"] > 2.5 * n_stars
