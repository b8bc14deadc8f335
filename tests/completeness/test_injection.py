"""Artificial stars in an image: their light, and the noise of their photons."""

import copy

import numpy as np
import pytest

from psfphot.completeness._injection import Pixels, Room, draw_stars
from psfphot.completeness._plan import Batch
from psfphot.psf import CircularGaussianPRF

PSF = CircularGaussianPRF(fwhm=8)


def batch_of(seed, *places):
    x, y, flux = np.array(places, dtype=float).T
    star = np.arange(1, len(x) + 1)
    return Batch(0, star, x, y, flux, np.random.SeedSequence(seed))


def pixels_of(own_error, dtype=np.float64):
    data = np.full((120, 2000), 7.0, dtype)
    return Pixels(data, np.full(data.shape, own_error, dtype))


def light_of(batch):
    return draw_stars((120, 2000), PSF, batch.x, batch.y, batch.flux)


@pytest.mark.parametrize("own_error", [0.1, 50.0])
@pytest.mark.parametrize("flux", [1e3, 1e5])
def test_photons_scatter_as_their_number_does(own_error, flux):
    # In pixels of much noise, of little, with many photons and with few.
    gain = 2.0
    places = [(x, y, flux) for x in range(20, 2000, 40) for y in (20, 60, 100)]
    batch = batch_of(1, *places)
    light = light_of(batch)
    with Room(pixels_of(own_error)).with_stars(PSF, batch, gain) as (data, error):
        pull = (data - 7.0 - light)[light > 1] * np.sqrt(gain / light[light > 1])
        np.testing.assert_allclose(error**2, own_error**2 + light / gain, atol=0.01)
    tolerance = 5 / np.sqrt(pull.size)
    assert abs(pull.mean()) < tolerance
    assert abs(pull.std() - 1) < tolerance


def test_few_photons_are_whole_numbers():
    batch = batch_of(2, (60, 60, 300))
    with Room(pixels_of(0.1)).with_stars(PSF, batch, 1.0) as (data, _):
        lit = light_of(batch) > 0.01
        photons = data[lit] - 7.0
        assert np.all(photons == np.round(photons))
        assert photons.max() > 0


def test_errors_that_are_not_usable_stay_so():
    pixels = pixels_of(3.0)
    pixels.error[60, 58:61] = 0, np.nan, np.inf
    with Room(pixels).with_stars(PSF, batch_of(3, (60, 60, 1e4)), 1.0) as (_, error):
        np.testing.assert_equal(error[60, 58:61], [0, np.nan, np.inf])
        assert error[60, 61] > 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gain", [1.0, None])
def test_an_image_has_nothing_of_the_one_before(dtype, gain):
    pixels = pixels_of(3.0, dtype)
    room = Room(pixels)
    first, second = batch_of(4, (60, 60, 1e4)), batch_of(5, (900, 30, 1e3))
    with room.with_stars(PSF, first, gain) as before:
        with room.with_stars(PSF, second, gain) as (data, _):
            # Two at a time do not share their memory.
            assert not np.shares_memory(data, before.data)
        assert before.data[60, 60] > 100
    with Room(pixels).with_stars(PSF, second, gain) as fresh:
        for used in (room, copy.copy(room)):
            with used.with_stars(PSF, second, gain) as again:
                np.testing.assert_array_equal(again.data, fresh.data)
                np.testing.assert_array_equal(again.error, fresh.error)
                assert again.data.dtype == again.error.dtype == dtype
    assert np.all(pixels.data == 7)
    assert np.all(pixels.error == 3)
