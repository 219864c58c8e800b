//! The scanner: bytes of an answer in, what it used out.

use memchr::memchr;

use crate::decode::Decoder;
use crate::document::Documents;
use crate::estimate::{BYTES_PER_TOKEN, Seen, estimate};
use crate::event_stream::EventStream;
use crate::framing::{Encoding, Framing};
use crate::json::Tokenizer;
use crate::meter::Meter;
use crate::resolve::{input_known, output_known, resolve};
use crate::shape::Shape;
use crate::sse::Sse;
use crate::usage::{Ending, MAX_TIER_BYTES, Settled, Usage};
use crate::websocket::WebSocket;

/// How documents are found in the bytes.
#[derive(Debug)]
enum Frames {
    Json,
    Lines,
    Sse(Sse),
    EventStream(Box<EventStream>),
    WebSocket(WebSocket),
}

/// Reads an answer as it passes and keeps what it used.
///
/// Memory is fixed when it is made (plus the window of a content coding), and what comes out does not depend on how
/// the bytes were cut. It never fails: an answer it cannot read settles as estimated.
#[derive(Debug)]
pub struct Scanner {
    shape: Shape,
    documents: Documents,
    frames: Frames,
    decoder: Option<Decoder>,
    unreadable: bool,
    bytes: u64,
    status: u16,
}

impl Scanner {
    /// For an answer of `shape`, framed and coded as its headers say.
    #[must_use]
    pub fn new(shape: Shape, framing: Framing, encoding: Encoding) -> Self {
        let meter = Meter::new(shape);
        let frames = match framing {
            Framing::Json => Frames::Json,
            Framing::Lines => Frames::Lines,
            Framing::Sse => Frames::Sse(Sse::new()),
            Framing::EventStream => {
                Frames::EventStream(Box::new(EventStream::new(&meter, shape == Shape::BedrockInvoke)))
            }
            Framing::WebSocket => Frames::WebSocket(WebSocket::new()),
        };
        let decoder = Decoder::new(encoding);
        Self {
            shape,
            documents: Documents::new(Tokenizer::new(shape.root()), meter),
            frames,
            unreadable: decoder.is_none() && encoding != Encoding::Identity,
            decoder,
            bytes: 0,
            status: 200,
        }
    }

    /// The status of the answer, 200 unless said: an answer of 400 and above that tells no usage used nothing.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// What the headers `x-amzn-bedrock-input-token-count` and `-output-token-count` say; used where the answer itself
    /// says nothing.
    #[must_use]
    pub fn with_token_headers(mut self, input: Option<u64>, output: Option<u64>) -> Self {
        self.documents.meter.headers(input, output);
        self
    }

