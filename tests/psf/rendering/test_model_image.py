"""Images of any models: which rows, boxes, units and ways to discretize."""

import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.modeling.models import Const2D, Gaussian1D, Gaussian2D, Moffat2D
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.datasets import make_model_image
from psfphot.psf import CircularGaussianPRF, ImagePSF, make_psf_model_image

SHAPE = (40, 50)
PRF = CircularGaussianPRF(fwhm=2.0)


@pytest.fixture
def table():
    rng = np.random.default_rng(2)
    return QTable(
        {
            "x_0": rng.uniform(-5, 55, 30),
            "y_0": rng.uniform(-5, 45, 30),
            "flux": rng.uniform(-1, 100, 30),
        }
    )


def box_around(x, y, size):
    rows, columns = (
        slice(max(first, 0), max(first + n, 0))
        for first, n in zip(
            np.ceil([y - size[0] / 2, x - size[1] / 2]).astype(int), size, strict=True
        )
    )
    return rows, columns


def one_by_one(model, table, sizes, levels=0.0):
    """The image by its definition."""
    image = np.zeros(SHAPE)
    yy, xx = np.indices(SHAPE)
    names = [name for name in model.param_names if name in table.colnames]
    levels = np.broadcast_to(levels, len(table))
    for row, size, level in zip(table, sizes, levels, strict=True):
        one = model.copy()
        for name in names:
            setattr(one, name, row[name])
        part = box_around(row["x_0"], row["y_0"], size)
        image[part] += one(xx[part], yy[part]) + level
    return image


class Foreign(CircularGaussianPRF):
    """The same model, of a formula of its own: it is asked row by row."""

    def evaluate(self, *args):
        return super().evaluate(*args)


@pytest.mark.parametrize("model", [PRF, Foreign(fwhm=2.0)])
def test_an_image_is_the_sum_of_its_sources(model, table):
    image = make_model_image(SHAPE, model, table, model_shape=(7, 8))
    expected = one_by_one(model, table, [(7, 8)] * 30)
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-12)
    assert image.dtype == np.float64


@pytest.mark.parametrize("model", [PRF, Foreign(fwhm=2.0)])
def test_each_source_has_its_own_bounding_box(model, table):
    table["fwhm"] = np.linspace(1.0, 4.0, 30).round(1)
    # 11 sigma.
    sizes = [
        (int(np.ceil(11 * fwhm / 2.3548200450309493)),) * 2 for fwhm in table["fwhm"]
    ]
    image = make_model_image(SHAPE, model, table)
    expected = one_by_one(model, table, sizes)
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("model", [PRF, Foreign(fwhm=2.0)])
@pytest.mark.parametrize("kind", ["numbers", "pairs", "objects"])
def test_sizes_and_levels_of_the_table(model, table, kind):
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 12, (30, 2))
    if kind == "numbers":
        sizes[:, 1] = sizes[:, 0]
        table["model_shape"] = sizes[:, 0]
    elif kind == "pairs":
        table["model_shape"] = sizes
    else:
        column = np.empty(30, dtype=object)
        column[:] = [tuple(size) for size in sizes.tolist()]
        column[4] = 3
        sizes[4] = 3
        table["model_shape"] = column
    table["local_bkg"] = rng.uniform(-1, 1, 30)
    image = make_model_image(SHAPE, model, table, model_shape=1)
    expected = one_by_one(model, table, sizes.tolist(), table["local_bkg"])
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_every_number_of_threads_gives_the_same_bits(table, n_threads):
    table["model_shape"] = np.arange(30) % 7 + 3
    expected = make_model_image(SHAPE, PRF, table)
    image = make_model_image(SHAPE, PRF, table, n_threads=n_threads)
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("model", [PRF, Foreign(fwhm=2.0)])
def test_rows_that_are_not_finite_are_left_out_and_counted(model):
    nan, inf = np.nan, np.inf
    table = Table(
        {
            "x_0": [10.0, nan, 10.0, 10.0, 10.0, 10.0, -1e3, 1e300],
            "y_0": [12.0, 12.0, inf, 12.0, 12.0, 12.0, 12.0, 12.0],
            "flux": np.ma.array(
                [3.0, 1, 1, nan, 1, 1, 1, 1], mask=[0] * 4 + [1] + [0] * 3
            ),
            "local_bkg": [0.0, 0, 0, 0, 0, nan, 0, 0],
        }
    )
    with pytest.warns(AstropyUserWarning, match="^5 of 8 sources are left") as caught:
        image = make_model_image(SHAPE, model, table)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(image, make_model_image(SHAPE, model, table[:1]))
    np.testing.assert_allclose(image.sum(), 3, rtol=1e-6)


