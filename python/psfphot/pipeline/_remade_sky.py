"""The sky of an image without its stars, made anew from round to round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psfphot.pipeline._sky import measure_sky

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psfphot.pipeline._exposure import Exposure


class RemadeSky:
    """An exposure's sky, measured on what is left of the image.

    The first sky is that of an image with all its stars: too high in a crowd, by what
    cannot be masked of them.

    Parameters
    ----------
    exposure : `Exposure`
        The image, whose sky changes.
    data : 2D array
        The image as it is fitted, without the first sky.
    other : 2D array
        The light that was subtracted with it, of what is not fitted.

    Attributes
    ----------
    data : 2D array
        The image as it is to be fitted now.
    """

    def __init__(
        self, exposure: Exposure, data: NDArray[Any], other: NDArray[Any]
    ) -> None:
        self._exposure, self._other = exposure, other
        self.data = data

    def __call__(self, left: NDArray[Any]) -> NDArray[Any]:
        """Measure the sky without the stars that a fit has found.

        Parameters
        ----------
        left : 2D array
            What the fit has left of ``data``.

        Returns
        -------
        change : 2D array
            By how much it is higher than the sky before, which it replaces.
        """
        before = self._exposure.sky.background
        sky = measure_sky(self._exposure, light=self.data - left + self._other)
        self._exposure.sky = sky
        change: NDArray[Any] = sky.background - before
        change = change.astype(left.dtype, copy=False)
        self.data = self.data - change
        return change
