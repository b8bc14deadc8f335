"""Stars alone, well sampled and undersampled, with the true errors."""

import numpy as np
from trials import cramer_rao, make_scene

from psfphot.datasets import make_nircam_psf_grid
from psfphot.psf import CircularGaussianPRF, PSFPhotometry

from .rows import compare

SKY, SIZE = 100, 7
FLUXES = (1000, 10_000, 100_000)


def rows(n_side):
    """Fit ``n_side**2`` stars of each flux."""
    side = 26 * n_side
    psfs = {
        "lone, Gaussian of FWHM 2.5": CircularGaussianPRF(fwhm=2.5),
        "lone, undersampled": make_nircam_psf_grid(
            4, fov_pixels=25, detector_size=side
        ),
    }
    for name, psf in psfs.items():
        for flux in FLUXES:
            yield from of_flux(f"{name}, {flux:,}", psf, flux, n_side)


def of_flux(name, psf, flux, n_side):
    scene = make_scene(psf, flux, SKY, n_side=n_side, seed=flux)
    least = cramer_rao(scene, SIZE)
    table = PSFPhotometry(psf, SIZE)(
        scene.poisson(np.random.default_rng(flux + 1)),
        error=np.sqrt(scene.variance),
        init_params=scene.starts["x", "y", "flux"],
    )
    note = f"S/N {np.median(flux / least['flux']):.0f}"
    for what, names in (("flux", ["flux"]), ("position", ["x", "y"])):
        offsets, quoted = (
            np.concatenate([made(n) for n in names])
            for made in (
                lambda n: np.asarray(table[f"{n}_fit"] - scene.truth[n]),
                lambda n: np.asarray(table[f"{n}_err"]),
            )
        )
        yield compare(
            name,
            what,
            offsets,
            quoted,
            np.concatenate([least[n] for n in names]),
            note=note,
        )
