# Needs only Python 3.11, make and the package registries. Locks are whole: pip installs them without looking for more
# (--no-deps), as it would stop at a newer release of something that is asked for with an extra, like pydantic[email].
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup run test litellm check bench clean

# The real LiteLLM that tests/litellm_proxy needs: 740 MB. In CI always, else where it was once asked for.
LITELLM := $(if $(or $(filter true 1,$(CI)),$(wildcard .venv-litellm/bin/litellm)),.venv-litellm/.done)

help:  ## list what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

setup: $(VENV)/.run  ## create .venv from the hash-pinned lock

run: setup  ## start Sightglass; with no Ollama at the configured address, beside a stand-in model
	@$(BIN)/sightglass demo

test: $(VENV)/.dev $(LITELLM)  ## the whole suite
	$(BIN)/python -m pytest -q -rs --no-fold-skipped -n 2 --dist loadscope --no-loadscope-reorder

litellm: .venv-litellm/.done  ## a real LiteLLM (740 MB) in an environment of its own; from then on, test uses it

check: $(VENV)/.dev  ## format, lint, types, import rules, fast tests
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check

bench: $(VENV)/.dev  ## measure against a bare aiohttp proxy
	$(BIN)/python -m bench

clean:  ## remove the environment and caches (never the data)
	rm -rf $(VENV) .venv-litellm .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python lock/run.txt pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r lock/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run lock/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r lock/dev.txt
	@touch $@

.venv-litellm/.done: lock/litellm.txt
	test -x .venv-litellm/bin/python || $(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r lock/litellm.txt
	@touch $@
