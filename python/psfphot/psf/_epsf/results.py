"""What building an ePSF gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from astropy.table import Table
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from psfphot.psf._epsf.report import PSFReport
    from psfphot.psf._epsf.star_list import EPSFStars
    from psfphot.psf._models.image import ImagePSF


@dataclass
class EPSFBuildResults:
    """What `EPSFBuilder` gives; it unpacks into ``epsf, fitted_stars``.

    Attributes
    ----------
    epsf : ImagePSF
        The ePSF.
    fitted_stars : EPSFStars
        The stars, where and as bright as they were fitted.
    iterations : int
        Rounds of the joint fit.
    converged : bool
        Whether the last one changed no sample by more than ``center_accuracy`` of
        the peak.
    final_center_accuracy : float
        The largest move of a star in the last round, pixels.
    n_excluded_stars : int
        Cutouts without a part in it.
    excluded_star_indices : list of int
        Their indices among all cutouts.
    smoothing_kernel : None
        The solver has none.
    fit_shape : (ny, nx)
        The box around each star whose pixels place it.
    final_converged_fraction : float
        The part of the stars that moved by less than ``center_accuracy``.
    iteration_epsfs : list of ndarray
        The ePSF after each round.
    iteration_info : `~astropy.table.Table`
        The rounds: iteration, stage, converged, converged_fraction,
        max_center_shift, common_center_shift (pixels), n_fit_failed and
        max_epsf_change (in units of the peak).
    initial_epsf : ndarray or None
        The samples of the ePSF that was begun with.
    center_asymmetry : (2,) ndarray or None
        The ePSF's centre of mass less that of symmetry, (x, y), pixels.
    epsf_error : (ny, nx) ndarray or None
        1-sigma errors of the ePSF's samples.
    report : PSFReport
        How good it is.
    """

    epsf: ImagePSF
    fitted_stars: EPSFStars
    iterations: int
    converged: bool
    final_center_accuracy: float
    n_excluded_stars: int
    excluded_star_indices: list[int]
    smoothing_kernel: NDArray[np.float64] | None = field(
        default=None, compare=False, repr=False
    )
    fit_shape: tuple[int, int] | None = None
    final_converged_fraction: float | None = None
    iteration_epsfs: list[NDArray[np.float64]] | None = field(
        default=None, compare=False, repr=False
    )
    iteration_info: Table | None = field(default=None, compare=False, repr=False)
    initial_epsf: NDArray[np.float64] | None = field(
        default=None, compare=False, repr=False
    )
    center_asymmetry: NDArray[np.float64] | None = field(
        default=None, compare=False, repr=False
    )
    epsf_error: NDArray[np.float64] | None = field(
        default=None, compare=False, repr=False
    )
    report: PSFReport | None = field(default=None, compare=False, repr=False)

    def __iter__(self) -> Iterator[Any]:
        """Give the ePSF, then the stars."""
        return iter((self.epsf, self.fitted_stars))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        if index not in {0, 1}:
            msg = (
                "EPSFBuildResults index must be 0 (epsf) or 1 (fitted_stars), "
                f"got {index}"
            )
            raise IndexError(msg)
        return self.epsf if index == 0 else self.fitted_stars

    def plot_iterations(
        self,
        *,
        iterations: Any = None,
        show_smoothed: bool | None = None,
        figsize: tuple[float, float] | None = None,
        cmap: Any = "viridis",
        diff_cmap: Any = "RdBu_r",
    ) -> Figure:
        """Draw the ePSF after each iteration, and what that has changed.

        Parameters
        ----------
        iterations : int or list of int, optional
            Those to draw, from 1 on; all by default.
        show_smoothed : bool, optional
            Whether to draw the final ePSF as well, where it is another than the
            last iteration's; by default if all iterations are drawn.
        figsize : (float, float), optional
            Width and height of the figure, inches.
        cmap, diff_cmap : str or `~matplotlib.colors.Colormap`, optional
            The colours of the ePSFs and of the changes.

        Returns
        -------
        `~matplotlib.figure.Figure`
            The figure: a row for each.

        Raises
        ------
        ValueError
            If there is no history, or no such iteration.
        """
        if not self.iteration_epsfs or self.iteration_info is None:
            raise ValueError("There is no per-iteration history to plot")
        chosen = self._as_iterations(iterations)
        final = self.iteration_epsfs[-1]
        rows = [self._row(int(k)) for k in chosen]
        shows = show_smoothed
        if shows is None:
            shows = np.unique(chosen).size == len(self.iteration_epsfs)
        if shows and not np.array_equal(self.epsf.data, final):
            rows.append((self.epsf.data, self.epsf.data - final, "Final ePSF", ""))
        return _draw_rows(rows, float(np.max(final)), figsize, cmap, diff_cmap)

    def _as_iterations(self, iterations: Any) -> NDArray[np.int_]:
        epsfs = self.iteration_epsfs or []
        if iterations is None:
            return np.arange(1, len(epsfs) + 1)
        chosen = np.atleast_1d(iterations)
        if chosen.ndim != 1 or not chosen.size or chosen.dtype.kind not in "iu":
            msg = (
                "iterations must be an integer or a nonempty 1D array of integers, "
                f"got {iterations!r}"
            )
            raise ValueError(msg)
        if chosen.min() < 1 or chosen.max() > len(epsfs):
            msg = f"iterations must be between 1 and {len(epsfs)}, got {iterations!r}"
            raise ValueError(msg)
        return chosen

    def _row(self, iteration: int) -> tuple[Any, Any, str, str]:
        """Tell an iteration's ePSF, its change and their titles."""
        epsfs, info = self.iteration_epsfs, self.iteration_info
        if epsfs is None or info is None:
            raise ValueError("There is no per-iteration history to plot")
        data = epsfs[iteration - 1]
        before: Any = 0.0 if self.initial_epsf is None else self.initial_epsf
        if iteration > 1:
            before = epsfs[iteration - 2]
        row = info[iteration - 1]
        title = f"Iteration {iteration} ({row['stage']})"
        fraction = f"\nconverged fraction {row['converged_fraction']:.2f}"
        return data, data - before, title, fraction


def _draw_rows(
    rows: list[tuple[Any, Any, str, str]],
    peak: float,
    figsize: tuple[float, float] | None,
    cmap: Any,
    diff_cmap: Any,
) -> Figure:
    import matplotlib.pyplot as plt  # noqa: PLC0415  (plots alone need it)
    from astropy.visualization import simple_norm  # noqa: PLC0415

    size = (7.0, 2.6 * len(rows)) if figsize is None else figsize
    figure, axes = plt.subplots(len(rows), 2, figsize=size, squeeze=False)
    norm = simple_norm(rows[-1][0], "log", percent=99.0)
    for (left, right), (data, change, title, note) in zip(axes, rows, strict=True):
        shown = left.imshow(data, norm=norm, origin="lower", cmap=cmap)
        figure.colorbar(shown, ax=left)
        left.set_title(title)
        part = change / peak
        limit = float(np.max(np.abs(part))) or 1.0
        shown = right.imshow(
            part, origin="lower", cmap=diff_cmap, vmin=-limit, vmax=limit
        )
        figure.colorbar(shown, ax=right)
        right.set_title(f"change / peak (max {limit:.2g}){note}", fontsize=9)
    figure.tight_layout()
    return figure
