# The commands of the house. `make help` lists them.
SHELL := /bin/bash
# Where rustup and cargo install put programs.
export PATH := $(HOME)/.cargo/bin:$(PATH)
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Where cargo puts what it builds; the scripts below look for the programs there.
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
PROGRAMS := -p creto-cli -p creto-proxy -p creto-control-plane

.PHONY: help run test bench fuzz lint format setup

help: ## Lists the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## Installs what is missing to build and run
	@deploy/setup.sh run

run: ## Builds, starts everything on this machine and runs a small agent through it
	@deploy/setup.sh run
	cargo build --release $(PROGRAMS) -p creto-test-support --bins
	@CRETO_BIN_DIR="$(TARGET)/release" deploy/demo/run.sh

test: ## Runs every test
	@deploy/setup.sh test
	cargo build --workspace --bins
	cargo test --workspace --doc --quiet
	cargo nextest run --workspace

bench: ## Prints the tables of measurements; ONLY=<group> for one group
	@deploy/setup.sh bench
ifneq ($(ONLY),peers)
	cargo build --release --workspace --bins
	cargo run --release -p creto-benches -- $(ONLY)
endif
ifneq ($(filter peers,$(or $(ONLY),peers)),)
	@CARGO_TARGET_DIR="$(TARGET)/peers" cargo build --release --manifest-path benches/peers/Cargo.toml
	@"$(TARGET)/peers/release/peers"
endif

fuzz: ## Gives hostile bytes to every parser, FUZZ_SECONDS=60 each; ONLY=<target> for one
	@deploy/setup.sh run
	@FUZZ_DIR="$(TARGET)/fuzz" tests/fuzz/run.sh $(ONLY)

lint: ## Formatting, clippy, dependency rules
	@deploy/setup.sh lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo deny --all-features check bans licenses sources

format: ## Formats the Rust code
	cargo fmt --all
