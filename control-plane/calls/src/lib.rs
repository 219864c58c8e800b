//! creto-calls.
#![forbid(unsafe_code)]
