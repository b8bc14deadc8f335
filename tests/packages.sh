#!/usr/bin/env bash
# Makes the sdist, of it the wheel, as pip does where there is none, and installs that
# into a fresh environment without scipy and matplotlib; all tests but the long ones
# run on what is installed there.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/build"
"$work/build/bin/pip" install --quiet 'maturin>=1.9,<2'
"$work/build/bin/maturin" sdist --out "$work"
# Not with the release's profile: linking it takes four times as long.
MATURIN_PEP517_ARGS="--profile quick" \
  "$work/build/bin/pip" wheel --quiet --no-deps --wheel-dir "$work" "$work"/*.tar.gz

# Away from the checkout, so that only what was installed can be imported.
cp -r tests pyproject.toml "$work"
cd "$work"
"$python" -m venv venv
venv/bin/pip install --quiet ./*.whl pytest hypothesis
venv/bin/python -c '
import importlib.util, sys
assert importlib.util.find_spec("scipy") is None
assert importlib.util.find_spec("matplotlib") is None
import psfphot.psf, psfphot.detection, psfphot.datasets, psfphot.background, psfphot.pipeline, psfphot.cli
import psfphot.aperture, psfphot.matching, psfphot.utils
assert "tqdm" not in sys.modules
'
venv/bin/psfphot --version
venv/bin/pytest -q -m "not long" tests --ignore=tests/documents
