//! AWS Signature Version 4, as AWS documents it for the authorization header.
//!
//! The agent's own signature is taken off first. Not signed are requests whose body is signed in pieces
//! (`STREAMING-AWS4-HMAC-SHA256-...`): those signatures are inside the body. SigV4A (more than one region) and S3
//! Express sessions are not spoken.

mod canonical;
mod keys;
mod sign;

pub(crate) use keys::AwsKeys;
pub use sign::SigningFault;
pub(crate) use sign::{Scope, needs_body, sign};
