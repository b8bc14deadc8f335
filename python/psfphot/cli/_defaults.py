"""Defaults that the help shows and a run takes, so that they cannot differ.

Tuned on the demo's field and on a Spitzer mosaic of the Galactic plane.
"""

#: Detection threshold in sigma of a background pixel.
THRESHOLD = 5.0

#: Largest roundness of a detection. IRAF's 0.2 drops two of five stars of a
#: crowded, undersampled field, nearly all of them blends that can be fitted.
ROUNDNESS = 0.5

#: Smallest distance of two detections, in FWHM; nearer ones are noise on one
#: star's flank more often than two stars.
SEPARATION = 1.5

#: Side of the smallest fit box: narrower PSFs still need the pixels.
SMALLEST_BOX = 5

#: Radii of the background's annulus in sides of the fit box.
ANNULUS = (1.0, 3.0)
