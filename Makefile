# Every target makes .venv first if it has to. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3# the interpreter .venv is made with
ARGS ?=# more arguments for test, demo, up, soak, day and mutants: make test ARGS='-k selection -x', ARGS=--whole
CONFIG ?= demo# configuration for up
BIN := .venv/bin

# Prefect reports usage unless told not to.
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

# uv trusts the certificates it brings along; the machine's own know an institute's proxy, too.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem),)
export UV_SYSTEM_CERTS := true
endif

# Whoever has no home of his own to write to (a bare uid in a container, `runuser -u`) gets one beside .venv.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.venv-home
$(shell mkdir -p "$(HOME)")
endif

.PHONY: help venv demo up test soak day mutants bench check format hooks constraints clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile
	@echo "Another Python than python3: make test PYTHON=python3.13    More arguments: make test ARGS='-k selection'"

venv: ## Make .venv with all that is needed, or bring it up to date
	@PYTHON='$(PYTHON)' .ci/venv

demo: venv ## Show the whole bridge at work on this machine, with stand-ins for the brokers and for 4MOST
	@$(BIN)/tides demo $(ARGS)

up: venv ## Start all that the bridge needs, and keep it running until Ctrl-C; CONFIG=demo has stand-ins
	@$(BIN)/tides up --config $(CONFIG) $(ARGS)

# Three processes for two cores: in half of its time a test waits, for a service that is away or for one that starts.
# The slowest files first, as tests/conftest.py puts them: else one of them is what the other processes wait for.
# Modules are compiled once, also where bytecode is not wanted: else by each of some hundred processes.
test: venv ## Run all tests, in three processes; with ARGS='-n 0' in one
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# Without ARGS also what takes too long for each day: every point of the crash matrix, and a thousand examples a property.
soak: venv ## Kill the bridge and its services at random for 200 batches, then at each point; for a night or a week
	@$(BIN)/python -m tests.faults.soak $(ARGS)
ifeq ($(ARGS),)
	@$(BIN)/python -m pytest -q --whole tests/faults/test_crashes.py
	@HYPOTHESIS_PROFILE=night $(BIN)/python -m pytest -q -m hypothesis -n 2
endif

day: venv ## Let a simulated day pass in an hour, and see that nothing is left in the stream and no process grows
	@$(BIN)/python -m tests.faults.day $(ARGS)

mutants: venv ## Plant small faults where lines changed, or in ARGS='sql/targets --number 100', and list what no test noticed
	@$(BIN)/python -m tests.mutants $(ARGS)

bench: venv ## Measure speed and memory against the old ways, in some minutes
	@for each in columns text orchestrated archive simulations store exchange spectra stream startup brightness rulings portal; do \
		echo "== $$each"; \
		$(BIN)/python -m benchmarks.$$each || { echo "benchmarks.$$each failed; those after it did not run" >&2; exit 1; }; \
	done

check: venv ## Check format, lint, types, import contracts, SQL, shell scripts, secrets, vulnerabilities and the wheel
	@.ci/check

format: venv ## Put Python and SQL in format and mend what can be mended
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix-only
	@$(BIN)/sqlfluff fix --quiet sql

hooks: venv ## Run the quick checks at every commit (pre-commit)
	@$(BIN)/pre-commit install

constraints: ## Pin the newest versions that fit, from a fresh environment, in constraints.txt
	@PYTHON='$(PYTHON)' .ci/constraints

clean: ## Remove .venv, caches and builds; data and settings stay
	@rm -rf .venv .venv-home/.cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
