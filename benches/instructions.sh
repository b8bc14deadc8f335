#!/bin/sh
# Counts the instructions of the Rust examples with valgrind's callgrind, on one
# thread. Unlike times, the counts do not depend on what else the machine does:
# run it before and after a change. There is no gate.
#
# Usage: benches/instructions.sh [example ...]
set -eu
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || {
    echo "valgrind is not installed" >&2
    exit 1
}
[ $# -gt 0 ] || set -- render_field fit_field
export RAYON_NUM_THREADS=1
cargo build --quiet --release -p psfphot --examples
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
for example in "$@"; do
    valgrind --quiet --tool=callgrind --callgrind-out-file="$counts" \
        "${CARGO_TARGET_DIR:-target}/release/examples/$example" >/dev/null
    echo "$example: $(sed -n 's/^summary: //p' "$counts") instructions"
done
