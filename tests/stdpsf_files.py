"""Synthetic STDPSF files: the headers' layouts, and images that say which they are."""

import numpy as np
from astropy.io import fits

NIRCAM = [0, 512, 1024, 1536, 2048]
MOSAIC = [[1, 512, 1024, 1536, 2048], [2049, 2560, 3072, 3584, 4096]]
MOSAIC += [[4097, 4608, 5120, 5632, 6144], [6145, 6656, 7168, 7680, 8192]]
WFPC2 = [50, 425, 800, 850, 1225, 1600]

# File name, without extension: detectors in it, positions along x and along y,
# as they stand in the header; lists of lists stand in packed keywords.
FILES = {
    "STDPSF_NRCA1_F150W": (1, NIRCAM, NIRCAM),
    "STDPSF_NRCAL_F444W_v2": (1, NIRCAM, [1, 700, 2048]),
    "STDPSF_ACSHRC_F435W": (1, [512], [512]),
    "STDPSF_MIRI_F770W": (1, [1, 512, 1032], [1, 512, 1024]),
    "STDPSF_NEWCAM_F100W": (1, [1, 500], [1, 800]),
    "grid": (1, [1, 500], [1, 800]),
    "STDPSF_ACSWFC_F814W": (
        2,
        [0, 512, 1024, 1536, 2168, 2800, 3192, 3584, 4096],
        [0, 512, 1024, 1536, 2048, 2048, 2560, 3072, 3584, 4096],
    ),
    "STDPSF_WFC3UV_F606W": (
        2,
        [0, 682, 1365, 2048, 2731, 3413, 4096],
        [0, 682, 1365, 2048, 2049, 2731, 3413, 4096],
    ),
    "STDPSF_WFPC2_F814W": (4, WFPC2, WFPC2),
    "STDPSF_NRCSW_F200W": (8, MOSAIC, MOSAIC[:2]),
}


def stdpsf_hdu(x, y, **keywords):
    """Make a file of images whose values hold their number, from 0."""
    header = fits.Header()
    n = []
    for prefix, axis in (("IPSFX", x), ("JPSFY", y)):
        if isinstance(axis[0], list):
            for letter, five in zip("ABCD", axis, strict=False):
                header[f"{prefix}{letter}5"] = " ".join(f"{v:04d}" for v in five)
            n.append(sum(map(len, axis)))
        else:
            # Spare keywords follow, as in the files of HST.
            for i, value in enumerate([*axis, *[9999] * 10][: max(10, len(axis))], 1):
                header[f"{prefix}{i:02d}"] = value
            n.append(len(axis))
    header["NXPSFS"], header["NYPSFS"] = n
    for key, value in keywords.items():
        if value is None:
            del header[key]
        else:
            header[key] = value
    shape = np.add.outer(np.arange(5), np.arange(6) / 8)
    data = np.add.outer(10.0 * np.arange(n[0] * n[1]), shape).astype(np.float32)
    return fits.PrimaryHDU(data, header)


def write_stdpsf(directory, name, suffix=".fits"):
    """Write one of ``FILES``; return its path."""
    _, x, y = FILES[name]
    path = directory / f"{name}{suffix}"
    stdpsf_hdu(x, y).writeto(path)
    return path


def numbers(model):
    """Tell which image of the file each one is."""
    return (model.data[:, 0, 0] / 10).astype(int).tolist()
