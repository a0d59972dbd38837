# The commands of a project, in the environment that has drnsr. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help repro mirror ui sweep gc clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
		| awk -F '\t' '{ printf "make %-10s %s\n", $$1, $$2 }'

repro: ## run the graph with the choices of params.yaml, and print the result
	dvc repro
	drnsr show

DATA ?= sample
TO ?= mirror
mirror: ## copy data sets for a machine without internet (DATA="set5 b100" TO=FOLDER)
	drnsr mirror $(DATA) --to $(TO)

PORT ?= 5000
ui: ## serve MLflow's pages, and print the address of the table of runs (PORT=...)
	drnsr ui --port $(PORT)

sweep: ## search for good values by Optuna (SWEEP=FILE of conf/sweep; docs/sweeps.md)
	python -m pipelines.sweep $(if $(SWEEP),sweep=$(SWEEP))

gc: ## remove the states of finished trainings, after showing them (UNFINISHED=1: of all)
	drnsr gc $(if $(UNFINISHED),--unfinished) $(if $(YES),--yes)

clean: ## remove the outputs of the graph; the environment, downloads and MLflow's runs stay
	rm -rf data/raw data/prepared models pictures reports runs multirun outputs dvc_plots
