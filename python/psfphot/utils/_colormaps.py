"""Colour maps; needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from psfphot._deprecated import old_arguments
from psfphot._validate import as_count

if TYPE_CHECKING:
    from matplotlib.colors import ListedColormap


@old_arguments("n_colors", "seed", renamed={"ncolors": "n_colors"})
def make_random_cmap(*, n_colors: int = 256, seed: int | None = None) -> ListedColormap:
    """Make a colour map of muted colours at random.

    Hue, saturation and value are uniform in 0 to 1, 0.2 to 0.7 and 0.5 to 1.

    Parameters
    ----------
    n_colors : int, optional
        The number of colours. The name ``ncolors`` is deprecated.
    seed : int, optional
        A seed always gives the same colours (those of photutils); `None` gives
        new ones.

    Returns
    -------
    cmap : `~matplotlib.colors.ListedColormap`
        ``cmap.colors`` is an (``n_colors``, 4) array of RGBA colours.

    Raises
    ------
    TypeError
        If ``n_colors`` is not an integer.
    ValueError
        If it is below 1.

    Examples
    --------
    >>> from psfphot.utils import make_random_cmap
    >>> make_random_cmap(n_colors=3, seed=1).colors.shape
    (3, 4)
    """
    from matplotlib import colors  # noqa: PLC0415  (optional)

    if as_count(n_colors, "n_colors") < 1:
        raise ValueError(f"n_colors must be at least 1, got {n_colors}")
    rng = np.random.default_rng(seed)
    ranges = ((0.0, 1.0), (0.2, 0.7), (0.5, 1.0))
    hsv = np.column_stack([rng.uniform(*ends, size=n_colors) for ends in ranges])
    return colors.ListedColormap(colors.to_rgba_array(colors.hsv_to_rgb(hsv)))
