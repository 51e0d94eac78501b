# From a bare clone with python3, git and make: `make sample`. Nothing needs an activated venv.
PYTHON3 ?= python3
VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALL = $(PYTHON) -m pip install --quiet --no-compile -c requirements.lock
PORT ?= 3000
MLFLOW_PORT ?= 5000

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DAGSTER_DISABLE_TELEMETRY := yes
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := False
export RAY_USAGE_STATS_ENABLED := 0
export HF_HUB_OFFLINE := 1
# One thread a process: two trainings with two threads each on two cores run 10 to 50 times slower
# than with one. A stage that runs alone is given more by its asset.
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
# Container images like to set it: then each of some fifty processes would compile torch anew, 7 s.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup lock sample ui test lint docs format clean

help:  ## This list.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.tools  ## Make .venv with everything; again only when pyproject.toml or the lock changed.

# What the line runs with. sam2 declares a torchvision that the CPU build of torch cannot import,
# hence --no-deps (docs/setup.md); its source distribution builds with the torch that is installed
# already. Python compiles what it imports: compiling all of it here would take a minute.
$(VENV)/.line: pyproject.toml requirements.lock
	$(PYTHON3) -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --upgrade pip
	$(INSTALL) 'setuptools>=77' wheel
	$(INSTALL) -e .
	SAM2_BUILD_CUDA=0 $(INSTALL) --no-deps --no-build-isolation sam2==1.1.0
	touch $@

# What tests and checks need besides. The newest dagster-k8s asks for the dagster one patch before
# the newest: the tests run it without.
$(VENV)/.tools: $(VENV)/.line
	$(INSTALL) -e '.[dev,docs,ray]'
	$(INSTALL) --no-deps dagster-k8s
	touch $@

lock: setup  ## Write requirements.lock from what is installed.
	$(PYTHON) -m pip freeze --exclude-editable \
		| sed -E '/^(sam2|geomag)==/d; s/^(torch==[0-9.]+)\+.*/\1/; s/ @ .*//' > $(VENV)/lock
	(head -n 1 requirements.lock; cat $(VENV)/lock) > $(VENV)/lock.new
	mv $(VENV)/lock.new requirements.lock

sample: $(VENV)/.line  ## Data, models, predictions, scores and report of the sample, then its tables.
	$(PYTHON) -m geomag_dagster.run whole_line

ui: $(VENV)/.line  ## Dagster and MLflow on this machine; Ctrl-C stops both.
	$(PYTHON) -m geomag_dagster.ui --port $(PORT) --mlflow-port $(MLFLOW_PORT)

test: setup  ## All tests, doctests included, in a process per core.
	$(PYTHON) -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: setup  ## Style, format, types and import contracts.
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: setup  ## The pages as a site in build/site, with the Python reference; a warning ends it.
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict

format: setup  ## Format and mend what can be mended.
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:  ## Remove what the line made; data and the set-up stay.
	rm -rf artifacts/records artifacts/models artifacts/crops artifacts/predictions artifacts/report work
