"""Sums over apertures as tables."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from psfphot._deprecated import by_keyword, results_table
from psfphot._meta import table_meta
from psfphot._repr import make_repr, make_str
from psfphot._validate import as_n_threads
from psfphot.aperture._flags import decode_aperture_flags
from psfphot.aperture._pixel import check_method
from psfphot.aperture._scene import as_pixel_aperture, as_scene, footprint_flags
from psfphot.aperture._sky import SkyAperture

if TYPE_CHECKING:
    from astropy.units import Quantity
    from numpy.typing import ArrayLike

    from psfphot.aperture._pixel import Method, PixelAperture

_SHOWN = ("method", "subpixels", "n_threads")

# The columns of `AperturePhotometry` of which there is one for each aperture.
_MEASURED = ("flux", "flux_err", "area", "flags")


class AperturePhotometry:
    """Sums of an image over circles or annuli, with areas and flags.

    Pixels that are not finite are left out, like masked ones, and flagged.

    Parameters
    ----------
    data : 2D array_like, Quantity or `~astropy.nddata.NDData`
        The image, without background. The mask, uncertainty, unit and WCS of NDData
        are used, in the place of those arguments.
    apertures : aperture or list of apertures
        Circles or annuli, on the image or on the sky. Several must have the same
        positions.
    error : 2D array_like or Quantity, optional
        The 1-sigma errors of ``data``, the sources' Poisson noise included.
    mask : 2D array_like of bool, optional
        `True` for pixels that do not take part.
    wcs : WCS object, optional
        Anything with astropy's ``pixel_to_world``; apertures on the sky need it.
    method : {'exact', 'center', 'subpixel'}, optional
        What part of a pixel counts where the edge cuts it; see
        `CircularAperture.do_photometry`.
    subpixels : int, optional
        The points per pixel and axis of the method 'subpixel'.
    n_threads : int or None, optional
        How many threads to use; `None` for all processors. The result does not
        depend on it.

    Attributes
    ----------
    default_columns : list of str
        What `to_table` has by default.
    meta : dict
        The meta data of the table.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If shapes, units or positions do not go together, the method is none, or an
        aperture on the sky has no WCS.

    Notes
    -----
    What is measured has one value for each position; a scalar if the apertures'
    position is; and with a list of apertures a last axis for these.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.aperture import AperturePhotometry, CircularAperture
    >>> apertures = CircularAperture([(10, 10), (0, 5)], r=3)
    >>> photometry = AperturePhotometry(np.ones((40, 40)), apertures)
    >>> print(photometry.flux.round(3))
    [28.274 17.123]
    >>> photometry.decode_flags()
    {1: [], 2: ['partial_overlap']}
    """

    def __init__(
        self,
        data: Any,
        apertures: Any,
        *,
        error: ArrayLike | Quantity | None = None,
        mask: ArrayLike | None = None,
        wcs: Any = None,
        method: Method = "exact",
        subpixels: int = 5,
        n_threads: int | None = None,
    ) -> None:
        self._scene = as_scene(data, error, mask, wcs)
        check_method(method)
        self.method = method
        self.subpixels = subpixels
        self.n_threads = as_n_threads(n_threads)
        self._is_list = isinstance(apertures, list | tuple | np.ndarray)
        given = list(apertures) if self._is_list else [apertures]
        self._apertures = _on_image(given, self._scene.wcs)
        self._sky = given[0].positions if isinstance(given[0], SkyAperture) else None
        called = f"method={method!r}, subpixels={subpixels}, n_threads={n_threads}"
        self.meta = _meta(called, given, self._is_list)
        has_sky = self._scene.wcs is not None
        self.default_columns = ["id", "x_center", "y_center"]
        self.default_columns += ["sky_center"] * has_sky + [*_MEASURED]

    def __repr__(self) -> str:
        return make_repr(self, _SHOWN)

    def __str__(self) -> str:
        return make_str(self, _SHOWN)

    @property
    def isscalar(self) -> bool:
        """Whether there is one position that is no list."""
        return self._apertures[0].isscalar

    @property
    def n_positions(self) -> int:
        """Number of positions."""
        return len(self._positions)

    @property
    def _positions(self) -> Any:
        return np.atleast_2d(self._apertures[0].positions)

    @cached_property
    def _sums(self) -> Any:
        """Sums, errors and areas, each for all apertures and positions."""
        frame = self._scene.without_bad
        return np.transpose(
            [
                aperture.measure(frame, self.method, self.subpixels, self.n_threads)
                for aperture in self._apertures
            ],
            (1, 2, 0),
        )

    @cached_property
    def _columns(self) -> dict[str, Any]:
        """All columns, for all positions and apertures."""
        sums, errors, areas = self._sums
        unit = self._scene.frame.unit
        flags = [
            footprint_flags(
                self._scene, aperture, self.method, self.subpixels, self.n_threads
            )
            for aperture in self._apertures
        ]
        return {
            "flux": sums if unit is None else sums << unit,
            "flux_err": errors if unit is None else errors << unit,
            "area": areas << u.pix**2,
            "flags": np.transpose(flags),
        }

    def _value(self, name: str) -> Any:
        values = self._columns[name]
        values = values if self._is_list else values[:, 0]
        return values[0] if self.isscalar else values

    @property
    def id(self) -> Any:
        """The positions' numbers, from 1."""
        return 1 if self.isscalar else np.arange(1, self.n_positions + 1)

    @property
    def x_center(self) -> Any:
        """The columns of the centres, pixels."""
        return self._apertures[0].positions[..., 0]

    @property
    def y_center(self) -> Any:
        """The rows of the centres, pixels."""
        return self._apertures[0].positions[..., 1]

    @property
    def sky_center(self) -> Any:
        """The centres on the sky; `None` without a WCS."""
        if self._sky is not None or self._scene.wcs is None:
            return self._sky
        return self._scene.wcs.pixel_to_world(self.x_center, self.y_center)

    @property
    def flux(self) -> Any:
        """The sums, in the unit of the image; NaN off the image."""
        return self._value("flux")

    @property
    def flux_err(self) -> Any:
        """Their errors, √(Σ error² · weight²); NaN without ``error``."""
        return self._value("flux_err")

    @property
    def area(self) -> Any:
        """The areas of the pixels used, pix²; NaN off the image."""
        return self._value("area")

    @property
    def flags(self) -> Any:
        """The flags; see `decode_aperture_flags`."""
        return self._value("flags")

    def decode_flags(self, *, return_bit_values: bool = False) -> dict[int, Any]:
        """Tell which flags each position has.

        Parameters
        ----------
        return_bit_values : bool, optional
            Whether to return bits instead of names.

        Returns
        -------
        dict
            By id the names (or bits); with a list of apertures, a list of these.
        """
        flags = self._columns["flags"]
        decoded = decode_aperture_flags(
            flags if self._is_list else flags[:, 0], return_bit_values=return_bit_values
        )
        return dict(enumerate(decoded, start=1))

    @by_keyword
    def to_table(self, *, columns: str | list[str] | None = None) -> QTable:
        """Make a table with one row for each position.

        Parameters
        ----------
        columns : str or list of str, optional
            Which columns; `default_columns` by default.

        Returns
        -------
        `~astropy.table.QTable`
            With a list of apertures, ``flux``, ``flux_err``, ``area`` and ``flags``
            end in ``_0``, ``_1``, ….

        Raises
        ------
        ValueError
            If there is no such column.
        """
        chosen = self.default_columns if columns is None else np.atleast_1d(columns)
        table = QTable(meta=self.meta)
        for name in map(str, chosen):
            if name not in self.default_columns:
                needs = " (it needs a WCS)" if name == "sky_center" else ""
                msg = f"columns must be of {self.default_columns}, got {name!r}{needs}"
                raise ValueError(msg)
            if name not in _MEASURED:
                value = getattr(self, name)
                table[name] = (
                    value.reshape(-1) if hasattr(value, "reshape") else [value]
                )
                continue
            for i, values in enumerate(self._columns[name].T):
                table[f"{name}_{i}" if self._is_list else name] = values
        return table


