//! creto-mapped.
#![forbid(unsafe_code)]
