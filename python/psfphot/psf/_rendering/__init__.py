"""Images of many sources: random lists, simulation, model images, residuals.

It stands on `_models`, and knows nothing of files or fits; `psfphot.datasets`
shows some of it under its own name.
"""
