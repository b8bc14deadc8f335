"""The words of ``psfphot fit`` and ``completeness``, as click read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from psfphot._defaults import POSITIONS
from psfphot.cli._errors import UsageFault

if TYPE_CHECKING:
    from pathlib import Path


def number_or_text(word: str | None) -> float | str | None:
    """Read a number where a word is one; leave it as it is where it is not."""
    if word is None:
        return None
    try:
        return float(word)
    except ValueError:
        return word


@dataclass(frozen=True, kw_only=True)
class CompletenessWords:
    """What was typed after ``psfphot completeness`` of the artificial stars.

    The fields are named as click names the options.
    """

    image: str
    mag: tuple[float, float] | None
    flux: tuple[float, float] | None
    output: Path
    n_stars: int | None
    positions: str
    spacing: float | None
    per_image: int | None
    pilot: int
    noise_images: int
    seed: int
    match_radius: float | None
    flux_tolerance: float
    cut: tuple[str, ...]
    plot: Path | None
    resume: Path | None

    def check(self) -> None:
        """Check what click cannot: words that do not go together.

        Raises
        ------
        UsageFault
            If some do not.
        """
        if self.mag is not None and self.flux is not None:
            raise UsageFault("--mag and --flux exclude each other; give one")
        has_own = self.positions not in POSITIONS
        if self.mag is None and self.flux is None and not has_own:
            raise UsageFault("how bright are the stars? give --mag BRIGHT:FAINT")


@dataclass(frozen=True, kw_only=True)
class FitWords:
    """All that was typed after ``psfphot fit`` but the images.

    The fields are named as click names the options; `None` where one was not
    given and has no default, infinity for ``--max-shift none``.
    """

    # Needed
    psf: str
    output: str | None
    output_dir: Path | None
    # The PSF
    oversampling: int | None
    detector_id: int | None
    grid_order: str
    psf_center: Literal["core", "image"] | None
    psf_blur: float | None
    aperture_correction: str | None
    # The image
    ext: tuple[str, ...]
    all_ext: bool
    error: str | None
    mask: str | None
    dq: str | None
    dq_bits: str | None
    weight: str | None
    weight_type: Literal["exposure", "ivar"] | None
    # Which stars
    catalog: str | None
    forced: bool
    catalog_coords: Literal["auto", "sky", "pixel"]
    finder: Literal["matched", "dao", "iraf"]
    threshold: float
    fwhm: float | None
    min_separation: float | None
    iterations: int | None
    # The fit
    fit_shape: tuple[int, int] | None
    max_shift: float | None
    aperture_radius: float | None
    group: float | None
    no_group: bool
    local_bkg: tuple[float, float] | None
    keep_all: bool
    confusion: bool | None
    zero_point: float | None
    robust: bool | None
    gain: float | None
    read_noise: float | None
    # Output
    residual: str | None
    model: str | None
    plot: str | None
    report: str | None
    region: str | None
    extra_columns: bool
    overwrite: bool
    # Many images
    workers: int | None
    scheduler: str | None
    resume: bool
    retries: int | None
    timeout: float | None
    merge: str | None
    # The run
    tile: int | None
    no_tile: bool
    threads: int | None
    as_json: bool
    quiet: bool

    def check(self) -> None:
        """Check what click cannot: words that do not go together.

        Raises
        ------
        UsageFault
            If some do not.
        """
        annulus = self.local_bkg
        if annulus is not None and annulus[0] >= annulus[1]:
            inner, outer = annulus
            msg = f"--local-bkg needs INNER below OUTER, got {inner:g} {outer:g}"
            raise UsageFault(msg)
        if self.group is not None and self.no_group:
            msg = "--group and --no-group exclude each other; give one"
            raise UsageFault(msg)
        if self.weight_type is not None and self.weight is None:
            msg = "--weight-type needs the weights: give --weight EXT|FILE"
            raise UsageFault(msg)
        if self.forced and self.catalog is None:
            msg = "--forced needs the positions: give --catalog FILE"
            raise UsageFault(msg)
        if self.catalog_coords != "auto" and self.catalog is None:
            msg = "--catalog-coords needs a catalogue: give --catalog FILE"
            raise UsageFault(msg)
        if not self.psf:
            msg = "--psf must name a file or a formula, got nothing"
            raise UsageFault(msg)
        if self.output is None and self.output_dir is None:
            msg = (
                "nothing says where the catalogue goes: give -o CATALOG or --output-dir"
            )
            raise UsageFault(msg)
        self._check_many()
        if self.tile is not None:
            self._check_tiles(self.tile)

    @property
    def may_tile(self) -> bool:
        """Whether a large image may be measured by tiles without being told."""
        has_errors = self.weight is None or self.weight_type == "ivar"
        return self.tile is None and not self.no_tile and not self._whole and has_errors

    @property
    def _whole(self) -> list[str]:
        """The options that were given and need the whole image in memory."""
        names = ("catalog", "plot", "report", "extra_columns")
        return [name.replace("_", "-") for name in names if getattr(self, name)]

    def _check_tiles(self, tile: int) -> None:
        """Check what is typed for an image that is measured by tiles."""
        if self.no_tile:
            msg = f"--tile {tile} and --no-tile exclude each other; give one"
            raise UsageFault(msg)
        for option in self._whole:
            msg = f"--tile and --{option} exclude each other: that needs the whole"
            raise UsageFault(f"{msg} image in memory")

    def _check_many(self) -> None:
        """Check what is typed for many images."""
        if self.workers is not None and self.scheduler is not None:
            msg = "--workers and --scheduler exclude each other; give one"
            raise UsageFault(msg)
        if self.workers is None and self.scheduler is None:
            for name in ("retries", "timeout"):
                if getattr(self, name) is not None:
                    msg = f"--{name} is of workers: give --workers or --scheduler"
                    raise UsageFault(msg)
        if self.output_dir is None:
            for name in ("resume", "merge"):
                if getattr(self, name):
                    msg = f"--{name} needs the directory of a run: give --output-dir"
                    raise UsageFault(msg)
        if self.resume and self.overwrite:
            msg = "--resume and --overwrite exclude each other; give one"
            raise UsageFault(msg)
