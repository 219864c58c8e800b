//! creto-test-conformance.
#![forbid(unsafe_code)]
