# Every task of the project. On a fresh machine Python 3.11 or newer, make and git are enough: a task installs what it
# needs into .venv first, from the lock, and does so again only when the lock or pyproject.toml has changed.

PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
VENV ?= .venv
BIN := $(VENV)/bin
ROOMS := schemas terminal notifications reconciler runtime sandbox demo
TOOLS := build/tools
TOOLS_STAMP := $(TOOLS)/.installed-$(shell cksum < requirements-tools.lock | cut -d' ' -f1)
STAMP := $(VENV)/.installed-$(shell cat requirements-dev.lock pyproject.toml | cksum | cut -d' ' -f1)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without bytecode on disk every command compiles its imports again, which doubles its start-up.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo play test test-pythons test-long test-full mutants check fix schema guide picture conversations bench chaos audit restore-drill image lock release clean

help: ## list the tasks
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## install everything into .venv (every other task does it by itself)

demo: $(STAMP) ## the whole way on the sandbox, no account: validate, plan, apply, talk, drift, repair
	@$(BIN)/python -m demo

play: $(STAMP) ## leave sandbox and runtime running to be played with; Ctrl-C ends both
	@$(BIN)/python -m demo play

test: $(STAMP) ## run the tests in parallel; ARGS="tests/project -k lock" narrows them; those of words are `make check`'s
	$(BIN)/python -m pytest -n 6 --dist worksteal -m "not long and not full" \
	  --ignore tests/project/test_words.py --ignore tests/project/test_events.py $(ARGS)

test-pythons: ## run the tests on each supported Python that this machine has, from pyenv or the PATH
	@bash .ci/test-pythons

test-long: $(STAMP) $(TOOLS_STAMP) ## run the few tests that take longer: three replicas under kills, real time-outs
	$(BIN)/python -m pytest -n 4 --dist worksteal -m long $(ARGS)

test-full: $(STAMP) $(TOOLS_STAMP) ## run at full size what the others run in short: 2,000 recipients, 200 files of 16 MB, fuzzing
	$(BIN)/python -m pytest -n 2 --dist worksteal -m full $(ARGS)

mutants: $(STAMP) ## change pure modules line by line: which changes does no test notice? MODULE=runtime/memory.py does one
	@$(BIN)/python -m tests.mutants $(MODULE)

check: $(STAMP) ## what CI checks besides the tests: lint, format, types, rooms, words, schema, workflows, paths
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/project/test_words.py tests/project/test_events.py
	$(BIN)/reconcile schema --check
	$(BIN)/zizmor --offline --quiet .github
	@echo "no path of this machine in any file"
	@! git grep -nIF -e "$(CURDIR)/" -e "$(HOME)/"

fix: $(STAMP) ## format, and repair what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(STAMP) ## write schemas/*.json again from the models
	$(BIN)/reconcile schema client --out schemas/client.schema.json
	$(BIN)/reconcile schema defaults --out schemas/defaults.schema.json
	$(BIN)/reconcile schema case --out schemas/case.schema.json
	$(BIN)/reconcile schema plan --out schemas/plan.schema.json
	$(BIN)/reconcile schema tariffs --out schemas/tariffs.schema.json

guide: $(STAMP) ## write the prices in the Spanish guide again, from the packaged ones
	$(BIN)/python -m reconciler.proposals.guide docs/guia.es.md

picture: $(STAMP) ## draw the pictures in docs/ again: a real plan, a simulated month, the console (needs Chromium)
	@$(BIN)/python -m demo picture
	@$(BIN)/python -m tests.console_pictures

conversations: $(STAMP) ## talk with each engine on the sandbox, with files and buttons, and write docs/conversaciones/
	@$(BIN)/python -m demo conversations

bench: $(STAMP) ## measure, and write bench/RESULTS.md: an hour and a half; SECTION="plan turns" measures some of it
	$(BIN)/python -m bench --keep $(SECTION)

chaos: $(STAMP) ## kill, freeze and cut off runtimes for a quarter of an hour; what is answered is judged; SEED=7 repeats one seed
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED))

audit: $(STAMP) $(TOOLS_STAMP) ## known flaws of the pinned packages, and the bill of materials of the service: dist/sbom.json
	@mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-format JSON --output-file dist/sbom.json
	$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements.lock
	$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements-dev.lock

restore-drill: $(STAMP) ## lose a store and restore it with deploy/restore, from a backup of a minute ago and of last night
	@$(BIN)/python -m tests.restore_drill

image: $(STAMP) ## run the steps of deploy/Dockerfile in an empty folder, without Docker
	$(BIN)/python deploy/check_image.py

lock: $(STAMP) ## pin again after a change of pyproject.toml; UPGRADE=--upgrade takes newer releases
	$(call compile,build,requirements.lock)
	$(call compile,dev --constraints requirements.lock,requirements-dev.lock)
	$(BIN)/uv pip compile --group pyproject.toml:tools --universal --python-version 3.11 --generate-hashes --quiet \
	  --no-emit-index-url --no-header --no-annotate $(UPGRADE) --output-file requirements-tools.lock

compile = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet \
	--no-emit-index-url --no-header --no-annotate $(UPGRADE) --group $(1) --output-file $(2)

release: $(STAMP) ## check the changelog, build the wheel, run it in an empty environment, tag it (docs: CONTRIBUTING.md)
	$(BIN)/python deploy/release.py

clean: ## remove .venv, caches and the state of demo and play
	rm -rf $(VENV) var build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(ROOMS) tests bench -name __pycache__ -prune -exec rm -rf {} +

$(STAMP):
	@python=; for candidate in $(PYTHON); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "No Python 3.11 or newer found (tried: $(PYTHON)). Install one, or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "$$python lacks the module venv. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	fi; \
	if ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
	  echo "1/4 Making $(VENV) with $$("$$python" --version) (seconds)"; "$$python" -m venv --clear $(VENV); \
	fi
	@echo "2/4 Installing uv, which installs the rest (seconds)"
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install -qq --require-hashes -r $(VENV)/uv.lock
	@echo "3/4 Installing $$(grep -c == requirements-dev.lock) pinned packages, about 100 MB (a minute; seconds where uv has them in its cache)"
	@index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)}}; \
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --require-hashes --compile-bytecode \
	  $${index:+--default-index "$$index"} -r requirements-dev.lock || \
	{ echo "uv could not (its reason stands above); the same packages with pip, which takes longer"; \
	  $(BIN)/python -m pip install -qq --require-hashes -r requirements-dev.lock; }
	@echo "4/4 Installing this project (seconds)"
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q $(wildcard $(ROOMS))
	@echo "Done. \`source $(BIN)/activate\` puts the commands on the PATH of this terminal."
	@rm -f $(VENV)/.installed-* && touch $@

# Programs that nothing imports, in an environment of their own.
$(TOOLS_STAMP): requirements-tools.lock | $(STAMP)
	@rm -rf $(TOOLS) && $(BIN)/python -m venv --without-pip $(TOOLS)
	@index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)}}; \
	$(BIN)/uv pip install --quiet --system-certs --python $(TOOLS)/bin/python --require-hashes \
	  $${index:+--default-index "$$index"} -r requirements-tools.lock
	@touch $@
