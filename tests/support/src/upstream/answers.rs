//! The paths of the upstream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sha2::{Digest, Sha256};

use super::connection::{BreakIn, ConnectionFacts, Shared};
use super::record::{Counted, RecordedRequest};
use super::stream_body::{self, Body, full};
use super::{grpc, websocket};

/// `creto` compressed with gzip.
const GZIP: &[u8] = &[
    0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0x02, 0x03, 0x4b, 0x2e, 0x4a, 0x2d, 0xc9, 0x07, 0, 0x67, 0x5b, 0xc4,
    0x01, 0x05, 0, 0, 0,
];

pub(super) async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    facts: ConnectionFacts,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if path == "/count" {
        let id = Query::of(&request).text("id");
        return Response::new(full(shared.records.count(&id).to_string()));
    }
    let recorded = recorded(&request, &facts);
    shared.records.add(recorded.clone());
    let under_way = shared.records.request_begins();
    // hyper leaves the body of an answer to HEAD out over HTTP/1 only.
    let bare = request.method() == Method::HEAD && request.version() == Version::HTTP_2;
    let mut response = routed(request, &path, &shared, &facts, recorded).await;
    if bare {
        response = response.map(|_| full(""));
    }
    keep_counting(response, under_way)
}

async fn routed(
    request: Request<Incoming>,
    path: &str,
    shared: &Shared,
    facts: &ConnectionFacts,
    recorded: RecordedRequest,
) -> Response<Body> {
    if let Some((_, handler)) = shared.handlers.iter().find(|(prefix, _)| path.starts_with(prefix.as_str())) {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return status(400) };
        return handler(Request::from_parts(head, body.to_bytes())).await;
    }
    if path.starts_with("/creto.test.Echo/") {
        return grpc::answer(request).await;
    }
    let query = Query::of(&request);
    let (first, rest) = path[1.min(path.len())..].split_once('/').unwrap_or((&path[1.min(path.len())..], ""));
    match first {
        "echo-body" => echo_body(request),
        "bytes" => {
            let length = rest.parse().unwrap_or(0);
            let mut response = Response::new(stream_body::pattern_body(length));
            response.headers_mut().insert("content-length", HeaderValue::from(length));
            response
                .headers_mut()
                .insert("content-type", HeaderValue::from_static("application/octet-stream"));
            response
        }
        "chunked" => {
            let data = Bytes::from(vec![b'c'; usize::try_from(query.number("size", 10)).unwrap_or(10)]);
            Response::new(stream_body::timed(query.number("n", 5), Duration::ZERO, move |_| data.clone()))
        }
        "sse" => {
            let every = Duration::from_millis(query.number("ms", 10));
            let body = stream_body::timed(query.number("n", 5), every, |index| {
                Bytes::from(format!("id: {index}\ndata: event {index}\n\n"))
            });
            with_header(Response::new(body), "content-type", "text/event-stream")
        }
        "status" => status(rest.parse().unwrap_or(200)),
        "redirect" => with_header(status(302), "location", &query.text("to")),
        "gzip" => with_header(Response::new(full(GZIP)), "content-encoding", "gzip"),
        "trailers" => trailers(request).await,
        "continue" if query.number("reject", 0) == 1 => status(417),
        "early-hints" => {
            let bytes = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n\
                HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
            break_in(facts, vec![bytes.to_vec()], Duration::ZERO).await
        }
        "hop-headers" => {
            let response = with_header(Response::new(full("hop")), "connection", "x-hop");
            let response = with_header(response, "x-hop", "for the next hop only");
            with_header(response, "proxy-authenticate", "Basic realm=\"not for the agent\"")
        }
        "stall" => std::future::pending().await,
        "stall-body" => {
            with_header(Response::new(stream_body::then_silence(b"hello")), "content-length", "100")
        }
        "slow-headers" => {
            let head = b"HTTP/1.1 200 OK\r\nx-slow: yes\r\ncontent-length: 4\r\n\r\nslow";
            let pieces = head.iter().map(|byte| vec![*byte]).collect();
            break_in(facts, pieces, Duration::from_millis(query.number("ms", 10))).await
        }
        "cut-body" => cut(facts, BreakIn::Write { pieces: Vec::new(), pause: Duration::ZERO }),
        "reset-body" => cut(facts, BreakIn::Reset),
        "reset" => {
            facts.break_in.send(BreakIn::Reset).await.ok();
            std::future::pending().await
        }
        "garbage" => {
            break_in(facts, vec![b"\x16\x00\xff\xfeSSH-2.0-not HTTP\0\r\n\r\n".to_vec()], Duration::ZERO)
                .await
        }
        "close" => break_in(facts, Vec::new(), Duration::ZERO).await,
        "ws" => websocket::answer(request),
        _ => echo(request, recorded).await,
    }
}

