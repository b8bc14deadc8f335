"""The local background: the annulus, the clipping, arguments."""

import numpy as np
import pytest
from astropy import units as u
from astropy.stats import SigmaClip, sigma_clipped_stats
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from psfphot.aperture import CircularAnnulus
from psfphot.background import (
    BiweightLocationBackground,
    LocalBackground,
    MeanBackground,
    MedianBackground,
    MMMBackground,
    ModeEstimatorBackground,
    SExtractorBackground,
    as_local_background,
)
from psfphot.psf import CircularGaussianPRF, PSFPhotometry


@pytest.fixture
def image():
    """Noise with stars bright and faint, and a few bad pixels."""
    rng = np.random.default_rng(5)
    data = rng.normal(100, 3, (120, 90))
    data[rng.random(data.shape) < 0.05] += 400
    data[rng.random(data.shape) < 0.02] += 20
    data[rng.random(data.shape) < 0.01] = np.nan
    return data


@pytest.fixture
def positions():
    return np.random.default_rng(6).uniform(-15, 130, (2, 200))


def by_astropy(data, mask, position, radii):
    (x, y), (inner, outer) = position, radii
    yy, xx = np.indices(data.shape)
    r2 = (xx - x) ** 2 + (yy - y) ** 2
    use = (r2 >= inner**2) & (r2 < outer**2) & np.isfinite(data) & ~mask
    values = data[use]
    clipped = SigmaClip(sigma=3, maxiters=10)(values, masked=False)
    return np.median(clipped) if clipped.size else np.nan


@pytest.mark.parametrize("radii", [(0.5, 3), (5, 8.5), (10, 20)])
def test_the_background_is_that_of_astropy(image, positions, radii):
    mask = np.random.default_rng(7).random(image.shape) < 0.1
    got = LocalBackground(*radii)(image, *positions, mask=mask)
    expected = [by_astropy(image, mask, each, radii) for each in positions.T]
    np.testing.assert_allclose(got, expected, rtol=1e-14)
    assert np.isfinite(got).sum() > 50
    assert np.isnan(got).any()


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_every_number_of_threads_gives_the_same_bits(image, positions, n_threads):
    expected = LocalBackground(5, 9)(image, *positions)
    got = LocalBackground(5, 9, n_threads=n_threads)(image, *positions)
    np.testing.assert_array_equal(got, expected)


def test_the_inner_edge_belongs_to_the_annulus_and_the_outer_does_not():
    for x, y, inside in [(13, 10, True), (10, 7, True), (15, 10, False), (13, 14, 0)]:
        data = np.full((20, 20), np.nan)
        data[y, x] = 7
        level = LocalBackground(3, 5)(data, 10, 10)
        assert (level == 7) == inside


def test_one_position_gives_a_scalar_and_units_are_kept(image):
    background = LocalBackground(5, 8)
    assert np.ndim(background(image, 30, 40)) == 0
    assert np.ndim(background(image, [30], [40])) == 0
    assert background(image, [], []).shape == (0,)
    level = background(image * u.Jy, [30, 31], [40, 41])
    assert level.unit == u.Jy
    assert (background(image << u.Jy, 30, 40)).unit == u.Jy
    np.testing.assert_array_equal(level.value, background(image, [30, 31], [40, 41]))


def test_takes_lists_integers_and_masked_arrays():
    data = np.arange(400).reshape(20, 20)
    background = LocalBackground(3, 5)
    assert background(data.tolist(), 10, 10) == background(data, 10, 10) == 210
    mask = data > 200
    masked = np.ma.array(data, mask=mask)
    expected = background(data, 10, 10, mask=mask)
    assert background(masked, 10, 10) == expected < 200
    assert background(data.astype(">f4"), 10, 10) == 210


def test_nothing_to_measure_is_nan(image):
    x, y = [np.nan, 5, np.inf, -500, 1e300], [5, np.nan, 5, 5, 5]
    assert np.isnan(LocalBackground(3, 5)(image, x, y)).all()
    everything = np.ones(image.shape, dtype=bool)
    assert np.isnan(LocalBackground(3, 5)(image, 40, 40, mask=everything))


@pytest.mark.parametrize(
    ("radii", "message"),
    [
        ((0, 1), "inner_radius must be positive"),
        ((np.nan, 2), "inner_radius must be positive"),
        ((1, -2), "outer_radius must be positive"),
        ((1, np.inf), "outer_radius must be positive and finite"),
        ((2, 2), "outer_radius must be greater than inner_radius"),
    ],
)
def test_bad_radii(radii, message):
    with pytest.raises(ValueError, match=message):
        LocalBackground(*radii)


