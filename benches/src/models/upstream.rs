//! A model provider for measurements: a thread a connection, times kept to tens of microseconds.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use creto_test_support::{TestAuthority, server_tls};
use sha2::{Digest as _, Sha256};
use socket2::{Domain, Socket, Type};

use crate::models::wire::{ServerWire, accept, header, length};
use crate::timing::wait_until;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// From the request to the first event.
pub(crate) const THINKS: Duration = Duration::from_millis(5);
/// Between events.
pub(crate) const PACE: Duration = Duration::from_millis(1);
/// Events after the first.
pub(crate) const MORE_EVENTS: u32 = 20;
/// How fast a slow reader takes a body, bytes a second.
pub(crate) const SLOW: f64 = 20e6;
/// The receive buffer of a slow reader: a body does not fit into it.
const SLOW_BUFFER: usize = 64 * 1024;
/// Longest wait of one body for the others.
const PATIENCE: Duration = Duration::from_secs(45);

/// What the upstream does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Conduct {
    /// Thinks, then streams.
    Streams,
    /// Reads slowly and answers when this many bodies have been read whole.
    ReadsSlowly(usize),
}

/// What it saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Streams that asked for their usage.
    pub(crate) usage_asked: AtomicUsize,
    /// Bodies read whole.
    pub(crate) bodies: AtomicUsize,
}

/// A running one; it ends with the process.
pub(crate) struct Upstream {
    pub(crate) port: u16,
    pub(crate) ca_pem: String,
    pub(crate) seen: Arc<Seen>,
}

impl Upstream {
    /// Answers only who shows this bearer token.
    pub(crate) fn start(conduct: Conduct, token: &str) -> Outcome<Self> {
        let authority = TestAuthority::new("bench");
        let tls = Arc::new(server_tls(authority.issue(&["localhost".to_owned()]), &["http/1.1"]));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        if matches!(conduct, Conduct::ReadsSlowly(_)) {
            socket.set_recv_buffer_size(SLOW_BUFFER)?;
        }
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.listen(1024)?;
        let listener = TcpListener::from(socket);
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Seen::default());
        let (saw, token) = (Arc::clone(&seen), Arc::<str>::from(format!("bearer {token}").to_lowercase()));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, saw, token) = (Arc::clone(&tls), Arc::clone(&saw), Arc::clone(&token));
                let serve = move |stream: TcpStream| -> io::Result<()> {
                    let mut wire = accept(stream, tls)?;
                    loop {
                        answer(&mut wire, conduct, &token, &saw)?;
                    }
                };
                // A connection's end is one of these errors, and what matters of them the client sees.
                std::thread::spawn(move || serve(stream));
            }
        });
        Ok(Self { port, ca_pem: authority.pem().to_owned(), seen })
    }
}

fn answer(wire: &mut ServerWire, conduct: Conduct, token: &str, seen: &Seen) -> io::Result<()> {
    let head = wire.head()?;
    let length = length(&head)?;
    if header(&head, "authorization") != Some(token) {
        wire.body(length, |_| ())?;
        return wire.send(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
    }
    match conduct {
        Conduct::Streams => stream(wire, length, seen),
        Conduct::ReadsSlowly(bodies) => read_slowly(wire, length, bodies, seen),
    }
}

fn stream(wire: &mut ServerWire, length: usize, seen: &Seen) -> io::Result<()> {
    let mut body = Vec::with_capacity(length);
    wire.body(length, |piece| body.extend_from_slice(piece))?;
    let mut due = Instant::now() + THINKS;
    let usage = body.windows(21).any(|at| at == br#""include_usage":true}"#);
    let mut bytes = String::from(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    let chunk = |event: &str| format!("{:x}\r\n{event}\r\n", event.len());
    bytes.push_str(&chunk(&event(r#"{"role":"assistant","content":"","refusal":null}"#, "null", usage)));
    for _ in 0..MORE_EVENTS {
        wait_until(due);
        wire.send(bytes.as_bytes())?;
        due += PACE;
        bytes = chunk(&event(r#"{"content":" river"}"#, "null", usage));
    }
    bytes.push_str(&chunk(&event("{}", "\"stop\"", usage)));
    if usage {
        seen.usage_asked.fetch_add(1, Ordering::Relaxed);
        bytes.push_str(&chunk(&format!(
            "data: {{{HEADING},\"choices\":[],\"usage\":{{\"prompt_tokens\":18,\"completion_tokens\":20,\"total_tokens\":38,\
             \"prompt_tokens_details\":{{\"cached_tokens\":8,\"audio_tokens\":0}},\
             \"completion_tokens_details\":{{\"reasoning_tokens\":0,\"audio_tokens\":0}}}}}}\n\n"
        )));
    }
    bytes.push_str(&chunk("data: [DONE]\n\n"));
    bytes.push_str("0\r\n\r\n");
    wait_until(due);
    wire.send(bytes.as_bytes())
}

const HEADING: &str = r#""id":"chatcmpl-BqYhTo4ofwYkSyM9jBUrxZYyRVnzQ","object":"chat.completion.chunk","created":1751632391,"model":"gpt-5-2025-08-07","service_tier":"default","system_fingerprint":"fp_34a54ae93c""#;

fn event(delta: &str, finish: &str, usage: bool) -> String {
    let usage = if usage { r#","usage":null"# } else { "" };
    format!(
        "data: {{{HEADING},\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]{usage}}}\n\n"
    )
}

fn read_slowly(wire: &mut ServerWire, length: usize, bodies: usize, seen: &Seen) -> io::Result<()> {
    let begun = Instant::now();
    let (mut digest, mut read) = (Sha256::new(), 0);
    wire.body(length, |piece| {
        digest.update(piece);
        read += piece.len();
        wait_until(begun + Duration::from_secs_f64(read as f64 / SLOW));
    })?;
    seen.bodies.fetch_add(1, Ordering::Relaxed);
    let patience = Instant::now() + PATIENCE;
    while seen.bodies.load(Ordering::Relaxed) < bodies && Instant::now() < patience {
        std::thread::park_timeout(Duration::from_millis(2));
    }
    let answer = concat!(
        r#"{"id":"chatcmpl-1","object":"chat.completion","created":1741569952,"model":"gpt-5-2025-08-07","#,
        r#""choices":[{"index":0,"message":{"role":"assistant","content":"Read.","refusal":null},"finish_reason":"stop"}],"#,
        r#""usage":{"prompt_tokens":1200000,"completion_tokens":2,"total_tokens":1200002}}"#
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-body-sha256: {}\r\ncontent-length: {}\r\n\r\n",
        hex::encode(digest.finalize()),
        answer.len()
    );
    wire.send(&[head.as_bytes(), answer.as_bytes()].concat())
}
