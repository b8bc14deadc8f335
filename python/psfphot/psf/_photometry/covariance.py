"""The joint covariances of the groups of a fit, with the image or without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot import _core
from psfphot._validate import Frame
from psfphot.psf._photometry.fitting import core_settings, fit_box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from astropy import units as u
    from numpy.typing import NDArray

    from psfphot.psf._photometry.fitting import FitSetup

__all__ = ["GroupCovariance"]

# Of larger groups the pixels take fewer bytes than the matrix, which grows with
# the square of the group and takes the cube of it to compute.
_MOST_MEMBERS = 16


class GroupCovariance(NamedTuple):
    """The joint covariance of the sources of one group.

    Attributes
    ----------
    ids : list of int
        The sources.
    parameters : list of str
        The free parameters of each: of x, y, flux and those of the shape.
    covariance : ndarray
        Of shape (n, n) with n = len(ids) * len(parameters), source by source;
        pixels and the unit of the data, squared. NaN where there is none.
    """

    ids: list[int]
    parameters: list[str]
    covariance: NDArray[np.float64]

    def correlation(self) -> NDArray[np.float64]:
        """Divide the covariance by the errors."""
        error = np.sqrt(np.diag(self.covariance))
        return np.asarray(self.covariance / np.outer(error, error))


class FittedPixels:
    """The pixels of an image that fits used, at their places.

    Parameters
    ----------
    frame : Frame
        The image.
    is_used : (ny, nx) bool array
        Which pixels are to be kept.
    """

    def __init__(self, frame: Frame, is_used: NDArray[np.bool_]) -> None:
        if frame.mask is not None:
            is_used = is_used & ~frame.mask
        self._shape = frame.data.shape
        self._unit: u.UnitBase | None = frame.unit
        self._index = np.flatnonzero(is_used)
        self._data = frame.data[is_used]
        self._error = None if frame.error is None else frame.error[is_used]

    def frame(self) -> Frame:
        """Make an image again, on which all other pixels are masked."""
        mask = np.ones(self._shape, dtype=bool)
        mask.flat[self._index] = False
        error = None if self._error is None else self._placed(self._error)
        return Frame(self._placed(self._data), error, mask, self._unit)

    def _placed(self, values: NDArray[Any]) -> NDArray[Any]:
        # Pages of zeros that are never written take no memory.
        image = np.zeros(self._shape, dtype=values.dtype)
        image.flat[self._index] = values
        return image


class Kept(NamedTuple):
    """What stays of the groups when the image goes."""

    # One after the other, by label.
    matrices: NDArray[np.float64]
    # Where the matrix of a group begins: the labels are the keys.
    places: dict[int, int]
    # Of the groups that are not among these.
    pixels: FittedPixels | None


class Covariances:
    """The joint covariance of each group, in the core's order of parameters.

    It is computed of the pixels when it is asked for. `drop_image` computes
    those of small groups for good, and keeps the pixels of the large.

    Parameters
    ----------
    setup : FitSetup
        How the fit was done.
    frame : Frame
        The image.
    starts : dict
        The starting values, as the core takes them.
    parameters : (n, k) array
        The parameters at the end, in the core's order.
    """

    def __init__(
        self,
        setup: FitSetup,
        frame: Frame,
        starts: dict[str, NDArray[Any]],
        parameters: NDArray[np.float64],
    ) -> None:
        self._setup = setup
        self._settings = core_settings(setup)
        self._starts = starts
        self._parameters = parameters
        self._source: Frame | Kept = frame

    def of(self, label: int, members: NDArray[np.int_]) -> NDArray[np.float64]:
        """Tell the covariance of a group.

        Parameters
        ----------
        label : int
            The group.
        members : array of int
            The rows of its sources.
        """
        source = self._source
        if isinstance(source, Frame):
            return self._compute(source, members)
        place = source.places.get(int(label))
        if place is not None:
            order = self._order(members)
            return source.matrices[place : place + order**2].reshape(order, order)
        if source.pixels is None:  # no group is without both
            raise KeyError(label)
        return self._compute(source.pixels.frame(), members)

    def drop_image(self) -> None:
        """Keep what the covariances need, at no change of any bit, and no more."""
        frame = self._source
        if not isinstance(frame, Frame):
            return
        matrices, places, large = [np.empty(0)], {}, []
        place = 0
        for label, members in self._groups():
            if len(members) > _MOST_MEMBERS:
                large.append(members)
                continue
            matrices.append(self._compute(frame, members).ravel())
            places[label] = place
            place += matrices[-1].size
        pixels = self._pixels(frame, np.concatenate(large)) if large else None
        # All at once, for another thread may be reading.
        self._source = Kept(np.concatenate(matrices), places, pixels)

    def _compute(self, frame: Frame, members: NDArray[np.int_]) -> NDArray[np.float64]:
        # The starts of all others would cost more than the covariance.
        own = {name: values[members] for name, values in self._starts.items()}
        return _core.joint_covariance(
            *frame.arrays,
            self._setup.core_psf,
            own,
            self._settings,
            list(range(len(members))),
            np.ascontiguousarray(self._parameters[members]),
        )

    def _order(self, members: NDArray[np.int_]) -> int:
        is_free = [not parameter.fixed for parameter in self._setup.parameters()]
        return sum(is_free) * len(members)

    def _groups(self) -> Iterator[tuple[int, NDArray[np.int_]]]:
        label = self._starts["group_id"]
        order = np.argsort(label, kind="stable")
        first = np.flatnonzero(np.diff(label[order])) + 1
        for members in np.split(order, first):
            if len(members):
                yield int(label[members[0]]), members

    def _pixels(self, frame: Frame, members: NDArray[np.int_]) -> FittedPixels:
        is_used = np.zeros(frame.data.shape, dtype=bool)
        x, y = self._starts["x"][members], self._starts["y"][members]
        is_placed = np.isfinite(x) & np.isfinite(y)
        for centre in zip(x[is_placed], y[is_placed], strict=True):
            box = fit_box(*centre, self._setup.fit_shape, frame.data.shape)
            is_used[box] = True
        return FittedPixels(frame, is_used)


def in_table_order(
    covariance: NDArray[np.float64], ids: list[int], setup: FitSetup
) -> GroupCovariance:
    """Go from the core's flux, x, y to the table's x, y, flux."""
    own = ["flux", "x", "y", *setup.names.shape]
    fixed = [parameter.fixed for parameter in setup.parameters()]
    free = [name for name, is_fixed in zip(own, fixed, strict=True) if not is_fixed]
    shown = [name for name in ("x", "y", "flux", *setup.names.shape) if name in free]
    order = [free.index(name) for name in shown]
    index = [k * len(free) + i for k in range(len(ids)) for i in order]
    return GroupCovariance(ids, shown, covariance[np.ix_(index, index)])
