"""PSF models written to ASDF files and read again."""

import io
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import NDData

import psfphot
from psfphot import psf
from psfphot._asdf import get_extensions

asdf = pytest.importorskip("asdf")

PLACE = {"flux": 7.5, "x_0": 1.2, "y_0": -0.4}
THEIRS = """#ASDF 1.0.0
#ASDF_STANDARD 1.5.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
--- !core/asdf-1.1.0
psf: !<tag:astropy.org:photutils/psf/{tag}-1.0.0> {node}
...
"""


@pytest.fixture(autouse=True)
def registered():
    """Register as the entry point does, which an older installation lacks."""
    with asdf.config_context() as config:
        for extension in get_extensions():
            config.add_extension(extension)
        yield


def written_and_read(model):
    buffer = io.BytesIO()
    asdf.AsdfFile({"psf": model}).write_to(buffer)
    buffer.seek(0)
    with asdf.open(buffer) as file:
        return file["psf"]


def image():
    y, x = np.mgrid[-20:21, -24:25] / 4
    return np.exp(-(x**2 + y**2) / 2 - 0.1 * x * y) / (2 * np.pi)


def grid():
    planes = np.array([(1 + 0.1 * i) * image() for i in range(4)])
    positions = [(0, 0), (10, 0), (0, 20), (10, 20)]
    meta = {
        "grid_xypos": positions,
        "oversampling": (4, 2),
        "instrume": ("NIRCam", "a"),
    }
    return psf.GriddedPSFModel(NDData(planes, meta=meta), **PLACE, fill_value=None)


MODELS = [
    psf.AiryDiskPRF(**PLACE, radius=3.1, n_nodes=5),
    psf.AiryDiskPSF(**PLACE, radius=3.1, bbox_factor=4),
    psf.CircularGaussianPRF(**PLACE, fwhm=2.2),
    psf.CircularGaussianPSF(**PLACE, fwhm=2.2),
    psf.CircularGaussianSigmaPRF(**PLACE, sigma=1.1),
    psf.GaussianPRF(**PLACE, x_fwhm=2.0, y_fwhm=3.0, theta=20),
    psf.GaussianPSF(**PLACE, x_fwhm=2.0, y_fwhm=3.0, theta=20),
    psf.MoffatPRF(**PLACE, alpha=2.0, beta=3.3, n_nodes=4),
    psf.MoffatPSF(**PLACE, alpha=2.0, beta=3.3),
    psf.ImagePSF(image(), **PLACE, oversampling=(4, 2), origin=(23.5, 20.2)),
    psf.ImagePSF(image(), **PLACE, oversampling=4, fill_value=None),
    psf.PolynomialPSFModel(
        np.array([image(), 0.2 * image(), 0.1 * image()]),
        (3, 4),
        (10, 20),
        **PLACE,
        oversampling=2.5,
        origin=(23.5, 20.2),
    ),
    grid(),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_model_comes_back(model):
    back = written_and_read(model)
    assert type(back) is type(model)
    y, x = np.mgrid[-6:7, -8:9] + 0.3
    np.testing.assert_array_equal(back(x, y), model(x, y))
    assert repr(back) == repr(model)
    for name in ("bbox_factor", "n_nodes"):
        assert getattr(back, name, None) == getattr(model, name, None)
    assert set(back.meta) == set(model.meta)


def test_every_model_has_a_test():
    models = {name for name in psf.__all__ if name.endswith(("PSF", "PRF", "Model"))}
    assert models == {type(model).__name__ for model in MODELS}


def test_meta_and_positions_of_a_grid():
    back = written_and_read(grid())
    np.testing.assert_array_equal(back.grid_xypos, grid().grid_xypos)
    assert back.meta["oversampling"] == (4, 2)
    assert back.meta["instrume"] == ("NIRCam", "a")


def test_what_is_fixed_and_bounded_and_units():
    model = psf.CircularGaussianPRF(
        flux=3 * u.Jy,
        fwhm=2.5,
        name="star",
        meta={"filter": "F200W"},
        fixed={"x_0": True, "fwhm": False},
        bounds={"y_0": (-1, 2.5)},
    )
    back = written_and_read(model)
    assert back.flux.quantity == 3 * u.Jy
    assert (back.name, back.meta) == ("star", {"filter": "F200W"})
    assert back.fixed == model.fixed
    assert back.bounds == model.bounds


def test_tied_parameters_are_refused():
    model = psf.MoffatPSF(tied={"x_0": lambda model: model.y_0})
    with pytest.raises(
        ValueError, match="tied parameters cannot be written, got tied x_0"
    ):
        written_and_read(model)


@pytest.mark.parametrize(
    ("tag", "node", "expected"),
    [
        (
            "circular_gaussian_sigma_prf",
            (
                "{flux: 3.0, x_0: 1.0, y_0: 2.0, sigma: 1.5, bbox_factor: 5.5, "
                "fixed: {sigma: true}, bounds: {flux: [0.0, null]}}"
            ),
            psf.CircularGaussianSigmaPRF(flux=3, x_0=1, y_0=2, sigma=1.5),
        ),
        (
            "image_psf",
            (
                "{flux: 2.0, x_0: 1.0, y_0: 2.0, oversampling: [1, 1], "
                "fill_value: 0.0, origin: [2.0, 1.5], "
                "data: !core/ndarray-1.0.0 {datatype: float64, "
                "data: [[0, 1, 1, 0], [1, 4, 4, 1], [1, 3, 5, 1], [0, 1, 1, 0]]}}"
            ),
            psf.ImagePSF(
                np.array([[0, 1, 1, 0], [1, 4, 4, 1], [1, 3, 5, 1], [0, 1, 1, 0.0]]),
                flux=2,
                x_0=1,
                y_0=2,
                origin=(2, 1.5),
            ),
        ),
    ],
)
def test_files_of_photutils(monkeypatch, tag, node, expected):
    monkeypatch.setattr("psfphot._asdf.find_spec", lambda _: None)
    with asdf.config_context() as config:
        for extension in get_extensions():
            config.add_extension(extension)
        text = THEIRS.format(tag=tag, node=node)
        with asdf.open(io.BytesIO(text.encode())) as file:
            model = file["psf"]
    assert type(model) is type(expected)
    y, x = np.mgrid[0:4, 0:4]
    np.testing.assert_array_equal(model(x, y), expected(x, y))
    if tag.startswith("circular"):
        assert model.bounds["flux"] == (0.0, None)


def test_photutils_reads_its_own_files(monkeypatch):
    monkeypatch.setattr("psfphot._asdf.find_spec", lambda _: object())
    (only,) = get_extensions()
    assert all(tag.startswith("asdf://psfphot/") for tag in only.tags)


def test_the_entry_point_is_there_and_light():
    project = Path(__file__).parents[3] / "pyproject.toml"
    points = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    assert points["entry-points"]["asdf.extensions"] == {
        "psfphot": "psfphot._asdf:get_extensions"
    }
    # Whoever uses asdf for something else waits for no models.
    script = (
        "import sys; from psfphot._asdf import get_extensions; get_extensions()\n"
        "assert not {'asdf', 'astropy', 'psfphot.psf'} & set(sys.modules)"
    )
    root = str(Path(psfphot.__file__).parents[1])
    path = f"import sys; sys.path.insert(0, {root!r})\n"
    subprocess.run([sys.executable, "-c", path + script], check=True)
