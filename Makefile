# Everything that people and CI run. `make run` and `make test` need Python 3.11 and make, and set up the rest.

# The first of these that runs and is new enough (a version manager may have put names on the PATH that do not run).
ifndef PYTHON
PYTHON := $(firstword $(foreach python,python3.11 python3 python3.12 python3.13 python3.14,$(shell \
	$(python) -c 'import sys; sys.version_info >= (3, 11) and print("$(python)")' 2>/dev/null)))
endif
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test promises check lint types contracts migrations-check schema-check deploy-check translations-check translations demo bench lock schema postman clean help

help: ## What there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

# --- Setting up: each stamp is younger than what it was made from, so a second run does nothing ---
# `--no-deps`: the lock files are complete, and a resolver that is asked would stumble over whatever was released since.

$(VENV)/.runtime: requirements.txt
	@test -n "$(PYTHON)" || (echo "Lyceum needs Python 3.11 or later. Name one: make run PYTHON=/path/to/python3.11"; exit 1)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what Lyceum needs, a line for each package: about a minute …"
	@$(BIN)/pip install --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@echo "Installing what the tests need, a line for each package: about a minute …"
	@$(BIN)/pip install --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.txt
	@touch $@

.env:
	@$(PYTHON) -c 'import secrets, pathlib; e = pathlib.Path(".env.example").read_text(); \
		pathlib.Path(".env").write_text(e.replace("SECRET_KEY=\n", "SECRET_KEY=" + secrets.token_urlsafe(50) + "\n", 1))'
	@echo "Wrote .env with a fresh secret key."

# --- What people run ---

run: $(VENV)/.runtime .env ## Set up and serve on PORT (8000)
	@exec $(BIN)/python manage.py serve

demo: $(VENV)/.runtime .env ## Walk the main job over HTTP, against the server on PORT or one of its own
	@exec $(BIN)/python -m config.walk

test: $(VENV)/.dev ## The whole test suite, on SQLite, then on PostgreSQL and Redis
	@echo "== On SQLite"
	@env -u DATABASE_URL -u REDIS_URL -u CELERY_BROKER_URL $(BIN)/python -m pytest -q -n 2 $(COVERAGE) $(ARGS)
	@echo "== On PostgreSQL and Redis"
	@$(BIN)/python -m common.testing.services $(BIN)/python -m pytest -q -n 2 $(ARGS)

# The tests that ask how much they shall do. PROMISES=part does an eighth.
PROMISES ?= full
promises: $(VENV)/.dev ## What is promised of money, letters and sign-ins, at full size: a quarter of an hour
	@PROMISES=$(PROMISES) $(BIN)/python -m common.testing.services $(BIN)/python -m pytest -q -n 0 $(ARGS) \
		$$(grep -l common.testing.scale */tests/test_*.py)

# Counting lines doubles the time: it is done on one of the two databases, and not in `make test`.
check: COVERAGE := --cov --cov-report=term --cov-fail-under=95
check: lint types contracts migrations-check schema-check deploy-check translations-check test ## What CI runs

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(TOOL_ENV) $(BIN)/mypy

contracts: $(VENV)/.dev
	@PYTHONPATH=. $(BIN)/lint-imports --no-cache | tail -n 5

# Checks need settings, and no .env of anybody's.
TOOL_ENV := env ENV_FILE=/dev/null SECRET_KEY=checks-checks-checks-checks-checks-checks DATABASE_URL= REDIS_URL= \
	CELERY_BROKER_URL=memory:// DATA_DIR=$(VENV)/checks LANGUAGE_CODE=en

migrations-check: $(VENV)/.dev
	@$(TOOL_ENV) $(BIN)/python manage.py makemigrations --check --dry-run

schema-check: $(VENV)/.dev
	@$(TOOL_ENV) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file $(VENV)/openapi.yaml
	@diff -u openapi.yaml $(VENV)/openapi.yaml || (echo "openapi.yaml is out of date: run make schema"; exit 1)

deploy-check: $(VENV)/.dev
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yaml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml

translations-check: $(VENV)/.dev
	@$(BIN)/python -m common.testing.translations --check

# --- What developers run ---

lock: $(VENV)/.dev ## Resolve requirements*.in anew
	@$(BIN)/uv pip compile -q --generate-hashes --no-header --universal --no-strip-extras --python-version 3.11 requirements.in -o requirements.txt
	@$(BIN)/uv pip compile -q --generate-hashes --no-header --universal --no-strip-extras --python-version 3.11 requirements-dev.in -o requirements-dev.txt

schema: $(VENV)/.dev ## Write openapi.yaml and docs/problems.md anew
	@$(TOOL_ENV) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file openapi.yaml
	@$(TOOL_ENV) $(BIN)/python manage.py write_problems

translations: $(VENV)/.dev ## Gather texts into the Russian catalogue, and compile it
	@$(BIN)/python -m common.testing.translations

# The reference stacks' libraries stay out of the product's environment.
$(VENV)/bench/.ready: requirements.txt bench/requirements.txt
	@$(PYTHON) -m venv $(VENV)/bench
	@echo "Installing what the benchmarks need …"
	@$(VENV)/bench/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	@$(VENV)/bench/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r bench/requirements.txt
	@touch $@

bench: $(VENV)/bench/.ready ## Speed, beside reference stacks; ARGS="letters --number 100000"
	@$(VENV)/bench/bin/python -m bench $(ARGS)

clean: ## Forget the embedded state, and the virtual environment
	rm -rf $(VENV) var

# The converter is Node's. It is pinned: another version may write the same collection in another way.
postman: $(VENV)/.runtime ## Write docs/postman_collection.json anew from openapi.yaml; needs Node 18 or later
	@npx --yes openapi-to-postmanv2@6.3.3 -s openapi.yaml -o $(VENV)/postman.json \
		-O folderStrategy=Tags,parametersResolution=Example,enableOptionalParameters=false,includeDeprecated=false,alwaysInheritAuthentication=true \
		> $(VENV)/postman.log || (cat $(VENV)/postman.log; exit 1)
	@$(BIN)/python docs/postman.py $(VENV)/postman.json docs/postman_collection.json
