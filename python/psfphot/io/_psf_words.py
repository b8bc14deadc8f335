"""PSFs that are formulas, from the words for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from psfphot.psf import AiryDiskPRF, CircularGaussianPRF, MoffatPRF

if TYPE_CHECKING:
    from collections.abc import Callable

#: The exponent of a Moffat where none is given: what telescopes in good seeing
#: have (Trujillo et al. 2001, MNRAS, 328, 977, find 2.5 to 4.8).
BETA = 3.0

#: The first zero of an Airy disk is so many FWHM from its centre.
_ZERO_PER_FWHM = 1.18506


def _make_gaussian(fwhm: float) -> tuple[Any, str]:
    return CircularGaussianPRF(fwhm=fwhm), "circular Gaussian"


def _make_moffat(fwhm: float, beta: float = BETA) -> tuple[Any, str]:
    if beta <= 1:
        msg = f"moffat:FWHM,BETA needs an exponent above 1, got {beta:g}"
        raise ValueError(msg)
    alpha = fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1))
    return MoffatPRF(alpha=alpha, beta=beta), f"Moffat of beta {beta:g}"


def _make_airy(fwhm: float) -> tuple[Any, str]:
    return AiryDiskPRF(radius=_ZERO_PER_FWHM * fwhm), "Airy disk"


#: What makes each, from at most how many numbers.
_FORMULAS: dict[str, tuple[Callable[..., tuple[Any, str]], str, int]] = {
    "gaussian": (_make_gaussian, "gaussian:FWHM", 1),
    "moffat": (_make_moffat, "moffat:FWHM[,BETA]", 2),
    "airy": (_make_airy, "airy:FWHM", 1),
}

#: The narrowest and the widest star, FWHM in pixels: light narrower than a tenth
#: of a pixel tells no position within it, and no star that can be found is wider.
_WIDTHS = (0.1, 100.0)

#: Words that stand alone: the width is measured on the image, or all of the PSF.
MEASURED = ("gaussian", "moffat", "image")


def as_formula(spec: str) -> tuple[Any, str] | None:
    """Make the model of ``gaussian:FWHM``, ``moffat:FWHM[,BETA]``, ``airy:FWHM``.

    Returns
    -------
    model, description : model, str
        Or `None` if the words are none of these.

    Raises
    ------
    ValueError
        If the numbers are none, not positive or too many, or the width is above 100
        pixels.
    """
    kind, colon, text = spec.partition(":")
    if kind.lower() not in _FORMULAS:
        return None
    make, form, most = _FORMULAS[kind.lower()]
    if not colon:
        raise ValueError(f"{kind} needs its width: {form}")
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    usable = all(math.isfinite(number) and number > 0 for number in numbers)
    if not numbers or len(numbers) > most or not usable:
        msg = f"{form} needs a width in pixels above 0, got {text!r}"
        raise ValueError(msg)
    if not _WIDTHS[0] <= numbers[0] <= _WIDTHS[1]:
        msg = (
            f"{form} needs a width from {_WIDTHS[0]:g} to {_WIDTHS[1]:g} pixels, "
            f"got {text!r}"
        )
        raise ValueError(msg)
    model, description = make(*numbers)
    said = f"{description} of FWHM {numbers[0]:g} px before the pixels integrate it"
    return model, said
