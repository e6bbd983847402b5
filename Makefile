# The front door. `make help` lists what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/warehouse/bin
UV := .venv/tools/bin/uv
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help

.PHONY: help demo up down status doctor test quick lint lint-sql format typecheck bench env env-test lock generate screenshots clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: env ## an invented service centre on this machine: sources, Airflow, warehouse, dashboards
	@$(BIN)/kefu demo

up: env ## start the local stack of ./kefu.toml
	@$(BIN)/kefu up

down: ## stop everything Kefu started
	@[ ! -x $(BIN)/kefu ] || $(BIN)/kefu down

status: env ## what is up, whether it is healthy, how old the data is
	@$(BIN)/kefu status

doctor: env ## check the set-up and name what to fix
	@$(BIN)/kefu doctor

test: env-test lint lint-sql typecheck ## everything: lint, types, unit, real Postgres, the whole stack, the browser
	$(BIN)/python -m pytest -n 2

quick: env-test lint ## what can be said in two minutes
	$(BIN)/python -m pytest -n 2 -m "not slow and not postgres" --durations=5

lint: env-test ## style of Python, drift of what is generated
	$(BIN)/ruff check
	$(BIN)/ruff format --check -q
	$(BIN)/kefu catalogue --check

lint-sql: env-test ## style of the models (a minute)
	$(BIN)/sqlfluff lint -q dbt_project/models dbt_project/tests

typecheck: env-test ## types
	$(BIN)/mypy

format: env-test ## put the style right
	$(BIN)/ruff check --fix -q
	$(BIN)/ruff format -q

generate: env ## write docs/kpis.md and what else follows from the KPI catalogue
	@$(BIN)/kefu generate

bench: env-test ## speed as ratios within one run (minutes)
	@$(BIN)/python -m kefu.bench

screenshots: env-test ## pictures of the running demo's dashboards for the docs
	@$(BIN)/kefu screenshots

env: .venv/warehouse/.installed .venv/superset/.installed ## the two environments

env-test: .venv/warehouse/.test-installed .venv/superset/.installed ## and what the tests need
	@.make/system-packages.sh

.venv/tools/.installed: .make/bootstrap.sh
	@.make/bootstrap.sh "$(PYTHON)"
	@touch $@

.venv/warehouse/.installed: .locks/warehouse.txt pyproject.toml .make/environment.sh | .venv/tools/.installed
	@.make/environment.sh "$(PYTHON)" warehouse warehouse
	@$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

.venv/warehouse/.test-installed: .venv/warehouse/.installed .locks/test.txt
	@.make/environment.sh "$(PYTHON)" warehouse test
	@touch $@

.venv/superset/.installed: .locks/superset.txt .make/environment.sh | .venv/tools/.installed
	@.make/environment.sh "$(PYTHON)" superset superset
	@touch $@

COMPILE = $(UV) pip compile -q --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml
lock: .venv/tools/.installed ## compile the locks again from pyproject.toml
	$(COMPILE) --extra warehouse -o .locks/warehouse.txt
	$(COMPILE) --extra warehouse --extra test -c .locks/warehouse.txt -o .locks/test.txt
	$(COMPILE) --extra warehouse --extra server -c .locks/warehouse.txt -o .locks/server.txt
	$(COMPILE) --extra superset -o .locks/superset.txt
	@! grep -nE 'https?://' .locks/*.txt

clean: down ## stop, and forget all state and environments
	rm -rf .kefu .venv
