# The two commands of the README are `make demo` and `make test`; each does all
# its own set-up, in the ignored .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find rust python -name '*.rs' -o -name '*.toml' -o -name '*.py' -o -name '*.pyi')

# How long each fuzz target runs by hand, in seconds.
FUZZ_SECONDS ?= 120
FUZZ_TARGETS := $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

.PHONY: demo test test-rust test-python build lint format bench instructions fuzz docs packages check clean

demo: $(VENV)/.installed
	$(BIN)/psfphot demo --output-dir demo-output

test: test-rust test-python

test-rust:
	cargo test --workspace --quiet
	cargo test -p psfphot --no-default-features --quiet

test-python: $(VENV)/.developed
	$(BIN)/pytest --doctest-modules --pyargs psfphot
	$(BIN)/pytest tests

build: $(VENV)/.developed

lint: $(VENV)/.developed
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	! cargo tree -p psfphot -e normal --prefix none | grep -E '^(pyo3|numpy) '
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --allowlist tests/stubtest-allowlist.txt --ignore-unused-allowlist psfphot._core

format: $(VENV)/.developed
	cargo fmt
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(VENV)/.developed
	cargo bench -p psfphot-benches
	for bench in benches/python/[a-z]*.py; do $(BIN)/python $$bench; done

instructions:
	benches/instructions.sh

# Needs a nightly compiler and `cargo install cargo-fuzz`. (Its own profile: the
# release's takes long to link with the sanitizer.)
fuzz: export CARGO_PROFILE_RELEASE_LTO := off
fuzz: export CARGO_PROFILE_RELEASE_CODEGEN_UNITS := 16
fuzz:
	set -e; for target in $(FUZZ_TARGETS); do \
	  cargo +nightly fuzz run --features libfuzzer $$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=20 -max_len=600; \
	done

docs: $(VENV)/.developed
	cargo doc -p psfphot --no-deps
	$(BIN)/pytest tests/documents/test_docs.py

packages:
	tests/packages.sh $(PYTHON)

check: lint packages test

clean:
	rm -rf $(VENV) target dist demo-output

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

# What a user gets: the package built by pip, with what plots need.
$(VENV)/.installed: $(BIN)/python $(SOURCES)
	$(BIN)/pip install --quiet '.[plot]'
	rm -f $(VENV)/.developed
	touch $@

# What a developer gets: an editable install that a panic can be injected into.
$(VENV)/.developed: $(BIN)/python $(SOURCES)
	$(BIN)/pip install --quiet 'maturin>=1.9,<2'
	$(BIN)/maturin develop --quiet --profile quick --features panic-test --extras test,dev
	rm -f $(VENV)/.installed
	touch $@
