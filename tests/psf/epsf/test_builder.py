"""The builder with photutils' interface, on stars that a formula has drawn."""

import copy
from importlib.util import find_spec

import numpy as np
import pytest
from astropy.nddata import NDData
from astropy.stats import SigmaClip, sigma_clipped_stats
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from fields import compare, cutouts, field, truth

from psfphot import psf as front
from psfphot.centroids import centroid_com
from psfphot.detection import find_peaks
from psfphot.psf import (
    EPSFBuilder,
    EPSFBuildResults,
    EPSFFitter,
    EPSFStars,
    ImagePSF,
    LinkedEPSFStar,
    extract_stars,
)
from psfphot.utils.exceptions import PhotutilsDeprecationWarning

# The builder's centre of symmetry.
SCIPY = pytest.mark.skipif(find_spec("scipy") is None, reason="needs scipy")


@pytest.fixture(scope="module")
def built():
    pytest.importorskip("scipy")
    stars, table = cutouts(49)
    return EPSFBuilder(progress_bar=False)(stars), stars, table


@SCIPY
def test_the_tutorial_runs():
    """The steps of photutils' tutorial: peaks, stars away from edges, cutouts, ePSF."""
    image, _, stars = field(36)
    image += 100.0
    peaks = find_peaks(image, threshold=1000.0)
    half = 7
    x, y = peaks["x_peak"], peaks["y_peak"]
    inside = (x > half) & (x < image.shape[1] - 1 - half)
    inside &= (y > half) & (y < image.shape[0] - 1 - half)
    table = Table({"x": x[inside], "y": y[inside]})
    _, median, _ = sigma_clipped_stats(image, sigma=2.0)
    cuts = extract_stars(NDData(data=image - median), table, size=15)
    assert len(cuts) == len(stars)
    builder = EPSFBuilder(oversampling=4, maxiters=10, progress_bar=False)
    epsf, fitted = builder(cuts)
    assert isinstance(epsf, ImagePSF)
    assert epsf.data.shape == (61, 61)
    assert isinstance(fitted, EPSFStars)
    assert compare(epsf.data) < 0.01
    pytest.importorskip("matplotlib").use("Agg")
    figure = builder(cuts).plot_iterations(iterations=[1, 2])
    assert len(figure.axes) == 8


def test_epsf_and_stars_are_those_of_the_truth(built):
    result, stars, table = built
    assert compare(result.epsf.data) < 4e-3
    assert result.epsf.data.sum() == pytest.approx(16)
    assert np.std(result.fitted_stars.center_flat[:, 0] - table["x"]) < 8e-3
    assert np.std(result.fitted_stars.flux / table["flux"]) < 8e-3
    # What was given is as it was.
    assert np.abs(stars.center_flat[:, 0] - table["x"]).max() > 0.01


def test_results_are_photutils_and_more(built):
    result, _, _ = built
    epsf, fitted = result
    assert (epsf, fitted) == (result[0], result[1])
    assert len(result) == 2
    with pytest.raises(IndexError, match="must be 0"):
        result[2]
    assert result.converged
    assert len(result.iteration_epsfs) == result.iterations
    assert result.iteration_info.colnames == [
        "iteration",
        "stage",
        "converged",
        "converged_fraction",
        "max_center_shift",
        "common_center_shift",
        "n_fit_failed",
        "max_epsf_change",
    ]
    assert result.iteration_info["max_epsf_change"][-1] < 1e-3
    assert result.final_center_accuracy < 5e-3
    assert np.abs(result.center_asymmetry).max() < 5e-3
    assert (result.n_excluded_stars, result.excluded_star_indices) == (0, [])
    # The errors say how wrong the core is.
    assert result.epsf_error.shape == epsf.data.shape
    assert 0.2 < compare(epsf.data) / (3 * result.report.core_error) < 5
    assert result.report.is_good


