//! creto-test-resilience.
#![forbid(unsafe_code)]
