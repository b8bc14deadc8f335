"""Files of PSFs: STPSF, STDPSF, and how astropy's registry finds them.

Formats are made into models here; no model imports a format. It stands on
`_models`, and knows nothing of images of many sources or of fits.
"""
