# The commands of this repository. `make help` lists them; nothing is installed outside .venv but, for `make test`
# on a machine without them, a browser and the far ends of others.

PYTHON  ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
             $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV    := .venv
BIN     := $(VENV)/bin
INSTALL := $(BIN)/python -m pip -qq --disable-pip-version-check install
ROOT    := $(shell test "$$(id -u)" = 0 || echo sudo -n)
APT     := $(ROOT) env DEBIAN_FRONTEND=noninteractive apt-get -qq
HTTP    ?= 127.0.0.1:8080
SEEDS   ?= 1..5000
FAULTS  ?= 10000
KILLS   ?= 1000
CORE    := --branch --source=cellctl/core

.DEFAULT_GOAL := help
.PHONY: help demo test lint browser peers bench soak mutants docs lock clean

help:  ## say what the commands are
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/run.stamp  ## a simulated cell with its web page on HTTP=127.0.0.1:8080; Ctrl-C ends it
	@trap : INT; $(BIN)/cellctl demo --http $(HTTP); code=$$?; test $$code -eq 130 || exit $$code

test: lint browser peers  ## the static checks, then the whole suite
	@$(BIN)/coverage run $(CORE) -m pytest tests/core
	@$(BIN)/coverage report --show-missing --skip-covered --fail-under=100
	@$(BIN)/python -m pytest --ignore=tests/core --numprocesses=2 --dist=worksteal

lint: $(VENV)/test.stamp  ## format, style, types, and who may import whom
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }

bench: $(VENV)/bench.stamp peers  ## measure against floors and peers; about eight minutes
	@$(BIN)/python -m benchmarks

soak: $(VENV)/run.stamp  ## FAULTS=10000 on links, KILLS=1000: an hour; then random worlds, SEEDS=1..5000: hours
	@$(BIN)/python -m tests.links.soak --faults $(FAULTS)
	@$(BIN)/python -m tests.kills.soak --kills $(KILLS)
	@$(BIN)/cellctl fuzz battery-module --level direct --seeds $(SEEDS)
	@$(BIN)/cellctl fuzz battery-module --level wire --seeds $(SEEDS)

mutants: $(VENV)/run.stamp  ## hunt every planted bug with random worlds, which must find it; some minutes
	@$(BIN)/python tests/mutants/hunt.py

docs: $(VENV)/test.stamp  ## write the generated pages of docs/ anew
	@$(BIN)/python docs/generate.py

lock: $(VENV)/test.stamp  ## resolve requirements/*.txt anew from pyproject.toml
	@$(INSTALL) pip-tools
	@PATH="$(BIN):$$PATH" requirements/lock

clean:  ## remove everything that these commands made
	@rm -rf $(VENV) .cellctl dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A browser for the tests of the web page: the one that is there, or Debian's.
browser:
	@command -v chromium chromium-browser google-chrome > /dev/null \
	  || { $(APT) update && $(APT) install --yes chromium > /dev/null; } \
	  || echo "No browser was found and none could be installed: the tests of the web page will say so."

# Software of others that our drivers and simulated devices are held against (docs/reference/drivers.md).
peers: $(VENV)/test.stamp
	@requirements/peers $(VENV)/js $(APT)

# --- the private environment: a stamp is older than what it was made from, or it stands -------------------------

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "cellctl needs Python 3.11 or newer, and none was found."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null \
	  || { $(APT) update && $(APT) install --yes python3-venv > /dev/null; } \
	  || { echo "Python cannot make a private environment. Install the package python3-venv."; exit 1; }
	@echo "Making a private environment in $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/build.txt requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing cellctl (the first time this takes a minute) ..." >&2
	@$(INSTALL) --require-hashes -r requirements/build.txt -r requirements/run.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/test.stamp: requirements/test.txt $(VENV)/run.stamp
	@echo "Installing the tools of the tests ..." >&2
	@$(INSTALL) --require-hashes -r requirements/test.txt
	@touch $@

$(VENV)/bench.stamp: requirements/bench.txt | $(VENV)/bin/python
	@echo "Installing the peers of the benchmarks ..." >&2
	@$(PYTHON) -m venv $(VENV)/bench
	@$(VENV)/bench/bin/python -m pip -qq --disable-pip-version-check install --require-hashes -r requirements/bench.txt
	@touch $@
