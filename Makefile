# Every task of the house. `make help` explains them.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
UV := .venv/bin/uv
RUN := .venv/bin/python

.PHONY: help install demo up test lint types boundaries snapshots licences docs mutants crashpoints chaos fuzz bench lock check clean

help: ## explain the tasks
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "fillstream needs Python 3.11 or newer, and $(PYTHON) is not there"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fillstream needs Python 3.11 or newer; $(PYTHON) is older: make demo PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) lacks its venv module: install it (Debian and Ubuntu: python3-venv)"; exit 1; }
	@$(PYTHON) -m venv .venv

$(UV): .venv/bin/python
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.txt || { echo "the Python package index can't be reached: uv was not installed"; exit 1; }

.venv/installed: $(UV) locks/embedded.txt locks/data.txt
	@$(UV) pip install --quiet --python $(RUN) --require-hashes -r locks/embedded.txt || { echo "the Python package index can't be reached: the packages were not installed"; exit 1; }
	@$(UV) pip install --quiet --python $(RUN) --require-hashes --no-deps -r locks/data.txt
	@printf '%s\n' '$(CURDIR)' > "$$($(RUN) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/fillstream.pth"
	@printf '#!%s\nfrom fillstream.cli.main import main\n\nmain()\n' '$(CURDIR)/.venv/bin/python' > .venv/bin/fillstream
	@chmod +x .venv/bin/fillstream
	@touch $@

.venv/developing: .venv/installed locks/dev.txt
	@$(UV) pip install --quiet --python $(RUN) --require-hashes -r locks/dev.txt
	@touch $@

install: .venv/installed ## make .venv with everything that the demo needs

demo: .venv/installed ## replay two years of real bars and prove the result; ARGS=--keep leaves it running
	@$(RUN) -m fillstream demo $(ARGS)

up: .venv/installed ## run everything on this machine until Ctrl-C
	@$(RUN) -m fillstream up $(ARGS)

test: .venv/developing ## run the tests; ARGS="tests/orders -x" picks
	@$(RUN) -m pytest $(ARGS)

lint: .venv/developing ## style and formatting
	@$(RUN) -m ruff check . && $(RUN) -m ruff format --check .

types: .venv/developing ## static types
	@$(RUN) -m mypy

boundaries: .venv/developing ## who may import whom
	@.venv/bin/lint-imports --config pyproject.toml

snapshots: .venv/developing ## the generated documents are those of the code
	@$(RUN) -m fillstream catalogue .venv/generated && diff -r .venv/generated/events.md docs/events.md && diff -r .venv/generated/asyncapi.json docs/asyncapi.json
	@$(RUN) -m fillstream openapi | diff - docs/openapi.json

licences: .venv/developing ## nothing at run time may be under AGPL, GPL or the Commons Clause
	@$(RUN) -m tests.licences

docs: .venv/installed ## write the generated documents anew
	@$(RUN) -m fillstream catalogue docs && $(RUN) -m fillstream openapi > docs/openapi.json

.venv/benchmarking: .venv/developing locks/bench.txt
	@$(UV) pip install --quiet --python $(RUN) --require-hashes --no-deps -r locks/bench.txt
	@touch $@

mutants: .venv/developing ## plant faults in copies of the tree, each must be caught; ARGS="--only NAME" picks
	@$(RUN) -m tests.mutants $(ARGS)

crashpoints: .venv/developing ## kill each service at each crossing of a boundary; ARGS="--sample 20 --seed 1" picks
	@$(RUN) -m tests.crashpoints $(ARGS)

chaos: .venv/developing ## real faults under load; ARGS="--seed 1 --injections 12" picks
	@$(RUN) -m tests.chaos $(ARGS)

fuzz: .venv/developing ## 20,000 generated calls against the served API; ARGS="--calls 5000" picks
	@$(RUN) -m tests.fuzz $(ARGS)

bench: .venv/benchmarking ## measure, each figure against its peer in the same run; ARGS="consumer relay" picks
	@$(RUN) -m bench $(ARGS)

check: lint types boundaries snapshots licences test ## everything but the demo

lock: $(UV) ## resolve the lock files anew
	@sh locks/compile.sh

clean: ## remove .venv and the embedded servers' data
	rm -rf .venv .fillstream
