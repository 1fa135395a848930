# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1

.PHONY: demo test lint tests tutorials docs clean

demo: $(VENV)/.core
	$(BIN)/dynome demo --out demo_results

test: lint tests tutorials

lint: $(VENV)/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tests: $(VENV)/.all
	DYNOME_REQUIRE_EXTRAS=1 $(ONE_THREAD) $(BIN)/pytest -n 2

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
	rm -rf $(VENV) demo_results docs/_build