def test_bad_arguments(image):
    with pytest.raises(TypeError, match="inner_radius must be a number"):
        LocalBackground("a", 2)
    with pytest.raises(TypeError, match="bkg_estimator must be callable or None"):
        LocalBackground(1, 2, bkg_estimator="median")
    with pytest.raises(ValueError, match="n_threads must be None or at least 1"):
        LocalBackground(1, 2, n_threads=0)
    with pytest.raises(TypeError, match="n_threads must be an integer"):
        LocalBackground(1, 2, n_threads=1.5)
    background = LocalBackground(3, 5)
    with pytest.raises(ValueError, match="x and y must have the same shape"):
        background(image, [1, 2], [1])
    with pytest.raises(ValueError, match="data and mask must have the same shape"):
        background(image, 1, 1, mask=np.ones((2, 2), dtype=bool))
    with pytest.raises(ValueError, match="data must be a 2D array"):
        background(image[0], 1, 1)
    with pytest.raises(TypeError, match="data must be an array of real numbers"):
        background(image + 0j, 1, 1)


def test_repr():
    assert repr(
        LocalBackground(3, 5, bkg_estimator=MeanBackground(sigma_clip=None))
    ) == (
        "LocalBackground(inner_radius=3, outer_radius=5, "
        "bkg_estimator=MeanBackground(sigma_clip=None), n_threads=None)"
    )
    assert isinstance(LocalBackground(3, 5).bkg_estimator, MedianBackground)


ESTIMATORS = [
    MeanBackground,
    MedianBackground,
    MMMBackground,
    SExtractorBackground,
    lambda sigma_clip: BiweightLocationBackground(sigma_clip=sigma_clip),
    lambda sigma_clip: BiweightLocationBackground(
        c=4.0, M=101.0, sigma_clip=sigma_clip
    ),
    lambda sigma_clip: ModeEstimatorBackground(
        median_factor=2.5, mean_factor=1.4, sigma_clip=sigma_clip
    ),
]
CLIPS = [
    None,
    SigmaClip(2, maxiters=None),
    SigmaClip(sigma_lower=2, sigma_upper=1.5, maxiters=2),
    SigmaClip(2.5, cenfunc="mean"),
    SigmaClip(3, stdfunc="mad_std"),
]


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("make", ESTIMATORS)
@pytest.mark.parametrize("radii", [(2, 4.5), (10, 20)])
def test_the_core_s_estimators_are_those_of_python(image, radii, make, clip):
    """A method of one is not known to the core."""
    estimator = make(sigma_clip=clip)
    x, y = np.random.default_rng(8).uniform(5, 80, (2, 40))
    got = LocalBackground(*radii, bkg_estimator=estimator)(image, x, y)
    expected = LocalBackground(*radii, bkg_estimator=estimator.calc_background)(
        image, x, y
    )
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert np.isfinite(got).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"cenfunc": np.mean},
        {"stdfunc": np.nanstd},
        {"cenfunc": "mean"},
        {"grow": 1},
    ],
)
def test_clips_that_the_core_does_not_know(image, arguments):
    if "grow" in arguments:
        pytest.importorskip("scipy")
    clip = SigmaClip(2, maxiters=3, **arguments)
    position = np.array([[40.3], [50.1]])
    values = LocalBackground(3, 6, bkg_estimator=lambda values: values.sum())
    assert np.isfinite(values(image, *position))
    got = LocalBackground(3, 6, bkg_estimator=MeanBackground(sigma_clip=clip))(
        image, *position
    )
    yy, xx = np.indices(image.shape)
    r2 = (xx - 40.3) ** 2 + (yy - 50.1) ** 2
    ring = image[(r2 >= 9) & (r2 < 36) & np.isfinite(image)]
    expected = np.nanmean(clip(ring, masked=False))
    assert got == pytest.approx(expected, rel=1e-13)


def test_derived_estimators_do_what_they_say(image):
    class Brightest(MeanBackground):
        def __call__(self, data):
            return np.max(data)

    got = LocalBackground(3, 6, bkg_estimator=Brightest())(image, [40, 41], [50, 52])
    assert (
        got > LocalBackground(3, 6, bkg_estimator=MeanBackground())(image, 40, 50)
    ).all()


def test_any_callable_sees_the_usable_values(image):
    seen = []

    def estimator(values):
        seen.append(values)
        return np.float32(values.size)

    x, y = [40, -500, np.nan, 30], [50, 5, 5, 30]
    levels = LocalBackground(3, 6, bkg_estimator=estimator)(image << u.Jy, x, y)
    assert levels.unit == u.Jy
    assert len(seen) == 2
    assert all(np.isfinite(values).all() for values in seen)
    np.testing.assert_array_equal(
        levels.value, [seen[0].size, np.nan, np.nan, seen[1].size]
    )


