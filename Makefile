# The two commands are `make demo` and `make test`; both install what they need, and are quick the second time.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?=
DATA ?= .demo
JOBS ?= 2

.PHONY: help demo test lint bench docs screenshots clean

help: ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 14

demo: ## install, start everything, print the links; Ctrl-C stops it
	@deploy/install/environment.sh "$(PYTHON)" "$(VENV)" zoo
	@exec $(BIN)/worklets up --demo --data "$(DATA)" $(if $(PORT),--port $(PORT))

test: ## install, browser and PostgreSQL included, and run the tests
	@deploy/install/environment.sh "$(PYTHON)" "$(VENV)" zoo docs test lint
	@deploy/install/browser.sh
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: ## style, types and the arrows between the rooms
	@deploy/install/environment.sh "$(PYTHON)" "$(VENV)" zoo docs test lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@deploy/install/check_wheel.sh "$(VENV)"

bench: ## measure against FastAPI, Starlette, BentoML, Prefect, and pages against Gradio and Streamlit
	@deploy/install/environment.sh "$(PYTHON)" "$(VENV)" zoo docs test lint
	@deploy/install/browser.sh
	$(BIN)/python -m benchmarks.run $(ARGS)
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.models
	$(BIN)/python -m benchmarks.predicting
	$(BIN)/python -m benchmarks.recovery
	$(BIN)/python -m benchmarks.submitted
	$(BIN)/python -m benchmarks.views

docs: ## build the site into site/
	@deploy/install/environment.sh "$(PYTHON)" "$(VENV)" zoo docs test lint
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

screenshots: ## take the README's pictures from a running demo of its own
	@deploy/install/environment.sh "$(PYTHON)" "$(VENV)" zoo docs test lint
	@deploy/install/browser.sh
	$(BIN)/python docs/take_screenshots.py

clean: ## remove what the targets made
	rm -rf $(VENV) .cache .demo build dist site *.egg-info
