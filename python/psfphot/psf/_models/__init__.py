"""The PSF models: base classes, formulas and samples, and their compiled forms.

Nothing here knows of files, images of many sources, or fits: modules import each
other, the ground floor and the compiled core, and all other wings may import them.
"""
