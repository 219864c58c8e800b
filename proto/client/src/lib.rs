//! Clients of the control plane's gRPC API, one a kind of caller.
//!
//! * [`enroll`] trades a single-use token for a sidecar's certificate.
//! * [`SidecarClient`] speaks as a sidecar, by its client certificate.
//! * [`OperatorClient`] speaks as an operator, by its bearer token.
//! * [`metering::MeteringClient`] records events of what was used, by a producer's token.
//!
//! All pin the control plane's own certificate authority; no other is trusted.
#![forbid(unsafe_code)]

mod endpoint;
mod enrollment;
mod key;
pub mod metering;
mod operator;
mod secret;
mod sidecar;

pub use endpoint::{
    CONNECT_TIMEOUT, ConnectError, MAX_MESSAGE_BYTES, PlaneEndpoint, REQUEST_TIMEOUT, SIDECAR_CONNECT_TIMEOUT,
};
pub use enrollment::{EnrollError, enroll};
pub use key::{certificate_pem, ed25519_pkcs8_pem};
pub use operator::{BearerToken, OperatorChannel, OperatorClient};
pub use secret::FetchedSecret;
pub use sidecar::SidecarClient;
