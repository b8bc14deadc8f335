"""Errors without an error image, against the scatter of fits of many realisations."""

import pickle

import numpy as np
import pytest
from astropy.table import QTable
from frames.renderer import Gaussians, render

from psfphot.psf import (
    CircularGaussianPRF,
    IterativePSFPhotometry,
    PSFPhotometry,
    SourceGrouper,
)

FWHM = 2.4
SKY = 20.0
STAR = Gaussians(((1.0, FWHM, FWHM),), radius=10)
NAMES = ("flux", "x", "y")


def scene(rng, offsets, fluxes, *, side, spacing):
    """Stars of each cell of side x side at their offsets; their tables and light."""
    cells = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1)
    centres = cells.reshape(-1, 1, 2) * spacing + spacing // 2
    centres = centres + rng.uniform(-0.5, 0.5, centres.shape)
    places = (centres + np.asarray(offsets)).reshape(-1, 2)
    flux = np.tile(fluxes, len(centres)).astype(float)
    shape = (side * spacing, side * spacing)
    light = render(shape, STAR, places[:, 0], places[:, 1], flux)
    groups = np.repeat(np.arange(len(centres)) + 1, len(offsets))
    truth = {"x": places[:, 0], "y": places[:, 1], "flux": flux}
    return light, truth, groups


def noisy(rng, light, sky=SKY):
    return rng.poisson(light + sky) - sky


def fitted(data, truth, groups=None, *, box, error=None, **settings):
    init = QTable(truth)
    if groups is not None:
        init["group_id"] = groups
    phot = PSFPhotometry(CircularGaussianPRF(fwhm=FWHM), box, **settings)
    return phot, phot(data, error=error, init_params=init)


def ratio(table, truth, name, rows=slice(None)):
    """The error that is given, over the true scatter."""
    off = (np.asarray(table[f"{name}_fit"]) - truth[name])[rows]
    return np.median(np.asarray(table[f"{name}_err"])[rows]) / np.sqrt(np.mean(off**2))


@pytest.mark.parametrize(("box", "unit"), [(5, 0.58), (11, 0.25), (21, 0.14)])
def test_a_bright_star(box, unit):
    """Photutils' way, 'unit', is far off, the more so the larger the box."""
    rng = np.random.default_rng(box)
    light, truth, _ = scene(rng, [(0, 0)], [1e5], side=24, spacing=25)
    data = noisy(rng, light)
    table = fitted(data, truth, box=box)[1]
    assert not np.any(table["flags"])
    for name in NAMES:
        assert 0.94 < ratio(table, truth, name) < 1.13, name
    plain = fitted(data, truth, box=box, covariance="unit")[1]
    assert ratio(plain, truth, "flux") == pytest.approx(unit, rel=0.15)
    np.testing.assert_array_equal(plain["flux_fit"], table["flux_fit"])


@pytest.mark.parametrize(
    ("offsets", "fluxes"),
    [
        ([(-1.7, 0.4), (1.7, -0.4)], [1e5, 3e4]),
        ([(0, 0), (4, 1), (-3, 3), (1, -4), (-4, -3)], [1e5, 5e4, 2e4, 1e4, 3e3]),
    ],
)
def test_pairs_and_groups(offsets, fluxes):
    rng = np.random.default_rng(len(offsets))
    light, truth, groups = scene(rng, offsets, fluxes, side=18, spacing=26)
    data = noisy(rng, light)
    phot, table = fitted(data, truth, groups, box=7)
    for member in range(len(offsets)):
        rows = slice(member, None, len(offsets))
        for name in NAMES:
            assert 0.9 < ratio(table, truth, name, rows) < 1.15, (member, name)
    # The light of a group is better known than that of its members.
    light = np.reshape(table["flux_fit"] - truth["flux"], (-1, len(offsets)))
    errors = []
    for group in range(1, len(light) + 1):
        joint = phot.group_covariance(group)
        fluxes = joint.covariance[2::3, 2::3]
        own = table["flux_err"][table["group_id"] == group]
        np.testing.assert_allclose(np.sqrt(np.diag(fluxes)), own)
        errors.append(np.sqrt(fluxes.sum()))
    scatter = light.sum(axis=1).std()
    assert 0.9 < np.median(errors) / scatter < 1.15
    assert scatter < np.sqrt(np.sum(light.std(axis=0) ** 2))


