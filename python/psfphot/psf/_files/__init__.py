"""Files of PSFs: STPSF, STDPSF, and how astropy's registry finds them.

Formats are made into models here; no model imports a format.
"""
