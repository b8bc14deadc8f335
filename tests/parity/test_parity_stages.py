"""Groups, aperture sums, backgrounds and simulations against photutils."""

import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.stats import SigmaClip
from astropy.table import Table
from outcomes import called

import psfphot.aperture
import psfphot.background
from psfphot import _core
from psfphot.background import LocalBackground, as_local_background
from psfphot.datasets import make_model_params, make_noise_image
from psfphot.psf import (
    CircularGaussianPRF,
    GriddedPSFModel,
    ImagePSF,
    PSFPhotometry,
    SourceGrouper,
    make_psf_model_image,
)
from psfphot.utils import calc_total_error, make_random_cmap

pytestmark = pytest.mark.parity

photutils = pytest.importorskip("photutils")
psf = pytest.importorskip("photutils.psf")
aperture = pytest.importorskip("photutils.aperture")
background = pytest.importorskip("photutils.background")
datasets = pytest.importorskip("photutils.datasets")
utils = pytest.importorskip("photutils.utils")


@pytest.fixture
def image():
    rng = np.random.default_rng(5)
    data = rng.normal(100, 3, (300, 200))
    data[rng.random(data.shape) < 0.05] += 400
    data[rng.random(data.shape) < 0.02] += 20
    return data


@pytest.fixture
def positions():
    return np.random.default_rng(6).uniform(-10, 310, (2, 500))


@pytest.mark.parametrize("separation", [3, 9.5, 25])
def test_groups(separation):
    x, y = np.random.default_rng(1).uniform(0, 300, (2, 800)).round(0)
    ours = SourceGrouper(separation)(x, y)
    np.testing.assert_array_equal(ours, psf.SourceGrouper(separation)(x, y))


def test_groups_as_an_object():
    x, y = np.random.default_rng(1).uniform(0, 300, (2, 300)).round(0)
    ours = SourceGrouper(12)(x, y, return_groups_object=True)
    theirs = psf.SourceGrouper(12)(x, y, return_groups_object=True)
    assert repr(ours) == repr(theirs)
    assert ours.size_map == theirs.size_map
    np.testing.assert_array_equal(ours.sizes, theirs.sizes)
    for group, center in theirs.group_centers.items():
        np.testing.assert_allclose(ours.group_centers[group], center, rtol=1e-13)
        sources = theirs.get_group_sources(group)
        np.testing.assert_array_equal(ours.get_group_sources(group), sources)


def test_plot_of_groups():
    from matplotlib.figure import Figure  # noqa: PLC0415

    x, y = np.random.default_rng(1).uniform(0, 300, (2, 80))
    axes = Figure().subplots(1, 2)
    settings = {"label_groups": True, "label_offset": (2, 1), "lw": 2}
    SourceGrouper(25)(x, y, return_groups_object=True).plot(9, ax=axes[0], **settings)
    psf.SourceGrouper(25)(x, y, return_groups_object=True).plot(
        9, ax=axes[1], **settings
    )
    patches, labels = (
        [getattr(each, name) for each in axes] for name in ("patches", "texts")
    )
    for ours, theirs in zip(*patches, strict=True):
        assert tuple(ours.center) == tuple(theirs.center)
        assert ours.radius == theirs.radius
        assert ours.get_edgecolor() == theirs.get_edgecolor()
        assert ours.get_linewidth() == theirs.get_linewidth()
    for ours, theirs in zip(*labels, strict=True):
        assert ours.get_text() == theirs.get_text()
        np.testing.assert_allclose(ours.get_position(), theirs.get_position())
        assert tuple(ours.get_color()) == tuple(theirs.get_color())


@pytest.mark.parametrize("n_colors", [1, 5, 500])
def test_colours(n_colors):
    ours = make_random_cmap(n_colors=n_colors, seed=123)
    theirs = utils.make_random_cmap(n_colors=n_colors, seed=123)
    np.testing.assert_array_equal(ours.colors, theirs.colors)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gain", [0, 2.5, "map"])
def test_total_errors(image, dtype, gain, photutils_31):
    rng = np.random.default_rng(3)
    data, noise = (image - 100).astype(dtype), rng.uniform(1, 2, image.shape)
    if gain == "map":
        gain = rng.choice([0, 0.5, 2], image.shape)
    ours = calc_total_error(data, noise.astype(dtype), gain)
    theirs = utils.calc_total_error(data, noise.astype(dtype), gain)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("method", ["exact", "center", "subpixel"])
