//! creto-proxy.
#![forbid(unsafe_code)]