def test_iterations_are_drawn(built):
    pytest.importorskip("matplotlib").use("Agg")
    result, _, _ = built
    n_rows = result.iterations + (
        not np.array_equal(result.epsf.data, result.iteration_epsfs[-1])
    )
    assert len(result.plot_iterations().axes) == 4 * n_rows
    assert len(result.plot_iterations(iterations=1, figsize=(5, 2)).axes) == 4
    for bad in (0, 99, [], 1.5):
        with pytest.raises(ValueError, match="iterations must be"):
            result.plot_iterations(iterations=bad)
    empty = copy.copy(result)
    empty.iteration_epsfs = None
    with pytest.raises(ValueError, match="no per-iteration history"):
        empty.plot_iterations()


def test_arguments_without_use_are_told_of_once():
    with pytest.warns(AstropyUserWarning) as caught:
        EPSFBuilder(
            smoothing_kernel="quadratic", sigma_clip=SigmaClip(4), wing_smoothing=False
        )
    (said,) = [str(one.message) for one in caught]
    assert "smoothing_kernel, sigma_clip, wing_smoothing" in said


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"oversampling": 0}, ValueError, "oversampling"),
        ({"smoothing_kernel": "soft"}, ValueError, "smoothing_kernel must be"),
        ({"alias_passband": 2}, ValueError, "alias_passband must be"),
        ({"sigma_clip": 3}, TypeError, "sigma_clip must be"),
        (
            {"recentering_boxsize": 4},
            ValueError,
            "recentering_boxsize must have an odd",
        ),
        ({"recentering_func": 3}, TypeError, "recentering_func must be a callable"),
        ({"center_accuracy": -1}, ValueError, "center_accuracy must be positive"),
        ({"converged_fraction": 2}, ValueError, "converged_fraction must be in"),
        ({"fit_shape": 2}, ValueError, "fit_shape must have an odd"),
        ({"fitter": 2}, TypeError, "fitter must be a callable"),
        ({"maxiters": 0}, ValueError, "maxiters must be >= 1"),
        ({"constrain_fluxes": 1}, TypeError, "constrain_fluxes must be a bool"),
    ],
)
def test_bad_arguments_are_named(options, error, said):
    with pytest.raises(error, match=said):
        EPSFBuilder(**options)


def test_another_centre_moves_the_stars_as_much(built):
    result, stars, _ = built

    def off_centre(data, mask=None):
        return centroid_com(data, mask=mask) + 1.0

    moved = EPSFBuilder(
        progress_bar=False, recentering_func=off_centre, recentering_maxiters=1
    )(stars)
    shift = moved.fitted_stars.center_flat - result.fitted_stars.center_flat
    assert shift == pytest.approx(0.25, abs=5e-3)
    star = moved.fitted_stars.all_stars[0]
    here = np.abs(star.compute_residual_image(moved.epsf)).max()
    before = result.fitted_stars.all_stars[0]
    there = np.abs(before.compute_residual_image(result.epsf)).max()
    assert here < 2 * there


@SCIPY
def test_a_start_must_fit():
    stars, _ = cutouts(9)
    builder = EPSFBuilder(progress_bar=False)
    first = builder(stars)
    again = builder.build_epsf(stars, epsf=first.epsf)
    assert (
        np.abs(again.epsf.data - first.epsf.data).max() < 0.01 * first.epsf.data.max()
    )
    assert np.array_equal(again.initial_epsf, first.epsf.data)
    with pytest.raises(ValueError, match="does not match"):
        builder.build_epsf(stars, epsf=ImagePSF(np.ones((61, 61)), oversampling=2))
    with pytest.raises(ValueError, match="Minimum required"):
        builder.build_epsf(stars, epsf=ImagePSF(np.ones((31, 31)), oversampling=4))


@SCIPY
def test_few_stars_and_lost_ones_are_told_of():
    stars, _ = cutouts(4)
    stars.all_stars[1].weights[:] = 0
    stars.all_stars[1].mask[:] = True
    with pytest.warns(AstropyUserWarning) as caught:
        result = EPSFBuilder(progress_bar=False)(stars[:3])
    said = " ".join(str(one.message) for one in caught)
    assert "(index=1) (id=2) has been excluded" in said
    assert "too few" in said
    assert result.excluded_star_indices == [1]
    assert "few_stars" in result.report.flags
    with pytest.raises(ValueError, match="at least one star"):
        EPSFBuilder()(EPSFStars([]))


