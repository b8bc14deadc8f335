"""What errors made from the data do to faint fluxes, beside true ones and a model.

Lone stars of one flux on noise of 0.5 about 0, as after the subtraction of a sky, with
fitted positions and with known ones. Prints a Markdown table: the median flux, its
robust width, and that over the one of true errors.
"""

import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "statistics"))

from frames.score import robust_width
from noisy_frames import LEVEL, LEVEL_NOISE, fit, level_noise

SNRS = (5, 10, 15, 20, 30)
BOX, N_SIDE = 5, 60


def main():
    """Print the table."""
    heads = "S/N|positions"
    for name in ("sqrt(abs(data))", "NoiseModel", "true errors"):
        heads += f"|{name}: flux|scatter"
    print(f"|{heads}|\n|{'---|' * (heads.count('|') + 1)}")
    for is_held in (False, True):
        for snr in SNRS:
            frame = level_noise(snr, n_side=N_SIDE, seed=snr)
            off = relative_errors(frame, is_held=is_held)
            true = robust_width(off[-1])
            cells = [str(snr), "known" if is_held else "fitted"]
            for one in off:
                width = robust_width(one)
                cells += [f"{np.median(one):+.1%}"]
                cells += [f"{width:.1%} ({width / true:.1f} times)"]
            print(f"| {' | '.join(cells)} |", flush=True)


def relative_errors(frame, *, is_held):
    """Fit with errors of the data, a noise model and the true ones."""
    found = []
    for error in (np.sqrt(np.abs(frame.data)), LEVEL_NOISE, frame.data * 0 + LEVEL):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = fit(frame, error, fit_shape=BOX, is_held=is_held)
        off = np.asarray(table["flux_fit"]) / frame.flux - 1
        found.append(off[np.isfinite(off)])
    return found


if __name__ == "__main__":
    main()
