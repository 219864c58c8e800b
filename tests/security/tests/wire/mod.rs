//! Bytes as a hostile agent would send them.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer must come, or the connection end, within this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends bytes, half-closes nothing, and gives what comes until the other side closes or a whole answer is quiet.
pub(crate) async fn exchange(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_answer(&mut stream).await
}

/// Reads until the end, or until nothing has come for half a second after something did.
pub(crate) async fn read_answer<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> String {
    let mut got = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let wait = if got.is_empty() { PATIENCE } else { Duration::from_millis(500) };
        match tokio::time::timeout(wait, stream.read(&mut chunk)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(n)) => got.extend_from_slice(&chunk[..n]),
            Err(_) if got.is_empty() => panic!("neither an answer nor a close within {PATIENCE:?}"),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&got).into_owned()
}

/// The status of the first answer.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.get(..3)?.parse().ok()).unwrap_or(0)
}

/// Opens a tunnel by CONNECT; the answer to it, and the connection.
pub(crate) async fn connect(proxy: SocketAddr, target: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    stream
        .write_all(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let got = tokio::time::timeout(PATIENCE, stream.read(&mut byte))
            .await
            .expect("an answer to CONNECT")
            .unwrap();
        if got == 0 {
            break;
        }
        head.push(byte[0]);
    }
    (String::from_utf8_lossy(&head).into_owned(), stream)
}

/// TLS inside a tunnel, asking for `name`.
pub(crate) async fn tls(
    stream: TcpStream,
    ca_pem: &str,
    name: &str,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let config = creto_test_support::client_tls(ca_pem, &["http/1.1"]);
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    tokio::time::timeout(PATIENCE, connector.connect(name, stream)).await.expect("a handshake or its end")
}

/// One request through CONNECT and TLS.
pub(crate) async fn https(proxy: SocketAddr, ca_pem: &str, host: &str, port: u16, request: &str) -> String {
    let (answer, stream) = connect(proxy, &format!("{host}:{port}")).await;
    assert_eq!(status(&answer), 200, "{answer}");
    let mut stream = tls(stream, ca_pem, host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut stream).await
}
