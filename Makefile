# What one does with Détente. `make` alone shows the list.

SHELL := /bin/bash
CARGO ?= cargo
RUN_DIR ?= run
DOMAIN ?= localhost

.DEFAULT_GOAL := help
.PHONY: help run test lint unit interop bench fuzz setup

help: ## this list
	@printf '\nDétente, an XMPP server\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nSettings: DOMAIN=%s RUN_DIR=%s\n\n' '$(DOMAIN)' '$(RUN_DIR)'

run: setup ## build the server and run it on this machine, with its data in run/
	$(CARGO) build --release --locked -p detente
	@bin="$$(scripts/target-dir)/release/detente"; \
	if [ ! -e $(RUN_DIR)/detente.toml ]; then "$$bin" init $(RUN_DIR)/ --domain $(DOMAIN); fi; \
	exec "$$bin" serve --config $(RUN_DIR)/detente.toml

test: setup lint unit ## everything that must pass before a commit

lint: ## formatting, clippy, the house rules, licences of dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) xtask tidy
	scripts/deny
	scripts/systemd

unit: ## the tests of all crates
	$(CARGO) test --workspace --locked

interop: setup ## the server against real clients
	$(CARGO) build --release --locked -p detente
	INTEROP_DETENTE="$$(scripts/target-dir)/release/detente" interop/run

bench: ## measure speed and memory
	bench/run

fuzz: ## breed bad input: 10 minutes for each target (fuzz/run TARGET MINUTES for one)
	fuzz/run

setup: ## install what the build needs, where that is possible
	@scripts/setup
