//! creto-spool.
#![forbid(unsafe_code)]
