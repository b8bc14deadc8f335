"""PSFPhotometry and what it needs: starts, groups, fits, results.

The top floor of psf: it may use every other wing, and none of them uses it.
"""
