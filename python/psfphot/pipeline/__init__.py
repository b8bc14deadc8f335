"""From an image and a PSF to a catalogue, in one call or step by step.

`measure` does what ``psfphot fit`` does to one image. Its steps are functions of
one `Exposure`, the image with its PSF, masks and sky, and can be used alone, in
this order or in another:

==========================  ====================================================
`measure_sky`               the background and its noise, as maps (`SkyMaps`)
`find_stars`                the finder's table
`start_from_detections`,    where the fits start: what was found, or the sources
`start_from_catalog`        of a catalogue
`group_stars`               which stars are fitted together
`fit_stars`                 PSF photometry
`make_catalog`              units, sky coordinates, magnitudes, provenance
==========================  ====================================================

`measure_tiled` measures an image that need not fit into memory, and `map_frames`
measures many files, in processes or on a cluster.
`simulate_star_field` and `compare_with_truth` tell how right the result is.
"""

from psfphot.pipeline._catalog import make_catalog
from psfphot.pipeline._detection import NoStarsError, find_stars
from psfphot.pipeline._exposure import Exposure
from psfphot.pipeline._fit import fit_stars
from psfphot.pipeline._frames import map_frames
from psfphot.pipeline._groups import group_stars
from psfphot.pipeline._image_psf import ImagePSF, build_image_psf
from psfphot.pipeline._masks import PixelMasks
from psfphot.pipeline._measure import measure, measure_exposure
from psfphot.pipeline._psf_check import PsfCheck
from psfphot.pipeline._recovery import Recovery, compare_with_truth
from psfphot.pipeline._run import PhotometryRun
from psfphot.pipeline._settings import ResolvedSettings, Settings
from psfphot.pipeline._simulation import simulate_star_field
from psfphot.pipeline._sky import measure_sky
from psfphot.pipeline._sky_maps import SkyMaps
from psfphot.pipeline._starts import (
    SourceList,
    start_from_catalog,
    start_from_detections,
)
from psfphot.pipeline._tiles.measuring import TiledRun, measure_tiled

__all__ = [
    "Exposure",
    "ImagePSF",
    "NoStarsError",
    "PhotometryRun",
    "PixelMasks",
    "PsfCheck",
    "Recovery",
    "ResolvedSettings",
    "Settings",
    "SkyMaps",
    "SourceList",
    "TiledRun",
    "build_image_psf",
    "compare_with_truth",
    "find_stars",
    "fit_stars",
    "group_stars",
    "make_catalog",
    "map_frames",
    "measure",
    "measure_exposure",
    "measure_sky",
    "measure_tiled",
    "simulate_star_field",
    "start_from_catalog",
    "start_from_detections",
]
