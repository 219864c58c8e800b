//! creto-policy-store.
#![forbid(unsafe_code)]
