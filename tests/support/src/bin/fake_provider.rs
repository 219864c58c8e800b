//! The fake model provider as a program, for demonstrations: `fake_provider [ADDRESS [CA_FILE]]`.
//!
//! Prints `listening on ADDRESS:PORT` when it answers; plain text, or TLS when it has a file to write its authority to.
//! Takes every key, or only those of `FAKE_PROVIDER_KEYS` (with commas between).
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a program for tests")]

use std::net::SocketAddr;

use creto_test_support::{FakeProvider, UPSTREAM_NAME, Upstream};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:0".to_owned())
        .parse()
        .expect("the first argument is an address and a port, such as 127.0.0.1:9100");
    let authority = arguments.next();
    let mut provider = FakeProvider::new();
    for key in
        std::env::var("FAKE_PROVIDER_KEYS").unwrap_or_default().split(',').filter(|key| !key.is_empty())
    {
        provider = provider.with_key(key);
    }
    let upstream = Upstream::builder().address(address.ip()).port(address.port()).name(UPSTREAM_NAME);
    let upstream = provider.on(upstream.tls(authority.is_some())).start().await;
    if let Some(file) = authority {
        std::fs::write(&file, upstream.ca_pem()).unwrap_or_else(|e| panic!("cannot write {file}: {e}"));
    }
    println!("listening on {}", upstream.address());
    std::future::pending::<()>().await;
}
