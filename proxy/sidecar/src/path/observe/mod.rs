//! observe: what an answer says while it streams through. Most answers are not read at all; those that are cost a
//! constant amount of memory each.

mod answer_room;
mod shape;
mod stray_list;
mod tools;

use std::time::Duration;

use answer_room::HeldAnswer;
use bytes::Bytes;
use creto_credentials::{Injection, Injector, Scrubber};
use creto_mcp::{AnswerFilter, AnswerKind, AnswerLimits, AnswerProblem};
use creto_metering::{Encoding, Framing, Scanner, Shape, UsageChunkStripper};
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_RANGE,
    RANGE, SEC_WEBSOCKET_EXTENSIONS,
};
use http::{HeaderMap, Response, StatusCode};
use hyper::ext::ReasonPhrase;
use stray_list::StrayList;

use crate::path::record::CallRecord;

pub(crate) use answer_room::AnswerRoom;
pub(crate) use creto_metering::Ending;
pub(crate) use shape::shape_of;
pub(crate) use tools::ToolGate;

/// Why an answer is not handed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerFault {
    #[error(transparent)]
    Mcp(#[from] AnswerProblem),
    #[error("the answer came as {0}, though it was asked for plain: what it shows cannot be checked")]
    Encoded(String),
    #[error("the MCP server put a list of tools into the answer to another call")]
    StrayList,
    #[error("too many long answers of MCP servers are held at once")]
    NoRoom,
}

/// What is to be read of the answer, known before the call leaves.
#[derive(Debug, Default)]
pub(crate) struct AnswerPlan {
    /// Usage is in it, in this shape.
    pub(crate) shape: Option<Shape>,
    /// The agent did not ask for the usage chunk of the stream; we did.
    pub(crate) strip_usage: bool,
    /// It may list tools.
    pub(crate) tools: Option<ToolGate>,
    /// It may echo this.
    pub(crate) secret: Option<Injection>,
}

const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

impl AnswerPlan {
    /// Whether the answer must come without content coding.
    fn needs_plain(&self) -> bool {
        self.tools.is_some() || self.secret.is_some()
    }

