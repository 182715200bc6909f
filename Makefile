# make demo   sets everything up and fits a recording:  fits/demo/report.html
# make test   sets everything up and passes lint, types, import rules, tests, doctests
# make tutorials   runs the tutorials at full size and renders each:  docs/tutorials/
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One process a core for the tests; each keeps its own libraries to one thread.
JOBS ?= auto
export OMP_NUM_THREADS ?= 1

.PHONY: demo test quick lint bench bench-checks tutorials clean

demo: $(VENV)/installed
	$(BIN)/neurofit demo

test: lint
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup
	$(BIN)/python -m pytest -q --doctest-modules neurofit

# Everything but the slow statistics and the fits.
quick: lint
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "not slow"

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# False positives and power of the checks beside sbi's, by space and kind of misspecification.
bench-checks: $(VENV)/installed
	PYTHONPATH=. $(BIN)/python tests/benchmarks/bench_checks.py

bench: $(VENV)/installed
	for script in tests/benchmarks/bench_*.py; do PYTHONPATH=. $(BIN)/python $$script; done

# All of them, or those that are named: make tutorials NAMES=first_cell
tutorials: $(VENV)/tutorials
	$(BIN)/python docs/tutorials/render.py $(NAMES)

$(VENV)/tutorials: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--no-build-isolation --editable ".[dev,tutorials]"
	touch $@

# The build tools are installed first and used as they are, so that they too have exact versions.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'neurofit needs Python 3.11 or later')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt hatchling editables setuptools wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--no-build-isolation --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) fits .pytest_cache .mypy_cache .ruff_cache
