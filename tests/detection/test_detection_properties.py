"""What must hold for every image: hypothesis."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psfphot.detection import DAOStarFinder, IRAFStarFinder, StarFinder, find_peaks
from psfphot.utils import NoDetectionsWarning

KERNEL = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
ANY = {"sharpness_range": None, "roundness_range": None}
MAKERS = {
    "iraf": lambda level, **options: IRAFStarFinder(level, 2.5, **ANY, **options),
    "dao": lambda level, **options: DAOStarFinder(level, 2.5, **ANY, **options),
    "star": lambda level, **options: StarFinder(level, KERNEL, **options),
}
each_finder = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)

separations = st.sampled_from([None, 0, 0.7, 1.5, 4.3])


def _image(seed, n, levels):
    """Noise and stars, of few values each if ``levels``."""
    rng = np.random.default_rng(seed)
    data = rng.normal(0, 1, (24, 31))
    yy, xx = np.mgrid[:24, :31]
    for x, y in zip(rng.uniform(0, 30, n), rng.uniform(0, 23, n), strict=True):
        data += rng.uniform(3, 60) * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / 2.5)
    return np.round(data / levels) * levels if levels else data


images = st.builds(
    _image, st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([0, 4])
)


def columns(table):
    """The columns without a unit; no table is an empty one."""
    if table is None:
        return {}
    return {n: np.asarray(getattr(table[n], "value", table[n])) for n in table.colnames}


def quiet(finder, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)
        return columns(finder(*args, **options))


def assert_same(got, want, *but):
    assert got.keys() == want.keys()
    for name in got.keys() - set(but):
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)


@each_finder
@given(image=images, separation=separations, shift=st.tuples(*2 * [st.integers(0, 9)]))
def test_whole_pixels_of_shift_move_the_stars_alone(make, image, separation, shift):
    finder = make(2.0, min_separation=separation)
    margin = 14
    tables = []
    for dy, dx in ((0, 0), shift):
        wide = np.zeros([n + 2 * margin + 9 for n in image.shape])
        wide[
            margin + dy : margin + dy + image.shape[0],
            margin + dx : margin + dx + image.shape[1],
        ] = image
        table = quiet(finder, wide)
        for name, by in (("x_centroid", dx), ("y_centroid", dy)):
            if table:
                table[name] = table[name] - by
        tables.append(table)
    assert_same(*tables, "x_centroid", "y_centroid")
    for name in ("x_centroid", "y_centroid"):
        if tables[0]:
            np.testing.assert_allclose(tables[0][name], tables[1][name], atol=1e-11)


@each_finder
@given(image=images, separation=separations, power=st.integers(-30, 30))
def test_flux_scales(make, image, separation, power):
    scale = 2.0**power
    want = quiet(make(2.0, min_separation=separation), image)
    got = quiet(make(2.0 * scale, min_separation=separation), scale * image)
    assert_same(got, want, "peak", "flux", "max_value", "mag")
    for name in {"peak", "flux", "max_value"} & got.keys():
        np.testing.assert_array_equal(got[name], scale * want[name], err_msg=name)


@each_finder
@given(image=images, separation=separations)
def test_the_image_may_be_turned_around(make, image, separation):
    """A half turn reverses the rows of the table; equal peaks may change."""
    rng = np.random.default_rng(1)
    image = image + rng.normal(0, 1e-3, image.shape)
    want = quiet(make(2.0, min_separation=separation), image)
    got = quiet(make(2.0, min_separation=separation), image[::-1, ::-1])
    if not want:
        assert not got
        return
    assert len(got["id"]) == len(want["id"])
    np.testing.assert_allclose(got["flux"][::-1], want["flux"], rtol=1e-9, atol=1e-9)


@each_finder
@given(image=images, separation=separations, n=st.integers(1, 9))
def test_the_brightest_are_those_of_all(make, image, separation, n):
    every = quiet(make(2.0, min_separation=separation), image)
    few = quiet(make(2.0, min_separation=separation, n_brightest=n), image)
    if not every:
        assert not few
        return
    order = np.argsort(-every["flux"], kind="stable")[:n]
    assert_same(few, {name: values[order] for name, values in every.items()}, "id")


@given(image=images, separation=st.sampled_from([0.7, 1.5, 4.3]))
def test_peaks_lie_apart(image, separation):
    table = quiet(find_peaks, image, 2.0, min_separation=separation)
    if table:
        x, y = (table[f"{axis}_peak"].astype(float) for axis in "xy")
        distance = np.hypot(x[:, None] - x, y[:, None] - y)
        np.fill_diagonal(distance, np.inf)
        assert distance.min() > separation


@given(
    image=images,
    separation=separations,
    box=st.tuples(*2 * [st.integers(1, 6)]),
    seed=st.integers(0, 99),
)
def test_masked_pixels_are_as_if_absent_to_find_peaks(image, separation, box, seed):
    mask = np.random.default_rng(seed).random(image.shape) < 0.1
    options = {"min_separation": separation, "box_size": box}
    masked = quiet(find_peaks, image, 1.0, mask=mask, **options)
    absent = quiet(find_peaks, np.where(mask, np.nan, image), 1.0, **options)
    assert_same(masked, absent)
    hidden = np.where(mask, 1e9, image)
    assert_same(masked, quiet(find_peaks, hidden, 1.0, mask=mask, **options))


@each_finder
@given(image=images, seed=st.integers(0, 99))
def test_masked_pixels_are_no_stars(make, image, seed):
    mask = np.random.default_rng(seed).random(image.shape) < 0.3
    table = quiet(make(2.0, min_separation=0.5), image, mask=mask)
    every = quiet(make(2.0, min_separation=0.5), image)
    if table:
        # With so small a separation every pixel stands for itself.
        keys = set(zip(every["flux"], every["x_centroid"], strict=True))
        assert set(zip(table["flux"], table["x_centroid"], strict=True)) <= keys
        assert len(table["id"]) <= len(every["id"])
    full = np.ones_like(mask)
    assert quiet(make(2.0), image, mask=full) == {}
