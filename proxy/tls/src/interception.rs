//! The server side towards the agent: certificates minted once a name and kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::{InterceptionAuthority, TlsError};

/// Names kept; at the bound the cache is emptied, since a name is minted again in well under a millisecond.
const NAMES: usize = 1024;

/// A certificate is minted anew after this long, well within its life.
const REMINT: Duration = Duration::from_secs(30 * 86_400);

/// HTTP version spoken inside TLS, mirrored from the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `http/1.1`.
    Http1,
    /// `h2`.
    Http2,
}

/// A configuration with a certificate, and when that was made.
#[derive(Debug)]
struct Minted {
    config: Arc<ServerConfig>,
    at: Instant,
}

/// Opens agents' TLS connections.
#[derive(Debug)]
pub struct Interception {
    authority: InterceptionAuthority,
    provider: Arc<CryptoProvider>,
    configs: Mutex<HashMap<(String, Protocol), Minted>>,
}

impl Interception {
    /// Uses this authority.
    #[must_use]
    pub fn new(authority: InterceptionAuthority, provider: Arc<CryptoProvider>) -> Self {
        Self { authority, provider, configs: Mutex::new(HashMap::new()) }
    }

    /// The configuration to accept a connection for `host` with, speaking `protocol`.
    ///
    /// # Errors
    /// [`TlsError::Mint`] for what no certificate can name.
    pub fn server_config(&self, host: &str, protocol: Protocol) -> Result<Arc<ServerConfig>, TlsError> {
        let key = (host.to_owned(), protocol);
        if let Some(minted) = self.configs.lock().get(&key)
            && minted.at.elapsed() < REMINT
        {
            return Ok(Arc::clone(&minted.config));
        }
        let minted = Arc::new(self.authority.mint(host)?);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(OneName(minted)));
        config.alpn_protocols = vec![match protocol {
            Protocol::Http1 => b"http/1.1".to_vec(),
            Protocol::Http2 => b"h2".to_vec(),
        }];
        // Sessions are not resumed: a connection is opened for one destination, and a ticket would outlive the policy.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let config = Arc::new(config);
        let mut configs = self.configs.lock();
        if configs.len() >= NAMES {
            configs.clear();
        }
        configs.insert(key, Minted { config: Arc::clone(&config), at: Instant::now() });
        Ok(config)
    }
}

#[derive(Debug)]
struct OneName(Arc<CertifiedKey>);

impl ResolvesServerCert for OneName {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, NamedGroup, RootCertStore, ServerConnection};

    use super::*;

    fn handshake(client: &mut ClientConnection, server: &mut ServerConnection) {
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                server.read_tls(&mut rest).unwrap();
                server.process_new_packets().unwrap();
            }
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                client.process_new_packets().unwrap();
            }
        }
    }

    #[test]
    fn a_client_that_trusts_the_authority_accepts_names_and_addresses_with_a_post_quantum_key_exchange() {
        let folder = tempfile::tempdir().unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        for name in ["api.example.com", "127.0.0.1", "::1"] {
            // Loaded anew each time: an authority read from disk must issue as the one that was made.
            let authority =
                InterceptionAuthority::load_or_make(folder.path(), "agent-a", Arc::clone(&provider)).unwrap();
            let mut roots = RootCertStore::empty();
            roots.add(authority.certificate().clone()).unwrap();
            let interception = Interception::new(authority, Arc::clone(&provider));
            let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            let mut client =
                ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned()).unwrap())
                    .unwrap();
            let mut server =
                ServerConnection::new(interception.server_config(name, Protocol::Http1).unwrap()).unwrap();
            handshake(&mut client, &mut server);
            assert_eq!(client.alpn_protocol(), Some(b"http/1.1".as_slice()), "{name}");
            assert_eq!(
                client.negotiated_key_exchange_group().unwrap().name(),
                NamedGroup::X25519MLKEM768,
                "{name}"
            );
            client.writer().write_all(b"hello").unwrap();
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let mut got = [0; 5];
            server.reader().read_exact(&mut got).unwrap();
            assert_eq!(&got, b"hello");
        }
    }

    #[test]
    fn the_authority_key_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        InterceptionAuthority::load_or_make(folder.path(), "agent-a", provider).unwrap();
        let mode = std::fs::metadata(folder.path().join("ca.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_name_gets_no_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let authority =
            InterceptionAuthority::load_or_make(folder.path(), "a", Arc::clone(&provider)).unwrap();
        assert!(matches!(authority.mint("é.example"), Err(TlsError::Mint { .. })));
    }
}
