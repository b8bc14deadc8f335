"""The words of ``psfphot fit``, as click read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from psfphot.cli._errors import UsageFault

if TYPE_CHECKING:
    from pathlib import Path


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
    psf_blur: float | None
    # The image
    ext: tuple[str, ...]
    all_ext: bool
    error: str | None
    mask: str | None
    dq: str | None
    dq_bits: str | None
    # Which stars
    catalog: str | None
    forced: bool
    catalog_coords: Literal["auto", "sky", "pixel"]
    threshold: float
    fwhm: float | None
    roundness: float
    min_separation: float | None
    # The fit
    fit_shape: tuple[int, int] | None
    max_shift: float | None
    aperture_radius: float | None
    group: float | None
    no_group: bool
    local_bkg: tuple[float, float] | None
    no_local_bkg: bool
    zero_point: float | None
    # Output
    residual: str | None
    model: str | None
    plot: str | None
    region: str | None
    overwrite: bool
    # The run
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
        for option, given, off in (
            ("group", self.group, self.no_group),
            ("local-bkg", self.local_bkg, self.no_local_bkg),
        ):
            if given is not None and off:
                msg = f"--{option} and --no-{option} exclude each other; give one"
                raise UsageFault(msg)
        if self.forced and self.catalog is None:
            msg = "--forced needs the positions: give --catalog FILE"
            raise UsageFault(msg)
        if self.output is None and self.output_dir is None:
            msg = (
                "nothing says where the catalogue goes: give -o CATALOG or --output-dir"
            )
            raise UsageFault(msg)
