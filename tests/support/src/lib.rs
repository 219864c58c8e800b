//! creto-test-support.
#![forbid(unsafe_code)]
