//! creto-test-clients.
#![forbid(unsafe_code)]
