"""What a file says of an image: its planes, and what its headers tell."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from astropy.utils.exceptions import AstropyUserWarning

from psfphot.io._area import find_pixel_area
from psfphot.io._detector import Detector, find_detector
from psfphot.io._fits import keyword_value, parse_unit
from psfphot.io._levels import find_gain, find_read_noise
from psfphot.io._masks import find_mask
from psfphot.io._planes import Owner, Plane, Quality, find_error, find_quality
from psfphot.io._wcs import find_coordinates, lookup_tables
from psfphot.io._weights import (
    check_weight_type,
    find_unexposed,
    find_weight,
    no_weight,
)

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.io import fits

    from psfphot.io._area import PixelArea
    from psfphot.io._wcs import Coordinates


class PlaneWords(NamedTuple):
    """Which planes go with an image; the arguments of `psfphot.io.read_image`."""

    error: str | None = None
    mask: str | None = None
    dq: str | None = None
    dq_bits: str | None = None
    weight: str | None = None
    weight_type: str | None = None

    def check(self) -> None:
        """Refuse words that do not go together.

        Raises
        ------
        ValueError
            If both errors and weights are to give the errors, or the weights are of
            no kind that there is.
        """
        check_weight_type(self.weight_type)
        if not is_none(self.weight) and not is_none(self.error):
            msg = (
                "error and weight exclude each other: both give the errors of the "
                f"pixels, got {self.error!r} and {self.weight!r}"
            )
            raise ValueError(msg)


class Planes(NamedTuple):
    """The planes of an image, beside its own.

    Attributes
    ----------
    weight, error : `~psfphot.io._planes.Plane` or `None`
        As in the file; errors are not made of weights yet.
    quality : `~psfphot.io._planes.Quality` or `None`
        What the data quality says.
    bad : list of `~psfphot.io._planes.Plane`
        Pixels that are left out, and why.
    """

    weight: Plane | None
    error: Plane | None
    quality: Quality | None
    bad: list[Plane]


@dataclass(frozen=True)
class Facts:
    """What the headers of an image tell."""

    coordinates: Coordinates
    tables: tuple[Any, ...]
    detector: Detector
    area: PixelArea | None
    headers: tuple[fits.Header, fits.Header]
    name: str

    def keyword(self, key: str) -> Any:
        """Look a keyword up, first in the extension's header; `None` without."""
        return keyword_value(self.headers, key, self.name)

    def fields(self) -> dict[str, Any]:
        """Give the fields of a `~psfphot.io.FitsImage` that these are."""
        return {
            "gain": find_gain(self.keyword),
            "read_noise": find_read_noise(self.keyword),
            "detector": self.detector,
            "area": self.area,
            "wcs_source": self.coordinates.source,
            "tables": self.tables,
        }


def is_none(spec: str | None) -> bool:
    """Tell whether nothing was asked for."""
    return spec is None or spec.lower() == "none"


def find_planes(owner: Owner, words: PlaneWords) -> Planes:
    """Read the planes that go with an image.

    Raises
    ------
    OSError, ValueError
        If one that was asked for is not there or does not go with the image.
    """
    weight = find_weight(owner, words.weight)
    error = find_error(owner, words.error) if is_none(words.weight) else None
    quality = find_quality(owner, words.dq, words.dq_bits)
    planes = [
        quality and quality.bad,
        None if words.mask is None else find_mask(owner, words.mask),
        weight and Plane(no_weight(weight.pixels), f"no weight in {weight.source}"),
        None if weight else find_unexposed(owner),
    ]
    bad = [plane for plane in planes if plane is not None]
    return Planes(weight, error, quality, bad)


def find_facts(owner: Owner, header: fits.Header, primary: fits.Header) -> Facts:
    """Read what the headers of a whole image tell."""
    # A copy: astropy makes text of what it cannot read there, and says nothing.
    coordinates = find_coordinates(header.copy(), owner.hdus, owner.name)

    def keyword(key: str) -> Any:
        return keyword_value((header, primary), key, owner.name)

    detector = find_detector(keyword, coordinates.cutout)
    area = find_pixel_area(owner, detector, coordinates.wcs, keyword("IDCSCALE"))
    return Facts(
        coordinates,
        tuple(lookup_tables(header, owner.hdus)),
        detector,
        area,
        (header, primary),
        owner.name,
    )


def find_unit(header: fits.Header, name: str) -> u.UnitBase | None:
    """Read the unit of the pixels; one that astropy does not know is warned of."""
    text = keyword_value((header,), "BUNIT", name)
    unit = parse_unit(text)
    if unit is None and isinstance(text, str) and text.strip():
        warnings.warn(
            f"{name}: BUNIT {text!r} is not a unit astropy knows; "
            "going on without a unit",
            AstropyUserWarning,
            stacklevel=4,
        )
    return unit
