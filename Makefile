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
	# python-iptables is compiled when it is installed; where that cannot be done, its tests are skipped.
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt python-iptables
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
	@RULEGEN=$(CURDIR)/$(BIN)/rulegen sh fixtures/demo.sh

bench: $(STAMP)
	@failed=0; \
	$(BIN)/python -m bench --json bench/results.json --plot bench/growth.svg || failed=1; \
	$(BIN)/python -m bench.dumps --json bench/results-dumps.json || failed=1; \
	$(BIN)/python -m bench.kernel --json bench/results-kernel.json || failed=1; \
	exit $$failed

# The recorder over the proxiers of a Kubernetes release (conformance/README.md). Needs Go; minutes the first time.
VERSION ?= 1.37.2
MINOR = $(basename $(VERSION))
RECORDER = conformance/bin/recorder-$(VERSION)
MODE ?=
COUNT ?= 1000
SEED ?= 1

.PHONY: recorder conformance fuzz fuzz-trace
recorder:
	sh conformance/build.sh $(VERSION)

conformance: $(STAMP) recorder
	$(BIN)/python -m rulegen.conformance.recordings --recorder $(RECORDER) --version $(MINOR)

fuzz: $(STAMP) recorder
	$(BIN)/python -m rulegen.conformance.fuzz --recorder $(RECORDER) --count $(COUNT) --seed $(SEED) \
		$(addprefix --mode ,$(MODE))

fuzz-trace: $(STAMP) recorder
	$(BIN)/python -m tests.trace.judge --recorder $(RECORDER) --count $(COUNT) --seed $(SEED) \
		$(addprefix --mode ,$(MODE))

# A control plane on the loopback of a network namespace of its own (conformance/README.md).
CLUSTER = conformance/bin/cluster-$(VERSION)
KIND ?=
INTO ?= conformance/bin/cases

.PHONY: cluster conformance-cluster fuzz-cluster
cluster:
	sh conformance/cluster/build.sh $(VERSION)

conformance-cluster: $(STAMP) cluster recorder
	$(BIN)/python -m conformance.cluster --programs $(CLUSTER) --count $(COUNT) --seed $(SEED) --into $(INTO) \
		$(addprefix --kind ,$(KIND))

fuzz-cluster: $(STAMP) cluster recorder
	$(BIN)/python -m conformance.cluster --programs $(CLUSTER) --count $(COUNT) --seed $(SEED) \
		$(addprefix --kind ,$(KIND))
