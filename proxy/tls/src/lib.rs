//! TLS on both sides of the sidecar: the per-sidecar authority that opens what policy lets it open, and the
//! configuration towards upstreams.
//!
//! One provider, aws-lc-rs, with X25519MLKEM768 first in the key-share list.
#![forbid(unsafe_code)]

mod authority;
mod error;
mod hello;
mod interception;
mod upstream;

pub use authority::InterceptionAuthority;
pub use error::TlsError;
pub use hello::{ClientHelloFacts, HelloRead, MAX_HELLO, read_client_hello};
pub use interception::{Interception, Protocol};
pub use upstream::UpstreamTls;
