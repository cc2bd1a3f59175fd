# What one does with Détente. `make` alone shows the list.

SHELL := /bin/bash
CARGO ?= cargo
RUN_DIR ?= run
DOMAIN ?= localhost
# Optimised, with the checks of debug builds, and with dependencies as the tests have them.
SIM = CARGO_PROFILE_DEV_OPT_LEVEL=2 $(CARGO) run --quiet --locked -p sim --features zoo --

.DEFAULT_GOAL := help
.PHONY: help run test lint unit attack compliance compliance-peers sim interop bench costs faults faults-short fuzz setup

help: ## this list
	@printf '\nDétente, an XMPP server\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
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

attack: setup ## the server against all bad input that we know of; writes docs/bad-input.md
	$(CARGO) build --release --locked -p detente -p hostile
	@bin="$$(scripts/target-dir)/release"; "$$bin/detente-attack" "$$bin/detente" --document docs/bad-input.md

compliance: setup ## what the server does of the XMPP Compliance Suites; writes docs/compliance.md
	$(CARGO) build --release --locked -p detente -p compliance
	@bin="$$(scripts/target-dir)/release"; \
	scripts/compliance "$$bin/detente" "$$bin/detente-compliance" $(if $(COMPLIANCE_PEERS),--peers)

compliance-peers: ## the same, also of Prosody and ejabberd as Debian has them (installs them)
	$(MAKE) compliance COMPLIANCE_PEERS=1

sim: ## two thousand simulated runs full of faults, and the bug zoo
	$(SIM) --seeds 2000
	$(SIM) --zoo all --seeds 1000

interop: setup ## the server against real clients
	$(CARGO) build --release --locked -p detente
	INTEROP_DETENTE="$$(scripts/target-dir)/release/detente" interop/run

bench: ## measure speed and memory
	bench/run

costs: ## how many instructions single operations take; fails if more than allowed
	scripts/costs

fuzz: ## breed bad input: 10 minutes for each target (fuzz/run TARGET MINUTES for one)
	fuzz/run

faults: FAULTS ?=
faults: setup ## kill -9, loss of power, full and broken disks, floods: the real server, half an hour
	$(CARGO) build --release --locked -p faults -p detente
	@bin="$$(scripts/target-dir)"; cp "$$bin/release/detente" "$$bin/release/detente-real"
	$(CARGO) build --release --locked -p detente --features breakable
	@bin="$$(scripts/target-dir)"; mv "$$bin/release/detente" "$$bin/release/detente-breakable"; \
	mv "$$bin/release/detente-real" "$$bin/release/detente"; \
	"$$bin/release/detente-faults" --detente "$$bin/release/detente" \
	  --breakable "$$bin/release/detente-breakable" $(FAULTS)

faults-short: setup ## the same with few rounds, some minutes
	$(CARGO) build --release --locked -p faults -p detente
	@bin="$$(scripts/target-dir)/release"; "$$bin/detente-faults" --detente "$$bin/detente" --short $(FAULTS)

setup: ## install what the build needs, where that is possible
	@scripts/setup
