"""The PSF models: base classes, analytic and sampled models, their compiled forms.

Nothing here knows of files, images of many sources, or fits.
"""
