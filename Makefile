# The words of this project. `make demo` and `make test` need python3 (3.11 or newer, with venv), make and git,
# and nothing but the package index from outside.

PYTHON ?= python3
BIN := .venv/bin
# Every process of the tests and the demo would compile our modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test chaos check bench up lock

help:  ## what the words do
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/ready  ## make .venv from the lock, with this project editable

.venv/ready: requirements-dev.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@echo "installing what the lock names (once; a minute or two)"
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## play April to December 2013: a good candidate climbs, a bad one falls
	@$(BIN)/headgate demo

up: setup  ## the flights stack on this machine until Ctrl-C
	@$(BIN)/headgate up

test: setup  ## every test, in four processes
	@$(BIN)/pytest --numprocesses 4 --dist loadgroup --no-loadscope-reorder

chaos: setup  ## kill, freeze and spoil the planes (five minutes), and tell what callers saw
	@$(BIN)/pytest tests/chaos --chaos

check: setup  ## format, lint, types, doors
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup  ## measure, and write benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks

lock:  ## make the locks again from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
