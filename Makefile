# Every target creates what it needs and is safe to repeat. `make help` lists them.
#
#   make PYTHON=python3.12 run     another interpreter (default: the first of 3.11 or newer)
#   make test TESTS=tests/wire     some of the tests
#   make test REACTOR=epoll        with the proxies under test on another reactor than their own
#   make bench ROWS=...            some of the measurements
#   make image BASE=... TAG=...    another base image, another name

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export PYTHON WORKERS
export REVERSEPROXY_REACTOR ?= $(REACTOR)
CONFIG ?= config/routes.yaml
TESTS ?=
REACTOR ?=
ROWS ?=
WORKERS ?= 2
# What speaks with a proxy, once more on the reactor that serves where uvloop is not installed.
ON_EPOLL := $(addprefix tests/sockets/test_,messages.py flow.py tunnels.py failures.py deadlines.py targets.py tls.py)
FUZZ_SECONDS ?= 60
BASE ?= python:3.11-slim
TAG ?= reverseproxy
BUILDER ?= $(shell command -v buildah || command -v docker || command -v podman)

.PHONY: help run test check lint types floors bench fuzz image lock clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' Makefile

run: ## serve config/routes.yaml on http://localhost:8080
	@.ci/venv run
	.venv/bin/twistd -n --pidfile= reverseproxy --config $(CONFIG)

test: ## install what the tests need and run them
	@.ci/venv dev
	@.ci/peers
	@.ci/sslyze
	@.ci/tests $(TESTS)
ifeq ($(TESTS)$(REACTOR),)
	@REVERSEPROXY_REACTOR=epoll .ci/tests -q $(ON_EPOLL)
endif

check: lint types floors ## lint, types, and the floors of the house

lint:
	@.ci/venv dev
	.venv/bin/ruff check .

types:
	@.ci/venv dev
	.venv/bin/mypy

floors:
	@.ci/venv dev
	.venv/bin/lint-imports

bench: ## measure this proxy beside others
	@.ci/venv dev
	@.ci/peers
	.venv/bin/python -m tests.bench $(ROWS)

fuzz: ## feed the parsers noise guided by coverage, FUZZ_SECONDS for each
	@.ci/venv dev
	@.venv/bin/python -m pip --disable-pip-version-check --quiet --quiet install atheris || \
	  { echo "atheris cannot be installed here: nothing was fuzzed"; exit 1; }
	@shopt -s nullglob; for target in tests/fuzz/fuzz_*.py; do \
	  echo "== $$target"; \
	  .venv/bin/python $$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024; \
	done

# The OCI format has no place for a HEALTHCHECK, so buildah is asked for Docker's.
image: ## build the container image
	@test -n "$(BUILDER)" || { echo "needs buildah, docker or podman"; exit 1; }
	$(BUILDER) $(if $(findstring buildah,$(BUILDER)),bud --format docker,build) \
	  --build-arg BASE=$(BASE) --tag $(TAG) $(IMAGE_OPTIONS) .

lock: ## bring the locked versions up to date
	.ci/lock

clean: ## remove everything that the other targets made
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache
