"""The examples in the documents run, and its tables say what the code says."""

import re
from pathlib import Path

import pytest

from psfphot import _core

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts),
]


def blocks(page, language):
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_examples_run(page, tmp_path, monkeypatch, capsys):
    """Blocks of one page share their names, as they would in a session."""
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)  # noqa: S102
    if page.name == "README.md":
        assert "flux_err" in capsys.readouterr().out
        assert len(names["stars"]) > 450


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (page.parent / target).exists(), target


def test_the_table_of_flags_is_the_code_s():
    page = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.+) \|$", page, flags=re.M)
    assert [(int(bit), *rest) for bit, *rest in rows] == _core.flag_definitions()


def test_the_conventions_are_word_for_word_the_same():
    def table(path):
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        rows = [line.removeprefix("//! ") for line in lines]
        first = rows.index("| quantity | convention |")
        return rows[first : first + 10]

    contributing = table(ROOT / "CONTRIBUTING.md")
    assert table(ROOT / "docs" / "conventions.md") == contributing
    # In Rust `True` is `true`, and exceptions are errors.
    rust = table(ROOT / "rust" / "psfphot" / "src" / "lib.rs")
    assert rust[:7] == contributing[:7]
