"""Images of many sources: simulation, model images, residuals.

Uses the models; knows nothing of fits.
"""