def linked_frames(n_frames=3):
    """Make dithered frames of 9 stars, the last twice as bright."""
    rng = np.random.default_rng(4)
    y, x = (20.0 + 25.0 * axis.ravel() for axis in np.mgrid[:3, :3])
    x, y = x + rng.uniform(-0.5, 0.5, 9), y + rng.uniform(-0.5, 0.5, 9)
    psf = truth()
    rows, columns = np.indices((90, 90))
    frames, sky = [], None
    for k in range(n_frames):
        shift = 0.4 * k
        wcs = WCS(naxis=2)
        wcs.wcs.crpix = 45.0 + shift, 45.0 - shift
        wcs.wcs.crval = 10.0, 0.0
        wcs.wcs.cdelt = -1e-5, 1e-5
        wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
        image = rng.normal(0, 1.0, (90, 90))
        flux = 4e4 if k == n_frames - 1 else 2e4
        for x_0, y_0 in zip(x + shift, y - shift, strict=True):
            image += psf.evaluate(columns, rows, flux, x_0, y_0, psf.alpha.value, 3.0)
        frames.append(NDData(image, wcs=wcs))
        if sky is None:
            sky = wcs.pixel_to_world(np.round(x), np.round(y))
    return frames, Table({"skycoord": sky}), (x, y)


@SCIPY
def test_linked_stars_share_what_they_are():
    frames, catalog, (x, y) = linked_frames()
    stars = extract_stars(frames[:2], catalog, size=15)
    assert all(isinstance(star, LinkedEPSFStar) for star in stars)
    result = EPSFBuilder(progress_bar=False)(stars)
    flux = result.fitted_stars.flux
    assert np.array_equal(flux[:, 0], flux[:, 1])
    assert flux[:, 0] == pytest.approx(2e4, rel=0.02)
    centre = result.fitted_stars.center
    assert np.std(centre[:, 0, 0] - x) < 5e-3
    assert centre[:, 1, 0] - centre[:, 0, 0] == pytest.approx(0.4, abs=1e-3)
    assert np.std(centre[:, 0, 1] - y) < 5e-3


@SCIPY
def test_linked_stars_may_have_fluxes_of_their_own():
    frames, catalog, _ = linked_frames()
    stars = extract_stars(frames[1:], catalog, size=15)
    result = EPSFBuilder(progress_bar=False, constrain_fluxes=False)(stars)
    ratio = result.fitted_stars.flux[:, 1] / result.fitted_stars.flux[:, 0]
    assert ratio == pytest.approx(2.0, rel=0.01)


def test_deprecated_names_work():
    with pytest.warns(PhotutilsDeprecationWarning, match="Use EPSFBuildResults"):
        assert front.EPSFBuildResult is EPSFBuildResults
    builder = EPSFBuilder(oversampling=(2, 4))
    with pytest.warns(PhotutilsDeprecationWarning, match="coord_transformer"):
        coordinates = builder.coord_transformer
    assert coordinates.compute_epsf_shape([(11, 11)]) == (23, 45)
    assert coordinates.compute_epsf_origin((23, 45)).tolist() == [22, 11]
    assert coordinates.oversampled_to_undersampled(4, 4) == (1, 2)
    column, row = coordinates.star_to_epsf_coords(0.5, 0.5, (22, 11))
    assert (column, row) == (24, 12)
    with pytest.warns(PhotutilsDeprecationWarning, match="EPSFFitter is deprecated"):
        fitter = EPSFFitter(fit_boxsize=7)
    with pytest.warns() as caught:
        EPSFBuilder(fitter=fitter)
    assert any("Passing an EPSFFitter" in str(one.message) for one in caught)


def test_the_fitter_places_stars(built):
    result, stars, table = built
    with pytest.warns(PhotutilsDeprecationWarning):
        fitter = EPSFFitter(fit_boxsize=7)
    fitted = fitter(result.epsf, stars[:5])
    assert np.abs(fitted.center_flat[:, 0] - table["x"][:5]).max() < 0.03
    assert fitted.flux == pytest.approx(np.array(table["flux"][:5]), rel=0.05)
    assert len(fitter(result.epsf, EPSFStars([]))) == 0
    with pytest.raises(TypeError, match="must be an ImagePSF"):
        fitter(truth(), stars)
