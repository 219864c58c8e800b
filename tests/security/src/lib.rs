//! creto-test-security.
#![forbid(unsafe_code)]