def crowd(rng, n, side, fluxes=(500, 50_000)):
    """A crowded square, its stars within a margin and not unresolved."""
    place = rng.uniform(6, side - 7, (2, 1))
    while place.shape[1] < n:
        new = rng.uniform(6, side - 7, (2, 1))
        if np.hypot(*(place - new)).min() > 2:
            place = np.hstack([place, new])
    flux = np.exp(rng.uniform(*np.log(fluxes), n))
    light = render((side, side), STAR, *place, flux)
    return light, {"x": place[0], "y": place[1], "flux": flux}


def test_a_whole_frame():
    """The sparse system's errors are the scatter, and those of a dense group."""
    rng = np.random.default_rng(8)
    light, truth = crowd(rng, 45, 60)
    ones = np.ones(45, dtype=int)
    pulls = {name: [] for name in NAMES}
    # 45 stars are a dense group; with 45 more, far away, they are part of a system.
    both = np.hstack([light, light])
    twice = {name: np.tile(values, 2) for name, values in truth.items()}
    twice["x"][45:] += 60
    for _ in range(8):
        data = noisy(rng, both)
        dense = fitted(data[:, :60], truth, ones, box=7)[1]
        sparse = fitted(data, twice, np.ones(90, dtype=int), box=7)[1]
        for name in NAMES:
            off = np.asarray(sparse[f"{name}_fit"]) - twice[name]
            pulls[name].append(off / np.asarray(sparse[f"{name}_err"]))
            same = np.asarray(sparse[f"{name}_err"][:45]) / dense[f"{name}_err"]
            assert np.median(np.abs(same - 1)) < 0.01, name
            assert np.quantile(np.abs(same - 1), 0.9) < 0.05, name
    for name, values in pulls.items():
        width = np.median(np.abs(np.concatenate(values))) * 1.4826
        assert 0.85 < width < 1.1, name


def test_few_pixels_leave_no_residuals():
    """A star that is one pixel: its errors are those of equal noise, with a flag."""
    rng = np.random.default_rng(4)
    data = rng.normal(0, 1, (21, 21))
    data[10, 10] += 500
    init = QTable({"x": [10.0], "y": [10.0], "flux": [500.0]})
    tables = [
        PSFPhotometry(CircularGaussianPRF(fwhm=0.5), 5, covariance=kind)(
            data, init_params=init
        )
        for kind in (None, "unit")
    ]
    assert [int(table["flags"][0]) & 16 for table in tables] == [16, 0]
    for name in NAMES:
        assert tables[0][f"{name}_err"] == tables[1][f"{name}_err"]


def test_with_errors_the_default_is_formal():
    rng = np.random.default_rng(6)
    light, truth, _ = scene(rng, [(0, 0)], [2e4], side=12, spacing=20)
    data, error = noisy(rng, light), np.sqrt(light + SKY)
    table = fitted(data, truth, box=9, error=error)[1]
    formal = fitted(data, truth, box=9, error=error, covariance="formal")[1]
    np.testing.assert_array_equal(formal["flux_err"], table["flux_err"])
    # The sandwich is right whatever the errors are multiplied by.
    asked = {
        factor: fitted(data, truth, box=9, error=factor * error, covariance="sandwich")[
            1
        ]
        for factor in (1, 3)
    }
    np.testing.assert_allclose(asked[3]["flux_err"], asked[1]["flux_err"], rtol=1e-3)
    assert 0.9 < np.median(asked[1]["flux_err"] / table["flux_err"]) < 1.1


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("formal", None, "'formal' needs an error image"),
        ("unit", np.ones((9, 9)), "'unit' takes all pixels as equally noisy"),
    ],
)
def test_kinds_that_do_not_go_with_errors(kind, error, message):
    init = QTable({"x": [4.0], "y": [4.0], "flux": [1.0]})
    phot = PSFPhotometry(CircularGaussianPRF(), 5, covariance=kind)
    with pytest.raises(ValueError, match=message):
        phot(np.ones((9, 9)), error=error, init_params=init)


