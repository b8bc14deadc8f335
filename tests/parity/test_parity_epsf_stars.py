"""Stars are cut out as photutils does, with its warnings and errors."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.nddata import (
    InverseVariance,
    NDData,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.table import Table
from astropy.wcs import WCS
from outcomes import is_error, outcome

from psfphot import psf

theirs = pytest.importorskip("photutils.psf")
pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("photutils_31")]

RNG = np.random.default_rng(3)
IMAGE = RNG.normal(5, 1, (60, 70))
ERROR = RNG.uniform(0.5, 2, IMAGE.shape)
MASK = RNG.random(IMAGE.shape) < 0.05
BAD = np.where(RNG.random(IMAGE.shape) < 0.01, np.nan, IMAGE)


def frame_wcs(x=30.0, angle=0.0):
    wcs = WCS(naxis=2)
    wcs.wcs.crpix = x, 25.0
    wcs.wcs.crval = 150.0, 2.0
    c, s = np.cos(angle) * 1e-4, np.sin(angle) * 1e-4
    wcs.wcs.cd = [[-c, s], [s, c]]
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    return wcs


XY = Table({"x": [10.2, 30.7, 50.1, 2.0, np.nan], "y": [12.5, 29.9, 40.0, 3.0, 5.0]})
SKY = Table({"skycoord": frame_wcs().pixel_to_world(XY["x"][:4], XY["y"][:4])})
NAMED = Table(XY[:3], copy=True)
NAMED["id"] = ["a", "b", "c"]
NAMED["flux"] = [100.0, np.nan, 300.0]


def nddata(uncertainty=None, **options):
    return NDData(IMAGE, uncertainty=uncertainty, **options)


def dithers():
    return [NDData(IMAGE, wcs=frame_wcs(30 + k, 0.01 * k)) for k in range(3)]


CASES = {
    "plain": (IMAGE, XY, {}),
    "size": (IMAGE, XY, {"size": (5, 9)}),
    "names": (IMAGE, NAMED, {}),
    "bad pixels": (BAD, XY, {}),
    "masked array": (NDData(np.ma.array(IMAGE, mask=MASK)), XY, {}),
    "mask": (nddata(mask=MASK), XY, {}),
    "all masked": (nddata(mask=np.ones(IMAGE.shape, dtype=bool)), XY, {}),
    "error": (nddata(StdDevUncertainty(ERROR)), XY, {}),
    "variance": (nddata(VarianceUncertainty(ERROR)), XY, {}),
    "inverse variance": (nddata(InverseVariance(ERROR)), XY, {}),
    "unknown": (nddata(UnknownUncertainty(ERROR)), XY, {}),
    "bad error": (nddata(StdDevUncertainty(np.where(MASK, 0, ERROR))), XY, {}),
    "unit": (NDData(IMAGE * u.Jy), XY, {}),
    "zero": (np.zeros((60, 70)), XY, {}),
    "sky": (nddata(wcs=frame_wcs()), SKY, {}),
    "linked": (dithers(), SKY, {}),
    "lists": ([IMAGE, IMAGE], [XY, NAMED], {}),
    "empty": (IMAGE, XY[:0], {}),
    "even": (IMAGE, XY, {"size": 4}),
    "small": (IMAGE, XY, {"size": 1}),
    "no image": ("image", XY, {}),
    "no images": (["image"], XY, {}),
    "cube": (np.zeros((3, 3, 3)), XY, {}),
    "no table": (IMAGE, [1, 2], {}),
    "no list": (IMAGE, "table", {}),
    "numbers": ([IMAGE, IMAGE], [XY, XY, XY], {}),
    "no wcs": (IMAGE, SKY, {}),
    "linked, no wcs": ([IMAGE, IMAGE], SKY, {}),
    "linked, no sky": (dithers(), XY, {}),
    "no columns": (IMAGE, Table({"a": [1]}), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_same_stars(case):
    data, catalogs, options = CASES[case]
    mine, said = outcome(psf.extract_stars, data, catalogs, **options)
    yours, says = outcome(theirs.extract_stars, data, catalogs, **options)
    assert said == says
    if is_error(yours):
        assert mine is yours
        return
    assert len(mine) == len(yours)
    assert mine.n_all_stars == yours.n_all_stars
    for ours, other in zip(mine.all_stars, yours.all_stars, strict=True):
        for name in ("data", "weights", "mask", "origin", "cutout_center", "center"):
            np.testing.assert_allclose(getattr(ours, name), getattr(other, name))
        assert ours.flux == pytest.approx(other.flux)
        assert ours.id_label == other.id_label
        assert ours.slices == other.slices
        assert ours.bbox.extent == other.bbox.extent


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"flux": np.inf},
        {"cutout_center": (1, 2, 3)},
        {"cutout_center": (np.nan, 2)},
        {"cutout_center": (9.0, -2.0)},
        {"origin": (1, 2, 3)},
        {"origin": (1.5, 2)},
        {"origin": (np.nan, 2)},
        {"weights": np.ones((2, 2))},
        {"weights": np.zeros((5, 5))},
        {"weights": np.zeros((5, 5)), "flux": 3},
        {"weights": np.full((5, 5), np.nan)},
    ],
)
def test_same_star(options):
    data = IMAGE[:5, :5]
    mine, said = outcome(psf.EPSFStar, data, **options)
    yours, says = outcome(theirs.EPSFStar, data, **options)
    assert said == says
    if is_error(yours):
        assert mine is yours
        return
    assert mine.flux == yours.flux
    np.testing.assert_array_equal(mine.weights, yours.weights)


def test_same_linked_stars():
    mine, yours = (
        module.extract_stars(dithers(), SKY[:3], size=9) for module in (psf, theirs)
    )
    for stars in (mine, yours):
        for k, star in enumerate(stars.all_stars):
            star.cutout_center += (0.1 * k, 0.05 * k)
        for star in stars:
            star.constrain_centers()
            star.constrain_fluxes()
    np.testing.assert_allclose(mine.center_flat, yours.center_flat, atol=1e-7)
    np.testing.assert_allclose(mine.flux, yours.flux)
    assert mine.flux.shape == yours.flux.shape
    assert mine.center.shape == yours.center.shape
    assert mine[0].flux.shape == yours[0].flux.shape
    assert isinstance(SKY["skycoord"], SkyCoord)
