# Every target sets up what it needs; `make run` and `make test` are all a newcomer types.
.PHONY: run test cover setup lint ui bench study soak clean lock
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
STAMP := $(VENV)/.ready
export UV_LINK_MODE ?= copy
# Where this is set, as in many containers, each of the hundreds of processes compiles all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

run: $(STAMP)            ## run the pipeline, publish the site, print the verdicts
	@$(BIN)/longwave run

test: $(STAMP)           ## the whole test suite
	@$(BIN)/python -m pytest -n 2

cover: $(STAMP)          ## the same, with the lines and branches that no test runs: slower
	@$(BIN)/python -m pytest -n 2 --cov --cov-report=term

setup: $(STAMP)          ## the virtual environment alone

$(STAMP): requirements.lock .ci/uv.lock pyproject.toml
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .ci/uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

lint: $(STAMP)           ## format, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@MYPYPATH=.types $(BIN)/mypy -p longwave.models -p longwave.warehouse -p longwave.reports -p longwave.pipelines

ui: $(STAMP)             ## the Dagster UI on 127.0.0.1
	@$(BIN)/longwave ui

bench: $(STAMP)          ## measured ratios, written to var/bench
	@$(BIN)/python -m pytest --no-header -q tests/benchmarks -s

study: $(STAMP)          ## simulations and oracles at full counts, written to tests/study/results; then their table
	@$(BIN)/python -m pytest --no-header -q tests/study -s; \
	failed=$$?; $(BIN)/python tests/study/simulations.py && exit $$failed

soak: $(STAMP)           ## kills, full disks, concurrency and fuzzing at full counts, written to tests/soak/results
	@$(BIN)/python -m pytest --no-header -q tests/soak -s

clean:                   ## remove the environment and everything the pipeline wrote
	rm -rf $(VENV) var build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage

lock: $(STAMP)           ## renew the locks from pyproject.toml
	@$(BIN)/uv pip compile --quiet pyproject.toml --extra dev --extra postgres --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-strip-extras --custom-compile-command "make lock" -o requirements.lock
	@$(BIN)/uv pip compile --quiet pyproject.toml --extra postgres --constraints requirements.lock --python-version 3.11 \
	  --universal --generate-hashes --no-emit-index-url --no-annotate --no-strip-extras \
	  --custom-compile-command "make lock" -o deploy/requirements.lock
	@echo uv | $(BIN)/uv pip compile --quiet - --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-strip-extras --custom-compile-command "make lock" -o .ci/uv.lock
