"""How good a PSF that was built is, and what is wrong with it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from psfphot.psf._epsf.solver import FEWEST_STARS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from psfphot.psf._epsf.solver import Solution

#: From so many stars on the PSF is good: the errors of the core measured 1.7e-3 to
#: 1.8e-3 of the peak with 25, 3.4e-3 to 4.2e-3 with 5.
ENOUGH_STARS = 25

# The core, pixels.
_CORE = 2.5

# Part of the peak by which stars may differ from the PSF: by more they do where all
# have neighbours on all sides, by nothing once those are taken away.
_MISMATCHED = 0.02

#: A cell of positions in the pixel with less than this share of the mean is empty.
_EMPTY_CELL = 0.1

# How the solver, too, names such cells.
_UNSEEN = "some positions in the pixel"


@dataclass(frozen=True, eq=False)
class PSFReport:
    """What is known of a PSF that was built.

    Attributes
    ----------
    order : str
        How it varies over the image: "single", "linear", "quadratic" or "nodes";
        with a library that of the deviation from it: "library" (none), "constant",
        "linear" or "nodes".
    asked : str
        How it was to vary at most.
    n_stars, n_used : int
        Stars that were given, and those that determined it.
    converged : bool
        Whether the last round changed no sample by more than was asked.
    n_rounds : int
        Rounds of the joint fit.
    last_change : float
        The largest change of a sample in the last round, in units of the peak.
    model_error : float
        The part of its peak by which the PSF was found wrong there.
    kappa : float
        The factor of the roughness that is allowed.
    held_out : dict
        The mean chi-squared of pixels of stars that were held out, by order; empty
        where there was nothing to choose.
    chi2 : float
        The median of the stars' reduced chi-squared, of their cores.
    phase_counts : (k, k) int array
        Stars by the position in the pixel, (y, x).
    phase_coverage : float
        The least of these over their mean: 1 is even, 0 leaves a part unseen.
    phase_error : float
        Estimated error of a star's position by its place in the pixel, rms per
        axis, pixels; NaN if it was not computed.
    flux_phase_error : float
        The same of the flux, as a part of it.
    fwhm : float
        Full width at half maximum, pixels.
    error : (P, ny, nx) array or None
        1-sigma errors of the samples of each plane of the solution.
    core_error : float
        The rms of these within 2.5 pixels, in units of the peak; NaN without.
    nodes : `~astropy.table.QTable`
        The nodes of the grid: x, y, n_stars (those that tell it apart), is_starved.
    stars : `~astropy.table.QTable`
        The stars: x, y, flux, chi2, n_pixels, n_rejected, is_used, phases x, y.
    dropped : dict
        How many stars were not chosen, by the reason.
    aperture_correction : float or None
        What makes the fluxes total: the light of a star over that within the PSF's
        images; `None` if it is not known.
    is_corrected : bool
        Whether the PSF's images are of total flux already.
    flags : tuple of str
        What is wrong: "few_stars", "bunched_phases", "starved_nodes",
        "lower_order", "not_converged", "mismatched".
    messages : list of str
        The same in words, with the solver's own.
    """

    order: str
    asked: str
    n_stars: int
    n_used: int
    converged: bool
    n_rounds: int
    last_change: float
    model_error: float
    kappa: float
    held_out: dict[str, float]
    chi2: float
    phase_counts: NDArray[np.int64]
    phase_coverage: float
    phase_error: float
    flux_phase_error: float
    fwhm: float
    error: NDArray[np.float64] | None
    core_error: float
    nodes: QTable
    stars: QTable
    dropped: dict[str, int] = field(default_factory=dict)
    aperture_correction: float | None = None
    is_corrected: bool = False
    flags: tuple[str, ...] = ()
    messages: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.flags

    def __repr__(self) -> str:
        flags = ", ".join(self.flags) or "none"
        return (
            f"<{type(self).__name__}({self.order}, {self.n_used} of {self.n_stars} "
            f"stars, FWHM {self.fwhm:.2f} px, core error {self.core_error:.1e}, "
            f"flags: {flags})>"
        )

    def __str__(self) -> str:
        return "\n".join(f"{name:<22}{value}" for name, value in self.rows())

    def rows(self) -> list[tuple[str, str]]:
        """List what there is to say, as pairs of words.

        Returns
        -------
        list of (str, str)
            Names and values.
        """
        coverage, mismatch = 100 * self.phase_coverage, 100 * self.model_error
        phases = "not known"
        if np.isfinite(self.phase_error) and np.isfinite(self.flux_phase_error):
            flux_error = f"{100 * self.flux_phase_error:.3f} % of the flux"
            phases = f"{1000 * self.phase_error:.2f} mpx, {flux_error}"
        rows = [
            ("order", f"{self.order} (at most {self.asked})"),
            ("stars", f"{self.n_used} of {self.n_stars}"),
            ("FWHM", f"{self.fwhm:.3f} px"),
            ("error of the core", f"{self.core_error:.2e} of the peak"),
            ("error by pixel phase", phases),
            ("phases seen", f"{coverage:.0f} % of the mean in the emptiest cell"),
            ("model error", f"{mismatch:.2f} %"),
            ("reduced chi2", f"{self.chi2:.3f}"),
            ("roughness (kappa)", f"{self.kappa:g}"),
            (
                "rounds",
                (
                    f"{self.n_rounds}, last change {self.last_change:.1e}"
                    f"{'' if self.converged else ' (not converged)'}"
                ),
            ),
        ]
        if self.held_out:
            each = ", ".join(
                f"{key} {value:.4f}" for key, value in self.held_out.items()
            )
            rows.append(("held-out chi2", each))
        if self.dropped:
            each = ", ".join(f"{n} {reason}" for reason, n in self.dropped.items())
            rows.append(("stars not taken", each))
        if self.aperture_correction is not None:
            applied = "in the PSF" if self.is_corrected else "not applied"
            rows.append(
                ("aperture correction", f"{self.aperture_correction:.4f} ({applied})")
            )
        return rows + [("warning", message) for message in self.messages]

    @property
    def table(self) -> QTable:
        """The same as a table of two columns, quantity and value."""
        names, values = zip(*self.rows(), strict=True)
        return QTable({"quantity": list(names), "value": list(values)})

    def warn(self, stacklevel: int = 2) -> None:
        """Give a warning of each message.

        Parameters
        ----------
        stacklevel : int, optional
            Whom the warning points to; 2 is the caller.
        """
        for message in self.messages:
            warnings.warn(message, AstropyUserWarning, stacklevel=stacklevel + 1)


def make_report(
    solution: Solution,
    *,
    order: str,
    asked: str,
    origins: NDArray[np.float64],
    nodes: NDArray[np.float64],
    peak: float,
    node_stars: NDArray[np.float64] | None = None,
    held_out: Mapping[str, float] | None = None,
    **more: Any,
) -> PSFReport:
    """Make the report of a solution.

    Parameters
    ----------
    solution : Solution
        The solution.
    order, asked : str
        See `PSFReport`.
    origins : (N, 2) array
        The cutouts' first pixels in the image, (x, y).
    nodes : (P, 2) array
        The nodes of the grid that is made of it, (x, y).
    peak : float
        The largest sample of the PSF.
    node_stars : (P,) array, optional
        The stars of each node; those of the solution by default.
    held_out : dict, optional
        See `PSFReport`.
    **more
        Further fields; ``flags`` and ``messages`` are added to.
    """
    n_used = int(np.count_nonzero(solution.is_used))
    counts = np.asarray(solution.phase_counts)
    coverage = float(counts.min() / counts.mean()) if counts.sum() else 0.0
    node_table = _tabulate_nodes(nodes, n_used if node_stars is None else node_stars)
    starves = order == "nodes" and bool(node_table["is_starved"].any())
    faults = _find_faults(solution, coverage, starves=starves)
    flags = (*more.pop("flags", ()), *faults)
    messages = [*solution.warnings, *more.pop("messages", ())]
    if "bunched_phases" in faults and not any(_UNSEEN in said for said in messages):
        messages.append(
            f"few stars are at {_UNSEEN}: the PSF is known the less there; counts of "
            f"{counts.tolist()}"
        )
    if "mismatched" in faults:
        messages.append(
            f"the stars differ from the PSF by {solution.model_error:.0%} of its "
            "peak: it varies among them, or they have neighbours"
        )
    phase_error, flux_phase_error = estimate_phase_errors(solution.alias)
    chi2 = solution.chi2[solution.is_used & np.isfinite(solution.chi2)]
    return PSFReport(
        order=order,
        asked=asked,
        n_stars=len(solution.x),
        n_used=n_used,
        converged=bool(solution.converged),
        n_rounds=int(solution.n_rounds),
        last_change=float(solution.last_change),
        model_error=float(solution.model_error),
        kappa=float(solution.kappa),
        held_out=dict(held_out or {}),
        chi2=float(np.median(chi2)) if chi2.size else float("nan"),
        phase_counts=counts,
        phase_coverage=coverage,
        phase_error=phase_error,
        flux_phase_error=flux_phase_error,
        fwhm=float(solution.fwhm),
        error=solution.error,
        core_error=_core_error(solution, peak),
        nodes=node_table,
        stars=_tabulate_stars(solution, origins),
        flags=flags,
        messages=messages,
        **more,
    )


def _tabulate_nodes(nodes: NDArray[np.float64], n_stars: Any) -> QTable:
    # Those of a node are a sum of weights.
    n_stars = np.broadcast_to(np.asarray(n_stars, dtype=np.float64), len(nodes))
    return QTable(
        {
            "x": nodes[:, 0],
            "y": nodes[:, 1],
            "n_stars": n_stars,
            "is_starved": n_stars < FEWEST_STARS,
        }
    )


def _tabulate_stars(solution: Solution, origins: NDArray[np.float64]) -> QTable:
    x, y = solution.x + origins[:, 0], solution.y + origins[:, 1]
    return QTable(
        {
            "x": x,
            "y": y,
            "flux": solution.flux,
            "chi2": solution.chi2,
            "n_pixels": solution.n_pixels,
            "n_rejected": solution.n_rejected,
            "is_used": solution.is_used,
            "x_phase": (x + 0.5) % 1.0,
            "y_phase": (y + 0.5) % 1.0,
        }
    )


def _find_faults(solution: Solution, coverage: float, *, starves: bool) -> list[str]:
    """Name what is wrong; most of it the solver puts into words."""
    n_seen = np.sum(solution.phase_counts)
    faults = {
        "few_stars": np.count_nonzero(solution.is_used) < FEWEST_STARS,
        "bunched_phases": n_seen >= ENOUGH_STARS and coverage < _EMPTY_CELL,
        "starved_nodes": starves,
        "not_converged": not solution.converged,
        "mismatched": solution.model_error > _MISMATCHED,
    }
    return [name for name, is_so in faults.items() if is_so]


def estimate_phase_errors(alias: Mapping[str, Any]) -> tuple[float, float]:
    """Tell how much position and flux depend on the place in the pixel.

    By Poisson's sum a functional of amplitude a adds 2 a cos or sin of the place to
    the flux (order 0) or the centroid (order 1): an rms of sqrt(2) a each.

    Returns
    -------
    position, flux : float
        The rms, pixels per axis and a part of the flux; NaN if it is not known.
    """
    order = np.asarray(alias.get("order", ()))
    posterior = np.asarray(alias.get("posterior", ()), dtype=np.float64)
    # Where the posterior was not computed the frequencies are those of diagonals,
    # of which a PSF has little.
    known = np.isfinite(posterior)
    if not known.any():
        return float("nan"), float("nan")
    flux, position = (
        2.0 * np.sum(posterior[known & (order == k)] ** 2) for k in (0, 1)
    )
    # Those of order 1 are of two axes.
    return float(np.sqrt(position / 2)), float(np.sqrt(flux))


def _core_error(solution: Solution, peak: float) -> float:
    """Tell the rms of the errors in the core, in units of the peak.

    Of several planes it is the median's.
    """
    if solution.error is None:
        return float("nan")
    ny, nx = solution.samples.shape[1:]
    over_y, over_x = solution.oversampling
    y, x = np.indices((ny, nx))
    radius = np.hypot((x - (nx - 1) / 2) / over_x, (y - (ny - 1) / 2) / over_y)
    core = solution.error[:, radius < _CORE]
    return float(np.median(np.sqrt(np.mean(core**2, axis=1))) / peak)
