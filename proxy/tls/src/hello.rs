//! The ClientHello, read without answering it.

use rustls::server::Acceptor;

/// Largest ClientHello looked at, bytes. Post-quantum key shares make it 2 KiB; beyond this it is no client's.
pub const MAX_HELLO: usize = 16 * 1024;

/// What a client asks for in its first flight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHelloFacts {
    /// Server name (RFC 6066), lower case, as sent otherwise.
    pub server_name: Option<String>,
    /// Whether it offers `h2` (RFC 7301).
    pub offers_h2: bool,
    /// Whether it offers `http/1.1`, or nothing at all.
    pub offers_http1: bool,
}

/// How far the bytes go.
#[derive(Debug)]
pub enum HelloRead {
    /// Not all there yet.
    Incomplete,
    /// A whole ClientHello.
    Complete(ClientHelloFacts),
    /// Not TLS, or a hello that no server would take.
    Invalid,
}

/// Reads a ClientHello from the bytes at the start of a connection. Consumes nothing.
#[must_use]
pub fn read_client_hello(bytes: &[u8]) -> HelloRead {
    let mut acceptor = Acceptor::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        if acceptor.read_tls(&mut rest).is_err() {
            return HelloRead::Invalid;
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                let mut facts = ClientHelloFacts {
                    server_name: hello.server_name().map(str::to_ascii_lowercase),
                    offers_h2: false,
                    offers_http1: true,
                };
                if let Some(offered) = hello.alpn() {
                    facts.offers_http1 = false;
                    for protocol in offered {
                        facts.offers_h2 |= protocol == b"h2";
                        facts.offers_http1 |= protocol == b"http/1.1";
                    }
                }
                return HelloRead::Complete(facts);
            }
            Err(_) => return HelloRead::Invalid,
        }
    }
    if bytes.len() >= MAX_HELLO { HelloRead::Invalid } else { HelloRead::Incomplete }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    fn hello(name: &str, alpn: &[&[u8]]) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
        let mut client =
            ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned()).unwrap()).unwrap();
        let mut out = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut out).unwrap();
        }
        out
    }

    #[test]
    fn name_and_protocols_are_read_at_every_cut() {
        let bytes = hello("API.example.com", &[b"h2", b"http/1.1"]);
        for cut in 1..bytes.len() {
            assert!(matches!(read_client_hello(&bytes[..cut]), HelloRead::Incomplete), "cut at {cut}");
        }
        let HelloRead::Complete(facts) = read_client_hello(&bytes) else { panic!("not read") };
        assert_eq!(
            facts,
            ClientHelloFacts {
                server_name: Some("api.example.com".into()),
                offers_h2: true,
                offers_http1: true
            }
        );
    }

    #[test]
    fn without_alpn_http1_is_meant_and_an_address_is_no_name() {
        let HelloRead::Complete(facts) = read_client_hello(&hello("127.0.0.1", &[])) else {
            panic!("not read")
        };
        assert_eq!(facts, ClientHelloFacts { server_name: None, offers_h2: false, offers_http1: true });
    }

    #[test]
    fn other_protocols_are_not_hellos() {
        for bytes in
            [b"GET / HTTP/1.1\r\n\r\n".as_slice(), b"SSH-2.0-x\r\n", &[0x16, 3, 1, 0xff, 0xff, 0, 0, 0, 0]]
        {
            let mut padded = bytes.to_vec();
            padded.resize(MAX_HELLO, 0);
            assert!(matches!(read_client_hello(&padded), HelloRead::Invalid), "{bytes:?}");
        }
    }
}
