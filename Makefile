# The commands of the README. `make help` lists them.
PYTHON ?= $(firstword $(foreach name,3.11 3.12 3.13 3,$(shell command -v python$(name))) python3)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

include project.mk
.PHONY: install test test-slow lint format docs

# Here the environment is one of the repository's own.
repro mirror ui sweep gc: install

install: $(BIN)/.installed ## create .venv with the pinned packages

# Quiet twice: errors alone, and no warnings about the indexes of a machine.
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check

# The pip of Python 3.11 needs twice the processor time of a later one, which therefore comes first. It compiles
# on one core alone. Some packages have templates that do not compile, and many their tests, which no one runs.
$(BIN)/.installed: pyproject.toml setup.py constraints.txt
	@command -v "$(PYTHON)" >/dev/null \
		|| { echo "error: there is no $(PYTHON); install Python 3.11, 3.12 or 3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: $(PYTHON) is too old; name one of 3.11 to 3.13: make install PYTHON=..." >&2; exit 1; }
	@echo "installing the pinned packages into .venv; this takes a few minutes"
	@$(PYTHON) -m venv .venv \
		|| { echo "error: $(PYTHON) makes no environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) install pip==26.3 \
		&& $(PIP) install --no-compile --constraint constraints.txt --editable '.[dev]' \
		|| { echo "error: the installation needs the package registry and 8 GB of disk; see above" >&2; exit 1; }
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true
	@touch $@

# Each worker has its part of the tests; the first to end takes over some of another's. The slow tests
# often wait for processes that they start.
PYTEST := pytest --dist worksteal --durations=15 --numprocesses

test: install ## run the fast tests
	$(PYTEST) 2

test-slow: install ## run the tests that `make test` leaves out
	$(PYTEST) 3 -m slow

lint: install ## check style, types and the direction of imports
	ruff check .
	ruff format --check .
	mypy
	lint-imports

format: install ## rewrite the source in the project's style
	ruff check --fix .
	ruff format .

docs: install ## build the documentation into site/index.html, which works offline
	python -m docs.generate
