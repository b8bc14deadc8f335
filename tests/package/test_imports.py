"""The house has floors: no import runs up, and none in a circle.

Imports inside of functions count, and so do those for types only: whoever names
another's type knows it.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

import psfphot

ROOT = Path(psfphot.__file__).parent

# From the ground up. A place is a module, or a package with all that is in it
# and no place of its own; it may import what stands on floors below.
FLOORS = (
    (
        "psfphot",
        "psfphot._absent",
        "psfphot._axes",
        "psfphot._columns",
        "psfphot._core",
        "psfphot._defaults",
        "psfphot._deprecated",
        "psfphot._docstrings",
        "psfphot._files",
        "psfphot._flags",
        "psfphot._future_columns",
        "psfphot._matched_filter",
        "psfphot._meta",
        "psfphot._operators",
        "psfphot._output",
        "psfphot._progress",
        "psfphot._repr",
        "psfphot._residual",
        "psfphot._robust",
        "psfphot._run_output",
        "psfphot._validate",
        "psfphot._warnings",
        "psfphot._workers",
    ),
    ("psfphot.aperture", "psfphot.centroids", "psfphot.matching"),
    ("psfphot.utils",),
    ("psfphot.background", "psfphot.psf._models"),
    ("psfphot.psf._files", "psfphot.psf._rendering"),
    ("psfphot.psf._photometry",),
    ("psfphot.psf._epsf", "psfphot.psf._iterative"),
    ("psfphot.psf",),
    ("psfphot._asdf", "psfphot.datasets", "psfphot.detection", "psfphot.io"),
    ("psfphot.pipeline",),
    ("psfphot.completeness", "psfphot.plotting", "psfphot.report"),
    ("psfphot.cli",),
    ("psfphot.__main__",),
)


def read_modules(root):
    """Tell the modules of a package: their trees by name, and which are packages."""
    trees, packages = {}, set()
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
            packages.add(".".join(parts))
        trees[".".join(parts)] = ast.parse(path.read_text(encoding="utf-8"))
    for path in [*root.glob("*.so"), *root.glob("*.pyd")]:
        trees[f"{root.name}.{path.name.partition('.')[0]}"] = ast.parse("")
    return trees, packages


def find_arrows(root):
    """Tell which module imports which, as a set of modules by name."""
    trees, packages = read_modules(root)
    arrows = {}
    for name, tree in trees.items():
        imported = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                source = absolute(node, name, name in packages)
                each = {f"{source}.{alias.name}" for alias in node.names}
                # What is no module itself is a name in its package.
                imported |= {one if one in trees else source for one in each}
        known = {one for one in imported if one in trees}
        fronts = {front for one in known for front in find_fronts(one, name)}
        arrows[name] = (known | fronts) - {name}
    return arrows


def find_fronts(imported, importer):
    """Tell the front pages that run before a module of another package does."""
    parts = imported.split(".")
    above = (".".join(parts[:n]) for n in range(2, len(parts)))
    return {
        package for package in above if not f"{importer}.".startswith(f"{package}.")
    }


def absolute(node, importer, is_package):
    if not node.level:
        return node.module
    above = node.level - 1 if is_package else node.level
    base = importer.split(".")[: len(importer.split(".")) - above]
    return ".".join([*base, *([node.module] if node.module else [])])


def find_circles(arrows):
    """Tell the sets of nodes that all lead to each other."""

    def reach(start):
        seen, ahead = set(), [start]
        while ahead:
            for node in arrows.get(ahead.pop(), ()):
                if node not in seen:
                    seen.add(node)
                    ahead.append(node)
        return seen

    reached = {node: reach(node) for node in arrows}
    return {
        frozenset(other for other in reached[node] if node in reached.get(other, ()))
        for node in arrows
        if node in reached[node]
    }


def find_place(module, floors):
    """Tell a module's place, the nearest package that has a floor, and which."""
    places = {place: i for i, floor in enumerate(floors) for place in floor}
    name = module
    # The root is a place for itself: it holds all others.
    while name not in places and "." in name:
        name = name.rpartition(".")[0]
    if name not in places or (name == floors[0][0] and module != name):
        msg = f"{module} has no floor: give it one in FLOORS"
        raise LookupError(msg)
    return name, places[name]


