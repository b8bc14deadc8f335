"""What ImagePSF and GriddedPSFModel are made of: every kind of array, and faults."""

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import CCDData, NDData
from astropy.utils.masked import Masked
from psf_samples import POSITIONS, nddata, samples

from psfphot.psf import GriddedPSFModel, ImagePSF

XY = np.array(POSITIONS)


def image(data=None, **kwargs):
    return ImagePSF(samples() if data is None else data, **kwargs)


def grid(data=None, mask=None, fill_value=0.0, **meta):
    data = nddata().data if data is None else data
    meta = {"grid_xypos": POSITIONS, "oversampling": 4} | meta
    return GriddedPSFModel(NDData(data, mask=mask, meta=meta), fill_value=fill_value)


def images(shape):
    """One array for each of the two models."""
    return [(image, np.ones(shape)), (grid, np.ones((6, *shape)))]


def read_only(data):
    data = data.copy()
    data.flags.writeable = False
    return data


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "strided": lambda data: np.repeat(data, 2, axis=-1)[..., ::2],
    "reversed": lambda data: data[..., ::-1, ::-1].copy()[..., ::-1, ::-1],
    "read-only": read_only,
    "contiguous": np.ascontiguousarray,
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "f2", "i2", ">i2", "u1"])
@pytest.mark.parametrize("make", [image, grid])
def test_every_real_array(make, dtype, layout):
    whole = samples() if make is image else nddata().data
    whole = np.abs(100 * whole).astype(dtype)
    expected = make(whole.astype(float))
    given = layout(whole)
    model = make(given)
    assert np.array_equal(model.data, expected.data)
    assert model.data.dtype.isnative
    # Of single precision the splines are too.
    assert model(0.3, 0.4) == pytest.approx(expected(0.3, 0.4), rel=1e-5)
    assert model.data.flags.c_contiguous
    assert not np.may_share_memory(model.data, given)


@pytest.mark.parametrize("make", [image, grid])
@pytest.mark.parametrize("dtype", ["c8", "c16", "U3", "M8[s]"])
def test_arrays_that_are_not_real(make, dtype):
    data = np.ones((9, 9) if make is image else (6, 9, 9)).astype(dtype)
    with pytest.raises(TypeError, match="data must be an array of real numbers"):
        make(data)


def test_arrays_of_objects():
    with pytest.raises(TypeError, match="real numbers, got dtype object"):
        image(np.full((9, 9), None))
    with pytest.raises(TypeError):  # NDData's own
        grid(np.full((6, 9, 9), None))


@pytest.mark.parametrize(
    ("make", "data"),
    [
        case
        for shape in [(0, 0), (1, 1), (0, 9), (9, 1), (3, 3)]
        for case in images(shape)
    ],
)
def test_images_of_too_few_pixels(make, data):
    with pytest.raises(ValueError, match="axes must both be at least 4"):
        make(data)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("make", [image, grid])
def test_one_pixel_that_is_not_finite(make, bad):
    data = np.ones((9, 9) if make is image else (6, 9, 9))
    data[(-1, 3, 4)[-data.ndim :]] = bad
    with pytest.raises(ValueError, match="All elements of input data must be finite"):
        make(data)


@pytest.mark.parametrize("dimensions", [0, 1, 3, 4])
def test_dimensions_of_an_image(dimensions):
    with pytest.raises(ValueError, match="must be a 2D numpy array"):
        image(np.ones((5,) * dimensions))


@pytest.mark.parametrize("dimensions", [1, 2, 4])
def test_dimensions_of_a_grid(dimensions):
    with pytest.raises(ValueError, match="must be a 3D numpy ndarray"):
        grid(np.ones((6,) * dimensions))


@pytest.mark.parametrize("n", [0, 2, 3])
def test_numbers_of_images(n):
    positions = POSITIONS[:n] or np.empty((0, 2))
    with pytest.raises(ValueError, match=f"number of ePSFs must not be .*{n}"):
        grid(np.ones((n, 9, 9)), grid_xypos=positions)


def test_masked_values_are_not_used():
    data = samples()
    mask = data > 0.9
    for masked in (np.ma.MaskedArray(data, mask), Masked(data, mask=mask)):
        with pytest.raises(ValueError, match="data must not have masked values"):
            image(masked)
    assert image(np.ma.MaskedArray(data, False))(0.3, 0.4) == image(data)(0.3, 0.4)
    whole = nddata().data
    with pytest.raises(ValueError, match="NDData must not have masked values"):
        grid(whole, mask=whole > 0.9)
    assert grid(whole, mask=whole > 1e9)(0, 0) == grid(whole)(0, 0)