def test_a_model_that_is_not_finite_leaves_all_out(table):
    table.remove_column("flux")
    with pytest.warns(AstropyUserWarning, match="30 of 30 sources"):
        image = make_model_image(SHAPE, CircularGaussianPRF(flux=np.nan), table)
    assert not image.any()


def test_columns_by_other_names(table):
    expected = make_model_image(SHAPE, PRF, table)
    table.rename_columns(["x_0", "flux"], ["column", "F"])
    table["flux"] = 5.0
    image = make_model_image(
        SHAPE, PRF, table, params_map={"x_0": "column", "flux": "F"}
    )
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("model", [PRF, Foreign(fwhm=2.0)])
def test_units(model, table):
    expected = make_model_image(SHAPE, model, table, model_shape=9)
    table["flux"] <<= u.Jy
    table["x_0"] <<= u.pix
    table["other"] = 3 * u.s
    image = make_model_image(SHAPE, model, table, model_shape=9)
    assert image.unit == u.Jy
    np.testing.assert_array_equal(image.value, expected)
    for some in (table[:0], table[table["x_0"] < 0 * u.pix]):
        assert make_model_image(SHAPE, model, some, model_shape=1).unit == u.Jy

    table["local_bkg"] = 2000 * u.mJy
    levels = make_model_image(SHAPE, model, table, model_shape=9) - image
    table["flux"] = 0 * u.Jy
    alone = make_model_image(SHAPE, model, table, model_shape=9)
    np.testing.assert_allclose(levels.value, alone.value, atol=1e-11)
    assert alone.max() > 1.9 * u.Jy


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"flux": u.Jy, "local_bkg": None}, ValueError, "local_bkg has None, the ima"),
        ({"local_bkg": u.s}, ValueError, "local_bkg has s, the image None"),
        ({"flux": u.Jy, "local_bkg": u.s}, ValueError, "same flux units as the output"),
        ({"x_0": u.deg}, ValueError, "column x_0 must be in pixels or without a unit"),
    ],
)
def test_wrong_units(table, changes, error, message):
    for name, unit in changes.items():
        values = np.ones(30) if name == "local_bkg" else table[name]
        table[name] = values if unit is None else values * unit
    with pytest.raises(error, match=message):
        make_model_image(SHAPE, PRF, table)


def test_units_need_a_qtable(table):
    plain = Table(table)
    plain["flux"].unit = u.Jy
    with pytest.raises(ValueError, match="must be a QTable when its columns have unit"):
        make_model_image(SHAPE, PRF, plain)
    with pytest.raises(u.UnitsError, match="should be given as a Quantity"):
        make_model_image(SHAPE, CircularGaussianPRF(flux=1 * u.Jy), table)
    with pytest.raises(ValueError, match="takes no units, got an image in Jy"):
        make_model_image(
            SHAPE,
            CircularGaussianPRF(flux=1 * u.Jy),
            table["x_0", "y_0"],
            discretize_method="integrate",
        )


def test_pixels_are_averages_where_asked_for(table):
    """The pixel-integrated Gaussian is the integral of the Gaussian."""
    sigma = 1.3
    gaussian = Gaussian2D(x_stddev=sigma, y_stddev=sigma)
    table = table["x_0", "y_0", "flux"][:1]
    names = {"x_name": "x_mean", "y_name": "y_mean", "model_shape": 5}
    names["params_map"] = {"x_mean": "x_0", "y_mean": "y_0", "amplitude": "flux"}
    flux = table["flux"] * (2 * np.pi * sigma**2)
    exact = make_model_image(
        SHAPE,
        CircularGaussianPRF(fwhm=sigma * np.sqrt(8 * np.log(2))),
        QTable({"x_0": table["x_0"], "y_0": table["y_0"], "flux": flux}),
        model_shape=5,
    )
    errors = {}
    for method in ("center", "interp", "oversample", "integrate"):
        if method == "integrate":
            pytest.importorskip("scipy")
        image = make_model_image(
            SHAPE, gaussian, table, discretize_method=method, **names
        )
        errors[method] = np.abs(image - exact).max() / exact.max()
    assert 0.01 < errors["center"] < 0.1
    assert 0.01 < errors["interp"] < 0.2
    assert errors["oversample"] < 1e-3
    assert errors["integrate"] < 1e-10


@pytest.mark.parametrize("method", ["interp", "oversample"])
@pytest.mark.parametrize("size", [1, 7, (40, 3)])
def test_the_core_and_astropy_discretize_alike(table, method, size):
    table["fwhm"] = np.linspace(1.0, 4.0, 30)
    table["local_bkg"] = np.linspace(-1.0, 1.0, 30)
    table["x_0"][3], table["y_0"][4], table["x_0"][5] = 1e300, -1e9, 20.5
    call = {"discretize_method": method, "discretize_oversample": 4}
    image = make_model_image(SHAPE, PRF, table, model_shape=size, **call)
    asked = make_model_image(SHAPE, Foreign(fwhm=2.0), table, model_shape=size, **call)
    np.testing.assert_allclose(image, asked, rtol=0, atol=1e-11)
    assert (image != 0).sum() > 20


