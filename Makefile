# The commands of the README. `make help` lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install repro mirror test test-slow lint format docs ui sweep gc clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
		| awk -F '\t' '{ printf "make %-10s %s\n", $$1, $$2 }'

install: $(BIN)/.installed ## create .venv with the pinned packages

# pip itself compiles on one core. Some packages have templates that do not compile.
$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m compileall -qq -j 0 .venv/lib || true
	touch $@

repro: install ## run the graph with the choices of params.yaml, and print the result
	dvc repro
	drnsr show

DATA ?= sample
TO ?= mirror
mirror: install ## copy data sets for a machine without internet (DATA="set5 b100" TO=FOLDER)
	drnsr mirror $(DATA) --to $(TO)

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

PORT ?= 5000
ui: install ## serve MLflow's pages, and print the address of the table of runs (PORT=...)
	drnsr ui --port $(PORT)

sweep: install ## search for good values by Optuna (SWEEP=FILE of conf/sweep; docs/sweeps.md)
	python -m pipelines.sweep $(if $(SWEEP),sweep=$(SWEEP))

gc: install ## remove the states of finished trainings, after showing them (UNFINISHED=1: of all)
	drnsr gc $(if $(UNFINISHED),--unfinished) $(if $(YES),--yes)

clean: ## remove the outputs of the graph; the environment, downloads and MLflow's runs stay
	rm -rf data/raw data/prepared models pictures reports runs multirun outputs dvc_plots
