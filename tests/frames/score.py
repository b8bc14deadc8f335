"""A catalogue held against the truth, as a sceptic does."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Score:
    """What a catalogue is worth."""

    rows: int
    #: Rows without a star within a pixel; and those of them without a flag but bit 1.
    fakes: int
    unflagged_fakes: int
    #: Stars with a row within a pixel; and one row each, within 0.7 pixels.
    found: int
    found_one_to_one: int
    #: How many of the brightest 20 stars have a row.
    brightest: int
    #: Rows whose flux is not positive.
    not_positive: int
    #: Share of the rows with a star that have a flag but bit 1.
    flagged: float
    #: Median of flux / truth - 1 of isolated, bright, unflagged stars, and
    #: (flux - truth) / error of each.
    bias: float
    pulls: np.ndarray


def values(table, name):
    """A column as floats, without its unit."""
    column = table[name]
    return np.asarray(getattr(column, "value", column), dtype=float)


def score(table, scene, bright=30.0):
    """Hold a catalogue against a scene; ``bright`` is an S/N."""
    at = np.column_stack([values(table, "x_fit"), values(table, "y_fit")])
    stars = np.column_stack([scene.x, scene.y])
    flux, error = values(table, "flux_fit"), values(table, "flux_err")
    flags = np.asarray(table["flags"]).astype(int) & ~1
    to_star, _ = nearest(at, stars)
    to_row, _ = nearest(stars, at)
    found = to_row < 1
    pairs = _one_to_one(stars, at, scene.flux, 0.7)
    order = np.argsort(-scene.flux)
    apart = nearest_other(stars) > 4 * scene.fwhm
    chosen = [
        (star, one)
        for star, one in pairs
        if apart[star]
        and not scene.is_saturated[star]
        and flags[one] == 0
        and flux[one] > bright * error[one]
    ]
    truth = np.array([scene.flux[star] for star, _ in chosen])
    measured = np.array([flux[one] for _, one in chosen])
    errors = np.array([error[one] for _, one in chosen])
    is_fake = ~(to_star < 1)
    return Score(
        rows=len(table),
        fakes=int(is_fake.sum()),
        unflagged_fakes=int((is_fake & (flags == 0)).sum()),
        found=int(found.sum()),
        found_one_to_one=len(pairs),
        brightest=int(found[order[:20]].sum()),
        not_positive=int((~(flux > 0)).sum()),
        flagged=float(np.mean(flags[~is_fake] != 0)),
        bias=float(np.median(measured / truth - 1)) if len(truth) else np.nan,
        pulls=(measured - truth) / errors,
    )


def nearest(points, others):
    """Distance to the nearest of the others, and which it is."""
    distance, index = np.full(len(points), np.inf), np.zeros(len(points), int)
    if not len(others):
        return distance, index
    order = np.argsort(others[:, 1])
    sorted_others = others[order]
    for reach in (2.0, 40.0):
        open_points = np.flatnonzero(~(distance < reach / 2))
        low = np.searchsorted(sorted_others[:, 1], points[open_points, 1] - reach)
        high = np.searchsorted(sorted_others[:, 1], points[open_points, 1] + reach)
        for k, a, b in zip(open_points, low, high, strict=True):
            if b > a:
                d = np.hypot(*(sorted_others[a:b] - points[k]).T)
                best = int(np.nanargmin(d)) if np.isfinite(d).any() else 0
                distance[k], index[k] = d[best], order[a + best]
    return distance, index


def brightest_near(stars, rows, flux, reach):
    """For each row the brightest star whose nearest row it is, within a reach, or -1.

    And for each star the distance of its nearest row, and which it is.
    """
    distance, row = nearest(stars, rows)
    brightest = np.full(len(rows), -1)
    for star in np.argsort(flux):
        if distance[star] < reach:
            brightest[row[star]] = star
    return brightest, distance, row


def robust_width(values):
    """The standard deviation of what is not in the wings."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    return 1.4826 * np.median(np.abs(values - np.median(values)))


def nearest_other(points):
    """Distance of each point to the nearest other one, up to 40 pixels."""
    distance = np.full(len(points), np.inf)
    order = np.argsort(points[:, 1])
    ranked = points[order]
    low = np.searchsorted(ranked[:, 1], ranked[:, 1] - 40)
    high = np.searchsorted(ranked[:, 1], ranked[:, 1] + 40)
    for k, (a, b) in enumerate(zip(low, high, strict=True)):
        d = np.hypot(*(ranked[a:b] - ranked[k]).T)
        d[k - a] = np.inf
        distance[order[k]] = d.min(initial=np.inf)
    return distance


def _one_to_one(stars, rows, flux, reach):
    """Pairs of star and row, each once, the brightest stars first."""
    taken, pairs = set(), []
    order = np.argsort(rows[:, 1])
    ranked = rows[order]
    for star in np.argsort(-flux):
        a = np.searchsorted(ranked[:, 1], stars[star, 1] - reach)
        b = np.searchsorted(ranked[:, 1], stars[star, 1] + reach)
        d = np.hypot(*(ranked[a:b] - stars[star]).T)
        for k in np.argsort(d):
            if d[k] < reach and int(order[a + k]) not in taken:
                taken.add(int(order[a + k]))
                pairs.append((int(star), int(order[a + k])))
                break
    return pairs
