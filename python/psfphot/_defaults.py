"""Defaults of the pipeline, which the command line's help shows.

They stand here since the help must not wait for what the pipeline imports.

Tuned on the demo's field and on a Spitzer mosaic of the Galactic plane.
"""

#: Detection threshold: S/N of a star in the filtered image.
THRESHOLD = 5.0

#: Most rounds of finding stars in what is left and fitting all together: the fifth
#: still finds 0.1 % of the stars of a crowded field.
ITERATIONS = 5

#: A detection has no brighter pixel nearer than this, in FWHM, by finder. The
#: others' detections at 1.5 are diffraction rings for 13 % in the demo's field, at
#: 2.0 for 3 %; the filtered image has no rings, and at 2 the close stars are lost.
SEPARATION = {"matched": 1.0, "dao": 2.0, "iraf": 2.0}

#: Side of the smallest fit box: narrower PSFs still need the pixels.
SMALLEST_BOX = 5

#: Stars are fitted together where boxes of so many sides of the fit box overlap: at
#: 2, a bright neighbour's wings are modelled where they matter. From 1 to 2 the
#: demo's flux scatter falls from 3.3 % to 2.9 %.
GROUPING = 2

#: Radii of the background's annulus in sides of the fit box. Nearer to the star,
#: between 1 and 3 sides, its own wings take 0.3 % of the demo's bright fluxes.
ANNULUS = (2.0, 4.0)

#: Stars may go half a box from where they start, (side - 1) / 2: farther, the
#: pixels that are fitted are no longer theirs. Of the Spitzer mosaic's 7,134 stars
#: 34 leave their box of 5 x 5 without it, and 9 do not converge; what they leave in
#: the model has an r.m.s. residual of 65 MJy/sr. At 2 px 50 stars stop at the bound
#: with a flag, 2 leave their box, 1 does not converge and the residual is 31; at 1
#: and at 3.5 px it is 31 too, at 5 px 44. Boxes of 1 pixel get this distance.
SMALLEST_SHIFT = 0.5

#: How often a task is tried again whose worker was lost.
RETRIES = 2

#: The seconds after which a worker is ended with its task.
TIMEOUT = 600.0

#: The side of a tile of an image larger than memory, pixels; the least is as large as
#: halos are.
TILE, SMALLEST_TILE = 2048, 128

#: Images of more pixels are measured in tiles, unless the user says otherwise.
MOST_WHOLE = 8192**2

#: Names of the ways to draw the positions of artificial stars, the default first.
POSITIONS = ("lattice", "uniform", "density")