@pytest.mark.parametrize("factor", [1, 2, 7])
def test_oversampling_is_the_mean_of_its_points(factor):
    psf = ImagePSF(np.random.default_rng(0).random((22, 22)), oversampling=2)
    one = QTable({"x_0": [20.3], "y_0": [11.8], "flux": [2.0]})
    image = make_model_image(
        SHAPE,
        psf,
        one,
        model_shape=(4, 5),
        discretize_method="oversample",
        discretize_oversample=factor,
    )
    rows, columns = box_around(20.3, 11.8, (4, 5))
    steps = (np.arange(factor) + 0.5) / factor - 0.5
    y, x, dy, dx = np.meshgrid(
        np.arange(40)[rows], np.arange(50)[columns], steps, steps, indexing="ij"
    )
    expected = np.zeros(SHAPE)
    expected[rows, columns] = psf.evaluate(x + dx, y + dy, 2.0, 20.3, 11.8).mean((2, 3))
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-12)


def test_integration_needs_scipy(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    with pytest.raises(ImportError, match="scipy"):
        make_model_image(SHAPE, PRF, table, discretize_method="integrate")


def test_compound_models():
    model = Gaussian2D(x_stddev=2) + Moffat2D(amplitude=0.5)
    one = Table({"x_mean_0": [20.2], "y_mean_0": [11.0]})
    one["x_0_1"], one["y_0_1"] = one["x_mean_0"], one["y_mean_0"]
    image = make_model_image(
        SHAPE, model, one, x_name="x_mean_0", y_name="y_mean_0", model_shape=9
    )
    at = model.copy()
    at.x_mean_0 = at.x_0_1 = 20.2
    at.y_mean_0 = at.y_0_1 = 11.0
    yy, xx = np.indices(SHAPE)
    part = box_around(20.2, 11.0, (9, 9))
    expected = np.zeros(SHAPE)
    expected[part] = at(xx[part], yy[part])
    np.testing.assert_allclose(image, expected, rtol=1e-14)


@pytest.mark.parametrize(("factor", "size"), [(1, 2), (2.5, 5), (None, 11)])
def test_the_factor_reaches_the_bounding_box(factor, size):
    one = Table({"x_mean": [20.0], "y_mean": [20.0], "local_bkg": [100.0]})
    image = make_model_image(
        SHAPE, Gaussian2D(), one, x_name="x_mean", y_name="y_mean", bbox_factor=factor
    )
    assert (image > 50).sum() == size**2
    # It is not for models whose box has no such parameter.
    table = Table({"x_0": [20.0], "y_0": [20.0]})
    image = make_model_image(SHAPE, PRF, table, bbox_factor=factor)
    np.testing.assert_array_equal(image, make_model_image(SHAPE, PRF, table))


@pytest.mark.parametrize("fill_value", [None, 2.0])
def test_the_fill_value_is_the_models(fill_value):
    psf = ImagePSF(np.ones((8, 8)), oversampling=2, fill_value=fill_value)
    image = make_model_image(
        SHAPE, psf, Table({"x_0": [20.0], "y_0": [20.0]}), model_shape=9
    )
    y, x = np.nonzero(image)
    np.testing.assert_array_equal(image[y, x], psf.evaluate(x, y, 1.0, 20.0, 20.0))
    assert len(y) == 81


@pytest.mark.parametrize("model", [PRF, Foreign(fwhm=2.0)])
def test_an_image_of_one_pixel_and_no_sources(model):
    one = Table({"x_0": [0.2], "y_0": [0.1]})
    image = make_model_image(1, model, one)
    assert image.shape == (1, 1)
    assert image[0, 0] == pytest.approx(PRF.evaluate(0, 0, 1, 0.2, 0.1, 2.0))
    image = make_model_image(SHAPE, model, one[:0])
    assert image.shape == SHAPE
    assert not image.any()


@pytest.mark.parametrize("model", [PRF, Foreign(fwhm=2.0)])
def test_progress(model, table, capsys):
    table["model_shape"] = np.arange(30) % 3 + 3
    make_model_image(SHAPE, model, table, progress_bar=True)
    shown = capsys.readouterr().err
    assert "Add model sources" in shown
    assert "30/30" in shown


@pytest.mark.parametrize(
    "kind", [np.int16, np.float32, ">f8", "strided", "read-only", "list"]
)
def test_columns_of_other_kinds(table, kind):
    rounded = QTable({name: np.round(table[name]) for name in table.colnames})
    expected = make_model_image(SHAPE, PRF, rounded)
    for name in rounded.colnames:
        column = np.asarray(rounded[name])
        if kind == "strided":
            column = np.repeat(column, 2)[::2]
        elif kind == "read-only":
            column.flags.writeable = False
        elif kind == "list":
            column = column.tolist()
        else:
            column = column.astype(kind)
        rounded[name] = column
    np.testing.assert_array_equal(make_model_image(SHAPE, PRF, rounded), expected)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"shape": (-4, 5)}, ValueError, "shape must be >= 1"),
        ({"shape": (0, 5)}, ValueError, "shape must be >= 1"),
        ({"shape": (4.5, 5)}, ValueError, "shape must have integer values"),
        ({"shape": (4, 5, 6)}, ValueError, "shape must have 1 or 2 elements"),
        ({"shape": 4 * u.pix * [1, 1, 1]}, ValueError, "1 or 2 elements"),
        ({"model": CircularGaussianPRF}, TypeError, "model must be a Model instance"),
        ({"model": Gaussian1D()}, ValueError, "model must be a 2D model"),
        ({"model": CircularGaussianPRF(flux=[1, 2])}, ValueError, "one value of flux"),
        ({"model": Gaussian2D()}, ValueError, 'key "x_0" not in model parameter'),
        ({"model": Const2D()}, ValueError, 'key "x_0" not in model parameter'),
        ({"model": Moffat2D()}, ValueError, "model_shape must be specified if"),
        ({"params_table": {"x_0": [1.0]}}, TypeError, "must be an astropy Table"),
        ({"params_table": Table()}, ValueError, 'value "x_0" not in params_table'),
        ({"x_name": "a"}, ValueError, 'key "a" not in model parameter names'),
        ({"params_map": {"a": "x_0"}}, ValueError, 'key "a" not in model parameter'),
        ({"params_map": {"flux": "a"}}, ValueError, 'value "a" not in params_table'),
        ({"model_shape": 0}, ValueError, "model_shape must be >= 1"),
        ({"model_shape": 2.5}, ValueError, "model_shape must have integer values"),
        ({"bbox_factor": 0}, ValueError, "bbox_factor must be positive and finite"),
        ({"bbox_factor": "a"}, TypeError, "bbox_factor must be a number"),
        ({"discretize_method": "bad"}, ValueError, "Invalid discretize_method: 'bad'"),
        (
            {"discretize_method": "oversample", "discretize_oversample": 2.5},
            ValueError,
            "discretize_oversample must be a strictly-positive integer",
        ),
        ({"n_threads": 0}, ValueError, "n_threads must be None or at least 1"),
    ],
)
def test_bad_arguments(table, changes, error, message):
    call = {"shape": SHAPE, "model": PRF, "params_table": table} | changes
    with pytest.raises(error, match=message):
        make_model_image(**call)


