"""Run all of the validation and write its page.

PYTHONPATH=tests:tests/statistics python -m validation [--output PAGE] [--short]
    [PART ...]
"""

import argparse
import sys
import time
from pathlib import Path

from . import artificial, crowds, lone, pairs, sources
from .page import page, table

#: Each part, how much of it is a full run, and how much a look.
PARTS = {
    "lone": (lone.rows, 50, 12),
    "pairs": (pairs.rows, 50, 12),
    "sources": (sources.rows, 50, 12),
    "crowds": (crowds.rows, 1024, 256),
    "artificial": (artificial.rows, 100, 10),
}


def main():
    parser = argparse.ArgumentParser(description="Validate psfphot's errors.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--short", action="store_true", help="few stars")
    parser.add_argument("--output", type=Path, help="the page to write")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}")
    begin, made = time.monotonic(), {}
    for name in options.parts or PARTS:
        rows, full, few = PARTS[name]
        made[name] = list(rows(few if options.short else full))
        print(f"{table(made[name])}\n{name}: {time.monotonic() - begin:.0f} s so far")
        sys.stdout.flush()
    if options.output is not None:
        options.output.write_text(
            page(made, time.monotonic() - begin), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
