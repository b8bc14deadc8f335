"""An image on disk with what is known of the whole of it, seen in windows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from psfphot.io import Detector, place_psf
from psfphot.io._on_disk import bands_of, new_plane, release
from psfphot.pipeline._exposure import Exposure
from psfphot.pipeline._image_psf import with_own_psf
from psfphot.pipeline._light import LightImages
from psfphot.pipeline._masks import PixelMasks
from psfphot.pipeline._tiles.tiling import Tile, cut_tiles, halo_of
from psfphot.pipeline._tiles.working import TileError
from psfphot.psf import PolynomialPSFModel
from psfphot.psf._models.convert import to_core
from psfphot.psf._rendering.rendering import render_model_image, rendering_box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from astropy.table import QTable
    from numpy.typing import NDArray

    from psfphot.io import FitsImage, Psf
    from psfphot.pipeline._settings import Settings
    from psfphot.pipeline._tiles.sheets import SkySheets
    from psfphot.pipeline._tiles.working import Crew

T = TypeVar("T")

Window = tuple[slice, slice]

#: The PSF is measured, or held against the stars, in the middle of the image: so many
#: pixels on a side.
MIDDLE, CHECKED = 2048, 1024


class MasksOnDisk(PixelMasks):
    """Masks that are added window by window, of which only the union is kept."""

    def __init__(self, pixels: NDArray[np.bool_], counts: dict[str, int]) -> None:
        super().__init__(pixels, counts)
        self._causes: list[str] = []

    @property
    def added(self) -> tuple[str, ...]:
        """The causes that were added."""
        return tuple(self._causes)

    def add_in(self, window: Window, cause: str, pixels: NDArray[np.bool_]) -> None:
        """Leave out pixels more of a window, in place."""
        n = int(np.count_nonzero(pixels))
        if n == 0:
            return
        if cause not in self._causes:
            self._causes.append(cause)
        self._counts[cause] = self._counts.get(cause, 0) + n
        self._all[window] |= pixels


class Mosaic:
    """An image on disk with what is known of the whole of it.

    Parameters
    ----------
    image : `~psfphot.io.FitsImage`
        The image, whose arrays are on disk.
    psf : `~psfphot.io.Psf` or PSF model
        The PSF. One that is to be measured is in the middle of the image.
    settings : `Settings`
        How to measure.
    side : int
        The most pixels of a tile along each axis.
    directory : `~pathlib.Path`
        Where more files can be made.

    Attributes
    ----------
    whole : `Exposure`
        The image; its arrays are on disk.
    masks : `MasksOnDisk`
        The pixels that are left out.
    no_data : 2D bool array
        Those that are for other reasons than that they are saturated.
    tiles : list of `Tile`
        The tiles.
    side : int
        The most pixels of one along each axis.
    noise_planes : tuple of 2D array, or `None`
        `Exposure.noise_planes` of the whole image, on disk.
    crew : `Crew` or `None`
        The workers that do the passes over tiles; `None` does them here.
    """

    def __init__(
        self,
        image: FitsImage,
        psf: Psf | Any,
        settings: Settings,
        side: int,
        directory: Path,
    ) -> None:
        self.image, self.given, self.directory = image, settings, directory
        self.no_data: NDArray[np.bool_] = image.mask
        is_measured = getattr(psf, "measured_as", None) is not None
        if is_measured:
            middle = Exposure(self._cut(self.middle(MIDDLE)), psf, settings)
            psf = with_own_psf(middle, psf).psf
        self.whole = Exposure(image, psf, settings)
        if isinstance(self.whole.psf.model, PolynomialPSFModel):
            msg = (
                f"{image.name}: a PSF that varies as a polynomial is not known in "
                "tiles; give a grid of PSFs or one that is constant, or measure the "
                "image whole"
            )
            raise ValueError(msg)  # noqa: TRY004  (the model is right elsewhere)
        self.whole.has_measured_psf = is_measured
        self.whole.knows_cosmic_rays = any("DQ" in name for name in image.n_masked)
        self.masks = MasksOnDisk(image.mask, image.n_masked)
        self.whole.masks = self.masks
        self.tiles = cut_tiles(self.shape, side, halo_of(self.whole.settings))
        self.side = side
        self.noise_planes: tuple[NDArray[Any], NDArray[Any]] | None = None
        self.crew: Crew | None = None
        self._sky: SkySheets | None = None
        self._remade_sky: SkySheets | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"crew": None}

    @property
    def shape(self) -> tuple[int, int]:
        """The image's shape (ny, nx)."""
        return self.image.shape

    @property
    def sky(self) -> SkySheets:
        """The first background; it must have been set."""
        if self._sky is None:
            msg = "the sky has not been measured"
            raise ValueError(msg)
        return self._sky

    @sky.setter
    def sky(self, sky: SkySheets) -> None:
        self._sky = sky
        self._tell_sky()

    @property
    def remade_sky(self) -> SkySheets | None:
        """The sky without known stars, which takes the place of the first.

        The errors of pixels are those of the first.
        """
        return self._remade_sky

    @remade_sky.setter
    def remade_sky(self, sky: SkySheets) -> None:
        self._remade_sky = sky
        self._tell_sky()

    @property
    def sky_now(self) -> SkySheets:
        """The background as it was last measured."""
        return self.sky if self.remade_sky is None else self.remade_sky

    def _tell_sky(self) -> None:
        # The level and the noise; the maps are told in windows.
        self.whole.sky = self.sky_now  # type: ignore[assignment]

    def middle(self, side: int) -> Window:
        """Tell the window in the middle of the image, so many pixels on a side."""
        ny, nx = (
            slice(max(0, (n - side) // 2), min(n, max(0, (n - side) // 2) + side))
            for n in self.shape
        )
        return ny, nx

    def bands(self) -> Iterator[Window]:
        """Yield windows of whole rows, one after another."""
        for rows in bands_of(self.shape):
            yield rows, slice(0, self.shape[1])
            self.release()

    def over_tiles(
        self, work: Callable[[Tile, Exposure], T], tiles: Iterable[Tile] | None = None
    ) -> Iterator[tuple[Tile, T]]:
        """Do something to each tile that has data, here or by workers.

        Parameters
        ----------
        work : callable
            Takes a tile and what is to be measured in its window. It can be pickled,
            and changes nothing that it knows.
        tiles : iterable of `Tile`, optional
            Other tiles than those of the image.

        Yields
        ------
        tile, result
            One tile after another.

        Raises
        ------
        TileError
            If one cannot be measured.
        WorkersError
            If one was given up: its workers ended, or took too long.
        """
        do = partial(_do_to_tile, self, work)
        all_tiles = self.tiles if tiles is None else tiles
        chosen = [t for t in all_tiles if not self.image.mask[t.window].all()]
        self.release()
        if self.crew is not None:
            yield from zip(chosen, self.crew(do, chosen, self.image.name), strict=True)
            return
        for tile in chosen:
            yield tile, do(tile)

    def subtract(
        self, light: Callable[[Window], NDArray[Any]], name: str
    ) -> NDArray[Any]:
        """Take light off the image, on disk.

        Parameters
        ----------
        light : callable
            Renders the light in a window.
        name : str
            Of the file.
        """
        image = self.image.data
        left = new_plane(self.directory, name, self.shape, image.dtype)
        for tile in self.tiles:
            window = tile.rows, tile.columns
            left[window] = image[window] - light(window).astype(image.dtype, copy=False)
            release(left)
            self.release()
        return left

    def release(self) -> None:
        """Give back the memory of what is on disk."""
        image = self.image
        for array in (image.data, image.error, image.mask, image.saturated):
            release(array)
        for array in self.noise_planes or ():
            release(array)
        release(self.no_data)

    def exposure(self, window: Window) -> Exposure:
        """Copy a window of the image, with the whole image's first sky."""
        part = Exposure(self._cut(window), self.psf_in(window), self.given)
        part.has_measured_psf = self.whole.has_measured_psf
        part.knows_cosmic_rays = self.whole.knows_cosmic_rays
        if self._sky is not None:
            part.sky = self._sky.window(window)
        if self.noise_planes is not None:
            inverse_gain, empty = self.noise_planes
            part.noise_planes = np.array(inverse_gain[window]), np.array(empty[window])
            self.release()
        return part

    def psf_in(self, window: Window) -> Psf:
        """Give the PSF as a window has it, whose first pixel is at (0, 0)."""
        origin = window[1].start, window[0].start
        return place_psf(self.whole.psf, origin, self.shape)

    def light(
        self, psf: Psf, window: Window, stars: QTable, *, is_wide: bool = False
    ) -> NDArray[Any]:
        """Render fitted stars in a window, each as far as it is above the noise.

        Parameters
        ----------
        psf : `~psfphot.io.Psf`
            The window's, see `psf_in`.
        window : tuple of slice
            The window.
        stars : `~astropy.table.QTable`
            With ``x_fit`` and ``y_fit`` in the image, and ``flux_fit``.
        is_wide : bool, optional
            Whether their light may go beyond the PSF's own box, to the whole support
            of a formula.
        """
        shape = tuple(side.stop - side.start for side in window)
        noise = np.broadcast_to(self.sky.light_noise, shape)
        render = LightImages(psf.model, noise, self.given.n_threads, is_wide=is_wide)
        x, y, flux = (
            np.asarray(stars[f"{name}_fit"], dtype=float) for name in ("x", "y", "flux")
        )
        tile = Tile(*window, window, self.shape)
        seen = tile.sees(x, y, render.reach)
        x, y = x[seen] - window[1].start, y[seen] - window[0].start
        return render(x, y, flux[seen]).astype(self.image.data.dtype, copy=False)

    def fitted_light(self, window: Window, stars: QTable) -> NDArray[np.float64]:
        """Render fitted stars in a window, each in the PSF's own box."""
        model = self.psf_in(window).model
        box = rendering_box(model)
        x, y, flux = (
            np.asarray(stars[f"{name}_fit"], dtype=float) for name in ("x", "y", "flux")
        )
        seen = Tile(*window, window, self.shape).sees(x, y, max(box))
        image: NDArray[np.float64] = render_model_image(
            tuple(side.stop - side.start for side in window),
            to_core(model),
            x[seen] - window[1].start,
            y[seen] - window[0].start,
            flux[seen],
            box_shape=box,
            n_threads=self.given.n_threads,
        )
        return image

    def all_light(
        self, window: Window, fitted: QTable, saturated: QTable | None
    ) -> NDArray[np.float64]:
        """Render fitted stars in a window, as `fitted_light`, and saturated ones."""
        image = self.fitted_light(window, fitted)
        if saturated is not None:
            psf = self.psf_in(window)
            image += self.light(psf, window, saturated, is_wide=True)
        return image

    def _cut(self, window: Window) -> FitsImage:
        image = self.image

        def copied(array: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if array is None else np.array(array[window])

        # Where on the detector it is is known by the PSF already.
        part = replace(
            image,
            data=np.array(image.data[window]),
            error=copied(image.error),
            mask=np.array(image.mask[window]),
            saturated=copied(image.saturated),
            var_poisson=None,
            var_rnoise=None,
            n_masked={},
            detector=Detector(),
            area=None,
        )
        self.release()
        return part


def _do_to_tile(mosaic: Mosaic, work: Callable[[Tile, Exposure], T], tile: Tile) -> T:
    """Do something to a tile; what is wrong with it is said with the tile."""
    try:
        return work(tile, mosaic.exposure(tile.window))
    except (OSError, ValueError) as exc:
        raise TileError(f"{mosaic.image.name}, {tile}: {exc}") from exc
