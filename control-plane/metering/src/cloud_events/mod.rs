//! CloudEvents 1.0 from third parties into [`NamedEvent`]s.
//!
//! Read are the JSON format in structured mode (`application/cloudevents+json`), batches
//! (`application/cloudevents-batch+json`), either as `application/json`, and binary mode (attributes in `ce-` headers,
//! `data` in the body).
//!
//! | CloudEvents | event |
//! |---|---|
//! | `id`, `source`, `type` | the same; required |
//! | `time` | when; required, RFC 3339, cut to microseconds |
//! | `agent`, `customer`, `subscription`, `delegation` | the same; extensions, may be missing |
//! | `subject` | the customer, where `customer` is missing |
//! | `signature` | the signature, in base64 |
//! | `data` | the properties: one flat object of texts, numbers, `true` and `false`; `null` is a property that is not there |
//!
//! Other attributes and extensions are let through unread. Numbers are taken as the decimals they are written as, never
//! through a float. One bad event of a batch costs the others nothing: it is listed with its index, a code and what to
//! do. Nothing here opens a socket or asks a clock.

mod binary;
mod bounds;
mod data;
mod item;
mod object;
mod problem;
mod split;
#[cfg(test)]
mod tests;
mod time;

pub use bounds::{MAX_ATTRIBUTES, MAX_BODY_BYTES, MAX_ITEM_BYTES, MAX_ITEMS, MAX_TIME_BYTES};
pub use problem::{BodyError, ItemProblem};

use crate::NamedEvent;

/// One event, in JSON.
pub const STRUCTURED: &str = "application/cloudevents+json";
/// An array of events, in JSON.
pub const BATCH: &str = "application/cloudevents-batch+json";

/// One event that was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedItem {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// Why; [`ItemProblem::code`] is the machine code.
    pub problem: ItemProblem,
}

/// What was read of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadEvents {
    /// The events, with their places in the batch, from 0, rising.
    pub events: Vec<(usize, NamedEvent)>,
    /// The others, rising.
    pub refused: Vec<RefusedItem>,
}

impl ReadEvents {
    fn take(&mut self, index: usize, read: Result<NamedEvent, ItemProblem>) {
        match read {
            Ok(event) => self.events.push((index, event)),
            Err(problem) => self.refused.push(RefusedItem { index, problem }),
        }
    }

    fn one(read: Result<NamedEvent, ItemProblem>) -> Self {
        let mut events = Self::default();
        events.take(0, read);
        events
    }
}

/// Reads the events of a request. `headers` are those of the request, for binary mode: it is one when `ce-specversion`
/// is among them.
///
/// # Errors
/// [`BodyError`] when nothing can be read of it; what is wrong with single events is in the answer.
pub fn read<'h>(
    content_type: &str,
    headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
    body: &[u8],
) -> Result<ReadEvents, BodyError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(BodyError::TooLarge(body.len()));
    }
    let text = std::str::from_utf8(body).map_err(|error| BodyError::NotText(error.valid_up_to()))?;
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let first = text.bytes().find(|byte| !split::is_blank(*byte));
    match kind.as_str() {
        STRUCTURED if first == Some(b'[') => {
            Err(BodyError::WrongShape { content_type: STRUCTURED, announced: "one JSON object" })
        }
        STRUCTURED => structured(text),
        BATCH if first != Some(b'[') => {
            Err(BodyError::WrongShape { content_type: BATCH, announced: "an array of JSON objects" })
        }
        BATCH => batch(text),
        // The content type of binary mode is that of the data.
        _ if headers
            .clone()
            .any(|(header, _)| binary::attribute(header).as_deref() == Some("specversion")) =>
        {
            Ok(ReadEvents::one(binary::event(content_type, headers, text)))
        }
        "application/json" if first == Some(b'[') => batch(text),
        "application/json" => structured(text),
        _ => Err(BodyError::ContentType(problem::quoted(content_type))),
    }
}

fn structured(text: &str) -> Result<ReadEvents, BodyError> {
    if text.bytes().all(split::is_blank) {
        return Err(BodyError::NotJson { at: 0, why: "nothing was sent" });
    }
    Ok(ReadEvents::one(item::structured(text)))
}

fn batch(text: &str) -> Result<ReadEvents, BodyError> {
    let mut events = ReadEvents::default();
    for (index, element) in split::elements(text)?.into_iter().enumerate() {
        events.take(index, item::structured(element));
    }
    Ok(events)
}
