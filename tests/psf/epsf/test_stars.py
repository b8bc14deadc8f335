"""Stars, lists of them and stars that are one in several images."""

import pickle

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from psfphot.psf import (
    CircularGaussianPRF,
    EPSFStar,
    EPSFStars,
    ImagePSF,
    LinkedEPSFStar,
    extract_stars,
)

IMAGE = np.arange(40.0 * 50).reshape(40, 50)


def frame_wcs(x=20.0, y=20.0):
    wcs = WCS(naxis=2)
    wcs.wcs.crpix = x, y
    wcs.wcs.crval = 359.9999, 60.0  # across 0 h
    wcs.wcs.cdelt = -1e-4, 1e-4
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    return wcs


def linked_star(n=3):
    return LinkedEPSFStar(
        [
            EPSFStar(
                np.ones((5, 5)), origin=(10 + k, 12), wcs_large=frame_wcs(20.0 + k)
            )
            for k in range(n)
        ]
    )


def test_star_knows_where_it_is():
    star = EPSFStar(IMAGE[10:21, 30:39], origin=(30, 10), cutout_center=(4.2, 5.1))
    assert star.shape == (11, 9)
    assert star.center.tolist() == [34.2, 15.1]
    assert star.slices == (slice(10, 21), slice(30, 39))
    assert (star.bbox.ixmin, star.bbox.iymax) == (30, 21)
    assert star.flux == star.data.sum()
    assert np.array_equal(np.array(star), star.data)
    assert "(34.200, 15.100)" in repr(star)


def test_holes_are_interpolated_in_the_flux():
    pytest.importorskip("scipy")
    y, x = np.mgrid[:9, :9]
    plane = 3.0 + 2.0 * x + y
    weights = np.ones((9, 9))
    weights[4, 3:5] = 0.0
    star = EPSFStar(np.where(weights > 0, plane, -99), weights=weights)
    assert star.flux == pytest.approx(plane.sum())
    assert star.mask.sum() == 2
    weights[:] = 1.0
    assert star.weights[4, 3] == 0.0


def test_star_of_an_epsf_leaves_nothing():
    y, x = np.mgrid[-50:51, -50:51] / 4
    epsf = ImagePSF(CircularGaussianPRF(fwhm=3)(x, y) * 16, oversampling=4)
    model = epsf.copy()
    model.flux, model.x_0, model.y_0 = 50.0, 8.3, 7.6
    y, x = np.mgrid[:15, :15]
    star = EPSFStar(model(x, y), cutout_center=(8.3, 7.6), flux=50.0)
    assert np.abs(star.compute_residual_image(epsf)).max() < 1e-9
    assert star.register_epsf(epsf) == pytest.approx(star.data)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"data": IMAGE * u.Jy}, TypeError, "Quantity"),
        ({"data": np.ma.array(IMAGE)}, TypeError, "MaskedArray"),
        ({"data": IMAGE[0]}, ValueError, "2-dimensional, got 1D"),
        ({"data": IMAGE[:0]}, ValueError, "cannot be empty"),
        ({"weights": np.ones((2, 2))}, ValueError, r"\(2, 2\) must match data shape"),
        ({"weights": np.zeros((40, 50))}, ValueError, "completely masked"),
        ({"flux": np.nan}, ValueError, "flux must be a finite value"),
        ({"origin": (0.5, 1)}, ValueError, "integer values"),
        ({"origin": (np.inf, 1)}, ValueError, "must be finite"),
        ({"origin": 3}, ValueError, "exactly 2 elements"),
        ({"cutout_center": (np.nan, 1)}, ValueError, "must be finite"),
        ({"cutout_center": 3}, ValueError, "exactly two elements"),
    ],
)
def test_stars_that_are_none(options, error, said):
    with pytest.raises(error, match=said):
        EPSFStar(**{"data": IMAGE} | options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"data": np.zeros((5, 5))}, "data values in star cutout are zero"),
        ({"data": np.diag([np.nan, 1, 1])}, "invalid data"),
        ({"weights": np.full((40, 50), np.inf), "flux": 1}, "Nonfinite weight"),
        ({"cutout_center": (-1, 3)}, "x-coordinate -1.0 is outside"),
    ],
)
def test_doubtful_stars_warn(options, said):
    if said == "invalid data":
        pytest.importorskip("scipy", reason="holes are interpolated")
    with pytest.warns(AstropyUserWarning, match=said):
        EPSFStar(**{"data": IMAGE} | options)


