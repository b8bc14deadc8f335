# The two commands of the README are `make demo` and `make test`; each does all
# its own set-up, in the ignored .venv.

PYTHON ?= python3
# Two environments, so that neither command undoes the other's installation: the
# developer's (editable) and the one of `make demo` (the wheel, as a user has it).
VENV := .venv
BIN := $(VENV)/bin
DEMO := .venv-demo
RUST := Cargo.toml Cargo.lock pyproject.toml $(shell find rust -name '*.rs' -o -name '*.toml')
SOURCES := $(RUST) $(shell find python -name '*.py' -o -name '*.pyi')

# What `make quick` tests.
TESTS ?= tests/psf tests/detection

# How long each fuzz target runs by hand, in seconds.
FUZZ_SECONDS ?= 120
FUZZ_TARGETS := $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

.PHONY: demo test quick test-rust test-python build lint format bench bench-rust validate instructions fuzz site docs packages check clean

demo: $(DEMO)/.installed
	$(DEMO)/bin/psfphot demo --output-dir demo-output

test: test-rust test-python

# Without rayon nothing differs but who does the work (`run.rs`): that it is compiled, and
# one test of the stages; the tests of the workspace compare serial runs with parallel ones.
# (What is left out are random groups against a slow other solver: that takes long as it is
# compiled here, and no more threads there.)
test-rust:
	cargo test --workspace --quiet
	CARGO_PROFILE_DEV_OPT_LEVEL=0 cargo test -p psfphot --no-default-features --test public photometry --quiet -- --skip joint_least_squares

# Tests start many interpreters: none of them should compile the package again.
test-python: export PYTHONDONTWRITEBYTECODE :=
# Two of them run beside each other: threads of BLAS would only wait for each other.
test-python: export OPENBLAS_NUM_THREADS := 1
test-python: $(VENV)/.developed
	$(BIN)/pytest --doctest-modules --doctest-ignore-import-errors --pyargs psfphot
	$(BIN)/pytest -n 2 --dist loadfile tests

build: $(VENV)/.developed

lint: $(VENV)/.developed
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p psfphot --no-default-features --all-targets -- -D warnings
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

# The same arrays through every tool that is installed here; a page and its plot.
bench: $(VENV)/.developed
	$(BIN)/python benches/python/run.py \
	  --output docs/benchmarks_measured.md --plot docs/images/benchmarks.png

bench-rust:
	cargo bench -p psfphot-benches

# What the errors promise, measured in minutes; the page of the documentation.
validate: export PYTHONPATH := tests:tests/statistics
validate: $(VENV)/.developed
	$(BIN)/python -m validation --output docs/validation.md

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

# The site, in docs/_build/html. Without a network it has no links to other sites;
# PSFPHOT_DOCS_OFFLINE= gives it those.
site: export PSFPHOT_DOCS_OFFLINE ?= 1
site: $(VENV)/.developed
	$(BIN)/pip install --quiet --group docs
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

docs: site
	cargo doc -p psfphot --no-deps
	$(BIN)/pytest tests/documents/test_docs.py

packages:
	tests/packages.sh $(PYTHON)

check: lint site packages test

clean:
	rm -rf $(VENV) $(DEMO) target dist demo-output docs/_build docs/api/generated

# What an edit needs: the parts of the core that changed, and some tests.
quick: $(BIN)/pytest
	$(BIN)/maturin develop --skip-install --profile edit --features panic-test
	$(BIN)/pytest -q $(TESTS)

$(BIN)/pytest:
	$(MAKE) build

$(BIN)/python:
	@echo "psfphot: making the environment $(VENV)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip 'maturin>=1.9,<2'

# What a developer gets: an editable install that a panic can be injected into. It
# follows every edit of the Python files by itself.
$(VENV)/.developed: $(BIN)/python $(RUST)
	@echo "psfphot: compiling the Rust core and installing it, editable, into $(VENV)"
	$(BIN)/maturin develop --profile quick --features panic-test --extras test,dev
	touch $@

$(DEMO)/bin/python:
	@echo "psfphot: making the environment $(DEMO)"
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/pip install --quiet --upgrade pip 'maturin>=1.9,<2'

# What a user gets: the wheel, with what plots need.
$(DEMO)/.installed: $(DEMO)/bin/python $(SOURCES)
	@echo "psfphot: compiling the Rust core, one to two minutes the first time"
	rm -rf target/demo
	$(DEMO)/bin/maturin build --profile quick --out target/demo
	@echo "psfphot: installing it, with numpy, astropy and matplotlib, into $(DEMO)"
	$(DEMO)/bin/pip uninstall --quiet --yes psfphot
	$(DEMO)/bin/pip install --quiet "$$(echo target/demo/*.whl)[plot]"
	touch $@
