"""``psfphot demo`` and the comparison with the truth."""

import shlex

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from click.testing import CliRunner

from psfphot.cli import main
from psfphot.cli._recovery import describe_recovery
from psfphot.io import read_image
from psfphot.pipeline import compare_with_truth


def test_recovery_of_known_offsets():
    rng = np.random.default_rng(1)
    n = 2000
    truth = QTable({"x_0": rng.uniform(0, 4000, n), "y_0": rng.uniform(0, 4000, n)})
    truth["flux"] = rng.uniform(5e3, 2e5, n)
    catalog = QTable()
    for name, true in (("x", "x_0"), ("y", "y_0"), ("flux", "flux")):
        error = np.full(n, 0.02 if name != "flux" else 50.0)
        catalog[f"{name}_err"] = error
        catalog[f"{name}_fit"] = truth[true] + rng.normal(0, 2 * error)
    catalog["group_size"] = np.ones(n, dtype=int)
    catalog["flags"] = np.zeros(n, dtype=int)
    # One in ten is not found, and ten are nothing.
    catalog = catalog[n // 10 :]
    catalog["x_fit"][:10] = -100 - np.arange(10)
    recovery = compare_with_truth(catalog, truth, 1.0)
    assert recovery.found.mean() == pytest.approx(0.895, abs=0.002)
    assert recovery.n_spurious == 10
    assert recovery.flux_pull.std() == pytest.approx(2, rel=0.1)
    assert recovery.x_pull.std() == pytest.approx(2, rel=0.1)
    # Of the true positions, unfound ones too, those without another near.
    x, y = (np.asarray(truth[name]) for name in ("x_0", "y_0"))
    near = np.hypot(x[:, None] - x, y[:, None] - y) <= 6.0
    n_isolated = np.count_nonzero((near.sum(axis=1) == 1)[recovery.found])
    assert 1000 < np.count_nonzero(recovery.isolated) == n_isolated < 1790
    np.testing.assert_allclose(
        recovery.snr, (catalog["flux_fit"] / catalog["flux_err"])[10:]
    )
    lines = "\n".join(describe_recovery(recovery))
    assert "lie under the others" in lines
    assert "1790 of 2000 true stars found" in lines


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    directory = tmp_path_factory.mktemp("demo") / "deep" / "output"
    words = ["demo", "--output-dir", str(directory), "--size", "256"]
    return CliRunner().invoke(main, [*words, "--n-stars", "300"]), directory


def test_demo_writes_everything(demo):
    result, directory = demo
    assert result.exit_code == 0, result.output
    names = {"catalog.ecsv", "truth.ecsv", "image.fits", "model.fits", "residual.fits"}
    names |= {"psf.fits"}
    there = {path.name for path in directory.iterdir()}
    assert there - {"demo.png"} == names
    image = read_image(directory / "image.fits")
    residual = fits.getdata(directory / "residual.fits")
    model = fits.getdata(directory / "model.fits")
    np.testing.assert_allclose(image.data, residual + model, rtol=1e-4, atol=0.1)
    assert len(QTable.read(directory / "truth.ecsv")) == 300


def test_the_printed_line_measures_the_demos_files(demo):
    result, directory = demo
    line = result.output.strip().splitlines()[-1]
    program, *words = shlex.split(line)
    assert program == "psfphot"
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 0, again.output
    demos, fits_own = (
        QTable.read(directory / name) for name in ("catalog.ecsv", "fit.ecsv")
    )
    assert len(demos) == len(fits_own) > 50
    for name in ("x_fit", "y_fit", "flux_fit", "flux_err"):
        np.testing.assert_allclose(fits_own[name], demos[name], rtol=1e-5)


def test_demo_recovers_the_truth(demo):
    result, directory = demo
    catalog = QTable.read(directory / "catalog.ecsv")
    truth = QTable.read(directory / "truth.ecsv")
    recovery = compare_with_truth(catalog, truth, 1.0)
    bright = recovery.true_magnitude < 23
    assert recovery.found[bright].mean() > 0.9
    assert recovery.n_spurious < 0.1 * len(catalog)
    assert abs(np.median(recovery.flux_offset[recovery.magnitude < 22])) < 0.01
    assert "width of the pulls" in result.output
    assert "\n18 - 19 " in result.output


def test_demo_without_matplotlib_has_no_figure(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    words = ["demo", "--output-dir", str(tmp_path), "--size", "128"]
    result = CliRunner().invoke(main, [*words, "--n-stars", "100"])
    assert result.exit_code == 0, result.output
    assert "no figure: matplotlib is not installed" in result.stderr
    assert not (tmp_path / "demo.png").exists()


def test_demo_directory_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    words = ["demo", "--output-dir", str(tmp_path / "file")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
