"""Golden of the STDPSF reader: which image photutils puts where.

Called by ``make_golden.py``; see ``README.md`` for what the file holds.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from photutils.psf import GriddedPSFModel

sys.path.append(str(Path(__file__).parents[1]))

from stdpsf_files import FILES, numbers, write_stdpsf


def stdpsf_golden(directory):
    """Write images, positions and meta data of every detector of ``FILES``."""
    arrays, meta = {}, {}
    with TemporaryDirectory() as work:
        for name, (n_detectors, *_) in FILES.items():
            path = write_stdpsf(Path(work), name)
            for number in range(1, n_detectors + 1):
                chosen = None if n_detectors == 1 else number
                model = GriddedPSFModel.read(path, detector_id=chosen)
                key = f"{name}:{number}"
                arrays[f"{key}:images"] = np.array(numbers(model), dtype=np.int16)
                arrays[f"{key}:xy"] = np.array(model.grid_xypos, dtype=np.int16)
                keys = ("instrument", "detector", "filter")
                meta[key] = {k: model.meta[k] for k in keys if k in model.meta}
    arrays["meta"] = json.dumps(meta)
    np.savez_compressed(Path(directory) / "stdpsf.npz", **arrays)
