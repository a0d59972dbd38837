# The commands of the README. `make help` lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

include project.mk
.PHONY: install test test-slow lint format docs

# Here the environment is one of the repository's own.
repro mirror ui sweep gc: install

install: $(BIN)/.installed ## create .venv with the pinned packages

# pip itself compiles on one core. Some packages have templates that do not compile.
$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m compileall -qq -j 0 .venv/lib || true
	touch $@

# Two workers, each with half of the tests; the first to end takes over some of the other's. Threads
# that wait for others let these work meanwhile.
PYTEST := OMP_WAIT_POLICY=passive pytest --numprocesses 2 --dist worksteal --durations=15

test: install ## run the fast tests
	$(PYTEST)

test-slow: install ## run the tests that `make test` leaves out
	$(PYTEST) -m slow

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
