//! creto-authz.
#![forbid(unsafe_code)]
