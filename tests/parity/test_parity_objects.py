"""photutils' own objects in our photometry do what ours do, and ours in photutils'."""

import warnings

import numpy as np
import pytest
from astropy.modeling import fitting, models
from astropy.nddata import NDData
from astropy.table import QTable

import psfphot.background
import psfphot.detection
from psfphot import psf
from psfphot.datasets import make_model_image

theirs = pytest.importorskip("photutils.psf")
detection = pytest.importorskip("photutils.detection")
background = pytest.importorskip("photutils.background")
segmentation = pytest.importorskip("photutils.segmentation")

pytestmark = pytest.mark.parity

SHAPE = (200, 220)
NOISE = 2.0
SKY = 5.0
COMPARED = ("x", "y", "flux")


def epsf(seed=0, size=85):
    """Not round, and another for each seed; the pixels are of a quarter."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    width = 4.2 + 0.4 * seed
    core = np.exp(-0.5 * ((x / width) ** 2 + (y / (width + 1)) ** 2))
    core *= 1 + 0.02 * seed * x / size
    return core * 16 / core.sum()


def image_psf(module):
    return module.ImagePSF(epsf(), oversampling=4)


def off_centre_image_psf(module):
    data = np.pad(epsf(), ((0, 2), (0, 4)))
    return module.ImagePSF(data, oversampling=4, origin=(42, 42), fill_value=0.0)


def gridded_psf(module):
    corners = [(x, y) for y in (0, 199) for x in (0, 219)]
    planes = np.array([epsf(seed) for seed in range(4)])
    meta = {"grid_xypos": corners, "oversampling": 4}
    return module.GriddedPSFModel(NDData(planes, meta=meta))


# Blends are found too.
FINDERS = {
    "DAOStarFinder": {"threshold": 40, "fwhm": 2.7, "min_separation": 2},
    "IRAFStarFinder": {"threshold": 40, "fwhm": 2.7, "min_separation": 2},
    "StarFinder": {
        "threshold": 40,
        "kernel": epsf(size=21)[2::4, 2::4],
        "min_separation": 2,
    },
}


def analytic(name, **shape):
    def make(module):
        if not hasattr(module, name):
            pytest.skip(f"{name}: since photutils 3.1")
        return getattr(module, name)(**shape)

    make.__name__ = name
    return make


MAKERS = (
    image_psf,
    off_centre_image_psf,
    gridded_psf,
    analytic("GaussianPSF", x_fwhm=2.6, y_fwhm=3.1, theta=30.0),
    analytic("GaussianPRF", x_fwhm=2.6, y_fwhm=3.1, theta=0.0),
    analytic("CircularGaussianPSF", fwhm=2.7),
    analytic("CircularGaussianPRF", fwhm=2.7),
    analytic("CircularGaussianSigmaPRF", sigma=1.2),
    analytic("MoffatPSF", alpha=2.2, beta=2.9),
    analytic("MoffatPRF", alpha=2.2, beta=2.9),
    analytic("AiryDiskPSF", radius=3.4),
    analytic("AiryDiskPRF", radius=3.4),
)
each_model = pytest.mark.parametrize(
    "make", MAKERS, ids=[make.__name__ for make in MAKERS]
)


@pytest.fixture(scope="module")
def truth():
    """Twelve stars, among them a pair of 4 pixels and a triple."""
    rng = np.random.default_rng(8)
    x = np.append([30.2, 34.1, 120.3, 124.9, 121.7], np.linspace(25, 195, 7))
    y = np.append([40.6, 41.3, 60.2, 61.9, 65.4], np.full(7, 150.0))
    x[5:] += rng.uniform(-0.5, 0.5, 7)
    y[5:] += rng.uniform(-20, 20, 7)
    return QTable({"x_0": x, "y_0": y, "flux": rng.uniform(3000, 9000, len(x))})


def observe(model, truth):
    data = make_model_image(SHAPE, model, truth, model_shape=(31, 31))
    error = np.sqrt(NOISE**2 + np.abs(data))
    return data + SKY + np.random.default_rng(3).normal(0, error), error


@pytest.fixture(scope="module")
def image(truth):
    return observe(gridded_psf(psf), truth)


@pytest.fixture
def settings():
    """Everything of ours."""
    return {
        "psf_model": gridded_psf(psf),
        "fit_shape": (7, 7),
        "finder": psfphot.detection.DAOStarFinder(**FINDERS["DAOStarFinder"]),
        "grouper": psf.SourceGrouper(8),
        "local_bkg_estimator": psfphot.background.LocalBackground(10, 15),
        "aperture_radius": 4,
    }


def run(settings, image, **options):
    data, error = image
    return psf.PSFPhotometry(**settings)(data, error=error, **options)


def assert_same(got, expected):
    """The same columns with the same bits."""
    assert got.colnames == expected.colnames
    for name in expected.colnames:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)


def assert_fits_agree(got, expected, tolerance=1e-4):
    """To a part of an error, and errors to that part."""
    assert len(got) == len(expected) > 5
    for name in COMPARED:
        error = np.asarray(expected[f"{name}_err"])
        difference = np.asarray(got[f"{name}_fit"]) - np.asarray(
            expected[f"{name}_fit"]
        )
        assert np.all(np.abs(difference) <= tolerance * error), name
        np.testing.assert_allclose(got[f"{name}_err"], error, rtol=tolerance)
    for name in ("id", "group_id", "group_size", "n_pixels_fit"):
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
    flags, expected_flags = (np.asarray(t["flags"]) & 8191 for t in (got, expected))
    np.testing.assert_array_equal(flags, expected_flags)


@each_model
@pytest.mark.parametrize("is_grouped", [False, True])
def test_models(make, is_grouped, settings, truth):
    model = make(psf)
    image = observe(model, truth)
    settings |= {"finder": None, "grouper": settings["grouper"] if is_grouped else None}
    tables = []
    for each in (model, make(theirs)):
        settings["psf_model"] = each
        photometry = psf.PSFPhotometry(**settings)
        table = photometry(image[0], error=image[1], init_params=truth["x_0", "y_0"])
        rendered = photometry.make_model_image(SHAPE, psf_shape=(21, 21))
        tables.append((table, rendered))
    (ours, our_image), (got, their_image) = tables
    assert_same(got, ours)
    np.testing.assert_array_equal(their_image, our_image)
    assert not np.any(np.asarray(ours["flags"]) & 8)
    if is_grouped:
        assert np.all(np.abs(ours["flux_fit"] - truth["flux"]) < 5 * ours["flux_err"])


@each_model
def test_models_with_their_fixed_flags_and_bounds(make, settings, truth):
    image = observe(make(psf), truth)
    settings |= {"finder": None}
    tables = []
    for module in (psf, theirs):
        model = make(module)
        model.x_0.fixed = True
        model.flux.bounds = (0, 5000)
        settings["psf_model"] = model
        with warnings.catch_warnings():
            # A star that is bounded away from its flux need not converge.
            warnings.simplefilter("ignore")
            tables.append(run(settings, image, init_params=truth))
    assert_same(tables[1], tables[0])
    assert np.isnan(tables[0]["x_err"]).all()
    assert tables[0]["flux_fit"].max() <= 5000


def test_a_shape_that_is_free(settings, truth):
    tables = []
    for module in (psf, theirs):
        model = module.MoffatPSF(alpha=2.0, beta=2.9)
        model.alpha.fixed = False
        settings |= {"finder": None, "psf_model": model, "fit_shape": 11}
        image = observe(psf.MoffatPSF(alpha=2.3, beta=2.9), truth)
        tables.append(run(settings, image, init_params=truth))
    assert_same(tables[1], tables[0])
    assert np.median(tables[0]["alpha_fit"]) == pytest.approx(2.3, rel=0.03)


def test_a_model_made_of_astropy_s(settings, truth):
    """`make_psf_model` gives a compound model that names its parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = theirs.make_psf_model(
            models.Gaussian2D(x_stddev=1.15, y_stddev=1.15),
            x_name="x_mean",
            y_name="y_mean",
        )
    ours = psf.CircularGaussianPSF(fwhm=1.15 * np.sqrt(8 * np.log(2)))
    image = observe(ours, truth)
    settings |= {"finder": None}
    tables = []
    for each in (ours, model):
        for name in each.param_names:
            named = {
                getattr(each, f"{axis}_name", default)
                for axis, default in (("x", "x_0"), ("y", "y_0"), ("flux", "flux"))
            }
            getattr(each, name).fixed = name not in named
        settings["psf_model"] = each
        tables.append(run(settings, image, init_params=truth["x_0", "y_0"]))
    assert_fits_agree(tables[1], tables[0], tolerance=1e-3)