def test_nddata_of_every_kind():
    given = nddata()
    ccd = CCDData(given.data, unit="adu", meta=given.meta)
    assert GriddedPSFModel(ccd)(0.3, 0.4) == GriddedPSFModel(given)(0.3, 0.4)
    for bad in (given.data, None, "a.fits", [given]):
        with pytest.raises(TypeError, match="must be an NDData instance"):
            GriddedPSFModel(bad)


@pytest.mark.parametrize("make", [image, grid])
@pytest.mark.parametrize(
    ("oversampling", "match"),
    [
        (0, "must be > 0"),
        (-4, "must be > 0"),
        ((4, 0), "must be > 0"),
        (np.nan, "must be a finite value"),
        (np.inf, "must be a finite value"),
        (2**70, "must be a finite value"),
        ("4", "must be a finite value"),
        (None, "must be a finite value"),
        (True, "must be a finite value"),
        (4 + 0j, "must be a finite value"),
        (2.5, "must have integer values"),
        ([], "must have 1 or 2 elements"),
        ((1, 2, 3), "must have 1 or 2 elements"),
        ([[1, 2], [3]], "must be a finite value"),
        (np.ma.masked_array([1, 2], [True, False]), "must be a finite value"),
        (10**6 + 1, "must be <= 1000000"),
        (1e30, "must be <= 1000000"),
        ([[4, 4]], "must be 1D"),
        (4 * u.pix, "must be without a unit, got the unit pix"),
        ([4, 4] * u.arcsec, "must be without a unit, got the unit arcsec"),
    ],
    ids=str,
)
def test_bad_oversampling(make, oversampling, match):
    with pytest.raises(ValueError, match=f"oversampling {match}"):
        make(oversampling=oversampling)


def test_quantities_without_a_unit_are_numbers():
    model = grid(oversampling=4 * u.one, grid_xypos=XY * u.pix, fill_value=2 * u.one)
    assert model.oversampling.tolist() == [4, 4]
    assert type(model.grid_xypos) is np.ndarray
    assert model.fill_value == 2
    assert image(origin=[11, 12] * u.pix).origin.tolist() == [11, 12]


@pytest.mark.parametrize("make", [image, grid])
@pytest.mark.parametrize("value", ["a", 1j, [1, 2], 3 * u.Jy, {}], ids=str)
def test_bad_fill_values(make, value):
    with pytest.raises(TypeError, match="fill_value must be a number without a unit"):
        make(fill_value=value)


@pytest.mark.parametrize(
    ("positions", "error", "match"),
    [
        (XY * u.arcsec, ValueError, "must be in pixels, got the unit arcsec"),
        (np.ma.masked_equal(XY, 50), ValueError, "must not have masked values"),
        (XY * np.nan, ValueError, "not all of it is finite"),
        (XY.astype(complex), TypeError, "must be real numbers"),
        (XY.astype(object), TypeError, "must be real numbers"),
        (XY.astype(str), TypeError, "must be real numbers"),
        ([(0 * u.pix, 1 * u.pix)] * 6, TypeError, "must be real numbers"),
        ([(1,), (1, 2)] * 3, TypeError, "must be real numbers"),
        (None, TypeError, "must be real numbers, got None"),
        (np.ones((6, 3)), ValueError, "must be N pairs"),
    ],
)
def test_bad_positions(positions, error, match):
    with pytest.raises(error, match=f"grid_xypos .*{match}"):
        grid(grid_xypos=positions)


@pytest.mark.parametrize(
    ("origin", "error", "match"),
    [
        ([1, 2] * u.arcsec, ValueError, "must be in pixels, got the unit arcsec"),
        (("a", "b"), TypeError, "must be real numbers"),
        ((1, 1j), TypeError, "must be real numbers"),
        ((1 * u.pix, 2 * u.pix), TypeError, "must be real numbers"),
        ((1, 2, 3), ValueError, "must be 1D and have 2-elements"),
    ],
)
def test_bad_origins(origin, error, match):
    with pytest.raises(error, match=f"origin {match}"):
        image(origin=origin)
    model = grid()
    with pytest.raises(error, match=f"origin {match}"):
        model.origin = origin
