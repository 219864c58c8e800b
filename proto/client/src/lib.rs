//! creto-client.
#![forbid(unsafe_code)]
