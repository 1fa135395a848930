# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
NEWEST ?= .venv-newest
# --no-compile: of 20,000 files a tenth is ever imported, and Python compiles those then.
INSTALL := -m pip --disable-pip-version-check install --quiet --no-compile
PIP := $(BIN)/python $(INSTALL) --constraint constraints.txt
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1

.PHONY: demo test lint tests test-newest install-newest tutorials docs clean

demo: $(VENV)/.core
	$(BIN)/dynome demo --out demo_results

# Lint and tutorials take one core each; the tests take two.
test:
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint tutorials
	$(MAKE) --no-print-directory tests

lint: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tests: $(VENV)/.all
	DYNOME_REQUIRE_EXTRAS=1 $(ONE_THREAD) $(BIN)/pytest -n 2

# What touches PyMC and ArviZ, with their newest versions, which need Python 3.12. PYTHON_NEWEST names one; else it is
# looked for on the PATH and among the versions of pyenv.
test-newest: GOAL = $(NEWEST)/.tested
install-newest: GOAL = $(NEWEST)/.all
test-newest install-newest:
	@for python in "$$PYTHON_NEWEST" python3.12 python3.13 python3.14 python3 \
	    "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.1[234].*/bin/python; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 12) <= sys.version_info < (3, 15))' 2>/dev/null; then \
	    exec $(MAKE) --no-print-directory $(GOAL) PYTHON="$$python"; \
	  fi; \
	done; \
	echo "$@ SKIPPED: no Python 3.12 to 3.14 is on the PATH or with pyenv; name one with PYTHON_NEWEST=..."

.PHONY: $(NEWEST)/.tested
$(NEWEST)/.tested: $(NEWEST)/.all
	$(ONE_THREAD) $(NEWEST)/bin/python -m pytest -q -n 2 --timeout=900 $(addprefix tests/inference/,test_posterior.py \
	  $(patsubst %,biclustering/test_%.py,pymc_step results))

$(NEWEST)/.all: pyproject.toml constraints-newest.txt
	test -x $(NEWEST)/bin/python || $(PYTHON) -m venv $(NEWEST)
	@echo "installing dynome with the newest PyMC and ArviZ into $(NEWEST) (two minutes, once)"
	$(NEWEST)/bin/python $(INSTALL) --constraint constraints-newest.txt \
	  --editable '.[bayes]' pytest pytest-randomly pytest-xdist pytest-timeout hypothesis
	touch $@

tutorials: $(VENV)/.all
	$(ONE_THREAD) $(BIN)/python tutorials/run.py

docs: $(VENV)/.all
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html

$(VENV)/.core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing dynome into $(VENV) (a minute or two, once)"
	$(PIP) --editable .
	touch $@

$(VENV)/.all: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing dynome with everything it can use into $(VENV) (a few minutes, once)"
	$(PIP) torch
	$(PIP) --editable '.[all]'
	touch $(VENV)/.core $@

clean:
	rm -rf $(VENV) $(NEWEST) demo_results docs/_build