    /// Asks for an answer that can be read.
    pub(crate) fn ask(&self, headers: &mut HeaderMap) {
        if self.needs_plain() || self.strip_usage {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if self.secret.is_some() {
            // Parts of an answer, or compressed messages, could bring an echoed secret in pieces that nobody covers.
            for name in [&RANGE, &IF_RANGE, &GRPC_ACCEPT_ENCODING] {
                headers.remove(name);
            }
        }
        if self.shape.is_some() || self.secret.is_some() {
            // Compressed WebSocket messages would be read by nobody between the two ends.
            headers.remove(SEC_WEBSOCKET_EXTENSIONS);
        }
    }

    /// Settles a call that left and whose answer nobody will read.
    pub(crate) fn settle_unanswered(&self, record: &CallRecord) {
        if let Some(shape) = self.shape {
            let nothing = Scanner::new(shape, Framing::Json, Encoding::Identity);
            record.settle(nothing.finish(Ending::Broken, record.request_bytes()));
        }
    }

    /// Starts reading an answer, and takes out of its head what will not hold.
    pub(crate) fn begin<B>(
        self,
        injector: &Injector,
        record: &CallRecord,
        response: &mut Response<B>,
    ) -> Result<Option<Box<Reading>>, AnswerFault> {
        let status = response.status();
        let upgraded = status == StatusCode::SWITCHING_PROTOCOLS;
        let coding = said(response.headers(), &CONTENT_ENCODING);
        let encoding = Encoding::from_content_encoding(&coding);
        if self.needs_plain() && encoding != Encoding::Identity {
            self.settle_unanswered(record);
            return Err(AnswerFault::Encoded(coding));
        }
        let framing = match upgraded {
            true => Framing::WebSocket,
            false => Framing::from_content_type(&said(response.headers(), &CONTENT_TYPE)),
        };
        // An error used nothing.
        let shape = self.shape.filter(|_| status.is_success() || upgraded);
        let scanner = shape.map(|shape| {
            let headers = response.headers();
            // Bedrock says what an invoked model used in headers too.
            let count = |name: &str| headers.get(name)?.to_str().ok()?.parse().ok();
            Scanner::new(shape, framing, encoding).with_status(status.as_u16()).with_token_headers(
                count("x-amzn-bedrock-input-token-count"),
                count("x-amzn-bedrock-output-token-count"),
            )
        });
        let strip = (self.strip_usage && framing == Framing::Sse && encoding == Encoding::Identity)
            .then(UsageChunkStripper::new);
        let scrubber = match self.secret {
            None => None,
            Some(injection) => {
                if status == StatusCode::UNAUTHORIZED {
                    injector.refused(&injection);
                }
                let scrubber = injection.scrubber();
                scrubber.scrub_headers(response.headers_mut());
                drop_names_with_secrets(&scrubber, response.headers_mut());
                // Words that nobody reads (RFC 9112 section 4), and that nobody covers.
                response.extensions_mut().remove::<ReasonPhrase>();
                Some(scrubber)
            }
        };
        if upgraded && (shape.is_some() || scrubber.is_some()) {
            // Not asked for, so it may not be agreed to either.
            response.headers_mut().remove(SEC_WEBSOCKET_EXTENSIONS);
        }
        let tools = match self.tools {
            Some(gate) if !upgraded => ListWatch::of(&gate, response)?.map(|watch| (gate, watch)),
            _ => None,
        };
        let reading = Reading { scrubber, tools, scanner, strip, held: 0, asked: false };
        if reading.changes_length() {
            for name in [&CONTENT_LENGTH, &ETAG, &CONTENT_DIGEST] {
                response.headers_mut().remove(name);
            }
        }
        Ok((!reading.is_idle()).then(|| Box::new(reading)))
    }
}

/// All that a header says, as clients read one that occurs more than once.
fn said(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(", ")
}

/// Values are covered; a name cannot be, so such a header goes.
fn drop_names_with_secrets(scrubber: &Scrubber, headers: &mut HeaderMap) {
    let named: Vec<_> =
        headers.keys().filter(|name| scrubber.scrub_text(name.as_str()).is_some()).cloned().collect();
    for name in named {
        headers.remove(name);
    }
}

/// What is done about lists of tools in an answer.
#[derive(Debug)]
enum ListWatch {
    /// Held message by message, and filtered.
    Filter(Box<AnswerFilter>, HeldAnswer),
    /// One JSON text that has no list in it by right. It can be large, so it is not held.
    NoList(StrayList),
}

impl ListWatch {
    /// None for an answer that no client reads as messages.
    fn of<B>(gate: &ToolGate, response: &Response<B>) -> Result<Option<Self>, AnswerFault> {
        let types = said(response.headers(), &CONTENT_TYPE);
        let kind = match AnswerKind::of(HeaderValue::from_bytes(types.as_bytes()).ok().as_ref())? {
            // A client that waits for a stream may read it as one, whatever it says it is.
            None if gate.awaits_stream && response.status().is_success() => Some(AnswerKind::EventStream),
            kind => kind,
        };
        Ok(kind.map(|kind| match kind {
            AnswerKind::Json if !gate.lists => Self::NoList(StrayList::default()),
            kind => {
                Self::Filter(Box::new(AnswerFilter::new(kind, AnswerLimits::default())), gate.room.answer())
            }
        }))
    }