@pytest.mark.parametrize(
    ("name", "values", "error", "message"),
    [
        ("x_0", ["a"] * 30, TypeError, "x_0 must be an array of real numbers"),
        ("flux", [1j] * 30, TypeError, "flux must be an array of real numbers"),
        ("fwhm", [-2.0] * 30, ValueError, "fwhm must be positive and finite, got -2"),
        ("fwhm", [0.0] * 30, ValueError, "fwhm must be positive and finite, got 0"),
        ("flux", np.ones((30, 2)), ValueError, "flux must be a scalar or a 1D array"),
        ("model_shape", [0] * 30, ValueError, "model_shape must be >= 1"),
        ("model_shape", [np.nan] * 30, ValueError, "model_shape must have integer"),
        ("model_shape", [(1, 2, 3)] * 30, ValueError, "model_shape must have 1 or 2"),
    ],
)
def test_bad_columns(table, name, values, error, message):
    table[name] = values
    with pytest.raises(error, match=message):
        make_model_image(SHAPE, PRF, table)


def test_psf_images_of_other_models():
    model = Gaussian2D(x_stddev=1.5)
    model.x_name, model.y_name, model.flux_name = "x_mean", "y_mean", "amplitude"
    data, table = make_psf_model_image(SHAPE, model, 4, flux=(3, 4), x_stddev=(1, 2))
    assert table.colnames == ["id", "x_mean", "y_mean", "amplitude", "x_stddev"]
    volume = 2 * np.pi * table["amplitude"] * table["x_stddev"]
    np.testing.assert_allclose(data.sum(), volume.sum(), rtol=1e-2)


def test_psf_images_with_a_unit():
    psf = CircularGaussianPRF(flux=2 * u.Jy, fwhm=2.0)
    data, _ = make_psf_model_image(SHAPE, psf, 3)
    np.testing.assert_allclose(data.sum().to_value(u.Jy), 6, rtol=1e-6)
    with pytest.raises(u.UnitsError, match="should be given as a Quantity"):
        make_psf_model_image(SHAPE, psf, 3, flux=(1, 2))
