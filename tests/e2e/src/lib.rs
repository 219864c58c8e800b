//! creto-test-e2e.
#![forbid(unsafe_code)]
