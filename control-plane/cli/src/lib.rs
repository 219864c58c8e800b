//! creto-cli.
#![forbid(unsafe_code)]
