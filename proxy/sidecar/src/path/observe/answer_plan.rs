//! What is to be read of an answer, planned before the call leaves and begun when the answer's head comes.

use creto_credentials::{Injection, Injector};
use creto_metering::{Encoding, Ending, Framing, Scanner, Shape, UsageChunkStripper};
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_RANGE,
    RANGE, SEC_WEBSOCKET_EXTENSIONS,
};
use http::{HeaderMap, Response, StatusCode};
use hyper::ext::ReasonPhrase;

use super::list_watch::ListWatch;
use super::reading::Reading;
use super::{AnswerFault, ToolGate, drop_names_with_secrets, said};
use crate::path::record::CallRecord;

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
        let reading = Reading::of(scrubber, tools, scanner, strip);
        if reading.changes_length() {
            for name in [&CONTENT_LENGTH, &ETAG, &CONTENT_DIGEST] {
                response.headers_mut().remove(name);
            }
        }
        Ok((!reading.is_idle()).then(|| Box::new(reading)))
    }
}
