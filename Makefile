# rackgrid: everything a developer does, one word each. `make` alone lists the words.
#
# Needs git, make and python3 (>= 3.11) with its venv module; all else lands in .venv/.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
ARGS ?=
# Tests that take turns with nobody run so many at once; those of tests/rack need the machine alone.
JOBS ?= 2

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

.PHONY: help
help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | \
		while IFS='|' read -r target meaning; do printf '%-16s %s\n' "$$target" "$$meaning"; done

.PHONY: setup
setup: $(STAMP) ## make .venv/ with rackgrid and its tools in it (the other targets do it first)

.PHONY: demo
demo: $(STAMP) ## run a rack on mock hardware; ARGS="--nodes 7 --seconds 60" is passed on
	@$(BIN)/rackgrid demo $(ARGS)

.PHONY: test
test: $(STAMP) ## run all tests that can run here; ARGS="-k election" runs these alone
ifeq ($(strip $(ARGS)),)
	@$(MAKE) --no-print-directory test-sim
	@$(BIN)/python -m pytest --ignore=tests/simulation --ignore=tests/vpi --ignore=tests/unit
	@$(BIN)/python -m pytest -n $(JOBS) tests/unit
else
	@$(BIN)/python -m pytest --ignore=tests/vpi $(ARGS)
endif

.PHONY: test-sim
test-sim: $(STAMP) ## run the simulation's tests, rules taken away among them, and 600 racks under faults
	@$(BIN)/python -m pytest -n $(JOBS) tests/simulation
	@$(BIN)/rackgrid sim --seeds 600 --jobs $(JOBS)

.PHONY: test-vpi
test-vpi: $(STAMP) ## build a virtual Raspberry Pi (20 minutes, once) and test on it, as root
	@tests/vpi/build-kernel.sh
	@PYTHON=$(BIN)/python tests/vpi/build-image.sh
	@RACKGRID_REQUIRE_ALL=1 $(BIN)/python -m pytest tests/vpi $(ARGS)

.PHONY: check
check: $(STAMP) ## run what must be green before a merge: format, lint, types, tests
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory lint types test

.PHONY: lint
lint: $(STAMP) ## ruff and the import contracts
	$(BIN)/ruff check .
	$(BIN)/lint-imports

.PHONY: types
types: $(STAMP) ## pyright strict, and mypy strict as the second opinion
	$(BIN)/pyright
	$(BIN)/mypy

.PHONY: format
format: $(STAMP) ## rewrite the source in the house's format
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

# Run where the index is trusted; what is written is read and committed like any other change.
.PHONY: lock
lock: $(STAMP) ## pin what a node installs, with hashes, anew: systemd/requirements.lock
	@$(PIP) install uv
	@cd systemd && ../$(BIN)/uv pip compile ../pyproject.toml --universal --python-version 3.11 \
		--generate-hashes --no-header --quiet -o requirements.lock >/dev/null

.PHONY: bench
bench: $(STAMP) ## measure: every script in tests/bench, one after the other
	@set -e; for script in tests/bench/bench_*.py; do \
		echo "== $$script"; $(BIN)/python "$$script"; \
	done

# A stamp, so that setting up costs nothing until pyproject.toml changes.
$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
		echo 'setup: there is no $(PYTHON): sudo apt install python3 python3-venv' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "setup: rackgrid needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>&1);" \
			'choose another: make PYTHON=python3.12 setup' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo 'setup: Python has no venv module: sudo apt install python3-venv' >&2; exit 1; }
	@echo 'setup: making $(VENV)/ (a minute or two, once)' >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --editable '.[dev]'
	@# The second meter driver compiles spidev; without it all runs but its own tests.
	@$(PIP) install --editable '.[pi-ina219]' >$(VENV)/pi-ina219.log 2>&1 || \
		echo 'setup: no pi-ina219 (it needs a compiler: sudo apt install gcc python3-dev;' \
			'then make -B setup); its tests will be skipped. See $(VENV)/pi-ina219.log' >&2
	@touch $@
