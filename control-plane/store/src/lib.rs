//! creto-store.
#![forbid(unsafe_code)]
