"""What good calls are made with, small and quick."""

from functools import cache

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import NDData
from hostile.calls import PSF
from stdpsf_files import stdpsf_hdu

from psfphot import (
    datasets,
    pipeline,
    psf,
)

ONES = np.ones((9, 9))
SKY = SkyCoord([10.0, 10.001], [20.0, 20.001], unit="deg")
POSITIONS = np.array([[4.0, 4.0], [6.0, 5.0]])
CUTS = ("qfit < 0.2",)


@cache
def field():
    """An image of few stars, and the stars."""
    return pipeline.simulate_star_field(PSF, 64, 12, seed=1)


@cache
def exposure():
    made = pipeline.Exposure(field()[0], PSF)
    made.sky = pipeline.measure_sky(made)
    return made


@cache
def found():
    return pipeline.find_stars(exposure())


@cache
def start():
    table = pipeline.start_from_detections(found())
    pipeline.group_stars(table, exposure())
    return table


@cache
def run():
    return pipeline.measure(field()[0], PSF)


@cache
def star():
    """Pixels of a star, and its errors."""
    y, x = np.mgrid[:11, :11]
    return 1e4 * PSF.evaluate(x, y, 1, 5.2, 4.9, 2.5) + 1


def catalog():
    """Make a catalogue without what functions of `psfphot.io` add."""
    table = run().catalog.copy()
    table.remove_columns(["snr", "ra", "dec", "ra_err", "dec_err"])
    return table


def measured_tiles(**words):
    with pipeline.measure_tiled(**words) as tiled:
        return tiled.catalog


def epsf_star():
    wcs = datasets.make_wcs((11, 11))
    return psf.EPSFStar(star(), cutout_center=(5.2, 4.9), wcs_large=wcs)


def grid_data():
    samples = np.stack([star()] * 4)
    places = [(9.0 * (k % 2), 9.0 * (k // 2)) for k in range(4)]
    return NDData(samples, meta={"grid_xypos": places, "oversampling": 2})


def image_file(folder):
    """The name of a file with an image."""
    path = folder / "image.fits"
    if not path.exists():
        fits.writeto(path, field()[0].data)
    return str(path)


def psf_file(folder):
    path = folder / "psf.fits"
    if not path.exists():
        fits.writeto(path, star() / star().sum())
    return str(path)


def catalog_file(folder):
    path = folder / "sources.csv"
    if not path.exists():
        path.write_text("x,y\n3,4\n5,6\n", encoding="utf-8")
    return str(path)


def stpsf_file(folder):
    """Write a grid as STPSF does; return its name."""
    path = folder / "grid.fits"
    if not path.exists():
        model = psf.GriddedPSFModel(grid_data())
        model.write(path, format="stpsf")
    return str(path)


def stdpsf_file(folder):
    """Write an STDPSF grid; return its name."""
    path = folder / "stdpsf.fits"
    if not path.exists():
        stdpsf_hdu([0, 9], [0, 9]).writeto(path)
    return str(path)


def simple(call, **arguments):
    """Wrap a call whose arguments need no files."""
    return call, lambda _: arguments


def lazy(call, make):
    """Wrap one whose arguments take time to make."""
    return call, lambda _: make()


def of_files(call, **makers):
    """Wrap one whose arguments are made in a folder."""
    return call, lambda folder: {
        name: make(folder) if callable(make) else make for name, make in makers.items()
    }
