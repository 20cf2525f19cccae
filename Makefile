# Everything a fresh Debian with Python 3.11 needs: `make demo`, `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: all demo test lint bench clean system-packages
all: lint test

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

system-packages:
	@sh tests/system-packages.sh

test: $(STAMP) system-packages
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis

demo: $(STAMP)
	@echo '$$ rulegen render -f fixtures/ngx'
	@$(BIN)/rulegen render -f fixtures/ngx
	@echo
	@echo '$$ rulegen show svc/ngx-svc -f fixtures/ngx -o tree'
	@$(BIN)/rulegen show svc/ngx-svc -f fixtures/ngx -o tree

bench: $(STAMP)
	$(BIN)/python -m bench
