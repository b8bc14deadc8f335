"""Where a source is in a small image of it: five ways, and one for many sources.

The images should have no background. What is masked or not finite is left out.
"""

from psfphot.centroids._gaussian import centroid_1dg, centroid_2dg
from psfphot.centroids._moments import centroid_com
from psfphot.centroids._quadratic import CentroidQuadratic, centroid_quadratic
from psfphot.centroids._sources import centroid_sources
from psfphot.centroids._symmetry import centroid_symmetry

__all__ = [
    "CentroidQuadratic",
    "centroid_1dg",
    "centroid_2dg",
    "centroid_com",
    "centroid_quadratic",
    "centroid_sources",
    "centroid_symmetry",
]
