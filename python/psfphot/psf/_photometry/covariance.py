"""The joint covariances of the groups of a fit, with the image or without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from psfphot import _core
from psfphot._validate import Frame
from psfphot.psf._photometry.fitting import core_call, fit_box

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.table import QTable
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
        self._noise = frame.noise and {
            name: level[is_used] if isinstance(level, np.ndarray) else level
            for name, level in frame.noise.items()
        }

    def frame(self) -> Frame:
        """Make an image again, on which all other pixels are masked."""
        mask = np.ones(self._shape, dtype=bool)
        mask.flat[self._index] = False
        error = None if self._error is None else self._placed(self._error)
        noise = self._noise and {
            # What other pixels have is nobody's, but it must be some noise.
            name: self._placed(level, np.ones)
            if isinstance(level, np.ndarray)
            else level
            for name, level in self._noise.items()
        }
        return Frame(self._placed(self._data), error, mask, self._unit, noise)

    def _placed(self, values: NDArray[Any], make: Any = np.zeros) -> NDArray[Any]:
        # Pages of zeros that are never written take no memory.
        image: NDArray[Any] = make(self._shape, dtype=values.dtype)
        image.flat[self._index] = values
        return image


class Kept(NamedTuple):
    """What stays of the groups when the image goes."""

    # One after the other, by label.
    matrices: NDArray[np.float64]
    # Where the matrix of a group begins: the labels are the keys.
    places: dict[int, int]
    # Of the groups that are not among these.
    pixels: FittedPixels


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
    init : `~astropy.table.QTable`
        The starting values.
    parameters : (n, k) array
        The parameters at the end, in the core's order.
    """

    def __init__(
        self,
        setup: FitSetup,
        frame: Frame,
        init: QTable,
        parameters: NDArray[np.float64],
    ) -> None:
        self._setup = setup
        self._init = init
        self._parameters = parameters
        self._n_free = sum(not parameter.fixed for parameter in setup.parameters())
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
        order = self._n_free * len(members)
        if isinstance(source, Frame):
            values = self._compute(source, [members])
        elif (place := source.places.get(int(label))) is not None:
            values = source.matrices[place : place + order**2].copy()
        else:
            values = self._compute(source.pixels.frame(), [members])
        return values.reshape(order, order)

    def drop_image(self) -> None:
        """Keep what the covariances need, at no change of any bit, and no more."""
        frame = self._source
        if not isinstance(frame, Frame):
            return
        groups = self._groups()
        small = [members for members in groups if len(members) <= _MOST_MEMBERS]
        large = [members for members in groups if len(members) > _MOST_MEMBERS]
        labels = np.asarray(self._init["group_id"])
        places, place = {}, 0
        for members in small:
            places[int(labels[members[0]])] = place
            place += (self._n_free * len(members)) ** 2
        # All at once, for another thread may be reading.
        self._source = Kept(
            self._compute(frame, small), places, self._pixels(frame, large)
        )

    def _compute(
        self, frame: Frame, groups: list[NDArray[np.int_]]
    ) -> NDArray[np.float64]:
        members = np.concatenate(groups) if groups else np.empty(0, dtype=int)
        return _core.joint_covariances(
            core_call(self._setup, frame, self._init),
            [one.tolist() for one in groups],
            np.ascontiguousarray(self._parameters[members]),
        )

    def _groups(self) -> list[NDArray[np.int_]]:
        """Tell the rows of each group."""
        labels = np.asarray(self._init["group_id"])
        order = np.argsort(labels, kind="stable")
        firsts = np.flatnonzero(np.diff(labels[order])) + 1
        return [rows for rows in np.split(order, firsts) if len(rows)]

    def _pixels(self, frame: Frame, groups: list[NDArray[np.int_]]) -> FittedPixels:
        is_used = np.zeros(frame.data.shape, dtype=bool)
        centres = np.column_stack([self._init["x_init"], self._init["y_init"]])
        for x, y in (centre for members in groups for centre in centres[members]):
            if np.isfinite(x) and np.isfinite(y):
                box = fit_box(x, y, self._setup.fit_shape, frame.data.shape)
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