    fn push(&mut self, gate: &ToolGate, data: Bytes) -> Result<Bytes, AnswerFault> {
        match self {
            Self::Filter(filter, held) => {
                if !held.came(data.len()) {
                    return Err(AnswerFault::NoRoom);
                }
                let mut out = Vec::with_capacity(data.len());
                let pushed = filter.push(&data, &mut |tool| gate.shows(tool), &mut out);
                // Before anything of it is handed on.
                gate.pins.keep_new();
                pushed?;
                if !out.is_empty() {
                    // At most the end of this chunk is held still.
                    held.left(data.len());
                }
                Ok(out.into())
            }
            // Cut before its end, the text is none to any reader.
            Self::NoList(watch) => match watch.push(&data) {
                true => Err(AnswerFault::StrayList),
                false => Ok(data),
            },
        }
    }
}

/// An answer that is read.
#[derive(Debug)]
pub(crate) struct Reading {
    scrubber: Option<Scrubber>,
    tools: Option<(ToolGate, ListWatch)>,
    scanner: Option<Scanner>,
    strip: Option<UsageChunkStripper>,
    /// Bytes that the scrubber holds back.
    held: usize,
    /// It was asked for them, and gave what it would.
    asked: bool,
}

/// A message is held back this long for its last bytes' sake.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

impl Reading {
    fn is_idle(&self) -> bool {
        self.scrubber.is_none() && self.tools.is_none() && self.scanner.is_none() && self.strip.is_none()
    }

    /// Whether more or fewer bytes may be handed on than came.
    pub(crate) fn changes_length(&self) -> bool {
        matches!(self.tools, Some((_, ListWatch::Filter(..)))) || self.strip.is_some()
    }

    /// Takes what came and gives what may be handed on now.
    pub(crate) fn push(&mut self, data: Bytes) -> Result<Bytes, AnswerFault> {
        // Secrets first, so that nobody behind sees them.
        let data = match &mut self.scrubber {
            Some(scrubber) => {
                self.held += data.len();
                let sure = scrubber.push(data);
                self.held -= sure.len();
                self.asked = false;
                sure
            }
            None => data,
        };
        self.read(data)
    }

    /// Covers secrets in trailers, which are headers that come last.
    pub(crate) fn cover(&self, trailers: &mut HeaderMap) {
        if let Some(scrubber) = &self.scrubber {
            scrubber.scrub_headers(trailers);
            drop_names_with_secrets(scrubber, trailers);
        }
    }

    /// Whether bytes are held back because a secret could begin with them.
    pub(crate) fn holds(&self) -> bool {
        self.held > 0 && !self.asked
    }

    /// Nothing came for a moment: a message whose last byte could begin a secret goes on all the same.
    pub(crate) fn pause(&mut self) -> Result<Bytes, AnswerFault> {
        let given = self.scrubber.as_mut().map(Scrubber::pause).unwrap_or_default();
        self.held -= given.len();
        self.asked = true;
        self.read(given)
    }

    fn read(&mut self, data: Bytes) -> Result<Bytes, AnswerFault> {
        if let Some(scanner) = &mut self.scanner {
            scanner.push(&data);
        }
        if let Some((gate, watch)) = &mut self.tools {
            return watch.push(gate, data);
        }
        if let Some(strip) = &mut self.strip {
            let mut out = Vec::with_capacity(data.len());
            strip.push(&data, &mut out);
            return Ok(out.into());
        }
        Ok(data)
    }

    /// What is held back only because a secret could begin with it: sent when one side of a WebSocket has ended.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.held = 0;
        self.scrubber.as_mut().map(Scrubber::finish).unwrap_or_default()
    }

    /// The answer is over: gives what was held back, and settles what it used.
    pub(crate) fn end(mut self, record: &CallRecord, ending: Ending) -> Result<Bytes, AnswerFault> {
        let rest = self.rest();
        let mut out = self.read(rest);
        if let Some(scanner) = self.scanner.take() {
            record.settle(scanner.finish(ending, record.request_bytes()));
        }
        if let Ok(passed) = &mut out
            && ending == Ending::Complete
        {
            let mut last = Vec::new();
            if let Some((gate, ListWatch::Filter(filter, _))) = &mut self.tools {
                filter.finish(&mut |tool| gate.shows(tool), &mut last)?;
                gate.pins.keep_new();
            }
            if let Some(strip) = self.strip.take() {
                strip.finish(&mut last);
            }
            if !last.is_empty() {
                *passed = [passed.as_ref(), &last].concat().into();
            }
        }
        out
    }
}
