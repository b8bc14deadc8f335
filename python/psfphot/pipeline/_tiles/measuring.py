"""From a file that need not fit into memory to a catalogue."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._defaults import RETRIES, SMALLEST_TILE, TILE, TIMEOUT
from psfphot._validate import as_count
from psfphot._workers import check_workers
from psfphot.io import find_zero_point
from psfphot.io._found import PlaneWords
from psfphot.io._on_disk import read_image_to_disk
from psfphot.io._written import write_image_by_rows
from psfphot.pipeline._bright import with_saturated
from psfphot.pipeline._catalog import make_catalog
from psfphot.pipeline._clock import Clock
from psfphot.pipeline._noise import pixel_errors
from psfphot.pipeline._psf_check import check_psf
from psfphot.pipeline._run import PhotometryRun
from psfphot.pipeline._saturated_stars import SaturatedStars
from psfphot.pipeline._settings import Settings, as_settings
from psfphot.pipeline._tiles.mosaic import CHECKED, Mosaic
from psfphot.pipeline._tiles.passes import TiledPasses
from psfphot.pipeline._tiles.unusable import (
    mask_cosmic_ray_tiles,
    mask_unexposed_tiles,
    prepare_sky_tiles,
)
from psfphot.pipeline._tiles.working import hire_crew

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.io import Psf, ZeroPoint


@dataclass(eq=False)
class TiledRun(PhotometryRun):
    """The catalogue of an image that is on disk, and what was found on the way to it.

    `measure_tiled` makes it. It is a `PhotometryRun` with these differences: the
    image's arrays are on disk, and go when the block of `measure_tiled` ends;
    ``photometry`` is how each tile is fitted, and has fitted none; and model and
    residual are best written, because as arrays they take the memory of the whole.

    Attributes
    ----------
    mosaic : `Mosaic`
        The image on disk, and its tiles.
    """

    mosaic: Mosaic = field(kw_only=True, repr=False)

    @property
    def n_tiles(self) -> int:
        """The number of tiles."""
        return len(self.mosaic.tiles)

    @property
    def sky_range(self) -> tuple[float, float]:
        """The lowest and the highest level of the sky where pixels are used."""
        return self.mosaic.sky_now.lowest, self.mosaic.sky_now.highest

    @property
    def model(self) -> NDArray[np.float64]:
        """2D array: the fitted stars, without sky; of the whole image."""
        return self._rows_of_model(slice(0, self.mosaic.shape[0]))

    def write_model(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted stars, without sky, a band at a time.

        Parameters
        ----------
        path : str or path-like
            The FITS file to write, not compressed; replaced if it is there.
        """
        with self.clock.step("model"):
            made = "psfphot: fitted stars, without sky"
            write_image_by_rows(path, self.image, self._rows_of_model, history=made)

    def write_residual(self, path: str | os.PathLike[str]) -> None:
        """Write the image without its fitted stars, a band at a time.

        Parameters
        ----------
        path : str or path-like
            The FITS file to write, not compressed; replaced if it is there.
        """

        def residual(rows: slice) -> NDArray[Any]:
            left: NDArray[Any] = self.image.data[rows] - self._rows_of_model(rows)
            self.mosaic.release()
            return left

        with self.clock.step("model"):
            made = "psfphot: the image without its fitted stars"
            write_image_by_rows(path, self.image, residual, history=made)

    def _rows_of_model(self, rows: slice) -> NDArray[np.float64]:
        """Render the stars in some rows of the image."""
        window = rows, slice(0, self.mosaic.shape[1])
        saturated = None if self.saturated is None else self.saturated.table
        return self.mosaic.all_light(window, self._fitted, saturated)

    @property
    def _fitted(self) -> QTable:
        if self.passes is None:
            msg = "stars that are given are not measured by tiles"
            raise ValueError(msg)
        return self.passes.table


