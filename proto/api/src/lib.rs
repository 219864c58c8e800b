//! The gRPC API of Creto: generated messages, clients and servers, one `.proto` file a product.
#![forbid(unsafe_code)]

mod secrets;

/// Version 1 of the API, package `creto.v1`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod v1 {
    tonic::include_proto!("creto.v1");
}