def find_wrong_arrows(arrows, floors):
    """Tell the imports, between places, of what is not on a floor below.

    The places of the ground stand beside each other.
    """
    wrong = set()
    for importer, imported in arrows.items():
        place, floor = find_place(importer, floors)
        for one in imported:
            other, its_floor = find_place(one, floors)
            if place != other and its_floor >= max(floor, 1):
                wrong.add(f"{importer} -> {one}")
    return wrong


@cache
def find_own_arrows():
    return find_arrows(ROOT)


def test_no_module_imports_itself_by_others():
    assert find_circles(find_own_arrows()) == set()


def test_no_place_imports_itself_by_others():
    places = {}
    for importer, imported in find_own_arrows().items():
        own, _ = find_place(importer, FLOORS)
        others = {find_place(one, FLOORS)[0] for one in imported}
        places.setdefault(own, set()).update(others - {own})
    assert find_circles(places) == set()


def test_no_import_runs_up():
    assert find_wrong_arrows(find_own_arrows(), FLOORS) == set()


def test_the_walk_sees_the_house():
    arrows = find_own_arrows()
    assert len(arrows) > 100
    assert "psfphot._core" in arrows["psfphot.psf._models.base"]  # for types
    assert "psfphot.datasets" in arrows["psfphot.cli._demo"]  # inside of a function
    assert "psfphot.detection._arguments" in arrows["psfphot.detection._dao"]


HOUSE = {
    "__init__": "",
    "_ground": "import math",
    "low.__init__": "from house.low.one import ONE",
    "low.one": "from house._ground import FLOOR",
    "high.__init__": "",
    "high.two": "from house.low import ONE\nfrom house import _ground",
}
HOUSE_FLOORS = (("house", "house._ground"), ("house.low",), ("house.high",))


def build(root, modules):
    for name, text in modules.items():
        path = root.joinpath("house", *name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return find_arrows(root / "house")


def test_a_house_in_order(tmp_path):
    arrows = build(tmp_path, HOUSE)
    assert arrows["house.high.two"] == {"house.low", "house._ground"}
    assert find_circles(arrows) == set()
    assert find_wrong_arrows(arrows, HOUSE_FLOORS) == set()


@pytest.mark.parametrize(
    "text",
    [
        "import house.high.two",
        "from house.high import two",
        "from ..high.two import TWO",
        "def late():\n    from house.high.two import TWO",
        "if TYPE_CHECKING:\n    from house.high.two import TWO",
    ],
)
def test_what_is_wrong_is_found(tmp_path, text):
    arrows = build(tmp_path, HOUSE | {"low.one": text})
    circle = {"house.low", "house.low.one", "house.high.two"}
    assert find_circles(arrows) == {frozenset(circle)}
    wrong = {f"house.low.one -> house.high{each}" for each in ("", ".two")}
    assert find_wrong_arrows(arrows, HOUSE_FLOORS) == wrong


def test_an_arrow_up_without_a_circle_is_found(tmp_path):
    arrows = build(tmp_path, HOUSE | {"_ground": "from house.high import THREE"})
    assert find_circles(arrows) == set()
    wrong = {"house._ground -> house.high"}
    assert find_wrong_arrows(arrows, HOUSE_FLOORS) == wrong


def test_the_front_page_of_a_wing_runs_too(tmp_path):
    changes = {
        "high.__init__": "from house.high.top import TOP",
        "high.top": "from house.low import ONE",
        "low.one": "from house.high.two import TWO",
        "high.two": "",
    }
    circle = {"house.low", "house.low.one", "house.high", "house.high.top"}
    assert find_circles(build(tmp_path, HOUSE | changes)) == {frozenset(circle)}


def test_neighbours_do_not_know_each_other(tmp_path):
    arrows = build(tmp_path, HOUSE)
    floors = (HOUSE_FLOORS[0], ("house.low", "house.high"))
    wrong = {"house.high.two -> house.low"}
    assert find_wrong_arrows(arrows, floors) == wrong


def test_a_module_without_a_floor_is_found(tmp_path):
    arrows = build(tmp_path, HOUSE | {"new": ""})
    with pytest.raises(LookupError, match=r"house\.new has no floor"):
        find_wrong_arrows(arrows, HOUSE_FLOORS)
