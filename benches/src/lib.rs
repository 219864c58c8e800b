//! creto-benches.
#![forbid(unsafe_code)]
