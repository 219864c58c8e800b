//! creto-policy.
#![forbid(unsafe_code)]
