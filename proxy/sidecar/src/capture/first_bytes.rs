//! The first bytes of a connection, read to tell protocols apart and then put back.

use std::time::Duration;

use creto_proxy_tls::{ClientHelloFacts, HelloRead, MAX_HELLO, read_client_hello};
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use tokio::io::AsyncReadExt as _;

/// What a connection begins with.
#[derive(Debug)]
pub(crate) enum Begins {
    /// A TLS ClientHello.
    Tls(ClientHelloFacts),
    /// The HTTP/2 preface, without TLS.
    Http2,
    /// Anything else: taken for HTTP/1, whose parser refuses what is not.
    Http1,
    /// TLS that no server would answer.
    BrokenTls,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads until the protocol is clear. None when the client leaves or stays silent.
pub(crate) async fn look(stream: &mut L4Stream, wait: Duration) -> Option<Begins> {
    let mut seen = Vec::new();
    let begins = tokio::time::timeout(wait, read_until_clear(stream, &mut seen)).await.ok()??;
    stream.rewind(&seen);
    Some(begins)
}

async fn read_until_clear(stream: &mut L4Stream, seen: &mut Vec<u8>) -> Option<Begins> {
    // Small first: most connections are HTTP/1, and an idle one should hold no large buffer.
    let mut chunk = [0; 1024];
    loop {
        let got = stream.read(&mut chunk).await.ok()?;
        if got == 0 {
            return None;
        }
        seen.extend_from_slice(&chunk[..got]);
        if seen[0] == 0x16 {
            match read_client_hello(seen) {
                HelloRead::Complete(facts) => return Some(Begins::Tls(facts)),
                HelloRead::Invalid => return Some(Begins::BrokenTls),
                HelloRead::Incomplete if seen.len() >= MAX_HELLO => return Some(Begins::BrokenTls),
                HelloRead::Incomplete => {}
            }
        } else if seen.len() >= PREFACE.len() || !PREFACE.starts_with(seen) {
            return Some(if seen.starts_with(PREFACE) { Begins::Http2 } else { Begins::Http1 });
        }
    }
}
