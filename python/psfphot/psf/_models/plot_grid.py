"""A grid of PSFs as one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot._validate import as_positive
from psfphot.psf._models.grid import meta_names

if TYPE_CHECKING:
    from astropy.visualization import ImageNormalize
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

# The short-wave detectors of NIRCam as STDPSF files have them, from below.
_NRCSW = (("A1", "A3", "B4", "B2"), ("A2", "A4", "B3", "B1"))
_NRCSW_COLOR = "orange"
_NRCSW_SIZE = (20, 8)

# The brightest value over the faintest that is told apart, on the log stretch.
_RANGE = 1e4

# Of the largest difference: beyond, PSFs saturate at their cores, but their
# wings show.
_DELTA_SCALE = 0.03


class Picture(NamedTuple):
    """What is plotted: images in rows from below, and where these rows are."""

    images: NDArray[Any]
    x: NDArray[Any]
    y: NDArray[Any]
    meta: dict[str, Any]

    @property
    def is_nrcsw(self) -> bool:
        """Whether it shows the eight short-wave detectors of NIRCam."""
        rows, columns = len(_NRCSW), len(_NRCSW[0])
        whole = len(self.x) % columns == 0 and len(self.y) % rows == 0
        return whole and meta_names(self.meta).get("Detector") == "NRCSW"

    def differences(self) -> tuple[NDArray[np.float64], float]:
        """Subtract the mean image; tell its largest value too."""
        images = self.images.astype(np.float64)
        # Where a detector was not exposed (MIRI's coronagraphs) all is zero.
        blank = ~images.any(axis=(1, 2))
        if blank.all():
            msg = "deltas cannot be computed: all PSFs of the grid are zero"
            raise ValueError(msg)
        mean = images[~blank].mean(axis=0)
        images -= mean
        images[blank] = 0
        return images, float(mean.max())

    def tile(self, images: NDArray[Any]) -> NDArray[Any]:
        """Put the images side by side."""
        ny, nx = images.shape[1:]
        rows = images.reshape(len(self.y), len(self.x), ny, nx)
        return rows.transpose(0, 2, 1, 3).reshape(len(self.y) * ny, len(self.x) * nx)


class PlotsGrid:
    """What models and files of grids of PSFs share: they can be plotted."""

    def _picture(self) -> Picture:
        raise NotImplementedError

    def plot_grid(
        self,
        *,
        ax: Axes | None = None,
        vmax_scale: float | None = None,
        peak_norm: bool = False,
        deltas: bool = False,
        cmap: str | Colormap = "viridis",
        dividers: bool = True,
        divider_color: Any = "darkgray",
        divider_ls: Any = "-",
        figsize: tuple[float, float] | None = None,
    ) -> Figure:
        """Plot the images side by side, as they lie on the detector.

        Parameters
        ----------
        ax : `~matplotlib.axes.Axes` or None, optional
            Where to plot; `None` makes a figure.
        vmax_scale : float or None, optional
            The brightest value of the stretch over the largest value plotted.
            `None` is 1, and 0.03 for ``deltas``.
        peak_norm : bool, optional
            Whether to divide by the largest value of all images; of their
            mean for ``deltas``.
        deltas : bool, optional
            Whether to plot the differences from the mean image, linearly,
            instead of the images, logarithmically over a range of 10⁴. Images
            that are zero everywhere are no part of the mean.
        cmap : str or `~matplotlib.colors.Colormap`, optional
            The colours.
        dividers : bool, optional
            Whether to draw lines between the images.
        divider_color, divider_ls : optional
            Colour and style of these lines.
        figsize : (float, float) or None, optional
            Width and height of a new figure, in inches.

        Returns
        -------
        `~matplotlib.figure.Figure`
            The figure, known to `matplotlib.pyplot` if it is new.

        Raises
        ------
        ImportError
            Without matplotlib.
        TypeError, ValueError
            If ``vmax_scale`` is not a positive number; if ``deltas`` are asked
            of images that are all zero.
        """
        try:
            import matplotlib.pyplot as plt  # noqa: PLC0415
        except ImportError as exc:
            msg = "plot_grid needs matplotlib: pip install 'psfphot[plot]'"
            raise ImportError(msg) from exc
        picture = self._picture()
        if deltas:
            values, peak = picture.differences()
        else:
            values = picture.images.astype(np.float64)
            peak = float(values.max())
        if peak_norm and peak != 0:
            values /= peak
        if vmax_scale is None:
            vmax_scale = _DELTA_SCALE if deltas else 1.0
        vmax = float(values.max()) * as_positive(vmax_scale, "vmax_scale")
        # With nothing above zero, any stretch shows that.
        norm = _norm(vmax if vmax > 0 else 1.0, deltas)
        if ax is None:
            if figsize is None and picture.is_nrcsw:
                figsize = _NRCSW_SIZE
            _, ax = plt.subplots(figsize=figsize)
        drawn = ax.imshow(
            picture.tile(values),
            extent=(-0.5, len(picture.x) - 0.5, -0.5, len(picture.y) - 0.5),
            norm=norm,
            cmap=cmap,
            origin="lower",
        )
        _label(ax, picture, deltas)
        if dividers:
            _divide(ax, picture, color=divider_color, ls=divider_ls)
        if picture.is_nrcsw:
            _name_detectors(ax, picture)
        _add_colorbar(drawn, _scale_label(peak_norm, deltas), log=not deltas)
        figure: Any = ax.get_figure()
        # A figure with a layout of its own keeps it.
        if hasattr(figure, "tight_layout") and figure.get_layout_engine() is None:
            figure.tight_layout()
        return figure  # type: ignore[no-any-return]


def _norm(vmax: float, deltas: bool) -> ImageNormalize:
    # Imported here, for it imports matplotlib.
    from astropy.visualization import (  # noqa: PLC0415
        ImageNormalize,
        LinearStretch,
        LogStretch,
    )

    if deltas:
        return ImageNormalize(vmin=-vmax, vmax=vmax, stretch=LinearStretch())
    return ImageNormalize(vmin=vmax / _RANGE, vmax=vmax, stretch=LogStretch(_RANGE))


def _label(ax: Axes, picture: Picture, deltas: bool) -> None:
    """Label the axes with detector positions: images are one unit apart."""
    labels = []
    for positions, parts in ((picture.x, len(_NRCSW[0])), (picture.y, len(_NRCSW))):
        numbers = positions.astype(int).tolist()
        if picture.is_nrcsw:  # positions on each detector
            numbers = numbers[: len(numbers) // parts] * parts
        labels.append(numbers)
    ax.set_xticks(range(len(picture.x)), labels[0])
    ax.set_yticks(range(len(picture.y)), labels[1])
    ax.set_xlabel("ePSF location in detector X pixels")
    ax.set_ylabel("ePSF location in detector Y pixels")
    names = meta_names(picture.meta)
    shown = [names.get(key) for key in ("Instrument", "Detector", "Filter")]
    shown.append("(ePSFs \N{MINUS SIGN} <ePSF>)" if deltas else "ePSFs")
    ax.set_title(" ".join(name for name in shown if name))


def _divide(ax: Axes, picture: Picture, **line: Any) -> None:
    for i in range(1, len(picture.x)):
        ax.axvline(i - 0.5, **line)
    for i in range(1, len(picture.y)):
        ax.axhline(i - 0.5, **line)


def _name_detectors(ax: Axes, picture: Picture) -> None:
    height = len(picture.y) / len(_NRCSW)
    width = len(picture.x) / len(_NRCSW[0])
    for i in range(1, len(_NRCSW)):
        ax.axhline(i * height - 0.5, color=_NRCSW_COLOR)
    for j in range(1, len(_NRCSW[0])):
        ax.axvline(j * width - 0.5, color=_NRCSW_COLOR)
    for i, row in enumerate(_NRCSW):
        for j, name in enumerate(row):
            corner = j * width - 0.45, (i + 1) * height - 0.55
            ax.text(*corner, name, color=_NRCSW_COLOR, va="top", fontsize=12)


def _scale_label(peak_norm: bool, deltas: bool) -> str:
    if deltas:
        of = "peak" if peak_norm else "values"
        return f"Difference relative to average ePSF {of}"
    return "Scale relative to ePSF peak pixel" if peak_norm else "ePSF flux per pixel"


def _add_colorbar(drawn: AxesImage, label: str, *, log: bool) -> None:
    """Draw a colour bar as high as the picture."""
    from mpl_toolkits.axes_grid1 import make_axes_locatable  # noqa: PLC0415

    ax: Any = drawn.axes
    beside = make_axes_locatable(ax).append_axes("right", size="3%", pad="3%")
    ax.get_figure().colorbar(drawn, cax=beside, label=label)
    if log:
        beside.set_yscale("log")
