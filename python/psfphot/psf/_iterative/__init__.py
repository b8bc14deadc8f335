"""The wing of iterative photometry: find, fit, subtract, and find again.

What the package offers of it is on the front page, `psfphot.psf`.
"""
