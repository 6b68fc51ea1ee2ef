# pydock-tui: `make run` sets up what is missing and opens the workstation; `make test` runs everything that
# can be tested here. A fresh Debian 12 with git, make and Python 3.11 is enough; pip and apt are all it downloads from.

VENV   := .venv
BIN    := $(VENV)/bin
PYTHON := $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
WORKERS ?= 3
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# compiled modules are a third of a command's start: keep them, whatever this shell's habits
unexport PYTHONDONTWRITEBYTECODE

# a program that runs a command as root in a throw-away machine with cgroup v2 alone, in a copy of this checkout:
# $(VM) [--timeout S] [--out DIR] [--pip PACKAGE]... -- COMMAND...; what is in /out afterwards comes back to DIR
VM        ?=
VM_PYTHON := $(foreach name,pytest pytest-timeout pytest-xdist pytest-asyncio hypothesis,--pip $(name))
VM_PYTEST := python3 -m pytest --confcutdir=tests/runtime -p no:cacheprovider -o timeout=900 -o tmp_path_retention_policy=failed -n 2
V2_TESTS  ?= tests/runtime

.PHONY: vm test-v2 conformance-v2
.PHONY: run setup test soak lint check bench screenshots clean

run: setup
	@$(BIN)/pydock check || echo "pydock-tui opens all the same; what is marked above will not work."
	@$(SUDO) $(BIN)/pydock-tui

setup: $(VENV)/.installed

$(VENV)/.packages: .ci/packages
	@.ci/packages run
	@mkdir -p $(VENV) && touch $@

$(VENV)/.python: $(VENV)/.packages .ci/venv
	@test -n "$(PYTHON)" || { echo "pydock needs Python 3.11 or newer: apt install python3"; exit 1; }
	@.ci/venv $(PYTHON) $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml
	@echo "installing pydock into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@$(BIN)/python -m compileall -q app engine runtime $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') || true
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@.ci/packages test
	@echo "installing what the tests need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --group dev
	@touch $@

lint: $(VENV)/.dev
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "ruff format . would change these files"; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports

# A test that fails is tried once more, and both outcomes are told: real kernels, daemons and terminals on a busy
# machine have bad moments. What changes the host for everybody (`serial`) runs alone, after the rest.
RETRY := --reruns 1 --reruns-delay 1

test: $(VENV)/.dev lint
	@status=0; \
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not serial" $(RETRY) tests --ignore=tests/soak || status=$$?; \
	$(BIN)/python -m pytest -m serial $(RETRY) tests --ignore=tests/soak || status=$$?; \
	exit $$status

soak: $(VENV)/.dev
	@$(SUDO) $(BIN)/python -m pytest --timeout 1800 tests/soak

vm:
	@test -n "$(VM)" || { echo "cgroup v2 wants a machine of its own: VM=/path/to/program make test-v2; the Makefile says what it must do"; exit 1; }

test-v2: vm
	@$(VM) --timeout 5400 $(VM_PYTHON) -- $(VM_PYTEST) $(V2_TESTS)

# outcomes for tests/runtime/conformance/TABLE.md, with each of RUNTIMES (pydock-runc is this one)
RUNTIMES  ?= pydock-runc crun
conformance-v2: vm
	@$(VM) --timeout 5400 $(VM_PYTHON) --out tests/runtime/conformance/results -- sh -c 'for each in $(RUNTIMES); do \
		[ $$each = pydock-runc ] || export RUNTIME=$$each; \
		CONFORMANCE_RESULTS=/out/$$each-v2.json $(VM_PYTEST) tests/runtime/conformance; done; true'
	@$(BIN)/python -m tests.runtime.conformance.table

check: setup
	@$(BIN)/pydock check

bench: $(VENV)/.dev
	@$(SUDO) $(BIN)/python -m bench

screenshots: $(VENV)/.dev
	@$(SUDO) $(BIN)/python screenshots/make.py

clean:
	rm -rf $(VENV) dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find app engine runtime tests bench -name __pycache__ -prune -exec rm -rf {} +