def test_lists_have_their_stars_attributes():
    stars = extract_stars(IMAGE, Table({"x": [10, 20, 30], "y": [10, 20, 30]}), size=5)
    assert (stars.n_stars, stars.n_all_stars, stars.n_good_stars) == (3, 3, 3)
    assert stars.center.tolist() == [[10, 10], [20, 20], [30, 30]]
    assert stars.id_label == [1, 2, 3]
    assert stars[0].flux == stars.flux[0]
    assert isinstance(stars[1:], EPSFStars)
    assert np.array(stars).shape == (3, 5, 5)
    again = pickle.loads(pickle.dumps(stars))  # noqa: S301
    assert again.center_flat.tolist() == stars.center_flat.tolist()
    del stars[0]
    assert stars.n_all_stars == 2
    with pytest.raises(AttributeError, match="'_nothing'"):
        stars._nothing  # noqa: B018
    with pytest.raises(AttributeError, match="is empty"):
        EPSFStars([]).flux  # noqa: B018
    with pytest.raises(TypeError, match="got int"):
        EPSFStars([1])


def test_linked_stars_share_place_and_flux():
    star = linked_star()
    for k, one in enumerate(star):
        one.cutout_center += (0.3 * k, 0.0)
        one.flux = 10.0 + k
    star.constrain_centers()
    star.constrain_fluxes()
    assert star.flux.tolist() == [11.0] * 3
    # The frames are shifted by one pixel each, and the cutouts by as much.
    assert star.cutout_center == pytest.approx(np.array([[2.3, 2.0]] * 3), abs=1e-6)
    assert len(pickle.loads(pickle.dumps(star))) == 3  # noqa: S301


def test_excluded_stars_stay():
    star = linked_star()
    star[0]._excluded_from_fit = True
    star[0].flux, star[1].flux, star[2].flux = 5.0, 10.0, 20.0
    star.constrain_fluxes()
    assert star.flux.tolist() == [5.0, 15.0, 15.0]
    assert (star.n_good_stars, star.all_excluded) == (2, False)
    for one in star:
        one._excluded_from_fit = True
    for method in (star.constrain_centers, star.constrain_fluxes):
        with pytest.warns(AstropyUserWarning, match="all been excluded"):
            method()
    with pytest.raises(ValueError, match="valid wcs_large"):
        LinkedEPSFStar([EPSFStar(np.ones((3, 3)))])
    with pytest.raises(TypeError, match="only EPSFStar objects"):
        LinkedEPSFStar([1])


def test_one_catalogue_links_what_images_share():
    frames = [NDData(IMAGE, wcs=frame_wcs(20.0 + 15 * k)) for k in range(2)]
    sky = frame_wcs().pixel_to_world([22, 40, 70], [20, 20, 20])
    with pytest.warns(
        AstropyUserWarning, match=r"3 star cutout\(s\) were not extracted"
    ):
        stars = extract_stars(frames, Table({"skycoord": SkyCoord(sky)}), size=11)
    assert [type(star) for star in stars] == [LinkedEPSFStar, EPSFStar]
    assert stars.n_all_stars == 3


def test_errors_and_masks_are_weights():
    pytest.importorskip("scipy")
    mask = np.zeros(IMAGE.shape, dtype=bool)
    mask[10, 11] = True
    frame = NDData(IMAGE, uncertainty=StdDevUncertainty(2 + 0 * IMAGE), mask=mask)
    stars = extract_stars(frame, Table({"x": [10.0], "y": [10.0]}), size=5)
    assert stars.weights[2, 3] == 0.0
    assert stars.weights[0, 0] == 0.5
