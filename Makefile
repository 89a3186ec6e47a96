# What can I do here?  `make help` lists it. Needs make and Python 3.11 or 3.12; everything else lands in $(VENV).

VENV   ?= .venv
PYTHON ?=
ARGS   ?=
BIN    := $(VENV)/bin
UV     := $(BIN)/uv pip install --python $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help install run test check lock simulate bench chaos soak clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | awk -F'\t' '{printf "  make %-7s %s\n", $$1, $$2}'

install: $(VENV)/.run ## what beckon needs to run, into $(VENV); then $(VENV)/bin/beckon

run: $(VENV)/.run ## start beckon on its own Redis, file log and demo shop; ARGS="--for 20s" ends by itself
	@$(BIN)/beckon run $(ARGS)

test: $(VENV)/.dev ## the whole test suite, real Kafka and Redis included; ARGS="-k cart" chooses
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev ## format, lint, types, import order, house rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/test_house.py

simulate: $(VENV)/.dev ## 20,000 seeded schedules of faults over the real core; ARGS="--schedules 2000" for fewer
	@$(BIN)/python -m tests.simulation $(ARGS)

bench: $(VENV)/.dev ## real Kafka to Redis to triggers: events/s, latency; ARGS="latency --rate 1000" chooses
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: $(VENV)/.dev ## faults on real processes, Kafka and Redis, judged by a separate program; ARGS="--rows 1,9"
	@$(BIN)/python -m tests.chaos $(ARGS)

soak: $(VENV)/.dev ## an hour with random faults: does memory stay flat, does any queue grow? ARGS="--minutes 15" for less
	@$(BIN)/python -m tests.soak --report docs/soak.md $(ARGS)

lock: $(VENV)/.dev ## write requirements.lock again from pyproject.toml; ARGS="--upgrade" for newer versions
	@$(BIN)/uv pip compile --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --custom-compile-command "make lock" --quiet $(ARGS) -o requirements.lock pyproject.toml

clean: ## remove environments and caches; var/ (the state of `make run`) stays
	rm -rf .venv* benchmarks/peers/java/build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment -------------------------------------------------------------------------------------------
# Three steps, each a stamp file, so that a second `make run` costs nothing and `make run` does not wait for the
# tools of the tests. uv installs in a tenth of pip's time; where it fails (a mirror that only pip knows, a platform
# without a uv wheel), pip installs the whole lock. Every file is checked against the hashes of requirements.lock.

define FIND_PYTHON
found=; for candidate in $(PYTHON) $(if $(PYTHON),,python3 python3.12 python3.11); do \
    if $$candidate -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
        2>/dev/null; then found=$$candidate; break; fi; done; \
if [ -z "$$found" ]; then \
    echo "beckon needs Python 3.11 or 3.12 with venv$(if $(PYTHON), ($(PYTHON) is not),; name one with PYTHON=...)" >&2; \
    exit 1; fi
endef

$(VENV)/.python:
	@$(FIND_PYTHON); \
	echo "1/3 environment $(VENV) from $$($$found --version)"; \
	$$found -m venv --clear $(VENV) && touch $@

$(VENV)/.run: $(VENV)/.python pyproject.toml requirements.lock
	@echo "2/3 installing what beckon needs to run (33 packages, about 40 MB with the installer, hashes checked)"
	@sed -n '/^uv==/,/# via/p' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/uv.lock \
	    && $(UV) --require-hashes -c requirements.lock -r pyproject.toml --extra build \
	    || $(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "3/3 installing beckon itself, editable"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing the tools of the tests (58 more packages, about 165 MB, hashes checked)"
	@$(UV) --require-hashes -r requirements.lock \
	    || $(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@
