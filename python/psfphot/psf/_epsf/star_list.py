"""Lists of stars, and stars that are one in several images."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.psf._epsf.star import EPSFStar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

# What lists of stars have as arrays.
_ARRAYS = ("cutout_center", "center", "flux", "_excluded_from_fit")


class _Stars:
    """Several stars, whose attributes are those of each."""

    _data: list[Any]

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Any]:
        yield from self._data

    def __getattr__(self, name: str) -> Any:
        """Tell an attribute of each star; of one star its own."""
        if name == "_data":  # not yet there in a copy that is being made
            raise AttributeError(name)
        kind = type(self).__name__
        if name.startswith("_") and name != "_excluded_from_fit":
            raise AttributeError(f"{kind!r} object has no attribute {name!r}")
        if not self._data:
            msg = f"{kind!r} object is empty and has no attribute {name!r}"
            raise AttributeError(msg)
        values: Any = [getattr(star, name) for star in self._data]
        if name in _ARRAYS:
            shapes = {np.shape(value) for value in values}
            if len(shapes) == 1:
                values = np.array(values)
            else:  # linked stars have several
                ragged = np.empty(len(values), dtype=object)
                ragged[:] = values
                values = ragged
        return values[0] if len(self._data) == 1 else values

    @property
    def all_stars(self) -> list[EPSFStar]:
        """All cutouts, those of linked stars one by one."""
        each: list[EPSFStar] = []
        for star in self._data:
            each += star.all_stars if isinstance(star, LinkedEPSFStar) else [star]
        return each

    @property
    def all_good_stars(self) -> list[EPSFStar]:
        """The cutouts that no build has excluded."""
        return [star for star in self.all_stars if not star._excluded_from_fit]

    @property
    def cutout_center_flat(self) -> NDArray[np.float64]:
        """The places in the cutouts, (n_all_stars, 2), as (x, y), pixels."""
        return np.array([star.cutout_center for star in self.all_stars])

    @property
    def center_flat(self) -> NDArray[np.float64]:
        """The places in the images, (n_all_stars, 2), as (x, y), pixels."""
        return np.array([star.center for star in self.all_stars])

    @property
    def n_stars(self) -> int:
        """The number of stars; in a list linked ones are counted once."""
        return len(self._data)

    @property
    def n_all_stars(self) -> int:
        """The number of cutouts."""
        return len(self.all_stars)

    @property
    def n_good_stars(self) -> int:
        """The number of cutouts that no build has excluded."""
        return len(self.all_good_stars)


class LinkedEPSFStar(_Stars):
    """Cutouts of one star in several images.

    Attributes that are not its own are its stars': ``center`` and ``flux`` are
    arrays, others lists.

    Parameters
    ----------
    stars_list : list of EPSFStar
        The cutouts; each must have a WCS.

    Raises
    ------
    TypeError
        If one is no `EPSFStar`.
    ValueError
        If one has no WCS.
    """

    def __init__(self, stars_list: Sequence[EPSFStar]) -> None:
        for star in stars_list:
            if not isinstance(star, EPSFStar):
                msg = (
                    "stars_list must contain only EPSFStar objects, "
                    f"got {type(star).__name__}"
                )
                raise TypeError(msg)
            if star.wcs_large is None:
                msg = "Each EPSFStar object must have a valid wcs_large attribute"
                raise ValueError(msg)
        self._data = list(stars_list)

    def __getitem__(self, index: Any) -> Any:
        return self._data[index]

    def __getattr__(self, name: str) -> Any:
        if name == "_excluded_from_fit":
            return np.array([star._excluded_from_fit for star in self._data])
        return super().__getattr__(name)

    @property
    def all_excluded(self) -> bool:
        """Whether a build has excluded all of them."""
        return not self.all_good_stars

    def _find_linked(self, what: str) -> list[EPSFStar]:
        """Tell the stars that share something; none, with a warning, if excluded."""
        if len(self._data) <= 1:
            return []
        if self.all_excluded:
            msg = (
                f"Cannot constrain {what} of linked stars because they have all been "
                "excluded during the ePSF build process."
            )
            warnings.warn(msg, AstropyUserWarning, stacklevel=3)
        return self.all_good_stars

    def constrain_centers(self) -> None:
        """Put all stars where their mean on the sky is.

        Excluded stars do not count, and stay; if all are, there is a warning.
        """
        stars = self._find_linked("centers")
        if not stars:
            return
        sky = [star.wcs_large.pixel_to_world(*star.center) for star in stars]
        frame = sky[0].frame
        points = [one.transform_to(frame).cartesian.xyz.value for one in sky]
        mean = SkyCoord(
            *np.mean(points, axis=0), frame=frame, representation_type="cartesian"
        )
        mean.representation_type = "unitspherical"
        for star in stars:
            at = np.array(star.wcs_large.world_to_pixel(mean), dtype=np.float64)
            star.cutout_center = at - star.origin

    def constrain_fluxes(self) -> None:
        """Give all stars their mean flux.

        Excluded stars do not count, and stay; if all are, there is a warning.
        """
        stars = self._find_linked("fluxes")
        mean = mean_flux(stars)
        for star in stars:
            star.flux = mean


def mean_flux(stars: list[EPSFStar]) -> float:
    """Tell the mean flux of stars; 0 of none."""
    return float(np.mean([star.flux for star in stars])) if stars else 0.0


class EPSFStars(_Stars):
    """A list of stars.

    Attributes that are not its own are its stars': ``cutout_center``, ``center``
    and ``flux`` are arrays, others lists. A list of one star has that star's.

    Parameters
    ----------
    stars_list : list of EPSFStar or LinkedEPSFStar, or one of them
        The stars.

    Raises
    ------
    TypeError
        If one is no star.
    """

    def __init__(
        self, stars_list: list[EPSFStar | LinkedEPSFStar] | EPSFStar | LinkedEPSFStar
    ) -> None:
        given = stars_list if isinstance(stars_list, list) else [stars_list]
        for star in given:
            if not isinstance(star, EPSFStar | LinkedEPSFStar):
                msg = (
                    "stars_list must be a list of EPSFStar and/or LinkedEPSFStar "
                    f"objects, got {type(star).__name__}"
                )
                raise TypeError(msg)
        self._data = given

    def __getitem__(self, index: Any) -> EPSFStars:
        return type(self)(self._data[index])

    def __delitem__(self, index: Any) -> None:
        del self._data[index]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}(n_stars={self.n_stars})>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Give the cutouts as one array."""
        data = self._data[0] if len(self._data) == 1 else self._data
        return np.array(data, dtype=dtype, copy=copy)
