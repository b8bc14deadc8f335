"""Artificial stars: the limit of a catalogue, and the noise of what is recovered."""

import warnings

import numpy as np
from completeness.studies import chance_rate, m50_of_seeds

from .rows import compare


def rows(n_seeds):
    """Fit the curves of ``n_seeds`` sets of stars, and put some into a crowd."""
    offsets, errors = m50_of_seeds(n_seeds)
    with warnings.catch_warnings():
        # Of thousands of blends one may not converge.
        warnings.simplefilter("ignore")
        rate = chance_rate(100 * n_seeds)
    yield compare(
        "half complete at",
        "magnitude",
        np.asarray(offsets),
        errors,
        note=f"{100 * rate:.2g} % of 20,000 on 2048 x 2048 by chance",
    )