@pytest.mark.parametrize("radii", [(0.3,), (2,), (7.7,), (0.5, 1.5), (4, 6.3)])
def test_photometry(image, positions, radii, method, photutils_31):
    """photutils 3.0 weighted errors by the root of the overlap."""
    rng = np.random.default_rng(2)
    mask, error = rng.random(image.shape) < 0.1, rng.uniform(1, 2, image.shape)
    name = "CircularAperture" if len(radii) == 1 else "CircularAnnulus"
    # As many ties of centres and radii as there can be.
    halves = (2 * positions.T).round() / 2
    for centres in (positions.T, halves):
        ours = getattr(psfphot.aperture, name)(centres, *radii)
        theirs = getattr(aperture, name)(centres, *radii)
        assert repr(ours) == repr(theirs)
        assert str(ours) == str(theirs)
        assert ours.area == pytest.approx(theirs.area, rel=1e-15)
        boxes = [vars(box) for box in ours.bbox]
        assert boxes == [
            {name: getattr(box, name) for name in boxes[0]} for box in theirs.bbox
        ]
        if method == "subpixel" and centres is halves:
            # Points on the circle may be counted either way.
            continue
        arguments = (image << u.Jy, error << u.Jy, mask, method)
        got = ours.do_photometry(*arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = theirs.do_photometry(*arguments)
        for mine, other in zip(got, expected, strict=True):
            assert mine.unit == other.unit
            np.testing.assert_allclose(mine.value, other.value, rtol=1e-11, atol=1e-9)


ESTIMATORS = [
    ("MeanBackground", {}),
    ("MedianBackground", {}),
    ("ModeEstimatorBackground", {"median_factor": 2.5, "mean_factor": 1.2}),
    ("MMMBackground", {}),
    ("SExtractorBackground", {}),
    ("BiweightLocationBackground", {}),
    ("BiweightLocationBackground", {"c": 4.5}),
]
CLIPS = [
    None,
    SigmaClip(3, maxiters=10),
    SigmaClip(3, maxiters=1),
    SigmaClip(2, maxiters=None),
    SigmaClip(sigma_lower=2, sigma_upper=1.5, maxiters=3),
    SigmaClip(2.5, cenfunc="mean"),
    SigmaClip(3, stdfunc="mad_std"),
]


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(("name", "settings"), ESTIMATORS)
def test_estimators(image, positions, name, settings, clip, photutils_31):  # noqa: PLR0917
    mask = np.random.default_rng(2).random(image.shape) < 0.1
    ours = getattr(psfphot.background, name)(sigma_clip=clip, **settings)
    theirs = getattr(background, name)(sigma_clip=clip, **settings)
    assert repr(ours) == repr(theirs)
    for axis in (None, 0, 1):
        np.testing.assert_allclose(
            ours(image, axis=axis), theirs(image, axis=axis), rtol=1e-12
        )
    for radii in ((2, 4.5), (10, 20)):
        local = background.LocalBackground(*radii, bkg_estimator=theirs)
        expected = local(image << u.Jy, *positions, mask=mask)
        got = LocalBackground(*radii, bkg_estimator=ours)(
            image << u.Jy, *positions, mask=mask
        )
        np.testing.assert_allclose(got.value, expected.value, rtol=1e-12)
        adapted = as_local_background(local)
        assert type(adapted) is LocalBackground
        assert repr(adapted.bkg_estimator) == repr(theirs)
        np.testing.assert_array_equal(adapted(image, *positions, mask=mask), got.value)


def test_photutils_local_background_in_a_fit(image):
    local = background.LocalBackground(5, 9)
    settings = {"aperture_radius": 3, "n_threads": 1}
    starts = {"x": [50.0, 100.0], "y": [60.0, 200.0]}
    tables = []
    for estimator in (local, LocalBackground(5, 9)):
        settings["local_bkg_estimator"] = estimator
        photometry = PSFPhotometry(CircularGaussianPRF(fwhm=3), 5, **settings)
        with warnings.catch_warnings():
            # There are no stars at these positions.
            warnings.simplefilter("ignore")
            tables.append(photometry(image, init_params=Table(starts)))
    for name in ("local_bkg", "flux_init", "flux_fit"):
        np.testing.assert_array_equal(tables[0][name], tables[1][name])
    assert (tables[0]["local_bkg"] > 90).all()


@pytest.mark.parametrize("radius", [0.4, 3.0, 11.3])
def test_aperture_sums(image, positions, radius):
    mask = np.random.default_rng(2).random(image.shape) < 0.1
    sums, areas = _core.aperture_sums(image, mask, *positions, radius)
    apertures = aperture.CircularAperture(positions.T, radius)
    for overlap, total, area in zip(
        apertures.to_mask(method="exact"), sums, areas, strict=True
    ):
        weights = overlap.to_image(image.shape)
        if weights is None or not weights.any():
            assert np.isnan(total)
            assert area == 0
            continue
        used = np.where(mask, 0, weights)
        np.testing.assert_allclose(total, (used * image).sum(), rtol=1e-12)
        np.testing.assert_allclose(area, used.sum(), rtol=1e-12)


@pytest.mark.parametrize("radii", [(2, 4.5), (5, 8), (10, 20)])
def test_local_backgrounds(image, positions, radii):
    mask = np.random.default_rng(2).random(image.shape) < 0.1
    whole = positions.round(0)
    for x, y in (positions, whole):
        ours = LocalBackground(*radii)(image, x, y, mask=mask)
        theirs = background.LocalBackground(*radii)(image, x, y, mask=mask)
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_sources": 500, "min_separation": 25, "flux": (500, 20_000)},
        {"n_sources": 3000, "border_size": (7, 50), "flux": (1, 2), "sky": (-3, 0)},
        {"n_sources": 40, "min_separation": 0, "seed": 3, "flux": (1, 2)},
        {"n_sources": 9000, "min_separation": 20.0, "seed": 9, "flux": (1, 2)},
        {"n_sources": 0},
    ],
)
def test_model_params(settings):
    ours, our_messages = called(make_model_params, (2048, 1500), **settings)
    theirs, messages = called(datasets.make_model_params, (2048, 1500), **settings)
    assert ours.colnames == theirs.colnames
    for name in ours.colnames:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert our_messages == messages


