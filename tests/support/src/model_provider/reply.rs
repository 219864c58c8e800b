//! An answer before it is sent, and the ways it is sent.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Frame;

use super::json::Json;
use super::prompt::Tokens;
use crate::upstream::StreamedResponse;
use crate::upstream::stream_body::{self, BoxError};

/// How bodies are encoded, when the client accepts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    #[default]
    Identity,
    /// gzip, flushed after every event.
    Gzip,
    /// Brotli, flushed after every event.
    Brotli,
}

/// How answers are sent. A request can ask for its own by the headers `x-fake-pace` (milliseconds), `x-fake-break-after`
/// (events) and `x-fake-encoding` (`gzip` or `br`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// Time between the events of a stream.
    pub pace: Duration,
    /// Breaks the connection off after so many events of a stream; another answer breaks off in its middle.
    pub break_after: Option<usize>,
    /// Encoding of the bodies.
    pub encoding: Encoding,
}

impl Conduct {
    /// This, save for what the request asks.
    pub(super) fn asked_by(mut self, headers: &HeaderMap) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(pace) = header("x-fake-pace").and_then(|text| text.parse().ok()) {
            self.pace = Duration::from_millis(pace);
        }
        if let Some(count) = header("x-fake-break-after").and_then(|text| text.parse().ok()) {
            self.break_after = Some(count);
        }
        match header("x-fake-encoding") {
            Some("gzip") => self.encoding = Encoding::Gzip,
            Some("br") => self.encoding = Encoding::Brotli,
            _ => {}
        }
        let accepted = header("accept-encoding").unwrap_or_default();
        let accepts = |name: &str| accepted.split(',').any(|one| one.trim().split(';').next() == Some(name));
        let kept = match self.encoding {
            Encoding::Identity => true,
            Encoding::Gzip => accepts("gzip"),
            Encoding::Brotli => accepts("br"),
        };
        if !kept {
            self.encoding = Encoding::Identity;
        }
        self
    }
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    /// The body: an event a piece when it streams, else one piece.
    pub(super) pieces: Vec<Bytes>,
    pub(super) streams: bool,
    pub(super) tokens: Option<Tokens>,
}

impl Reply {
    pub(super) fn json(status: u16, document: &Json) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            pieces: vec![Bytes::from(document.text().to_owned())],
            streams: false,
            tokens: None,
        }
    }

    /// A stream of this content type.
    pub(super) fn stream(content_type: &str, pieces: Vec<Bytes>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status: 200, headers, pieces, streams: true, tokens: None }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn counted(mut self, tokens: Tokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// The response, its body sent as `conduct` has it.
    pub(super) fn response(self, conduct: Conduct) -> StreamedResponse {
        let mut pieces = encoded(self.pieces, conduct.encoding);
        let whole: usize = pieces.iter().map(Bytes::len).sum();
        let breaks = conduct.break_after.filter(|_| self.status < 400);
        if let Some(count) = breaks {
            if self.streams {
                pieces.truncate(count);
            } else if let Some(only) = pieces.first_mut() {
                only.truncate(whole / 2);
            }
        }
        let pace = conduct.pace;
        let data = stream::iter(pieces.into_iter().enumerate()).then(move |(index, piece)| async move {
            if index > 0 && !pace.is_zero() {
                tokio::time::sleep(pace).await;
            }
            Ok(Frame::data(piece))
        });
        // Time for what was sent before to leave: a reset stream forgets it.
        let end = stream::iter(breaks).then(|_| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(BoxError::from("broken off as asked"))
        });
        let mut response = Response::new(stream_body::frames(data.chain(end)));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap();
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
        }
        match conduct.encoding {
            Encoding::Identity => {}
            Encoding::Gzip => drop(headers.insert("content-encoding", HeaderValue::from_static("gzip"))),
            Encoding::Brotli => drop(headers.insert("content-encoding", HeaderValue::from_static("br"))),
        }
        if !self.streams {
            headers.insert("content-length", HeaderValue::from(whole));
        }
        response
    }
}

/// The pieces of one encoded body, every event whole in its piece.
fn encoded(pieces: Vec<Bytes>, encoding: Encoding) -> Vec<Bytes> {
    match encoding {
        Encoding::Identity => pieces,
        Encoding::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            let mut flushed: Vec<Bytes> = pieces
                .iter()
                .map(|piece| {
                    writer.write_all(piece).unwrap();
                    writer.flush().unwrap();
                    std::mem::take(writer.get_mut()).into()
                })
                .collect();
            flushed.push(writer.finish().unwrap().into());
            flushed
        }
        Encoding::Brotli => {
            let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
            let mut flushed: Vec<Bytes> = pieces
                .iter()
                .map(|piece| {
                    writer.write_all(piece).unwrap();
                    writer.flush().unwrap();
                    std::mem::take(writer.get_mut()).into()
                })
                .collect();
            flushed.push(writer.into_inner().into());
            flushed
        }
    }
}
