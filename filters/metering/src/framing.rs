//! How an answer is cut into documents, and how its bytes are coded, as its headers say.

/// How the documents of an answer are delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One JSON document. Also what an unknown content type is read as.
    Json,
    /// JSON documents one after another, usually one a line.
    Lines,
    /// Server-sent events (WHATWG HTML, section 9.2), a JSON document an event.
    Sse,
    /// `application/vnd.amazon.eventstream`, a JSON document a message.
    EventStream,
    /// WebSocket frames of the server (RFC 6455) after the upgrade, a JSON document a text message.
    WebSocket,
}

impl Framing {
    /// The framing a `content-type` means; its parameters do not matter. WebSocket has none: say it yourself after a
    /// `101`.
    #[must_use]
    pub fn from_content_type(value: &str) -> Framing {
        let media = value.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| media.eq_ignore_ascii_case(name);
        if is("text/event-stream") {
            Framing::Sse
        } else if is("application/vnd.amazon.eventstream") {
            Framing::EventStream
        } else if is("application/x-ndjson") || is("application/jsonl") || is("application/x-jsonlines") {
            Framing::Lines
        } else {
            Framing::Json
        }
    }
}

/// How the bytes of an answer are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Identity,
    /// gzip (RFC 1952).
    Gzip,
    /// zlib (RFC 1950), or the bare deflate stream that some servers send under this name.
    Deflate,
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878).
    Zstd,
    /// Something else, or several codings on top of each other: nothing is read and the usage is estimated.
    Unknown,
}

impl Encoding {
    /// The coding a `content-encoding` means; empty is identity.
    #[must_use]
    pub fn from_content_encoding(value: &str) -> Encoding {
        let coding = value.trim();
        let is = |name: &str| coding.eq_ignore_ascii_case(name);
        if coding.is_empty() || is("identity") {
            Encoding::Identity
        } else if is("gzip") || is("x-gzip") {
            Encoding::Gzip
        } else if is("deflate") {
            Encoding::Deflate
        } else if is("br") {
            Encoding::Brotli
        } else if is("zstd") {
            Encoding::Zstd
        } else {
            Encoding::Unknown
        }
    }
}