@pytest.mark.parametrize("name", FINDERS)
def test_finders(name, settings, image):
    data, error = image
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:20] = True
    tables = []
    for module in (psfphot.detection, detection):
        settings["finder"] = getattr(module, name)(**FINDERS[name])
        photometry = psf.PSFPhotometry(**settings)
        tables.append(photometry(data - SKY, error=error, mask=mask))
        assert photometry.finder_results is not None
    assert_fits_agree(tables[1], tables[0])


def test_a_finder_that_finds_nothing(settings, image):
    settings["finder"] = detection.DAOStarFinder(threshold=1e9, fwhm=2.7)
    with pytest.warns(Warning, match="No sources were found"):
        assert run(settings, image) is None


@pytest.mark.parametrize("separation", [3, 8, 60])
def test_groupers(separation, settings, image):
    tables = []
    for module in (psf, theirs):
        settings["grouper"] = module.SourceGrouper(separation)
        tables.append(run(settings, image))
    assert_same(tables[1], tables[0])
    assert (tables[0]["group_size"].max() > 1) == (separation > 3)


ESTIMATORS = [
    "MeanBackground",
    "MedianBackground",
    "ModeEstimatorBackground",
    "MMMBackground",
    "SExtractorBackground",
    "BiweightLocationBackground",
]


