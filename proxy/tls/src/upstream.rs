//! The client side towards upstreams: the system's roots, and those the operator adds.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::TlsError;

/// Configurations for connections to upstreams, one an ALPN offer.
#[derive(Clone, Debug)]
pub struct UpstreamTls {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl UpstreamTls {
    /// Trusts the system's roots and the certificates in the PEM files of `extra`.
    ///
    /// # Errors
    /// [`TlsError`] for a file that cannot be read or holds no certificate, and where there is no root at all.
    pub fn new(extra: &[PathBuf], provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        // Some system roots are of forms that the verifier does not take; the others serve.
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.certs);
        for path in extra {
            let pem_error = |reason: String| TlsError::Pem {
                path: path.clone(),
                wanted: "a certificate to trust",
                reason,
            };
            let mut found = 0;
            for certificate in
                CertificateDer::pem_file_iter(path).map_err(|error| pem_error(error.to_string()))?
            {
                let certificate = certificate.map_err(|error| pem_error(error.to_string()))?;
                roots.add(certificate).map_err(|error| pem_error(error.to_string()))?;
                found += 1;
            }
            if found == 0 {
                return Err(pem_error("no PEM block of a certificate".to_owned()));
            }
        }
        let roots = Arc::new(roots);
        let config = |alpn: &[&[u8]]| -> Result<Arc<ClientConfig>, TlsError> {
            let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(Arc::clone(&roots))
                .with_no_client_auth();
            config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
            Ok(Arc::new(config))
        };
        Ok(Self { http1: config(&[b"http/1.1"])?, http2: config(&[b"h2", b"http/1.1"])? })
    }

    /// The configuration that offers HTTP/1.1, and HTTP/2 before it when the client side can speak it.
    #[must_use]
    pub fn client_config(&self, http2: bool) -> Arc<ClientConfig> {
        Arc::clone(if http2 { &self.http2 } else { &self.http1 })
    }
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    use super::*;

    #[test]
    fn the_post_quantum_group_is_offered_first() {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        assert_eq!(provider.kx_groups[0].name(), NamedGroup::X25519MLKEM768);
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        std::fs::write(&path, "nothing").unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let error = UpstreamTls::new(std::slice::from_ref(&path), &provider).unwrap_err();
        assert!(error.to_string().contains("roots.pem"), "{error}");
    }
}
