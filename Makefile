# Two commands need nothing but Python 3.11+ and make: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# A local Ray for this project only: no shared token, no usage report, no upload of this folder, and
# workers that do not have to wait behind the program that gives them work.
export RAY_AUTH_MODE ?= disabled
export RAY_USAGE_STATS_ENABLED ?= 0
export RAY_ENABLE_UV_RUN_RUNTIME_ENV ?= 0
export RAY_worker_niceness ?= 0

.PHONY: help demo test test-local test-ray test-serve check bench stress lock clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(READY)  ## Ask the voice assistant in examples/ a spoken question, on a local Ray
	@$(BIN)/python -m examples.voice_assistant

# The longest first: what is left for the end is short.
test: $(READY)  ## Everything, with small counts
	@$(MAKE) --jobs 2 --keep-going --output-sync=target test-ray test-local check test-serve

test-local: $(READY)  ## What starts no Ray; test-ray and test-serve have the rest, and make test runs two at once
	$(BIN)/python -m pytest -m "not ray and not stress"

test-ray: $(READY)
	$(BIN)/python -m pytest -m "ray and not stress" --ignore tests/serve --ignore tests/cluster

test-serve: $(READY)
	$(BIN)/python -m pytest tests/serve tests/cluster -m "ray and not stress"

check: $(READY)  ## Lint, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## Every timed figure, against its peers in the same run
	$(BIN)/python -m tests.benchmarks --baseline tests/benchmarks/baseline.json $(ARGS)

stress: $(READY)  ## The full counts
	$(BIN)/python -m pytest -m stress --timeout 1800

lock: $(READY)  ## Pin the newest versions that pyproject.toml allows
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra examples --universal --upgrade \
	  --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet -o constraints.txt

clean:  ## Remove the local environment and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up $(VENV), once; this downloads about 200 MB."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)