@pytest.mark.parametrize("name", [None, *ESTIMATORS])
def test_local_backgrounds(name, settings, image):
    """With estimators of their own: in either package's LocalBackground."""
    tables = []
    for outer, inner in (
        (psfphot.background, psfphot.background),
        (background, background),
        (psfphot.background, background),
    ):
        options = {} if name is None else {"bkg_estimator": getattr(inner, name)()}
        settings["local_bkg_estimator"] = outer.LocalBackground(10, 15, **options)
        tables.append(run(settings, image))
    for got in tables[1:]:
        assert_same(got, tables[0])
    assert np.median(tables[0]["local_bkg"]) == pytest.approx(SKY, abs=1)


@pytest.mark.parametrize(
    "fitter", ["TRFLSQFitter", "DogBoxLSQFitter", "LMLSQFitter", "LevMarLSQFitter"]
)
def test_fitters_with_photutils_everything(fitter, settings, image):
    """The slow path with their model: groups, backgrounds, covariance."""
    expected = run(settings, image)
    settings |= {
        "psf_model": gridded_psf(theirs),
        "finder": detection.DAOStarFinder(**FINDERS["DAOStarFinder"]),
        "grouper": theirs.SourceGrouper(8),
        "local_bkg_estimator": background.LocalBackground(10, 15),
        "fitter": getattr(fitting, fitter)(),
    }
    got = run(settings, image)
    # Fitters stop at a small relative change of chi^2, a little before us.
    assert_fits_agree(got, expected, tolerance=1e-2)


def test_all_at_once_beside_photutils(settings, image, photutils_31):
    """One set of their objects to both packages; no star shares a pixel."""
    settings |= {
        "psf_model": gridded_psf(theirs),
        "finder": detection.DAOStarFinder(**FINDERS["DAOStarFinder"]),
        "grouper": None,
        "local_bkg_estimator": background.LocalBackground(10, 15),
    }
    data, error = image
    ours = run(settings, image)
    expected = theirs.PSFPhotometry(**settings)(data, error=error)
    assert ours.colnames == expected.colnames
    assert_fits_agree(ours, expected, tolerance=1e-2)


def test_our_objects_in_photutils(settings, image, photutils_31):
    """Their `local_bkg_estimator` must be of their class."""
    data, error = image
    settings |= {"grouper": None}
    expected = run(settings, image)
    settings["local_bkg_estimator"] = background.LocalBackground(10, 15)
    got = theirs.PSFPhotometry(**settings)(data, error=error)
    assert_fits_agree(got, expected, tolerance=1e-2)


def test_their_tables_are_starting_values(settings, image, photutils_31):
    """Of photometry, of a finder, and of a catalogue of segments."""
    data, error = image
    segments = segmentation.detect_sources(data - SKY, 15, n_pixels=5)
    catalog = segmentation.SourceCatalog(data - SKY, segments).to_table()
    found = detection.DAOStarFinder(threshold=40, fwhm=2.7)(data - SKY)
    settings["finder"] = None
    model = gridded_psf(theirs)
    photometry = theirs.PSFPhotometry(model, 7, aperture_radius=4)
    fitted = photometry(data, error=error, init_params=found)
    # These would be taken instead of the grouper and the local background.
    fitted.remove_columns(["group_id", "local_bkg"])
    for table, names in (
        (catalog, ("x_centroid", "y_centroid")),
        (found, ("x_centroid", "y_centroid")),
        (fitted, ("x_fit", "y_fit")),
    ):
        got = run(settings, image, init_params=table)
        plain = QTable({"x": table[names[0]], "y": table[names[1]]})
        expected = run(settings, image, init_params=plain)
        # The other columns give other starting fluxes.
        assert_fits_agree(got, expected, tolerance=1e-3)
