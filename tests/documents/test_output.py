"""Every column, key and line that results have is in the registry, and in the docs."""

import ast
from pathlib import Path

import numpy as np
import pytest

import psfphot
from psfphot import _core
from psfphot._output import COLUMNS, META, markdown_table
from psfphot._run_output import IMAGES, LINES, REPORT
from psfphot.detection import MatchedFilterFinder
from psfphot.pipeline import Settings, measure, simulate_star_field
from psfphot.psf import (
    CircularGaussianPRF,
    IterativePSFPhotometry,
    OverlapGrouper,
    PSFPhotometry,
)

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "reference" / "output.md"
SOURCES = Path(psfphot.__file__).parent

#: Tables and dictionaries with these names become results, or their meta.
RESULTS = ("catalog", "catalog.meta", "joined", "table", "table.meta", "rounds.told")
#: What they have on their way there.
ON_THE_WAY = {
    "comments",
    "misfit_err",
    "flux_by_widening",
    "flux_by_chance",
    "noise_part",
}
PSF = CircularGaussianPRF(fwhm=2.5)


@pytest.fixture(scope="module")
def field():
    return simulate_star_field(PSF, 128, 40, seed=1)[0]


def known(names, entries, shape=()):
    listed = {entry.name for entry in entries}
    for parameter in shape:
        listed |= {name.replace("{shape}", parameter) for name in listed}
    return set(names) <= listed


def test_the_page_has_the_tables_of_the_code():
    page = PAGE.read_text(encoding="utf-8")
    for entries in (COLUMNS, META):
        assert len({entry.name for entry in entries}) == len(entries)
        assert markdown_table(entries) in page
    for bit, name, meaning in _core.flag_definitions():
        assert f"| {bit} | `{name}` | {meaning} |" in page


def test_columns_of_a_catalogue_are_listed_and_described(field):
    settings = Settings(zero_point=25.0, extra_columns=True)
    catalog = measure(field, PSF, settings).catalog
    assert known(catalog.colnames, COLUMNS)
    assert all(column.info.description for column in catalog.itercols())
    settings_of_the_class = {*PSFPhotometry(PSF, 5).settings()}
    assert known({*catalog.meta} - settings_of_the_class, META)


def test_columns_of_the_classes_are_listed(field):
    data = field.data - np.median(field.data)
    finder = MatchedFilterFinder(PSF, 5)
    common = {"finder": finder, "grouper": OverlapGrouper(), "aperture_radius": 3}
    for photometry in (
        PSFPhotometry(PSF, 5, **common),
        IterativePSFPhotometry(PSF, 5, mode="all", extra_columns=True, **common),
    ):
        table = photometry(data, error=field.error)
        assert known(table.colnames, COLUMNS)
    free = PSF.copy()
    free.fwhm.fixed = False
    table = PSFPhotometry(free, 7, **common)(data, error=field.error)
    assert "fwhm_err" in table.colnames
    assert known(table.colnames, COLUMNS, ["fwhm"])


def test_the_docstring_tells_the_columns():
    text = PSFPhotometry.__doc__
    assert "{columns}" not in text
    for entry in COLUMNS:
        if entry.when == "always":
            assert f"``{entry.name}``" in text


def trees(*folders):
    for folder in folders:
        for path in sorted((SOURCES / folder).rglob("*.py")):
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def is_result(node):
    name = ast.unparse(node)
    return name.removeprefix("run.").removeprefix("measured.") in RESULTS


def is_call_of(node, method):
    return isinstance(node.func, ast.Attribute) and node.func.attr == method


def keys_of(node):
    if not isinstance(node, ast.Dict):
        return set()
    return {key.value for key in node.keys if isinstance(key, ast.Constant)}


def names_put_into_results():
    """Tell the names that the code puts into tables of results and their meta."""
    for node in trees("psf/_photometry", "psf/_iterative", "pipeline", "io"):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if is_result(target):
                    yield from keys_of(node.value)
                if isinstance(target, ast.Subscript) and is_result(target.value):
                    yield from {getattr(target.slice, "value", None)} - {None}
        elif isinstance(node, ast.AugAssign) and is_result(node.target):
            yield from keys_of(node.value)
        elif isinstance(node, ast.Call) and is_call_of(node, "add_column"):
            names = [word.value for word in node.keywords if word.arg == "name"]
            yield from {getattr(name, "value", None) for name in names} - {None}
        elif isinstance(node, ast.FunctionDef) and node.name == "summary":
            for part in ast.walk(node):
                yield from keys_of(part)


def test_names_that_the_code_gives_results_are_listed():
    settings = {*PSFPhotometry(PSF, 5).settings()}
    given = {name for name in names_put_into_results() if isinstance(name, str)}
    assert {
        "group_size",
        "n_rejected",
        "pixel_area",
        "mag_zero_point",
        "n_rounds",
    } <= given
    assert known(given - ON_THE_WAY - settings, COLUMNS + META)


def test_the_report_is_what_the_page_says(field):
    run = measure(field, PSF, Settings(zero_point=25.0))
    page = (DOCS / "commandline.md").read_text(encoding="utf-8")
    for entries in (IMAGES, REPORT, LINES):
        assert len({entry.name for entry in entries}) == len(entries)
        assert markdown_table(entries) in page
    listed = {entry.name for entry in REPORT}
    told = set()
    for key, value in run.report().items():
        told |= {key} if key in listed else {f"{key}.{part}" for part in value}
    assert told == listed


def test_lines_on_the_terminal_are_listed():
    calls = [node for node in trees("cli") if isinstance(node, ast.Call)]
    made = [call for call in calls if ast.unparse(call.func) == "make_line"]
    subjects = {call.args[0].value for call in made}
    assert subjects - {""} == {entry.name for entry in LINES}


def test_keys_of_images_are_listed():
    summaries = ast.parse((SOURCES / "cli/_summary.py").read_text(encoding="utf-8"))
    given = set()
    for node in ast.walk(summaries):
        if isinstance(node, ast.FunctionDef) and node.name.startswith(
            ("summ", "_head")
        ):
            given |= {key for part in ast.walk(node) for key in keys_of(part)}
    assert given - {entry.name for entry in REPORT} == {entry.name for entry in IMAGES}
