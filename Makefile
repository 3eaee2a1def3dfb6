# Two commands are enough: `make demo` and `make test`. Each sets up all that it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOME_FOLDER := $(CURDIR)/demo
ONLY ?=
KILLS ?= 0:200

export GRISTMILL_HOME ?= $(HOME_FOLDER)
export DAGSTER_HOME ?= $(GRISTMILL_HOME)/dagster

.PHONY: demo test soak ui bench conformance lint lock versions setup browser clean

demo: setup
	@$(BIN)/gristmill demo

# Kills alone, then two workers, whatever the first come to; which tests stay together says tests/conftest.py.
test: setup browser
	@$(BIN)/python -m pytest tests/faults; kills=$$?; \
	  $(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --ignore tests/faults && exit $$kills

# Two hundred kills instead of the ten in `make test` (docs/faults.md); KILLS=137:138 runs one seed alone.
soak: setup
	@GRISTMILL_KILLS=$(KILLS) $(BIN)/python -m pytest -v -rP tests/faults/test_kills.py

ui: setup
	@$(BIN)/python -c "from jobs.settings import dagster_home; dagster_home()"
	@$(BIN)/dagster dev --workspace workspace.yaml --host 127.0.0.1 --port 3000

bench: setup
	@$(BIN)/python -m benchmarks.run $(ONLY)

# Our profiles beside the peers they are named after (installed under .peers/ on first use): docs/conformance.md and golden decisions.
conformance: setup
	@$(BIN)/python -m conformance.run

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: $(VENV)/installed

$(VENV)/installed: requirements.lock torch.lock pyproject.toml
	@echo "Installing into $(VENV) (about two minutes) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r torch.lock || \
	  (echo "torch's CPU build is not in pip's indexes; taking the registry's build with all that it needs ..." && \
	   $(BIN)/python -m pip install --quiet "$$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' torch.lock)")
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c "import torch"
	@touch $@

# Chromium for the browser tests, where the system's packages may be installed; elsewhere those tests say why they are skipped.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  (command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null) || \
	  echo "Chromium is not here and cannot be installed: the browser tests will be skipped."

# Records the algorithms' versions and syntax trees, after a change that moved a version or kept the behaviour.
versions: setup
	@$(BIN)/python tests/test_algorithm_versions.py

lock:
	infra/lock.sh

clean:
	rm -rf $(GRISTMILL_HOME)