@by_keyword
def aperture_photometry(  # noqa: PLR0917  (photutils' order)
    data: Any,
    apertures: Any,
    error: ArrayLike | Quantity | None = None,
    mask: ArrayLike | None = None,
    method: Method = "exact",
    subpixels: int = 5,
    wcs: Any = None,
) -> QTable:
    """Sum an image over circles or annuli.

    Parameters
    ----------
    data, apertures, error, mask, method, subpixels, wcs
        See `AperturePhotometry`. Other than there, a pixel that is not finite
        makes the sum so.

    Returns
    -------
    `~astropy.table.QTable`
        One row for each position: ``id``, ``x_center``, ``y_center``, with a WCS
        ``sky_center``, ``aperture_sum``, and with errors ``aperture_sum_err``. With
        a list of apertures the last two end in ``_0``, ``_1``, ….

    Raises
    ------
    TypeError, ValueError
        See `AperturePhotometry`.

    Examples
    --------
    >>> import numpy as np
    >>> from psfphot.aperture import CircularAperture, aperture_photometry
    >>> table = aperture_photometry(np.ones((40, 40)), CircularAperture((10, 10), r=3))
    >>> print(f"{table['aperture_sum'][0]:.3f}")
    28.274
    """
    scene = as_scene(data, error, mask, wcs)
    is_list = isinstance(apertures, list | tuple | np.ndarray)
    given = list(apertures) if is_list else [apertures]
    on_image = _on_image(given, scene.wcs)
    table = results_table(
        _meta(f"method={method!r}, subpixels={subpixels}", given, is_list)
    )
    positions = np.atleast_2d(on_image[0].positions)
    table["id"] = np.arange(1, len(positions) + 1)
    table["x_center"], table["y_center"] = positions.T
    if isinstance(given[0], SkyAperture):
        table["sky_center"] = given[0].positions.reshape(-1)
    elif scene.wcs is not None:
        table["sky_center"] = scene.wcs.pixel_to_world(*positions.T)
    unit = scene.frame.unit
    for i, aperture in enumerate(on_image):
        sums, errors, _ = aperture.measure(scene.frame, method, subpixels)
        end = f"_{i}" if is_list else ""
        table[f"aperture_sum{end}"] = sums if unit is None else sums << unit
        if scene.frame.error is not None:
            table[f"aperture_sum_err{end}"] = errors if unit is None else errors << unit
    return table


def _on_image(apertures: list[Any], wcs: Any) -> list[PixelAperture]:
    """Make apertures on the image, which must have the same positions.

    Raises
    ------
    TypeError
        If one is no aperture of this package.
    ValueError
        If there are none, they differ in position, or lack a WCS.
    """
    if not apertures:
        raise ValueError("apertures must not be empty")
    made = [as_pixel_aperture(aperture, wcs) for aperture in apertures]
    if any(not np.array_equal(each.positions, made[0].positions) for each in made):
        raise ValueError("all apertures must have the same positions")
    return made


def _meta(called: str, apertures: list[Any], is_list: bool) -> dict[str, Any]:
    """Tell how a table was made: arguments, and the apertures' kinds and radii."""
    meta = {**table_meta(), "aperture_photometry_args": called}
    for i, aperture in enumerate(apertures):
        key = f"aperture{i}" if is_list else "aperture"
        meta[key] = type(aperture).__name__
        for name in aperture.radius_names:
            meta[f"{key}_{name}"] = getattr(aperture, name)
    return meta
