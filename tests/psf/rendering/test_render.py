"""Rendering many sources."""

import numpy as np
import pytest

from psfphot import _core
from psfphot.psf import CircularGaussianPRF, ImagePSF
from psfphot.psf._models.convert import to_core
from psfphot.psf._rendering.rendering import render_model_image, rendering_box

SHAPE = (150, 90)
PSF = to_core(CircularGaussianPRF(fwhm=2.5))


@pytest.fixture
def sources():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-10, 100, 80), rng.uniform(-10, 160, 80)
    return x, y, rng.uniform(-5, 100, 80)


def box_around(x, y, size):
    """The pixels of the box, as the documentation of astropy has them."""
    first = np.ceil([y - size[0] / 2, x - size[1] / 2]).astype(int)
    last = first + size
    rows, columns = (
        slice(max(a, 0), max(b, 0)) for a, b in zip(first, last, strict=True)
    )
    return rows, columns


@pytest.mark.parametrize("box", [(5, 5), (8, 3), (101, 70)])
def test_an_image_is_the_sum_of_its_sources(sources, box):
    levels = np.linspace(-1, 1, 80)
    expected = np.zeros(SHAPE)
    yy, xx = np.indices(SHAPE)
    for x, y, flux, level in zip(*sources, levels, strict=True):
        part = box_around(x, y, box)
        model = CircularGaussianPRF(flux=flux, x_0=x, y_0=y, fwhm=2.5)
        expected[part] += model(xx[part], yy[part]) + level
    image = render_model_image(SHAPE, PSF, *sources, box_shape=box, local_bkg=levels)
    np.testing.assert_allclose(image, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("n_threads", [1, 2, 8])
def test_every_number_of_threads_gives_the_same_bits(sources, n_threads):
    psf = to_core(ImagePSF(np.random.default_rng(4).random((41, 41)), oversampling=2))
    expected = render_model_image(SHAPE, psf, *sources, box_shape=(21, 21))
    image = render_model_image(
        SHAPE, psf, *sources, box_shape=(21, 21), n_threads=n_threads
    )
    np.testing.assert_array_equal(image, expected)


def test_sources_that_are_not_finite_are_left_out():
    image = np.zeros(SHAPE)
    x, y = np.array([40, np.nan, 40, 40.0, 40]), np.array([40, 40, np.inf, 40.0, 40])
    flux, level = np.array([1, 1, 1, np.nan, 1.0]), np.array([0, 0, 0, 0, np.nan])
    skipped = _core.render_sources(image, PSF, x, y, flux, background=level)
    assert skipped == (4, 0)
    np.testing.assert_allclose(image.sum(), 1, rtol=1e-9)
    far = np.array([-900.0, 40.0, 4000.0])
    ones = np.ones(3)
    assert _core.render_sources(image, PSF, far, 40 * ones, ones) == (0, 2)


def test_the_support_is_the_box_where_none_is_given():
    psf = to_core(ImagePSF(np.ones((11, 7))))
    image = np.zeros(SHAPE)
    one = np.ones(1)
    _core.render_sources(image, psf, 40 * one, 60 * one, one)
    assert (image != 0).sum() == 77
    assert image[55:66, 37:44].all()


def test_sources_may_have_shapes_of_their_own():
    one = np.ones(1)
    image = render_model_image(
        SHAPE,
        PSF,
        40 * one,
        60 * one,
        one,
        box_shape=(9, 9),
        psf_shapes=np.array([[4.0]]),
    )
    assert image[60, 40] == pytest.approx(CircularGaussianPRF(fwhm=4.0)(0, 0))


def test_progress_counts_every_source(capsys):
    image = np.zeros(SHAPE)
    seen = []
    x = np.array([3.0, 80.0, np.nan, -500.0])
    _core.render_sources(image, PSF, x, x, x, progress=seen.append)
    assert seen[-1] == 4
    one = np.ones(1)
    render_model_image(SHAPE, PSF, one, one, one, box_shape=(5, 5), progress_bar=True)
    assert "Add model sources" in capsys.readouterr().err


def test_no_sources_make_an_empty_image():
    image = render_model_image(SHAPE, PSF, [], [], [], box_shape=(5, 5))
    assert image.shape == SHAPE
    assert not image.any()


@pytest.mark.parametrize(
    ("fwhm", "x_0", "size"),
    [(1.0, 0, 5), (1.5, 1 / 3, 8), (2.0, 1e6 / 3, 10), (2.3, 7.7, 11), (3.31, 0, 16)],
)
def test_the_box_is_the_bounding_box_rounded_up(fwhm, x_0, size):
    model = CircularGaussianPRF(fwhm=fwhm, x_0=x_0, y_0=-x_0)
    assert rendering_box(model, None) == (size, size)


@pytest.mark.parametrize("position", [0, 1 / 3, 3333.3])
def test_the_box_of_an_image_does_not_depend_on_the_position(position):
    psf = ImagePSF(np.ones((22, 21)), oversampling=(2, 4), x_0=position, y_0=position)
    assert rendering_box(psf, None) == (11, 6)


def test_a_box_is_needed_where_there_is_no_bounding_box():
    class Boundless(CircularGaussianPRF):
        @property
        def bounding_box(self):
            raise NotImplementedError

    message = "model_shape must be specified if the model does not have a bounding_box"
    with pytest.raises(ValueError, match=message):
        rendering_box(Boundless(), None)
    assert rendering_box(Boundless(), (3, 4)) == (3, 4)
    with pytest.raises(ValueError, match="psf_shape must be given"):
        rendering_box(CircularGaussianPRF(x_0=np.nan), None)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (0, "must be >= 1"),
        (2.5, "must have integer values"),
        (np.nan, "must have integer values"),
        ((1, 2, 3), "must have 1 or 2 elements"),
    ],
)
def test_bad_shapes(shape, message):
    with pytest.raises(ValueError, match=f"psf_shape {message}"):
        rendering_box(CircularGaussianPRF(), shape)
    with pytest.raises(ValueError, match=f"shape {message}"):
        render_model_image(shape, PSF, [], [], [], box_shape=(5, 5))


def test_columns_must_agree():
    image, two = np.zeros(SHAPE), np.ones(2)
    with pytest.raises(ValueError, match="flux must have 2 rows"):
        _core.render_sources(image, PSF, two, two, np.ones(1))
    with pytest.raises(ValueError, match="background must have 2 rows"):
        _core.render_sources(image, PSF, two, two, two, background=np.ones(3))
    with pytest.raises(ValueError, match="psf_shapes must have 2 rows"):
        _core.render_sources(image, PSF, two, two, two, psf_shapes=np.ones((3, 1)))
    for wrong in (0, 2):
        with pytest.raises(ValueError, match="shape must have the shape"):
            _core.render_sources(
                image, PSF, two, two, two, psf_shapes=np.ones((2, wrong))
            )
    with pytest.raises(ValueError, match="n_threads must be None or at least 1"):
        render_model_image(SHAPE, PSF, two, two, two, box_shape=(5, 5), n_threads=0)
