"""What psfphot's errors promise, measured: `make validate`, and a short form in CI.

Every scene is made from seeds, every star is known, and the least errors that there
can be (Cramér-Rao) are computed here from the true PSF and the true variances.
"""
