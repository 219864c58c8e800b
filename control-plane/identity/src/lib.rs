//! creto-identity.
#![forbid(unsafe_code)]
