"""photutils' public names that this package does not have, and what to do instead.

A front page that has some ends with ``__getattr__ = absent_names("psf")``. Only
these names get an answer of their own: all others are ordinary errors.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_THEIRS = {
    "": (
        "geometry",
        "isophote",
        "morphology",
        "profiles",
        "psf_matching",
        "segmentation",
    ),
    "aperture": (
        "Aperture",
        "CircularMaskMixin",
        "EllipticalAnnulus",
        "EllipticalAperture",
        "EllipticalMaskMixin",
        "PolygonAperture",
        "RectangularAnnulus",
        "RectangularAperture",
        "RectangularMaskMixin",
        "SkyEllipticalAnnulus",
        "SkyEllipticalAperture",
        "SkyPolygonAperture",
        "SkyRectangularAnnulus",
        "SkyRectangularAperture",
        "aperture_to_region",
        "region_to_aperture",
    ),
    "datasets": (
        "get_path",
        "load_irac_psf",
        "load_simulated_hst_star_image",
        "load_spitzer_catalog",
        "load_spitzer_image",
        "load_star_image",
    ),
    "detection": ("StarFinderCatalogBase",),
    "utils": (
        "DeblendWarning",
        "ShepardIDWInterpolator",
        "compute_pixel_area_map",
        "compute_pixel_areas",
    ),
}


def absent_names(
    package: str, renamed: Mapping[str, Any] | None = None
) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a front page; ``""`` is the package's own.

    Names that photutils has given up, ``renamed``, give what they stand for, with a
    `~psfphot.utils.exceptions.PhotutilsDeprecationWarning`.
    """
    ours = ".".join(filter(None, ["psfphot", package]))
    theirs = ".".join(filter(None, ["photutils", package]))
    answers = dict.fromkeys(
        _THEIRS.get(package, ()),
        "psfphot does not have it, and photutils' own works beside psfphot",
    )

    def __getattr__(name: str) -> Any:  # noqa: N807
        if renamed is not None and name in renamed:
            from psfphot._warnings import PhotutilsDeprecationWarning  # noqa: PLC0415  (needs astropy)

            thing = renamed[name]
            msg = (
                f"{name} is deprecated and will be removed in version 4.0. Use "
                f"{thing.__name__} instead."
            )
            warnings.warn(msg, PhotutilsDeprecationWarning, stacklevel=2)
            return thing
        msg = f"module {ours!r} has no attribute {name!r}"
        if name not in answers:
            raise AttributeError(msg, name=name, obj=sys.modules[ours])
        msg = f"{msg}: {answers[name]} (from {theirs} import {name})"
        # ``from psfphot.psf import EPSFBuilder`` asks here first, and would say
        # less than this of an AttributeError.
        asker = sys._getframe(1).f_globals.get("__name__")
        if asker in {"importlib._bootstrap", "_frozen_importlib"}:
            raise ImportError(msg, name=ours)
        raise AttributeError(msg, name=name, obj=sys.modules[ours])

    return __getattr__
