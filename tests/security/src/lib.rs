//! Hostile agents and hostile upstreams against a real sidecar: see `tests/`.
#![forbid(unsafe_code)]