@pytest.mark.parametrize(
    "settings",
    [
        {"mean": 0, "stddev": 0.5},
        {"mean": 3.5, "distribution": "poisson"},
    ],
)
def test_noise(settings):
    ours = make_noise_image((300, 200), seed=7, **settings)
    theirs = datasets.make_noise_image((300, 200), seed=7, **settings)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype


def oversampled_gaussian(size, sigma=6.0):
    axis = np.arange(size) - (size - 1) / 2
    data = np.exp(-(axis**2 + axis[:, None] ** 2) / (2 * sigma**2))
    return data / data.sum() * 16


def gridded(module):
    from astropy.nddata import NDData  # noqa: PLC0415

    stack = [oversampled_gaussian(84, sigma) for sigma in (5.0, 6.0, 6.5, 7.0)]
    corners = [(0, 0), (200, 0), (0, 300), (200, 300)]
    meta = {"grid_xypos": corners, "oversampling": 4}
    return module(NDData(np.array(stack), meta=meta))


@pytest.mark.parametrize(
    ("make_ours", "make_theirs", "settings"),
    [
        (
            lambda: CircularGaussianPRF(fwhm=2.3),
            lambda: psf.CircularGaussianPRF(fwhm=2.3),
            {"fwhm": (1, 4), "min_separation": 0},
        ),
        (
            lambda: CircularGaussianPRF(fwhm=2.0),
            lambda: psf.CircularGaussianPRF(fwhm=2.0),
            {"model_shape": (6, 9), "border_size": 0},
        ),
        (
            lambda: ImagePSF(oversampled_gaussian(82), oversampling=4),
            lambda: psf.ImagePSF(oversampled_gaussian(82), oversampling=4),
            {"x_0": (1, 2), "nonsense": (2, 3)},
        ),
        (
            lambda: gridded(GriddedPSFModel),
            lambda: gridded(psf.GriddedPSFModel),
            {"min_separation": 12},
        ),
    ],
)
def test_model_images(make_ours, make_theirs, settings):
    arguments = {"n_sources": 60, "flux": (500, 20_000), "seed": 4} | settings
    data, table = make_psf_model_image((300, 200), make_ours(), **arguments)
    expected, theirs = psf.make_psf_model_image((300, 200), make_theirs(), **arguments)
    assert table.colnames == theirs.colnames
    for name in table.colnames:
        np.testing.assert_array_equal(table[name], theirs[name])
    # The tails of our Gaussian reach a little farther before they are 0.
    assert data[expected != 0].all()
    np.testing.assert_allclose(data, expected, rtol=0, atol=1e-12 * expected.max())
