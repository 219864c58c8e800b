//! The producer's token, put on every call where there is one.

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

/// `authorization: Bearer …` (RFC 6750 section 2.1), or nothing where a client certificate speaks.
#[derive(Clone)]
pub(crate) struct Credential(Option<MetadataValue<Ascii>>);

impl Credential {
    /// Of a token; `None` if it cannot stand in a header.
    pub(crate) fn of_token(token: &str) -> Option<Self> {
        let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.trim()).parse().ok()?;
        value.set_sensitive(true);
        Some(Self(Some(value)))
    }

    /// None.
    pub(crate) fn none() -> Self {
        Self(None)
    }
}

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}
