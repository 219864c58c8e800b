//! creto-proxy-tls.
#![forbid(unsafe_code)]