async fn echo(request: Request<Incoming>, recorded: RecordedRequest) -> Response<Body> {
    let mut digest = Sha256::new();
    let mut length = 0u64;
    let mut trailers = serde_json::Map::new();
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return status(400) };
        match frame.into_data() {
            Ok(data) => {
                length += data.len() as u64;
                digest.update(&data);
            }
            Err(frame) => {
                for (name, value) in frame.trailers_ref().into_iter().flatten() {
                    trailers.insert(name.to_string(), String::from_utf8_lossy(value.as_bytes()).into());
                }
            }
        }
    }
    let headers: Vec<_> =
        recorded.headers.iter().map(|(name, value)| serde_json::json!([name, value])).collect();
    let document = serde_json::json!({
        "method": recorded.method,
        "path": recorded.path,
        "query": recorded.query,
        "protocol": recorded.protocol,
        "authority": recorded.authority,
        "sni": recorded.sni,
        "alpn": recorded.alpn,
        "headers": headers,
        "trailers": trailers,
        "body_length": length,
        "body_sha256": hex::encode(digest.finalize()),
    });
    with_header(Response::new(full(document.to_string())), "content-type", "application/json")
}

fn echo_body(request: Request<Incoming>) -> Response<Body> {
    let kind = request.headers().get("content-type").cloned();
    let mut response = Response::new(request.into_body().map_err(Into::into).boxed_unsync());
    if let Some(kind) = kind {
        response.headers_mut().insert("content-type", kind);
    }
    response
}

async fn trailers(request: Request<Incoming>) -> Response<Body> {
    if request.into_body().collect().await.is_err() {
        return status(400);
    }
    let data = Bytes::from_static(b"a body with trailers\n");
    let mut trailers = HeaderMap::new();
    trailers.insert("x-trailer", HeaderValue::from_static("at the end"));
    let digest = hex::encode(Sha256::digest(&data));
    trailers.insert("x-body-sha256", HeaderValue::from_str(&digest).unwrap());
    let response = Response::new(stream_body::with_trailers(data, trailers));
    with_header(response, "trailer", "x-trailer, x-body-sha256")
}

/// Sends head and first bytes of a body, then breaks in.
fn cut(facts: &ConnectionFacts, end: BreakIn) -> Response<Body> {
    let sender = facts.break_in.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        sender.send(end).await.ok();
    });
    with_header(Response::new(stream_body::then_silence(b"hello")), "content-length", "100")
}

async fn break_in(facts: &ConnectionFacts, pieces: Vec<Vec<u8>>, pause: Duration) -> Response<Body> {
    facts.break_in.send(BreakIn::Write { pieces, pause }).await.ok();
    std::future::pending().await
}

fn status(code: u16) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    response
}

fn with_header(mut response: Response<Body>, name: &'static str, value: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(name, value);
    }
    response
}

/// The request counts as under way until its response's body is dropped.
fn keep_counting(response: Response<Body>, under_way: Counted) -> Response<Body> {
    response.map(|body| {
        body.map_frame(move |frame| {
            let _ = &under_way;
            frame
        })
        .boxed_unsync()
    })
}

fn recorded(request: &Request<Incoming>, facts: &ConnectionFacts) -> RecordedRequest {
    let headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.to_string(), value.as_bytes().escape_ascii().to_string().replace("\\\"", "\""))
        })
        .collect();
    let authority = request
        .uri()
        .authority()
        .map(ToString::to_string)
        .or_else(|| headers.iter().find(|(name, _)| name == "host").map(|(_, value)| value.clone()));
    RecordedRequest {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        protocol: match request.version() {
            Version::HTTP_2 => "h2",
            Version::HTTP_10 => "http/1.0",
            _ => "http/1.1",
        }
        .to_owned(),
        authority: authority.unwrap_or_default(),
        headers,
        sni: facts.sni.clone(),
        alpn: facts.alpn.clone(),
        connection: facts.number,
    }
}

/// `a=1&b=2`, without percent-decoding.
struct Query(String);

impl Query {
    fn of(request: &Request<Incoming>) -> Self {
        Self(request.uri().query().unwrap_or_default().to_owned())
    }

    fn text(&self, key: &str) -> String {
        self.0
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.to_owned())
            .unwrap_or_default()
    }

    fn number(&self, key: &str, otherwise: u64) -> u64 {
        self.text(key).parse().unwrap_or(otherwise)
    }
}
