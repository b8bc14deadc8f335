"""PSFPhotometry and what it needs: starts, groups, fits, results.

The top of the house: uses every other wing, and none uses it.
"""
