# One word per chore. Each sets up what it needs: `make test` is enough on a fresh Debian.
#
#   make demo     a chat over wss on https://localhost:8443
#   make test     every test, with real nginx, Apache and Chromium  (make test ARGS="-k nginx")
#   make check    style, types and the rules of the house, in seconds
#   make cover    which lines the tests reach

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.PHONY: help demo test check cover programs

help:
	@sed -n 's/^# \{0,1\}//p' Makefile

demo: .venv/package.stamp
	$(BIN)/python examples/demo/app.py

test: .venv/dev.stamp programs
	$(BIN)/pytest -n auto --dist worksteal $(ARGS)

check: .venv/dev.stamp
	$(BIN)/ruff check src tests examples
	$(BIN)/ruff format --check src tests examples
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_house.py

cover: .venv/dev.stamp
	$(BIN)/coverage run --source=src/lineman -m pytest -q -m "not e2e" $(ARGS)
	$(BIN)/coverage report --show-missing --skip-covered

programs:
	@tools/setup programs

.venv/package.stamp: pyproject.toml
	PYTHON="$(PYTHON)" tools/setup package
	@touch $@

.venv/dev.stamp: .venv/package.stamp
	tools/setup dev
	@touch $@