@pytest.mark.parametrize("result", ["a", None, [1, 2], 3 * u.Jy, np.ma.masked, 1j])
def test_results_of_callables_must_be_numbers(image, result):
    background = LocalBackground(3, 6, bkg_estimator=lambda _: result)
    with pytest.raises(TypeError, match="the result of bkg_estimator must be a number"):
        background(image, 40, 50)


def test_to_aperture():
    annulus = LocalBackground(3, 6).to_aperture([1, 2], [3, 4])
    assert annulus == CircularAnnulus([(1, 3), (2, 4)], 3, 6)
    assert len(LocalBackground(3, 6).to_aperture(1, 2)) == 1


def stand_in(name, **attributes):
    """Make an object that says it is a class of photutils."""
    kind = type(name, (), {"__module__": "photutils.background", "__call__": None})
    instance = kind()
    vars(instance).update(attributes)
    return instance


def test_photutils_objects_are_known_by_their_attributes(image):
    mode = stand_in("MMMBackground", sigma_clip=None)
    theirs = stand_in(
        "LocalBackground", inner_radius=3, outer_radius=6, bkg_estimator=mode
    )
    ours = as_local_background(theirs)
    assert type(ours.bkg_estimator) is MMMBackground
    expected = LocalBackground(3, 6, bkg_estimator=MMMBackground(sigma_clip=None))(
        image, 40, 50
    )
    assert (
        ours(image, 40, 50)
        == LocalBackground(3, 6, bkg_estimator=mode)(image, 40, 50)
        == expected
    )
    photometry = PSFPhotometry(
        CircularGaussianPRF(fwhm=3), 5, local_bkg_estimator=theirs, aperture_radius=3
    )
    data = np.full((40, 40), 7.0)
    data += CircularGaussianPRF(x_0=20, y_0=20, flux=900, fwhm=3)(
        *np.indices(data.shape)[::-1]
    )
    init = {"x": [20], "y": [20]}
    table = photometry(data, init_params=Table(init))
    assert table["local_bkg"][0] == ours(data, 20, 20)
    for other in (np.mean, LocalBackground(3, 6), None, stand_in("Other")):
        assert as_local_background(other) is other


@given(
    values=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=60),
    sigma=st.sampled_from([1.5, 2.0, 3.0]),
)
def test_means_and_medians_are_those_of_astropy(values, sigma):
    mean, median, _ = sigma_clipped_stats(values, sigma=sigma, maxiters=10)
    clip = SigmaClip(sigma, maxiters=10)
    assert MeanBackground(sigma_clip=clip)(values) == pytest.approx(
        mean, rel=1e-9, abs=1e-9
    )
    assert MedianBackground(sigma_clip=clip)(values) == pytest.approx(median, rel=1e-12)


def test_axes_masks_units_and_nothing():
    data = np.arange(12.0).reshape(3, 4)
    for make in ESTIMATORS:
        estimator = make(sigma_clip=SigmaClip(3, maxiters=10))
        along = estimator(data, axis=1)
        np.testing.assert_allclose(along, [estimator(row) for row in data])
        with_unit = estimator.calc_background(data << u.Jy, axis=1)
        assert with_unit.unit == u.Jy
        np.testing.assert_array_equal(with_unit.value, along)
        masked = np.ma.array(data, mask=data == 11)
        holed = np.where(data == 11, np.nan, data)
        np.testing.assert_array_equal(
            estimator(masked, axis=0), estimator(holed, axis=0)
        )
        with pytest.raises(TypeError, match="data must be an array of real numbers"):
            estimator(data + 1j)
    assert np.isnan(MedianBackground()([]))
    holed = np.where(data < 4, np.nan, data)
    result = MeanBackground()(holed, axis=1, masked=True)
    assert result.mask.tolist() == [True, False, False]
    assert isinstance(MeanBackground()(data, masked=True), float)


@pytest.mark.parametrize("clip", [3, "clip", np.mean])
def test_clips_must_be_astropy_s(clip):
    with pytest.raises(TypeError, match="sigma_clip must be an astropy SigmaClip"):
        MeanBackground(sigma_clip=clip)


def test_estimators_show_themselves():
    assert repr(BiweightLocationBackground(c=5, sigma_clip=None)) == (
        "BiweightLocationBackground(c=5.0, M=None, sigma_clip=None)"
    )
    assert repr(MMMBackground(sigma_clip=None)) == (
        "MMMBackground(median_factor=3.0, mean_factor=2.0, sigma_clip=None)"
    )
    with pytest.raises(TypeError, match="c must be a number"):
        BiweightLocationBackground(c="a")
