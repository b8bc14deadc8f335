"""Run photutils' own tests of psf, detection and datasets on psfphot.

    python tests/suites/run.py [--keep] [psf detection datasets] [-- pytest's options]

It needs an environment with photutils (3.1.1) and psfphot. The installed tests are
copied to a temporary folder and rewritten there: what they import from photutils is
ours or missing, never photutils' own, and the wording of errors and warnings is not
compared. A test that uses a missing name, or one of photutils' private names, does
not apply and is skipped; all others count. None of photutils' text is kept.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("psf", "detection", "datasets")
HERE = Path(__file__).parent


class Rewrite(ast.NodeTransformer):
    """Take imports from `resolve`, and expectations without their wording."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.AST]:
        module = node.module or ""
        if module.split(".")[0] != "photutils":
            return node
        if ".tests." in module:  # of another file of the same tests
            node.module = module.rpartition(".")[2]
            return node
        lines = [
            f"{alias.asname or alias.name} = resolve({module!r}, {alias.name!r})"
            for alias in node.names
        ]
        return ast.parse("from resolving import resolve\n" + "\n".join(lines)).body

    def visit_Import(self, node: ast.Import) -> ast.AST:
        names = [alias.name for alias in node.names]
        if any(name.split(".")[0] == "photutils" for name in names):
            raise ValueError(f"cannot rewrite 'import {', '.join(names)}'")
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = ast.unparse(node.func)
        if function in ("pytest.raises", "pytest.warns"):
            node.keywords = [each for each in node.keywords if each.arg != "match"]
        if function == "monkeypatch.setattr" and "photutils." in ast.unparse(node):
            return ast.parse("resolve('photutils', '_patched')()", mode="eval").body
        return node


def copy_tests(package: str, folder: Path) -> None:
    """Copy the tests of one sub-package of photutils, rewritten."""
    found = find_spec("photutils")
    if found is None or found.origin is None:
        sys.exit("photutils is not installed here")
    source = Path(found.origin).parent / package / "tests"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "__init__.py").unlink()
    for path in folder.glob("*.py"):
        tree = Rewrite().visit(ast.parse(path.read_text()))
        text = ast.unparse(ast.fix_missing_locations(tree))
        path.write_text(f"from resolving import resolve\n{text}\n")


def run(package: str, base: Path, options: list[str]) -> None:
    folder = base / package
    copy_tests(package, folder)
    shutil.copy(HERE / "resolving.py", folder)
    (folder / "pytest.ini").write_text(
        "[pytest]\nmarkers = remote_data: needs the network\n"
        "filterwarnings =\n    error\n"
    )
    command = [sys.executable, "-m", "pytest", ".", "-p", "resolving", "-q", *options]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path[1:])}
    print(f"== {package}", flush=True)
    subprocess.run(command, cwd=folder, env=environment, check=False)  # noqa: S603


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("packages", nargs="*", default=PACKAGES, metavar="package")
    parser.add_argument("--keep", action="store_true", help="leave the copies")
    arguments, options = parser.parse_known_args()
    base = Path(tempfile.mkdtemp(prefix="photutils-suites-"))
    try:
        for package in arguments.packages:
            run(package, base, options)
    finally:
        if arguments.keep:
            print(base)
        else:
            shutil.rmtree(base)


if __name__ == "__main__":
    main()