@pytest.mark.parametrize("kind", ["white", 1, "Unit"])
def test_other_kinds(kind):
    with pytest.raises(ValueError, match="covariance must be 'formal', 'sandwich'"):
        PSFPhotometry(CircularGaussianPRF(), 5, covariance=kind)


def test_iterative_photometry_takes_it_along():
    rng = np.random.default_rng(2)
    light, truth, _ = scene(rng, [(0, 0)], [1e5], side=5, spacing=25)
    data = noisy(rng, light)

    def found(image, mask=None):
        del mask
        return QTable(truth) if image.max() > 2000 else None

    errors = {}
    for kind in (None, "unit"):
        phot = IterativePSFPhotometry(
            CircularGaussianPRF(fwhm=FWHM),
            11,
            found,
            aperture_radius=4,
            covariance=kind,
        )
        errors[kind] = np.median(phot(data)["flux_err"])
    assert errors[None] > 3 * errors["unit"]


def system():
    rng = np.random.default_rng(3)
    light, truth = crowd(rng, 120, 85)
    data = noisy(rng, light)
    init = QTable(truth)
    init["group_id"] = 1
    return data, np.sqrt(light + SKY), init


@pytest.mark.parametrize("kind", ["formal", "sandwich"])
def test_a_few_sources_of_a_large_group(kind):
    """Covariances of neighbours are those of the whole, and come without the image."""
    data, error, init = system()
    phot = PSFPhotometry(CircularGaussianPRF(fwhm=FWHM), 7, covariance=kind)
    table = phot(data, error=error, init_params=init)
    whole = phot.group_covariance(1)
    assert whole.covariance.shape == (360, 360)
    scale = np.sqrt(np.diag(whole.covariance))
    x, y = (np.asarray(table[name]) for name in ("x_fit", "y_fit"))
    data[:], error[:] = 0, 1
    for k in range(0, 120, 12):
        near = np.argsort(np.hypot(x - x[k], y - y[k]))[[0, 1, 2, 40]]
        few = phot.source_covariance(table["id"][near])
        assert few.ids == table["id"][near].tolist()
        rows = (near[:, None] * 3 + np.arange(3)).ravel()
        expected = whole.covariance[np.ix_(rows, rows)]
        off = (few.covariance - expected) / np.outer(scale[rows], scale[rows])
        assert np.max(np.abs(off)) < 0.01
        own = np.sqrt(np.diag(phot.fit_info[k]["param_cov"]))
        np.testing.assert_allclose(
            own, [table[f"{n}_err"][k] for n in NAMES], rtol=0.01
        )


def test_a_pickle_has_the_covariances_of_a_large_group_and_no_pixels():
    data, error, init = system()
    phot = PSFPhotometry(CircularGaussianPRF(fwhm=FWHM), 7)
    table = phot(data, error=error, init_params=init)
    kept = pickle.dumps(phot)
    assert len(kept) < 2500 * len(init)
    again = pickle.loads(kept)  # noqa: S301
    ids = table["id"][:3]
    np.testing.assert_array_equal(
        again.source_covariance(ids).covariance, phot.source_covariance(ids).covariance
    )


def test_sources_that_have_no_joint_covariance():
    init = QTable({"x": [10.0, 20.0], "y": [10.0, 20.0], "flux": [50.0, 50.0]})
    phot = PSFPhotometry(
        CircularGaussianPRF(fwhm=2.0), 5, grouper=SourceGrouper(3), covariance="unit"
    )
    phot(np.random.default_rng(1).normal(0, 1, (30, 30)), init_params=init)
    for ids, message in [
        ([1, 2], "of one group"),
        ([3], "different ids"),
        ([1, 1], "different ids"),
    ]:
        with pytest.raises(ValueError, match=message):
            phot.source_covariance(ids)
    assert phot.source_covariance(2).ids == [2]
