//! Messages that hold a secret: they do not show it when printed, and overwrite it when dropped.

use std::fmt;

use zeroize::Zeroize as _;

use crate::v1::{ChainKey, FetchSecretResponse, PutSecretRequest, Resource};

impl fmt::Debug for PutSecretRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutSecretRequest")
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Drop for PutSecretRequest {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl fmt::Debug for FetchSecretResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchSecretResponse").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Drop for FetchSecretResponse {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The body may be that of `ChainKeys`.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for ChainKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_a_secret_does_not_show_it() {
        let value = b"s3cret-value".to_vec();
        let put = PutSecretRequest { namespace: "a".into(), name: "key".into(), value: value.clone() };
        let fetched = FetchSecretResponse { value: value.clone(), version: 3 };
        let sent = Resource { name: "chain-keys".into(), body: value.clone().into() };
        for shown in [format!("{put:?} {fetched:?} {sent:?}"), format!("{put:#?} {fetched:#?} {sent:#?}")] {
            assert!(shown.contains("key") && shown.contains('3'), "{shown}");
            // Neither as text nor as a list of numbers.
            assert!(!shown.contains("s3cret") && !shown.contains("115"), "{shown}");
        }
    }
}
