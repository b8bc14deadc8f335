#!/usr/bin/env bash
# Builds the wheel and the sdist, installs each into a fresh environment without
# scipy and matplotlib, and tests what is installed there: the wheel with all tests, the
# sdist, whose code is the same, with those of the package as a whole.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/build"
"$work/build/bin/pip" install --quiet 'maturin>=1.9,<2'
"$work/build/bin/maturin" build --quiet --release --sdist --out "$work/dist"

# Away from the checkout, so that only what was installed can be imported.
cp -r tests "$work/tests"
cp pyproject.toml "$work"
for package in "$work"/dist/*.whl "$work"/dist/*.tar.gz; do
  venv="$work/venv-${package##*.}"
  "$python" -m venv "$venv"
  CARGO_TARGET_DIR="$work/target" "$venv/bin/pip" install --quiet "$package" pytest hypothesis
  "$venv/bin/python" -c '
import importlib.util, sys
assert importlib.util.find_spec("scipy") is None
assert importlib.util.find_spec("matplotlib") is None
import psfphot.psf, psfphot.detection, psfphot.datasets, psfphot.background, psfphot.pipeline, psfphot.cli
import psfphot.aperture, psfphot.matching, psfphot.utils
assert "tqdm" not in sys.modules
'
  case "$package" in *.whl) what=tests ;; *) what=tests/package ;; esac
  (cd "$work" && "$venv/bin/psfphot" --version && "$venv/bin/pytest" -q "$what" --ignore=tests/documents)
done
