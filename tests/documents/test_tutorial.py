"""The tutorial's cells run, and what its text says is what they compute.

``python tests/documents/test_tutorial.py DIRECTORY`` writes its figures there, named
after their cells, and renews the guide's pictures in ``docs/images``.
"""

import ast
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = DOCS / "tutorial.ipynb"
GUIDE_PICTURES = ("plot-deltas", "residual-plot", "pulls-plot", "groups-plot")


def code_cells():
    """Yield number, id and source of the cells with code, as Jupyter counts them."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, start=1):
        yield number, cell["id"], "".join(cell["source"])


def run_cell(source, label, names):
    """Execute a cell; return the text of the last expression, or ``None``."""
    tree = ast.parse(source)
    last = None
    if isinstance(tree.body[-1], ast.Expr):
        last = compile(ast.Expression(tree.body.pop().value), label, "eval")
    exec(compile(tree, label, "exec"), names)  # noqa: S102
    shown = None if last is None else eval(last, names)  # noqa: S307
    return None if shown is None else repr(shown)


def run_notebook(figure_directory):
    """Execute the notebook without Jupyter, each figure saved under its cell's id.

    Returns the names that the cells define and what the last lines of cells show.
    """
    names, shown = {"__name__": "__main__"}, {}
    for number, cell_id, source in code_cells():
        label = f"{NOTEBOOK.name}, cell [{number}] {cell_id!r}"
        try:
            shown[cell_id] = run_cell(source, label, names)
            for figure in map(plt.figure, plt.get_fignums()):
                figure.savefig(figure_directory / f"{cell_id}.png", dpi=80)
        except Exception as error:
            error.add_note(f"in {label}:\n{source}")
            raise
        finally:
            plt.close("all")
    return names, shown


@pytest.fixture(scope="module")
def figure_directory(tmp_path_factory):
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def run(figure_directory):
    return run_notebook(figure_directory)


@pytest.fixture(scope="module")
def names(run):
    return run[0]


def test_the_file_holds_no_outputs_and_is_small():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    assert NOTEBOOK.stat().st_size < 50_000


def test_a_reader_s_links_lead_somewhere():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    text = "\n".join(
        "".join(c["source"]) for c in cells if c["cell_type"] == "markdown"
    )
    headings = re.findall(r"^#+ (.+)$", text, flags=re.M)
    anchors = {heading.replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", text)
    assert len(links) > 4
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors
        else:
            assert (DOCS / link).exists(), link


def test_a_broken_cell_is_named(tmp_path, monkeypatch):
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cell = next(c for c in notebook["cells"] if c["id"] == "psf-grid")
    cell["source"] = ["x = 1\n", "x / 0"]
    broken = tmp_path / "broken.ipynb"
    broken.write_text(json.dumps(notebook), encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "NOTEBOOK", broken)
    with pytest.raises(ZeroDivisionError) as caught:
        run_notebook(tmp_path)
    assert caught.value.__notes__ == [
        "in broken.ipynb, cell [2] 'psf-grid':\nx = 1\nx / 0"
    ]


def test_the_figures_are_drawn(run, figure_directory):
    figures = {path.stem for path in figure_directory.iterdir()}
    assert figures >= {*GUIDE_PICTURES, "plot-grid", "overlay", "one-star-plot"}
    for path in figure_directory.iterdir():
        pixels = plt.imread(path)[..., :3]
        assert min(pixels.shape[:2]) > 250
        assert np.std(pixels) > 0.05


def test_what_is_shown(run):
    shown = run[1]
    assert "oversampling=[4, 4]" in shown["psf-grid"]
    assert "x_0" in shown["simulate"]
    assert "x_centroid" in shown["find"]
    assert "reduced_chi2" in shown["fit"]


def test_all_stars_are_found_and_fitted(names):
    assert len(names["truth"]) == len(names["stars"]) == len(names["phot"]) == 500
    assert len(names["true"]) == 500
    assert not names["phot"]["flags"].any()


def test_the_residual_is_noise(names):
    residual = names["residual"] / names["error"]
    assert np.std(residual) == pytest.approx(1, abs=0.005)
    # On the stars too: a wrong PSF shows there.
    bright = names["expected"] > 20
    assert np.std(residual[bright]) == pytest.approx(1, abs=0.03)


def test_the_errors_are_right(names):
    """500 stars tell a width to 4 %, a median to 0.06."""
    for name in ("x", "y", "flux"):
        assert names["widths"][name] == pytest.approx(1, abs=0.1)
        assert abs(np.median(names["pulls"][name])) < 0.15
    assert abs(np.median(names["forced_pull"])) < 0.15
    assert np.std(names["forced_pull"]) == pytest.approx(1, abs=0.1)


def test_errors_from_the_noisy_image_bias_fluxes(names):
    assert -0.4 < np.median(names["biased_pull"]) < -0.2


def test_groups(names):
    assert names["n_groups"] == 433
    np.testing.assert_array_equal(names["grouped"]["group_id"], names["group_ids"])
    assert names["change"].max() < 0.3


def test_a_blend_is_for_groups(names):
    true = np.array(names["pair"]["flux"])
    joint, alone = names["joint"], names["alone"]
    assert np.all(np.abs(joint["flux_fit"] - true) < 2 * joint["flux_err"])
    assert np.all(alone["flux_fit"] > true + 5 * alone["flux_err"])
    first, second = names["first"], names["second"]
    assert -0.7 < names["correlation"][first, second] < -0.4


def test_one_star_is_the_same_as_among_all(names):
    one, bright = names["one"][0], names["bright"]
    for name in ("x", "y", "flux"):
        difference = one[f"{name}_fit"] - bright[f"{name}_fit"]
        # From other starts the box may be another.
        assert abs(difference) < 0.5 * bright[f"{name}_err"]


def test_forced_positions_stay(names):
    forced, truth = names["forced"], names["truth"]
    np.testing.assert_array_equal(forced["x_fit"], truth["x_0"])
    assert np.isnan(forced["x_err"]).all()


def test_bounds_hold_and_are_flagged(names):
    moved = np.abs(names["bounded"]["x_fit"] - names["bounded"]["x_init"])
    assert moved[0] == pytest.approx(1.0, abs=1e-6)
    assert moved[1] < 0.2
    flags = names["bounded_photometry"].decode_flags()
    assert flags == {1: ["parameter_near_bound"], 2: []}


def test_a_local_background_takes_off_the_sky(names):
    excess = {
        name: np.median(names[name]["flux_fit"] - names["true"]["flux"])
        for name in ("without", "with_local")
    }
    assert excess["without"] > 200
    assert abs(excess["with_local"]) < 15


def test_flags(names):
    flags = names["check"].decode_flags()
    assert flags[1] == []
    assert flags[2] == ["n_pixels_fit_partial"]
    assert "n_pixels_fit_partial" in flags[3]
    assert "no_overlap" in flags[4]
    assert "non_finite_position" in flags[5]


def test_only_this_package_is_imported():
    imported = set()
    for *_, source in code_cells():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    assert imported == {"astropy", "matplotlib", "numpy", "psfphot"}


@pytest.mark.parametrize("name", GUIDE_PICTURES)
def test_the_guide_shows_small_pictures(name):
    picture = DOCS / "images" / f"tutorial-{name}.png"
    assert f"](images/{picture.name})" in (DOCS / "guide.md").read_text("utf-8")
    assert picture.stat().st_size < 150_000


def main(directory):
    """Write all figures, and those of the guide with a palette."""
    from PIL import Image  # noqa: PLC0415  (comes with matplotlib)

    run_notebook(directory)
    for name in GUIDE_PICTURES:
        with Image.open(directory / f"{name}.png") as picture:
            small = picture.convert("RGB").quantize(256)
        small.save(DOCS / "images" / f"tutorial-{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
