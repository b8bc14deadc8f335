"""Stars made into what the joint solver takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot.psf._epsf.solver import Cutout
from psfphot.psf._epsf.star_list import EPSFStars, LinkedEPSFStar, mean_flux

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from psfphot.psf._epsf.star import EPSFStar

# The step, pixels, over which the images' coordinates are compared.
_STEP = 1.0


def make_cutouts(stars: EPSFStars, *, shares_flux: bool = True) -> list[Cutout]:
    """Make the solver's cutouts of stars, in the order of ``all_stars``.

    Linked stars share one correction of the position, that of their first cutout;
    without ``shares_flux`` the ratios of their fluxes stay as they are.
    """
    has_errors = know_errors(stars.all_stars)
    cutouts = []
    for k, star in enumerate(stars):
        if not isinstance(star, LinkedEPSFStar):
            cutouts.append(make_cutout(star, has_errors=has_errors))
            continue
        mean = mean_flux(star.all_good_stars)
        for one in star:
            is_scaled = not shares_flux and mean != 0
            cutouts.append(
                make_cutout(
                    one,
                    has_errors=has_errors,
                    link=k,
                    scale=one.flux / mean if is_scaled else 1.0,
                    jacobian=find_jacobian(star[0], one),
                )
            )
    return cutouts


def make_cutout(star: EPSFStar, *, has_errors: bool, **options: Any) -> Cutout:
    """Make the cutout of one star."""
    error = None
    if has_errors:
        error = np.full(star.shape, np.inf)
        np.divide(1.0, star.weights, out=error, where=star.weights > 0)
    x, y = star.cutout_center
    left_out = star.mask | star._excluded_from_fit
    origin_x, origin_y = star.origin
    return Cutout(
        np.asarray(star.data, dtype=np.float64),
        float(x),
        float(y),
        flux=star.flux / options.get("scale", 1.0) if star.flux > 0 else None,
        error=error,
        mask=left_out,
        origin=(float(origin_x), float(origin_y)),
        **options,
    )


def know_errors(stars: Sequence[EPSFStar]) -> bool:
    """Tell whether weights are more than 0 and 1, which are those of no errors."""
    return any(not np.isin(star.weights, (0.0, 1.0)).all() for star in stars)


def find_jacobian(first: EPSFStar, other: EPSFStar) -> NDArray[np.float64] | None:
    """Tell how a star moves in one image when it moves in another, by their WCS."""
    if first is other:
        return None
    at = first.center
    trials = at + _STEP * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    sky = first.wcs_large.pixel_to_world(*trials.T)
    there = np.array(other.wcs_large.world_to_pixel(sky), dtype=np.float64)
    jacobian: NDArray[np.float64] = (there[:, [0, 2]] - there[:, [1, 3]]) / (2 * _STEP)
    return jacobian
