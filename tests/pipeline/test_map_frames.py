"""`map_frames`: the catalogues of many files, one by one as they are done."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from psfphot.io import read_image
from psfphot.pipeline import Settings, map_frames, measure, simulate_star_field
from psfphot.pipeline._frames import add_source_ids
from psfphot.psf import CircularGaussianPRF

PSF = CircularGaussianPRF(fwhm=2.5)
SETTINGS = Settings(threshold=8, iterations=2)


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    night = tmp_path_factory.mktemp("night")
    paths = [night / f"{i}.fits" for i in range(6)]
    for i, path in enumerate(paths):
        image, _ = simulate_star_field(PSF, 64, 20, seed=i)
        planes = [fits.PrimaryHDU(), fits.ImageHDU(image.data, name="SCI")]
        planes.append(fits.ImageHDU(image.error, name="UNC"))
        fits.HDUList(planes).writeto(path)
    paths[4].write_bytes(paths[4].read_bytes()[:9000])
    return paths


@pytest.fixture(scope="module")
def measured(frames):
    reading = {"error": "[UNC]"}
    good = [path for i, path in enumerate(frames) if i != 4]
    return {
        str(path): measure(read_image(path, **reading), PSF, SETTINGS).catalog
        for path in good
    }


@pytest.mark.parametrize("how", [{}, {"n_workers": 2}])
def test_they_are_what_measure_gives(frames, measured, how):
    found = map_frames(frames, SETTINGS, psf=PSF, reading={"error": "[UNC]"}, **how)
    seen = set()
    for path, status, result in found:
        seen.add(path)
        if path == str(frames[4]):
            assert status == "failed"
            assert "cut off or broken" in result
            continue
        assert status == "measured"
        expected = measured[path]
        assert result.colnames == expected.colnames
        for name in result.colnames:
            a, b = (np.asarray(table[name]) for table in (result, expected))
            assert a.tobytes() == b.tobytes(), name
        expected.meta["date"] = result.meta["date"]
        assert result.meta == expected.meta
    assert seen == {str(path) for path in frames}


def test_frames_without_stars_have_failed(tmp_path):
    noise = np.random.default_rng(1).normal(0, 1, (64, 64))
    fits.writeto(tmp_path / "empty.fits", noise)
    (one,) = map_frames([tmp_path / "empty.fits"], psf="gaussian:2.5")
    assert one.status == "failed"
    assert "no stars above" in one.result


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"settings": 5}, TypeError, "settings must be Settings, got int"),
        ({"n_workers": 0}, ValueError, "n_workers"),
        ({"n_workers": 2, "client": object()}, ValueError, "exclude each other"),
        ({"retries": -1}, ValueError, "retries"),
        ({"timeout": 0}, ValueError, "timeout"),
    ],
)
def test_bad_arguments(how, error, message):
    with pytest.raises(error, match=message):
        map_frames(["a.fits"], psf=PSF, **how)


def test_source_ids_are_of_64_bits_and_never_negative():
    catalog = Table({"id": [1, 2, 2**40, -5], "x_fit": np.zeros(4)})
    add_source_ids(catalog, "jw01_nrca1_cal")
    assert catalog.colnames == ["frame", "id", "source_id", "x_fit"]
    ids = np.asarray(catalog["source_id"])
    assert ids.dtype == np.int64
    assert (ids >= 0).all()
    assert np.array_equal(np.diff(ids), np.diff(np.asarray(catalog["id"])))
    assert set(catalog["frame"]) == {"jw01_nrca1_cal"}
    other = Table({"id": [1, 2, 3, 4]})
    add_source_ids(other, "jw01_nrca2_cal")
    assert not set(ids) & set(np.asarray(other["source_id"]))
