# Simpul. `make` alone lists the targets.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test check bench chaos docs constraints clean

help:  ## list the targets
	@echo "Simpul: a city's sensor and service platform. Targets:"
	@awk -F ':.*## +' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo "Settings of the demo: make demo PORT=8080 MQTT_PORT=18883 PACE=360 NODE=var/demo ENGINE=auto"

PORT ?= 8080
MQTT_PORT ?= 18883
PACE ?= 360
NODE ?= var/demo
ENGINE ?= auto

demo: .venv/ready-run  ## start the whole node with three replayed stations; prints the page's address and a token
	@$(BIN)/python -m demo --dir "$(NODE)" --port $(PORT) --mqtt-port $(MQTT_PORT) --pace $(PACE) --engine $(ENGINE)

test: .venv/ready-dev servers  ## run the tests (installs their servers by apt where it is root)
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/ready-dev  ## formatting, lint, types, import rules, generated docs current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m broker docs --check
	$(BIN)/python -m edge.drivers --check

bench: .venv/ready-dev servers  ## measure against the limits of this machine; a table, and JSON in var/bench.json
	$(BIN)/python -m tests.bench

chaos: .venv/ready-dev servers  ## the long ledger run: SEED=1 SECONDS=600
	$(BIN)/python -m tests.chaos --seed $(or $(SEED),1) --seconds $(or $(SECONDS),600)

docs: .venv/ready-dev  ## write the generated pages of docs/ anew
	$(BIN)/python -m broker docs
	$(BIN)/python -m edge.drivers --write

constraints: .venv/ready-dev  ## write constraints.txt from what is installed, after the tests have passed with it
	$(BIN)/pip freeze --exclude-editable | sort -f > constraints.txt

clean:  ## remove what was built and every run's data
	rm -rf .venv var build *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and $(PYTHON) is older: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/ready-run: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[edge,server]'
	@touch $@

.venv/ready-dev: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[edge,server,dashboards,dev]'
	@touch $@ .venv/ready-run

.PHONY: servers
servers:
	@sh tests/servers.sh
