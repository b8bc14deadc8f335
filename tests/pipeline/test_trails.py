"""Trails and bleeding columns are not cut into stars; rows of stars are no trails."""

import numpy as np
import pytest
from frames import scenes
from frames.renderer import Gaussians, Trail, render
from frames.score import nearest, score, values

from psfphot.detection import MatchedFilterFinder
from psfphot.io import read_image, read_psf
from psfphot.pipeline import measure
from psfphot.pipeline._trail_lines import Frame
from psfphot.pipeline._trail_paths import find_paths
from psfphot.psf import PSF_FLAGS, CircularGaussianPRF

#: The scene's noise is 11 in a pixel, its PSF 3 pixels wide.
TRAILS = {
    "bright": [Trail(250, 220, 35, 5000, 3.0)],
    "thin": [Trail(250, 220, 35, 50, 3.0)],
    "faint": [Trail(250, 220, 35, 22, 3.0)],
    "wide": [Trail(250, 220, -60, 100, 3.0, width=16)],
    "bent": [Trail(250, 220, 20, 200, 3.0, bend=1e-4)],
    "short": [Trail(250, 220, 35, 200, 3.0, length=120)],
    "column": [Trail(200, 220, 90, 400, 1.0)],
    "row": [Trail(200, 220, 0, 400, 1.0)],
    "three": [
        Trail(250, 220, 35, 300, 3.0),
        Trail(300, 180, -40, 60, 3.0),
        Trail(100, 100, 88, 120, 3.0),
    ],
}


def measured(scene):
    return measure(read_image(scene.path), read_psf(scene.psf))


@pytest.mark.parametrize("name", TRAILS)
def test_no_trail_is_cut_into_stars(tmp_path, name):
    trails = TRAILS[name]
    scene = scenes.amateur(tmp_path, seed=1, trails=trails)
    run = measured(scene)
    worth = score(run.catalog, scene)
    assert worth.not_positive == 0
    assert worth.fakes == 0
    crossed = np.any([t.covers(scene.x, scene.y, 2) for t in trails], axis=0)
    at = np.column_stack([values(run.catalog, "x_fit"), values(run.catalog, "y_fit")])
    distance, _ = nearest(np.column_stack([scene.x, scene.y])[~crossed], at)
    assert np.count_nonzero(distance > 1) == 0
    assert run.passes.trails.n == len(trails)
    covered = np.any(
        [t.covers(*np.indices(run.image.shape)[::-1]) for t in trails], axis=0
    )
    # Stars of the trails' own brightness are kept, their cores are not masked.
    assert run.exposure.mask[covered].mean() > 0.9
    report = run.report()
    assert report["n_trails"] == len(trails)
    n_masked = report["masked_by"]["trails"]
    assert n_masked == np.count_nonzero(run.exposure.masks.planes["trails"])
    # With the wings of the PSF on either side.
    assert n_masked < sum(13 + t.width for t in trails) * 650


def test_a_star_that_is_crossed_is_flagged_and_not_lost(tmp_path):
    scene = scenes.amateur(tmp_path, seed=1)
    apart = nearest(np.column_stack([scene.x, scene.y]), np.array([[256, 256]]))[0]
    star = np.flatnonzero((scene.flux > 8000) & (apart < 180))[0]
    trail = Trail(scene.x[star], scene.y[star] + 1, 30, 100, 3.0)
    path = tmp_path / "crossed"
    path.mkdir()
    run = measured(scenes.amateur(path, seed=1, trails=[trail]))
    table = run.catalog
    apart = np.hypot(
        values(table, "x_fit") - scene.x[star], values(table, "y_fit") - scene.y[star]
    )
    row = int(np.argmin(apart))
    assert apart[row] < 0.1
    assert values(table, "flux_fit")[row] == pytest.approx(scene.flux[star], rel=0.05)
    assert np.asarray(table["flags"])[row] & PSF_FLAGS.ON_TRAIL
    # The trail alone has 1,000 in the area of the PSF: 12 % of the star and more.
    others = np.asarray(table["flags"])[
        ~trail.covers(values(table, "x_fit"), values(table, "y_fit"), 6)
    ]
    assert not np.any(others & PSF_FLAGS.ON_TRAIL)


def clusters():
    """Crowded fields, globular clusters and rows of stars, without a trail."""
    size, fwhm = 384, 2.5
    for seed in range(12):
        rng = np.random.default_rng([seed, 7])
        n = (700, 1500, 3000, 1500)[seed % 4]
        x, y = rng.uniform(3, size - 4, (2, n))
        if seed % 4 == 1:
            radius, turn = 25 * abs(rng.standard_cauchy(n)), rng.uniform(0, 7, n)
            x, y = size / 2 + radius * np.cos(turn), size / 2 + radius * np.sin(turn)
        if seed % 4 == 3:
            # Stars along rows of the detector, three FWHM from one to the next.
            y[:100] = np.repeat([40, 120, 200, 300], 25)
            x[:100] = np.tile(30 + 7.5 * np.arange(25), 4) + rng.uniform(-1, 1, 100)
        flux = 300 / rng.uniform(1e-4, 1, n)
        psf = Gaussians(((0.85, fwhm, fwhm), (0.15, 3 * fwhm, 3 * fwhm)), radius=16)
        clean = render((size, size), psf, x, y, flux)
        error = np.sqrt(100 + clean)
        data = clean + rng.normal(0, error)
        yield data - np.median(data), error, fwhm


@pytest.mark.long
def test_chance_makes_no_trails():
    """None in twelve crowded frames."""
    for data, error, fwhm in clusters():
        mask = np.zeros(data.shape, dtype=bool)
        noise = np.full(data.shape, 10.0)
        for threshold in (5, 30):
            finder = MatchedFilterFinder(CircularGaussianPRF(fwhm=fwhm), threshold)
            found = finder(data, error=error)
            at = (values(found, name) for name in ("x_centroid", "y_centroid"))
            assert len(found) > 50
            assert find_paths(Frame(data, noise, mask, fwhm), *at, threshold) == []


def test_a_trail_in_a_crowd_is_found():
    data, error, fwhm = next(clusters())
    trail = Trail(150, 180, 50, 100, fwhm)
    data = data + trail.light(data.shape)
    found = MatchedFilterFinder(CircularGaussianPRF(fwhm=fwhm), 5)(data, error=error)
    x, y = (values(found, name) for name in ("x_centroid", "y_centroid"))
    mask = np.zeros(data.shape, dtype=bool)
    frame = Frame(data, np.full(data.shape, 10.0), mask, fwhm)
    (path,) = find_paths(frame, x, y, 5)
    along = np.linspace(-120, 120, 9)
    turn = np.deg2rad(trail.angle)
    _, aside = path.coordinates(150 + along * np.cos(turn), 180 + along * np.sin(turn))
    assert abs(aside).max() < 0.5
    assert np.median(path.level) == pytest.approx(100, rel=0.15)