@contextmanager
def measure_tiled(
    path: str | os.PathLike[str],
    psf: Psf | Any,
    settings: Settings | None = None,
    *,
    ext: str | None = None,
    tile: int = TILE,
    error: str | None = None,
    mask: str | None = None,
    dq: str | None = None,
    dq_bits: str | None = None,
    weight: str | None = None,
    weight_type: str | None = None,
    n_workers: int | None = None,
    client: Any = None,
    retries: int = RETRIES,
    timeout: float | None = TIMEOUT,
) -> Iterator[TiledRun]:
    """Measure all stars of an image that need not fit into memory.

    The file is read band by band into a directory for temporary files, which needs as
    much space as the image, uncompressed, with its errors and masks. It is measured in
    tiles, each with a halo as wide as what its stars depend on: the distance of other
    peaks, the kernel of the finder, half a fit box and a group, and no less than 64
    pixels where stars are fitted together. A star belongs to the tile on which it was
    found. What is true of the whole image is measured on all of it: sky and noise, the
    level of saturation, what is not exposed, the mismatch of the PSF, and the groups;
    or in its middle: a PSF that is to be measured (2048 x 2048 pixels) and correlated
    noise (1024 x 1024). Each pass goes over all tiles before the next one.

    Parameters
    ----------
    path, ext, error, mask, dq, dq_bits, weight, weight_type
        As for `psfphot.io.read_image`.
    psf, settings
        As for `measure`.
    tile : int, optional
        The most pixels on the side of a tile, 128 or more.
    n_workers, client, retries, timeout
        As for `map_frames`, of tiles instead of frames: each pass over the tiles is
        done by workers. Those of a cluster must see the directory for temporary files.

    Yields
    ------
    run : `TiledRun`
        Its catalogue stays; the image's arrays last as long as the block.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or asks for what is not done by tiles: extra columns,
        relative weights, and PSFs that vary as a polynomial.
    OSError, FileFormatError
        If the file cannot be read.
    NoStarsError
        If no star is found.
    WorkersError
        If the workers cannot start, or a tile was given up: its workers ended, or
        took too long.

    Notes
    -----
    Trails of satellites are not looked for. The light of saturated stars is known
    in tiles as far as their PSF goes; the fits of one use its tile alone. A whole image
    that is smaller gives the same rows: where groups are longer than twice the halo,
    with fluxes that agree to 1 % of their errors.

    Examples
    --------
    >>> from psfphot.pipeline import Settings, measure_tiled
    >>> settings = Settings(iterations=1)
    >>> with measure_tiled("mosaic.fits", psf, settings) as run:  # doctest: +SKIP
    ...     run.write_residual("residual.fits")
    """
    settings = as_settings(settings)
    _check(settings)
    check_workers(n_workers, client, retries, timeout)
    side = as_count(tile, "tile", least=SMALLEST_TILE)
    words = PlaneWords(error, mask, dq, dq_bits, weight, weight_type)
    with tempfile.TemporaryDirectory(prefix="psfphot-") as place:
        clock = Clock()
        with clock.step("read"):
            image = read_image_to_disk(path, Path(place), ext, words)
        with clock.step("psf"):
            mosaic = Mosaic(image, psf, settings, side, Path(place))
        with hire_crew(
            mosaic.whole.psf.model,
            mosaic.directory,
            settings.n_threads,
            n_workers=n_workers,
            client=client,
            retries=retries,
            timeout=timeout,
        ) as mosaic.crew:
            run = _measure(mosaic, clock)
        mosaic.crew = None
        yield run


def _check(settings: Settings) -> None:
    """Refuse what is not done by tiles.

    Raises
    ------
    ValueError
        If something is asked for that is not.
    """
    if settings.extra_columns:
        msg = "extra_columns must not be True: there are none by tiles"
        raise ValueError(msg)


def _measure(mosaic: Mosaic, clock: Clock) -> TiledRun:
    whole = mosaic.whole
    with clock.step("sky"):
        zero_point: ZeroPoint = find_zero_point(mosaic.image, whole.settings.zero_point)
        mask_unexposed_tiles(mosaic)
        level = prepare_sky_tiles(mosaic)
    with clock.step("masks"):
        mask_cosmic_ray_tiles(mosaic)
    tiled = TiledPasses(mosaic, level, clock)
    passes = tiled()
    if whole.error is None:
        whole.error = np.broadcast_to(mosaic.sky.noise, mosaic.shape)
    if tiled.n_unfitted:
        passes.dropped["saturated, without a flux"] = tiled.n_unfitted
    saturated = None
    if tiled.saturated is not None:
        # Rows near them were flagged tile by tile.
        nothing = np.zeros((1, 1))
        saturated = SaturatedStars(tiled.saturated, nothing, nothing > 0)
    table = with_saturated(passes.table, saturated, passes.profile())
    catalog = make_catalog(table, whole, passes.start, zero_point)
    catalog.meta["n_tiles"] = len(mosaic.tiles)
    for told in (passes.history, passes.confusion):
        catalog.meta |= {} if told is None else told.summary()
    with clock.step("check"):
        middle = mosaic.exposure(mosaic.middle(CHECKED))
        middle.error = pixel_errors(middle)
        middle.sky = mosaic.sky_now.window(mosaic.middle(CHECKED))
        psf_check = check_psf(middle, passes.mismatch)
    return TiledRun(
        whole,
        catalog,
        passes.photometry,
        zero_point,
        group_separation=passes.start.meta["group_separation"],
        clock=clock,
        history=passes.history,
        confusion=passes.confusion,
        passes=passes,
        saturated=saturated,
        psf_check=psf_check,
        mosaic=mosaic,
    )
