"""Made-up files of telescopes, with the structure of the real ones."""

import numpy as np
from astropy.io import fits
from astropy.io.fits.card import Card
from astropy.wcs import WCS


def tangent_header(nx, ny, scale=1e-5, sip=None):
    """Make a TAN header, with SIP coefficients {"A_2_0": ...} where given."""
    wcs = WCS(naxis=2)
    ending = "" if sip is None else "-SIP"
    wcs.wcs.ctype = ["RA---TAN" + ending, "DEC--TAN" + ending]
    wcs.wcs.crval = [150.0, 2.0]
    wcs.wcs.crpix = [nx / 2, ny / 2]
    wcs.wcs.cd = [[-scale, 0], [0, scale]]
    header = wcs.to_header()
    for key in ("PC1_1", "PC2_2", "CDELT1", "CDELT2"):
        header.remove(key, ignore_missing=True)
    header.update({"CD1_1": -scale, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": scale})
    if sip is not None:
        header.update({"A_ORDER": 2, "B_ORDER": 2, **sip})
    return header


def lookup_cards(header):
    """Add the cards that ask for two lookup tables."""
    for axis in (1, 2):
        header[f"CPDIS{axis}"] = "LOOKUP"
        for text in (f"EXTVER: {axis}.0", "NAXES: 2.0", "AXIS.1: 1.0", "AXIS.2: 2.0"):
            header.append(Card.fromstring(f"DP{axis}     = '{text}'"))


def lookup_table(version, value):
    table = fits.ImageHDU(
        np.full((10, 11), value, np.float32), name="WCSDVARR", ver=version
    )
    table.header.update(
        {f"{key}{axis}": 1.0 for key in ("CRPIX", "CRVAL") for axis in (1, 2)}
    )
    table.header.update({"CDELT1": 9.0, "CDELT2": 9.0})
    return table


def flc_hdus(data, chip=2, sip=None, **keywords):
    """HST's layout of one chip: SCI, ERR, DQ and two lookup tables."""
    ny, nx = data.shape
    header = tangent_header(nx, ny, sip=sip)
    lookup_cards(header)
    header.update({"CCDCHIP": chip, "BUNIT": "ELECTRONS", "LTV1": 0.0, "LTV2": 0.0})
    header.update(keywords)
    primary = fits.PrimaryHDU()
    primary.header.update({"TELESCOP": "HST", "INSTRUME": "ACS", "DETECTOR": "WFC"})
    primary.header.update({"FILTER1": "CLEAR1L", "FILTER2": "F814W", "EXPTIME": 500.0})
    primary.header.update(
        {"ATODGNA": 2.0, "ATODGNB": 2.1, "READNSEA": 4.0, "READNSEB": 4.4}
    )
    return [
        primary,
        fits.ImageHDU(data.astype(np.float32), header, name="SCI"),
        fits.ImageHDU(np.ones_like(data, dtype=np.float32), name="ERR"),
        fits.ImageHDU(np.zeros(data.shape, np.int16), name="DQ"),
        lookup_table(1, 0.2),
        lookup_table(2, -0.1),
    ]


def cal_hdus(data, area=None, sip=None, **keywords):
    """JWST's layout: SCI, ERR, DQ, AREA."""
    ny, nx = data.shape
    header = tangent_header(nx, ny, sip=sip)
    header.update({"BUNIT": "MJy/sr", "PIXAR_SR": 9.31e-14})
    primary = fits.PrimaryHDU()
    primary.header.update(
        {"TELESCOP": "JWST", "INSTRUME": "NIRCAM", "DETECTOR": "NRCB1"}
    )
    primary.header.update({"FILTER": "F200W", "PUPIL": "CLEAR", **keywords})
    area = np.ones(data.shape) if area is None else area
    return [
        primary,
        fits.ImageHDU(data.astype(np.float32), header, name="SCI"),
        fits.ImageHDU(np.full(data.shape, 0.02, np.float32), name="ERR"),
        fits.ImageHDU(np.zeros(data.shape, np.uint32), name="DQ"),
        fits.ImageHDU(area.astype(np.float32), name="AREA"),
    ]


def write(path, hdus):
    fits.HDUList(hdus).writeto(path)
    return path
