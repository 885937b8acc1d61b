# One word per chore. Each sets up what it needs: `make test` is enough on a fresh Debian.
#
#   make demo     a chat over wss on https://localhost:8443
#   make test     every test, with real nginx, Apache, Caddy, HAProxy and Chromium  (make test ARGS="-k nginx")
#   make check    style, types and the rules of the house, in seconds
#   make docs     the site, into build/site: docs/, a reference made from the docstrings, a search
#   make docs-serve  the same, shown at http://127.0.0.1:8000 (make docs-serve PORT=8001)
#   make cover    which lines the tests reach
#   make fuzz     inputs that nobody would send on purpose, for a minute (make fuzz SECONDS=10)
#   make autobahn  Autobahn's 517 cases on an application of Starlette, about ten minutes
#   make autobahn-client  the same on connect()
#   make soak     whether memory comes back after a million messages and more, ten minutes; then what a
#                 gateway loses, fault by fault, on each broker: a quarter of an hour (FAULTS="--broker redis")
#   make bench    this and other servers side by side, into docs/benchmarks.md
#                 (make bench ARGS="--short --only lineman": does it work, in seconds, no network)
#   make capacity        what a connection and a message cost each process, into docs/howto/plan-capacity.md
#   make bench-http      requests beside uvicorn and granian, files beside nginx, events
#   make bench-apps      a Starlette application beside uvicorn and granian
#   make bench-clients   connect() and Dialer beside the clients of websockets and picows
#   make bench-layers    the channel layer beside channels_redis
#   make bench-gateway   the gateway beside a plain worker, and beside others with Redis
#   make package  the sdist, installed into empty environments with a compiler and without one
#   make wheels   the same, and a manylinux wheel for each Python that is at hand, into dist/
#   make lock     newest versions of what building and developing need, into requirements/
#   make audit    whether a known weakness is in what we depend on (asks PyPI)

# The data path is compiled where a C compiler is at hand; LINEMAN_COMPILE=required fails without
# one, LINEMAN_COMPILE=no runs plain Python.

PYTHON ?= python3
ARGS ?=
FAULTS ?=
SECONDS ?= 60
PORT ?= 8000
export LINEMAN_COMPILE ?= auto
BIN := .venv/bin

# One build at a time lies beside the sources: another choice, or a changed source, makes it anew.
BUILD := .venv/build-$(LINEMAN_COMPILE).stamp
SOURCES := pyproject.toml setup.py requirements/build.txt $(shell find src -name '*.py' -o -name '*.pxd' -o -name '*.h')

.PHONY: help demo test check docs docs-serve cover fuzz autobahn autobahn-client soak bench bench-http bench-apps bench-clients bench-layers bench-gateway capacity package wheels lock audit programs

help:
	@sed -n 's/^# \{0,1\}//p' Makefile

demo: $(BUILD)
	$(BIN)/python examples/demo/app.py

test: $(BUILD) .venv/dev.stamp programs
	$(BIN)/pytest -n auto --dist worksteal $(ARGS)

check: $(BUILD) .venv/dev.stamp
	$(BIN)/ruff check src tests examples bench docs/lineman_site setup.py
	$(BIN)/ruff format --check src tests examples bench docs/lineman_site setup.py
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_house.py

docs: $(BUILD) .venv/dev.stamp
	@command -v dot >/dev/null || { echo 'docs: dot draws the pictures and is not here; fix: apt-get install graphviz'; exit 1; }
	PYTHONPATH=docs $(BIN)/python -m lineman_site

docs-serve: docs
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site $(PORT)

cover: .venv/dev.stamp
	@test -z "$$(find src -name '*.so')" || { echo 'cover: compiled lines are not counted; fix: make cover LINEMAN_COMPILE=no'; exit 1; }
	$(BIN)/coverage run --source=src/lineman -m pytest -q -m "not e2e" $(ARGS)
	$(BIN)/coverage report --show-missing --skip-covered

fuzz: .venv/asan.stamp .venv/dev.stamp
	$(BIN)/python tests/fuzz/run.py --codec $$(($(SECONDS) / 8)) --callbacks $$(($(SECONDS) / 8)) $(ARGS)
	$(BIN)/python tests/fuzz/guided.py --seconds $$(($(SECONDS) / 4)) $(ARGS)
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
	PYTHONPATH=build/asan/src $(BIN)/python tests/fuzz/run.py \
	--codec $$(($(SECONDS) / 6)) --service $$(($(SECONDS) / 6)) --callbacks $$(($(SECONDS) / 6)) $(ARGS)

autobahn: $(BUILD) .venv/dev.stamp
	tools/setup autobahn
	$(BIN)/python tests/wstest/run.py $(ARGS)

autobahn-client: $(BUILD) .venv/dev.stamp
	tools/setup autobahn
	$(BIN)/python tests/wstest/run_client.py $(ARGS)

soak: $(BUILD) .venv/dev.stamp programs
	$(BIN)/python bench/soak.py $(ARGS)
	$(BIN)/python tests/faults/run.py $(FAULTS)

bench: $(BUILD)
	$(BIN)/python bench/compare.py $(ARGS)

bench-http: $(BUILD)
	$(BIN)/python bench/compare_http.py $(ARGS)

bench-apps: $(BUILD)
	$(BIN)/python bench/compare_apps.py $(ARGS)

bench-clients: $(BUILD)
	$(BIN)/python bench/compare_clients.py $(ARGS)

bench-layers: $(BUILD) .venv/dev.stamp
	$(BIN)/python bench/compare_layers.py $(ARGS)

bench-gateway: $(BUILD)
	$(BIN)/python bench/compare_gateway.py $(ARGS)

capacity: $(BUILD)
	$(BIN)/python bench/capacity.py $(ARGS)

package:
	tools/package prove

wheels:
	tools/package wheels

lock: $(BUILD)
	tools/lock

# Not part of any check of a change: what is found in a dependency tomorrow is no fault of it.
audit: $(BUILD)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target build/audit-tools pip-audit
	PYTHONPATH=build/audit-tools $(BIN)/python -m pip_audit --strict --require-hashes --disable-pip \
	-r requirements/dev.txt -r requirements/build.txt -r requirements/release.txt

programs:
	@tools/setup programs

$(BUILD): $(SOURCES)
	PYTHON="$(PYTHON)" tools/setup package
	@rm -f .venv/build-*.stamp
	@touch $@

# The extension modules once more, with sanitizers in them, in a directory of their own: memory
# misused, or what C leaves undefined, ends the process.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined

.venv/asan.stamp: $(SOURCES) | $(BUILD)
	tools/setup build_tools
	mkdir -p build/asan
	cp -pRu setup.py pyproject.toml README.md LICENSE src build/asan/
	mkdir -p build/cython build/asan/build && cp -pRu build/cython build/asan/build/
	cd build/asan && PYTHONPATH=$(CURDIR)/build/tools CC=gcc CFLAGS="-O1 -g $(SANITIZE)" LDFLAGS="$(SANITIZE)" \
	LINEMAN_COMPILE=required $(CURDIR)/$(BIN)/python setup.py -q build_ext --inplace
	@touch $@

.venv/dev.stamp: requirements/dev.txt | $(BUILD)
	tools/setup dev
	@touch $@
