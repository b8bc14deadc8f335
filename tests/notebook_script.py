"""The calls of a NIRCam PSF-photometry notebook, with the imports of photutils.

It is no test: `test_notebook_calls` runs it after changing the import lines, and
`parity/test_seed_notebook` as it is, too.  Old names are meant to be here.
"""

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable
from astropy.visualization import simple_norm
from photutils.aperture import CircularAperture
from photutils.datasets import make_noise_image
from photutils.detection import IRAFStarFinder
from photutils.psf import (
    GriddedPSFModel,
    PSFPhotometry,
    SourceGrouper,
    make_psf_model_image,
)
from photutils.utils import make_random_cmap
from tweakwcs import XYXYMatch

# The grid.
psf_model = GriddedPSFModel.read("nircam_nrca1_f200w_fovp101_samp4_npsf16.fits")
shown_model = repr(psf_model)
grid_figure = psf_model.plot_grid(vmax_scale=0.1, figsize=(9, 9))
deltas_figure = psf_model.plot_grid(deltas=True, figsize=(9, 9))

# The image.
shape = (2048, 2048)
data, params = make_psf_model_image(
    shape,
    psf_model,
    500,
    flux=(500, 20_000),
    min_separation=25,
    seed=0,
    progress_bar=True,
)
noise = make_noise_image(shape, mean=0, stddev=0.5, seed=0)
data += noise
error = np.sqrt(np.abs(data))

# The stars.
finder = IRAFStarFinder(threshold=6.0, fwhm=3.0)
stars = finder(data)
first_stars = stars[0:5]
x = stars["xcentroid"]
y = stars["ycentroid"]
norm = simple_norm(data, "sqrt", percent=99)
stars_figure, ax = plt.subplots(figsize=(9, 9))
ax.imshow(data, origin="lower", norm=norm)
apertures = CircularAperture(zip(x, y), r=20)  # noqa: B905
star_patches = apertures.plot(ax=ax, color="red")

# The fit.
psfphot = PSFPhotometry(
    psf_model, (5, 5), finder=finder, aperture_radius=5, progress_bar=True
)
phot = psfphot(data, error=error)
shown_phot = repr(phot)
model = psfphot.make_model_image(data.shape)
resid = psfphot.make_residual_image(data)

# The comparison.
refcat = QTable()
refcat["TPx"] = params["x_0"]
refcat["TPy"] = params["y_0"]
fitcat = QTable()
fitcat["TPx"] = phot["x_fit"]
fitcat["TPy"] = phot["y_fit"]
match = XYXYMatch(separation=1)
ref_idx, fit_idx = match(refcat, fitcat)
true = params[ref_idx]
fitted = phot[fit_idx]
percent = (fitted["flux_fit"] - true["flux"]) / true["flux"] * 100
percent_figure, ax = plt.subplots()
ax.hist(percent, bins=30)

# The groups.
grouper = SourceGrouper(min_separation=35)
group_ids = grouper(x, y)
n_groups = len(np.unique(group_ids))
cmap = make_random_cmap(ncolors=500, seed=123)
groups_figure, group_axes = plt.subplots(figsize=(9, 9))
plt.imshow(data, origin="lower", norm=norm)
for i in range(n_groups):
    members = group_ids == i + 1
    xypos = zip(x[members], y[members])  # noqa: B905
    CircularAperture(xypos, r=20).plot(color=cmap.colors[i], lw=2)
grouped_psfphot = PSFPhotometry(
    psf_model,
    (5, 5),
    finder=finder,
    grouper=grouper,
    aperture_radius=5,
    progress_bar=True,
)
grouped = grouped_psfphot(data, error=error)
grouped_resid = grouped_psfphot.make_residual_image(data)
group_columns = grouped["group_id"], grouped["group_size"]

# One star.
init_params = QTable()
init_params["x"] = [743]
init_params["y"] = [1044]
one_psfphot = PSFPhotometry(psf_model, (5, 5), finder=None, aperture_radius=5)
one = one_psfphot(data, error=error, init_params=init_params)
one_resid = one_psfphot.make_residual_image(data)
one_figure, one_axes = plt.subplots(ncols=3, figsize=(12, 4))
aperture = CircularAperture((743, 1044), r=20)
for ax, image in zip(one_axes, (data, data - one_resid, one_resid)):  # noqa: B905
    ax.imshow(image, origin="lower", norm=norm)
    aperture.plot(ax=ax, color="red")
one_patches = aperture.plot(color="red")
