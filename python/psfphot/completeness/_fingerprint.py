"""What makes two tests the same, so that one can go on with the other's parts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from psfphot._core import __version__
from psfphot.completeness._injection import draw_stars
from psfphot.completeness._parts import digest

if TYPE_CHECKING:
    from astropy.table import Table

    from psfphot.completeness._tasks import Scene

#: What representations hold that says nothing of results.
_NOISE = re.compile(r" at 0x[0-9a-fA-F]+|(n_threads|progress_bar)=\w+,?")


def fingerprint(
    scene: Scene, catalog: Table, settings: dict[str, Any], given: dict[str, Any]
) -> dict[str, str]:
    """Describe a test by hashes and texts.

    That the image's own catalogue is the same, bit for bit, says more of how it is
    measured than any list of settings.

    Parameters
    ----------
    scene : `Scene`
        The image, its PSF and the rules.
    catalog : `~astropy.table.Table`
        The image's own catalogue.
    settings : dict
        Numbers and words.
    given : dict
        Arguments by name, of any kind.

    Returns
    -------
    words : dict of str
        By what they are of, for messages.
    """
    ny, nx = scene.pixels.data.shape
    places = np.linspace(0.1, 0.9, 5)
    psf = draw_stars((ny, nx), scene.psf_model, nx * places, ny * places, np.ones(5))
    return {
        "the version of psfphot": __version__,
        "the image": digest(*scene.pixels),
        "its catalogue": digest(catalog),
        "the PSF of the artificial stars": digest(psf),
        "the settings": json.dumps(settings, sort_keys=True),
        **{name: _describe(value) for name, value in given.items()},
    }


def _describe(value: Any) -> str:
    """Describe an argument, the same in each process."""
    if hasattr(value, "colnames"):
        return digest(value)
    code = getattr(value, "__code__", None)
    if code is not None:
        text = f"{value.__module__}.{value.__qualname__}"
        return f"{text} {digest(code.co_code.hex(), repr(code.co_names))}"
    return _NOISE.sub("", repr(value))
