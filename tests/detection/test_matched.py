"""The finder that filters with the PSF, against truth and pure noise."""

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import NDData
from astropy.table import Table

from psfphot.datasets import make_model_image
from psfphot.detection import DAOStarFinder, MatchedFilterFinder
from psfphot.psf import CircularGaussianPRF, GriddedPSFModel, MoffatPSF, PSFPhotometry
from psfphot.utils import NoDetectionsWarning

PSF = CircularGaussianPRF(fwhm=2.5)
SHAPE = (400, 450)


def noise_and_error(seed):
    """Noise whose error varies by 10 from pixel to pixel."""
    rng = np.random.default_rng(seed)
    error = 10 ** rng.uniform(0, 1, SHAPE)
    return rng.normal(0, error), error


def sources(seed=1, n=150):
    """Stars from below to far above the threshold, none near an edge."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(8, SHAPE[1] - 8, n), rng.uniform(8, SHAPE[0] - 8, n)
    return Table({"x_0": x, "y_0": y, "flux": 10 ** rng.uniform(1.2, 4, n)})


def scene(psf=PSF, seed=1, n=150):
    """An image with its error and the true stars."""
    truth = sources(seed, n)
    image = make_model_image(SHAPE, psf, truth, model_shape=(31, 31))
    error = np.sqrt(1 + np.maximum(image, 0) / 4)
    return image + np.random.default_rng(seed + 1).normal(0, error), error, truth


def nearest(found, truth):
    """Row of the found star next to each true one, and its distance."""
    dx = truth["x_0"].data[:, None] - found["x_centroid"].data
    dy = truth["y_0"].data[:, None] - found["y_centroid"].data
    distance = np.hypot(dx, dy)
    return distance.argmin(axis=1), distance.min(axis=1), distance.min(axis=0)


@pytest.mark.parametrize("sky", [True, False])
@pytest.mark.parametrize("kind", ["map", "constant", "measured", "masked"])
def test_the_snr_of_pure_noise_is_a_unit_normal(kind, sky):
    data, error = noise_and_error(3)
    level = 1000.0 if sky else 0.0
    arguments = {"error": error}
    if kind in {"constant", "measured"}:
        data = np.random.default_rng(4).normal(0, 3.0, SHAPE)
        arguments = {"error": 3.0} if kind == "constant" else {}
    if kind == "masked":
        mask = np.random.default_rng(5).random(SHAPE) < 0.1
        data[mask] = np.where(np.arange(mask.sum()) % 2, np.nan, 1e6)
        arguments["mask"] = mask
    finder = MatchedFilterFinder(PSF, sky=sky)
    maps = finder.maps(data + level, **arguments)
    # 180,000 pixels, of which about 10 go to an independent value.
    assert np.nanstd(maps.snr) == pytest.approx(1.0, abs=0.02)
    assert np.nanmean(maps.snr) == pytest.approx(0.0, abs=0.03)
    np.testing.assert_allclose(maps.amplitude / maps.error, maps.snr)
    with pytest.warns(NoDetectionsWarning):
        assert MatchedFilterFinder(PSF, 5.7, sky=sky)(data + level, **arguments) is None


def test_the_rate_of_false_stars_is_that_of_the_threshold():
    data = np.random.default_rng(6).normal(0, 1, (1024, 1024))
    counts = [
        len(MatchedFilterFinder(PSF, n)(data, error=1.0)) for n in (3.0, 3.5, 4.0)
    ]
    # Peaks of a Gaussian field: falling by its tail, n exp(-n^2/2).
    ratios = np.divide(counts[1:], counts[:-1])
    expected = [np.exp(-(b**2 - a**2) / 2) * b / a for a, b in ((3, 3.5), (3.5, 4))]
    np.testing.assert_allclose(ratios, expected, rtol=0.25)


def test_completeness_flux_and_position_against_truth():
    data, error, truth = scene()
    found = MatchedFilterFinder(PSF)(data + 300, error=error)
    j, distance, to_truth = nearest(found, truth)
    # Stars that no other disturbs.
    dx, dy = (np.subtract.outer(truth[c].data, truth[c].data) for c in ("x_0", "y_0"))
    alone = np.sort(np.hypot(dx, dy), axis=1)[:, 1] > 12
    true_snr = truth["flux"] / found["flux_err"].min()
    assert np.all(distance[alone & (true_snr > 8)] < 1)
    # The foot of a bright star may rise above the noise beside it.
    assert np.sum(to_truth > 1) <= 1
    bright = alone & (truth["flux"] > 300)
    row = found[j]
    pull = ((row["flux"] - truth["flux"]) / row["flux_err"])[bright]
    assert bright.sum() > 30
    assert abs(np.median(pull)) < 0.6
    assert np.std(pull) < 1.5
    assert np.all(distance[bright] < 0.2)
    assert np.median(row["sharpness"][bright]) == pytest.approx(1, abs=0.05)
    assert np.median(row["local_bkg"][alone]) == pytest.approx(300, abs=0.3)
    np.testing.assert_allclose(row["mag"], -2.5 * np.log10(row["flux"]))


def test_it_finds_fainter_stars_than_a_threshold_of_pixels():
    data, _, truth = scene()
    matched = MatchedFilterFinder(PSF)(data, error=1.0)
    dao = DAOStarFinder(threshold=5.0, fwhm=2.5)(data)
    assert (nearest(matched, truth)[1] < 1).sum() > (
        nearest(dao, truth)[1] < 1
    ).sum() + 5


def test_masked_holes_and_nan_lose_no_star_and_make_none():
    data, error, truth = scene()
    rng = np.random.default_rng(9)
    for x, y in truth["x_0", "y_0"].iterrows():
        data[round(y), round(x)] = np.nan
    mask = (rng.random(SHAPE) < 0.02) & np.isfinite(data)
    data[mask] = 1e5
    found = MatchedFilterFinder(PSF)(data, mask=mask, error=error)
    _, distance, to_truth = nearest(found, truth)
    assert np.all(distance[truth["flux"] > 1000] < 1)
    assert np.sum(to_truth > 1.5) <= 1
    assert found["coverage"].max() < 1
    core = found[np.argmax(found["flux"])]
    assert np.isnan(data[round(core["y_centroid"]), round(core["x_centroid"])])
    assert core["n_pixels"] < 121
    # What is behind a mask does not matter.
    data[mask] = np.inf
    again = MatchedFilterFinder(PSF)(data, mask=mask, error=error)
    np.testing.assert_array_equal(found.as_array(), again.as_array())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("psf", [PSF, MoffatPSF(alpha=1.6, beta=2.5)])
def test_threads_change_no_bit(psf, dtype):
    data, error, _ = scene(psf)
    data, error = data.astype(dtype), error.astype(dtype)
    data[50:53, 60:70] = np.nan
    for errors in (error, 2.0, None):
        one, two = (
            MatchedFilterFinder(psf, n_threads=n)(data, error=errors) for n in (1, 2)
        )
        # One by one: magnitudes of negative fluxes are NaN.
        for name in one.colnames:
            np.testing.assert_array_equal(one[name], two[name])


def test_a_grid_that_varies_finds_stars_at_full_snr_everywhere():
    y, x = np.mgrid[-20:21, -20:21] / 2
    fwhms = (2.0, 3.0, 2.4, 4.0)
    stars = [CircularGaussianPRF(fwhm=f) for f in fwhms]
    planes = np.array([s.evaluate(x, y, 4.0, 0, 0, s.fwhm.value) / 4 for s in stars])
    corners = [(0, 0), (449, 0), (0, 399), (449, 399)]
    planes *= 4 / planes.sum(axis=(1, 2), keepdims=True)
    meta = {"grid_xypos": corners, "oversampling": 2}
    grid = GriddedPSFModel(NDData(planes, meta=meta))
    places = Table({"x_0": [12, 437, 12, 437], "y_0": [12, 12, 387, 387]})
    places["flux"] = 100.0
    image = make_model_image(SHAPE, grid, places, model_shape=(19, 19))
    found = MatchedFilterFinder(grid, half_width=8)(image + 5, error=1.0)
    assert len(found) == 4
    np.testing.assert_allclose(found["flux"], 100, rtol=2e-3)
    # The best that weighted least squares can do with the star's own PSF.
    for row, star in zip(found, places, strict=True):
        cutout = np.s_[
            star["y_0"] - 8 : star["y_0"] + 9, star["x_0"] - 8 : star["x_0"] + 9
        ]
        best = np.linalg.norm(image[cutout] - image[cutout].mean())
        assert row["snr"] == pytest.approx(best, rel=0.03)


def test_units_positions_and_selection():
    data, error, truth = scene()
    plain = MatchedFilterFinder(PSF)(data, error=error)
    jansky = MatchedFilterFinder(PSF)(data * u.Jy, error=error * 1000 * u.mJy)
    for name in ("flux", "flux_err", "peak", "local_bkg"):
        np.testing.assert_allclose(jansky[name].to_value(u.Jy), plain[name])
    np.testing.assert_allclose(jansky["snr"], plain["snr"])
    few = MatchedFilterFinder(PSF, n_brightest=5, peak_max=300.0)(data, error=error)
    assert len(few) == 5
    assert few["peak"].max() <= 300
    assert np.all(np.diff(few["flux"]) <= 0)
    given = np.transpose([truth["x_0"], truth["y_0"]])
    measured = MatchedFilterFinder(PSF, xycoords=given)(data, error=error)
    assert len(measured) == len(truth)
    assert measured["id"][0] == 1
    # The rows start a photometry.
    fit = PSFPhotometry(PSF, (5, 5), aperture_radius=3, finder=MatchedFilterFinder(PSF))
    assert len(fit(data, error=np.ones(SHAPE))) > 100


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"n_sigma": 0}, ValueError, "n_sigma must be positive"),
        ({"error": -1.0}, ValueError, "error must be positive"),
        ({"half_width": 0}, ValueError, "half_width must be > 0"),
        ({"half_width": 999}, ValueError, "half_width must be between 1 and"),
        ({"min_coverage": 2}, ValueError, "min_coverage must be between 0 and 1"),
        ({"min_separation": -1}, ValueError, "min_separation must be >= 0"),
        ({"fwhm": "wide"}, TypeError, "fwhm"),
        ({"xycoords": [(999, 3)]}, ValueError, "xycoords must be within"),
        ({"peak_max": 3 * u.Jy}, ValueError, "same units"),
    ],
)
def test_bad_arguments_are_named(arguments, kind, message):
    with pytest.raises(kind, match=message):
        MatchedFilterFinder(PSF, **arguments)(np.eye(20))


def test_bad_data_are_named():
    finder = MatchedFilterFinder(PSF)
    with pytest.raises(TypeError, match="model"):
        MatchedFilterFinder("gaussian")
    with pytest.raises(ValueError, match="same shape"):
        finder(np.eye(20), error=np.ones((3, 3)))
    with pytest.raises(ValueError, match="must not be empty"):
        finder(np.ones((0, 5)))
    with pytest.raises(ValueError, match="error must be given where the image has no"):
        finder(np.eye(60))
    with pytest.warns(NoDetectionsWarning, match="No sources"):
        assert finder(np.ones((30, 30))) is None
    assert "n_sigma=5.0" in repr(finder)
