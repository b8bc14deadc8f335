#!/bin/sh
# Counts the instructions of the core's kernels with valgrind's callgrind, on one
# thread, and fails where one needs over 10 % more than the baseline. Unlike times,
# the counts do not depend on what else the machine does.
#
# The baseline holds the compiler and the processor's features it was made with: the
# counts of others cannot be compared, and nothing is checked there, loudly.
#
# Usage: benches/instructions.sh [--update]
set -eu
cd "$(dirname "$0")/.."
baseline=benches/instructions.txt
limit=10
kernels="spline fits solver finder render"

skip() {
    echo "instructions: NOT CHECKED: $1" >&2
    exit 0
}

command -v valgrind >/dev/null || skip "valgrind is not installed"
[ -r /proc/cpuinfo ] || skip "no /proc/cpuinfo tells the processor's features"

# What the kernels choose their instructions by.
features=$(uname -m)
for feature in avx2 fma; do
    if grep -q -w "$feature" /proc/cpuinfo; then features="$features $feature"; fi
done
setting="$(rustc --version); $features"
if [ "${1-}" != --update ]; then
    [ -r "$baseline" ] || skip "there is no $baseline; make it with --update"
    known=$(sed -n 's/^# made with: //p' "$baseline")
    [ "$setting" = "$known" ] || skip "this is \"$setting\", the baseline is of \"$known\""
fi

export RAYON_NUM_THREADS=1
cargo build --quiet --profile quick -p psfphot-benches --bin instructions
binary="${CARGO_TARGET_DIR:-target}/quick/instructions"
made=$(mktemp) counts=$(mktemp)
trap 'rm -f "$made" "$counts"' EXIT
echo "# made with: $setting" >"$made"
is_over=0
for kernel in $kernels; do
    valgrind --quiet --tool=callgrind --toggle-collect='*counted_*' \
        --callgrind-out-file="$counts" "$binary" "$kernel" >/dev/null
    count=$(awk '/^(summary|totals):/ { n = $2 } END { print n + 0 }' "$counts")
    if [ "$count" -eq 0 ]; then
        echo "instructions: none were counted of $kernel" >&2
        exit 1
    fi
    echo "$kernel $count" >>"$made"
    [ "${1-}" = --update ] && continue
    before=$(awk -v kernel="$kernel" '$1 == kernel { print $2 }' "$baseline")
    if [ -z "$before" ]; then
        echo "instructions: $kernel is not in $baseline" >&2
        exit 1
    fi
    verdict=ok
    if [ $((count * 100)) -gt $((before * (100 + limit))) ]; then
        verdict="MORE THAN $limit % OVER" is_over=1
    fi
    awk -v k="$kernel" -v n="$count" -v b="$before" -v v="$verdict" \
        'BEGIN { printf "%-8s %12d instructions, baseline %12d: %+.1f %% %s\n", k, n, b, 100 * (n / b - 1), v }'
done
if [ "${1-}" = --update ]; then
    cp "$made" "$baseline"
    cat "$baseline"
fi
exit "$is_over"
