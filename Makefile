# `make` alone prints the targets.

PYTHON ?= python3
PORT ?= 5000
KILLS ?= 50
SECONDS ?= 1500
DATABASE ?= sqlite
# Of the installers: a directory to install into instead of the system; a directory of wheels; see docs/pi.md.
ROOT ?=
WHEELS ?=
RELAY ?=
PURGE ?=
FOR ?=
INSTALLER = $(PYTHON) -B systemd/installer --root="$(ROOT)"
VENV ?= .venv
BIN := $(VENV)/bin
PAGE := server/dashboard
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup run test check format contract dashboard screenshot bench bench-models faults lock clean install-agent install-relay rollback-agent rollback-relay uninstall-agent uninstall-relay wheels wiring

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1mmake %-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.run dashboard ## Install what the relay and a simulated agent need, and build the page

run: setup ## Set up, then run relay, simulated agent and page (PORT=5000)
	@exec $(BIN)/pi-relay demo --port $(PORT) --state .state/demo

test: $(VENV)/.dev dashboard ## Set up, then run all tests (ARGS="-k name" for some)
	@cd $(PAGE) && PATH="$(NODE_PATH_FIRST)" npm test --silent
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: $(VENV)/.dev $(PAGE)/node_modules/.package-lock.json ## Lint, types, architecture, generated files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	cd systemd/installer && $(CURDIR)/$(BIN)/mypy --strict *.py
	$(BIN)/lint-imports
	$(BIN)/python -m shared.contract.export --check
	$(BIN)/python -m tests.support.settings_docs --check
	cd $(PAGE) && PATH="$(NODE_PATH_FIRST)" npm run check --silent

format: $(VENV)/.dev ## Format the Python sources
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

contract: $(VENV)/.dev ## Generate docs, schemas and types from the contract and the settings
	$(BIN)/python -m shared.contract.export
	$(BIN)/python -m tests.support.settings_docs

bench: $(VENV)/.dev ## Run the benchmarks; each prints a table (ARGS="-k name" for some)
	$(BIN)/python -m tests.bench $(ARGS)

bench-models: $(VENV)/.dev ## Judge the models on real data, with pictures (DATA=../shared/data, ARGS="-k forecast")
	@$(BIN)/python -m tests.bench.models $(if $(DATA),--data "$(DATA)") $(ARGS)

faults: $(VENV)/.dev ## Kill, freeze, cut off, fill up and damage; count what is lost (KILLS=50 SECONDS=1500 DATABASE=postgres)
	$(BIN)/python -m tests.faults --kills $(KILLS) --seconds $(SECONDS) --database $(DATABASE) $(ARGS)

screenshot: $(VENV)/.dev dashboard ## Take the pictures of the page for the README (needs Chromium)
	$(BIN)/python -m tests.support.screenshot

lock: $(VENV)/.dev ## Lock the dependencies anew
	$(BIN)/pip install --quiet uv
	$(LOCK) --extra agent --extra relay --extra postgres --extra scale --extra demo pyproject.toml .locks/build.in -o .locks/run.txt
	$(LOCK) --extra dev pyproject.toml .locks/build.in -o .locks/dev.txt
	$(LOCK) --extra pi pyproject.toml .locks/build.in -o .locks/pi.txt
	$(LOCK) --extra node pyproject.toml -o .locks/node.txt

install-agent: ## Install or upgrade the agent as a service, with sudo (RELAY=http://relay.lan:5000 WHEELS=DIR)
	@$(INSTALLER) install agent --wheels="$(WHEELS)" --relay="$(RELAY)"

install-relay: ## Install or upgrade the relay as a service, with sudo (WHEELS=DIR)
	@$(INSTALLER) install relay --wheels="$(WHEELS)"

rollback-agent: ## Go back to the agent that ran before the upgrade, with sudo
	@$(INSTALLER) rollback agent

rollback-relay: ## Go back to the relay that ran before the upgrade, with sudo
	@$(INSTALLER) rollback relay

uninstall-agent: ## Remove the agent's service; data and settings stay (PURGE=1: they go too)
	@$(INSTALLER) uninstall agent --purge="$(PURGE)"

uninstall-relay: ## Remove the relay's service; data and settings stay (PURGE=1: they go too)
	@$(INSTALLER) uninstall relay --purge="$(PURGE)"

wheels: $(VENV)/.run dashboard ## Fill a directory for an install without a network (WHEELS=DIR FOR=3.13-aarch64)
	@$(BIN)/python systemd/installer/wheels.py --for="$(FOR)" $(or $(WHEELS),.state/wheels)

wiring: $(VENV)/.run ## Draw the wiring picture of docs/pi.md anew
	$(BIN)/python -m tests.support.wiring

clean: ## Remove everything that was built or installed here
	rm -rf $(VENV) .state build *.egg-info $(PAGE)/node_modules $(PAGE)/static
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find pi_agent server shared tests -name __pycache__ -prune -exec rm -rf {} +

# --- Python: one virtual environment, locked with hashes ---------------------------------------------------------------

define install
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "Python 3.11 to 3.13 is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@# Without python3-venv, Debian leaves one behind that has no pip.
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) \
	  || { echo "no virtual environment could be made; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "installing Python packages ($(1))"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .locks/$(1).txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
endef

$(VENV)/.run: .locks/run.txt pyproject.toml
	$(call install,run)

$(VENV)/.dev: .locks/dev.txt pyproject.toml
	$(call install,dev)
	@touch $(VENV)/.run

# --- the page: built by node 20.19 or newer, the machine's own or one in the virtual environment ---------------------

NODE_OK := $(shell node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null && command -v npm >/dev/null && echo yes)
NODE_PATH_FIRST := $(if $(NODE_OK),,$(CURDIR)/$(BIN):)$(PATH)

dashboard: $(PAGE)/static/index.html ## Build the page

$(VENV)/.node: .locks/node.txt | $(VENV)/.run
	@echo "installing node ($(if $(NODE_OK),not needed,this machine has none, or one older than 20.19))"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .locks/node.txt
	@touch $@

$(PAGE)/node_modules/.package-lock.json: $(PAGE)/package-lock.json $(if $(NODE_OK),,$(VENV)/.node)
	@echo "installing the page's packages"
	@cd $(PAGE) && PATH="$(NODE_PATH_FIRST)" npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE)/static/index.html: $(PAGE)/node_modules/.package-lock.json $(wildcard $(PAGE)/*.html $(PAGE)/*.ts $(PAGE)/*.json) $(shell find $(PAGE)/src $(PAGE)/public -type f 2>/dev/null)
	@echo "building the page"
	@cd $(PAGE) && PATH="$(NODE_PATH_FIRST)" npm run build --silent
	@touch $@