    /// Reads on: the next bytes of the body, as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.unreadable {
            return;
        }
        let (frames, documents) = (&mut self.frames, &mut self.documents);
        match &mut self.decoder {
            None => read(frames, documents, bytes),
            Some(decoder) => {
                decoder.push(bytes, |decoded| read(frames, documents, decoded));
                self.unreadable = decoder.failed() || decoder.full();
                if decoder.failed() {
                    // How much came out before depends on how the bytes were cut, and none of it is certain.
                    self.documents.clear();
                    self.frames = Frames::Json;
                }
            }
        }
    }

    /// Tokens that the answer so far must at least have taken to write, by its text: an estimate, for whoever ends an answer
    /// that grows beyond what was asked for.
    #[must_use]
    pub fn output_so_far(&self) -> u64 {
        let meter = &self.documents.meter;
        (meter.text / BYTES_PER_TOKEN).max(meter.pieces)
    }

    /// The answer is over; `request_bytes` is the length of the request's body, for input nobody told.
    #[must_use]
    pub fn finish(mut self, ending: Ending, request_bytes: u64) -> Settled {
        let whole = self.end_frames();
        let meter = &self.documents.meter;
        let stream = !matches!(self.frames, Frames::Json);
        // A document that closed has told all; a stream only once its model or its protocol said so.
        let told_end =
            if stream { meter.finished || meter.over || self.shape.usage_ends_stream() } else { whole };
        let complete = if stream {
            meter.over || (meter.finished && ending == Ending::Complete)
        } else {
            whole && meter.open == 0
        };
        let usage = if self.shape == Shape::OpenAiRealtime {
            self.session(request_bytes)
        } else {
            self.answer(told_end, complete, request_bytes)
        };
        Settled {
            usage,
            response_model: name(meter.model.bytes()),
            service_tier: name(meter.tier().get(..MAX_TIER_BYTES).unwrap_or(meter.tier())),
            complete: if self.shape == Shape::OpenAiRealtime { whole && meter.open == 0 } else { complete },
        }
    }

    /// No bytes follow. Says whether the last document or frame was whole.
    fn end_frames(&mut self) -> bool {
        let documents = &mut self.documents;
        match &mut self.frames {
            Frames::Json => {
                let whole = documents.tokenizer.end(&mut documents.meter);
                documents.end();
                whole
            }
            Frames::Lines | Frames::Sse(_) => {
                documents.end();
                !documents.damaged
            }
            Frames::EventStream(stream) => stream.end(documents),
            Frames::WebSocket(socket) => socket.end(documents) && !documents.damaged,
        }
    }

    /// The usage of one answer.
    fn answer(&self, told_end: bool, complete: bool, request_bytes: u64) -> Usage {
        let meter = &self.documents.meter;
        let (used, _) = resolve(meter);
        let wrote = meter.text > 0 || meter.sound > 0;
        let input = input_known(&meter.cells);
        let output = !self.shape.writes_text()
            || output_known(&meter.cells)
            // Gemini leaves out counts of zero.
            || (self.shape == Shape::Gemini && !wrote);
        if meter.usage && told_end && input && output {
            return used;
        }
        if !meter.usage && !wrote && (self.status >= 400 || meter.failed) {
            return used;
        }
        let unread = self.unreadable || self.documents.garbled;
        let seen = Seen {
            request_bytes: (!input).then_some(request_bytes),
            text: meter.text,
            sound: meter.sound,
            pieces: meter.pieces,
            unread: if unread { self.bytes } else { 0 },
            answered: complete || self.answered(),
        };
        estimate(self.shape, used, seen)
    }

    /// Something of an answer came.
    fn answered(&self) -> bool {
        // A coding of nothing has bytes too.
        self.bytes > 0 && !self.decoder.as_ref().is_some_and(Decoder::was_empty)
    }

    /// The usage of a session: its responses that are over, and an estimate of those that are not.
    fn session(&self, request_bytes: u64) -> Usage {
        let meter = &self.documents.meter;
        let mut used = meter.settled;
        used.estimated |= self.documents.damaged || self.unreadable;
        let nothing_told = used.input_total() == 0 && used.output_total() == 0;
        if meter.open == 0 && !(used.estimated && nothing_told) {
            return used;
        }
        let seen = Seen {
            request_bytes: nothing_told.then_some(request_bytes),
            text: meter.text,
            // Most bytes of a session are sound.
            sound: if meter.open == 0 { self.bytes } else { meter.sound },
            pieces: meter.pieces,
            unread: 0,
            answered: true,
        };
        used.plus(&estimate(self.shape, Usage::default(), seen))
    }
}

fn read(frames: &mut Frames, documents: &mut Documents, mut bytes: &[u8]) {
    match frames {
        Frames::Json => documents.feed(bytes),
        Frames::Lines => {
            while let Some(end) = memchr(b'\n', bytes) {
                let (line, rest) = bytes.split_at(end);
                documents.feed(line);
                documents.end();
                bytes = rest.get(1..).unwrap_or_default();
            }
            documents.feed(bytes);
        }
        Frames::Sse(sse) => sse.push(bytes, documents),
        Frames::EventStream(stream) => stream.push(bytes, documents),
        Frames::WebSocket(socket) => socket.push(bytes, documents),
    }
}

/// A name as text; a character cut at the end is dropped, one that is no UTF-8 replaced.
fn name(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(error) if error.error_len().is_none() => {
            String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default()).into_owned()
        }
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    };
    Some(text)
}
