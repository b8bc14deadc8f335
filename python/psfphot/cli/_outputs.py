"""The files that a run leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from psfphot._files import file_suffix
from psfphot.cli._errors import UsageFault, require_package, usage
from psfphot.cli._report import describe_run
from psfphot.io import (
    CATALOG_SUFFIXES,
    IMAGE_SUFFIXES,
    check_writable,
    require_parquet,
    write_catalog,
    write_image,
    write_regions,
)
from psfphot.pipeline import TiledRun

if TYPE_CHECKING:
    from pathlib import Path

    from psfphot.pipeline import PhotometryRun

PLOT_SUFFIXES = (".png", ".pdf", ".svg")


def check_output(path: Path, suffixes: tuple[str, ...], *, overwrite: bool) -> None:
    """Find out before the work whether a file can be written.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    suffixes : tuple of str
        The extensions that it may have.
    overwrite : bool
        Whether it may be replaced.

    Raises
    ------
    UsageFault
        If its extension is another.
    OSError
        If it cannot be written.
    """
    try:
        with usage():
            check_writable(path, suffixes, overwrite=overwrite)
    except FileExistsError as exc:
        msg = f"{path}: exists already; add --overwrite to replace it"
        raise FileExistsError(msg) from exc


@dataclass(frozen=True)
class Outputs:
    """The files to write; `None` where none is wanted."""

    catalog: Path
    residual: Path | None = None
    model: Path | None = None
    plot: Path | None = None
    report: Path | None = None
    region: Path | None = None

    def check(self, taken: dict[Path, str], *, overwrite: bool = False) -> None:
        """Find out before the work whether all can be written.

        Parameters
        ----------
        taken : dict
            Files that no output may replace, resolved, and what they are; the
            outputs are added.
        overwrite : bool, optional
            Whether files that are there may be replaced.

        Raises
        ------
        UsageFault
            If two files have one name, or a name an unknown extension.
        OSError, MissingPackageError
            If one cannot be written; the message names it.
        """
        wanted = [
            (self.catalog, CATALOG_SUFFIXES),
            (self.residual, IMAGE_SUFFIXES),
            (self.model, IMAGE_SUFFIXES),
            (self.plot, PLOT_SUFFIXES),
            (self.report, (".html",)),
            (self.region, (".reg",)),
        ]
        for path, suffixes in wanted:
            if path is None:
                continue
            other = taken.get(path.resolve())
            if other is not None:
                msg = f"{path}: is {other} already; give every output its own name"
                raise UsageFault(msg)
            taken[path.resolve()] = "another output"
            check_output(path, suffixes, overwrite=overwrite)
        if file_suffix(self.catalog) == ".parquet":
            require_parquet(self.catalog)
        if self.plot is not None:
            require_package("--plot", "matplotlib", "plot")
        if self.report is not None:
            require_package("--report", "bokeh", "report")

    def write(self, run: PhotometryRun, *, radius: float) -> dict[str, Path]:
        """Write the files, the catalogue first.

        Parameters
        ----------
        run : `~psfphot.pipeline.PhotometryRun`
            What to write.
        radius : float
            Radius of the regions' circles in pixels.

        Returns
        -------
        paths : dict
            The files written, by what they are.
        """
        write_catalog(self.catalog, run.catalog)
        if self.region is not None:
            write_regions(self.region, run.catalog, radius=radius)
        self._write_images(run)
        return self.paths()

    def paths(self) -> dict[str, Path]:
        """Give the files that are wanted, by what they are."""
        kinds = ("catalog", "region", "model", "residual", "plot", "report")
        paths = {kind: getattr(self, kind) for kind in kinds}
        return {kind: path for kind, path in paths.items() if path is not None}

    def from_root(self) -> Outputs:
        """Name the files by their absolute paths."""
        return Outputs(**{k: path.absolute() for k, path in self.paths().items()})

    def _write_images(self, run: PhotometryRun) -> None:
        if isinstance(run, TiledRun):
            if self.model is not None:
                run.write_model(self.model)
            if self.residual is not None:
                run.write_residual(self.residual)
            return
        image = run.image
        if self.model is not None:
            made = "psfphot: fitted stars, without sky"
            write_image(self.model, run.model, image, history=made)
        if self.residual is not None:
            made = "psfphot: the image without its fitted stars"
            write_image(self.residual, run.residual, image, history=made)
        if self.plot is not None:
            from psfphot.plotting import plot_residual, save_figure  # noqa: PLC0415

            # What was masked, for whatever cause, is painted as what is no number.
            data = np.where(run.exposure.mask, np.nan, image.data)
            figure = plot_residual(
                data, run.model, run.sky, error=run.exposure.error, unit=image.unit
            )
            save_figure(figure, self.plot)
        if self.report is not None:
            from psfphot.report import write_report  # noqa: PLC0415

            write_report(run, self.report, notes=describe_run(run))
