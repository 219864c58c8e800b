//! What records hold besides frames, as protobuf; and what is said of a frame before its bytes.

use std::sync::Arc;

use bytes::Bytes;
use creto_rating::Quantity;
use prost::Message;

use crate::{Aggregation, Event, EventId, Meter, RejectCode, Value};

/// A meter.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredMeter {
    #[prost(string, tag = "1")]
    namespace: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    event_type: String,
    #[prost(string, tag = "4")]
    aggregation: String,
    #[prost(string, tag = "5")]
    field: String,
    #[prost(string, repeated, tag = "6")]
    dimensions: Vec<String>,
    #[prost(string, tag = "7")]
    unit: String,
}

impl StoredMeter {
    pub(super) fn of(namespace: &str, meter: &Meter) -> Self {
        Self {
            namespace: namespace.into(),
            name: meter.name.to_string(),
            event_type: meter.event_type.to_string(),
            aggregation: meter.aggregation.to_string(),
            field: meter.field.to_string(),
            dimensions: meter.dimensions.iter().map(ToString::to_string).collect(),
            unit: meter.unit.to_string(),
        }
    }

    pub(super) fn read(payload: &[u8]) -> Option<(Arc<str>, Meter)> {
        let stored = Self::decode(payload).ok()?;
        let aggregation: Aggregation = stored.aggregation.parse().ok()?;
        let meter = Meter {
            name: stored.name.into(),
            event_type: stored.event_type.into(),
            aggregation,
            field: stored.field.into(),
            dimensions: stored.dimensions.into_iter().map(Arc::from).collect(),
            unit: stored.unit.into(),
        };
        Some((stored.namespace.into(), meter))
    }
}

/// A frame of which all was known.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredRepeat {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
    #[prost(string, tag = "2")]
    pub(super) producer: String,
    #[prost(fixed64, tag = "3")]
    pub(super) epoch: u64,
    #[prost(uint64, tag = "4")]
    pub(super) events: u64,
}

/// A frame of which nothing was taken in.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredRefusal {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
    #[prost(string, tag = "2")]
    pub(super) producer: String,
    #[prost(fixed64, tag = "3")]
    pub(super) epoch: u64,
    /// Of the last event.
    #[prost(uint64, tag = "4")]
    pub(super) mark: u64,
    /// Events that were known.
    #[prost(uint64, tag = "5")]
    pub(super) known: u64,
    /// Codes of the others, and how many of each.
    #[prost(uint32, repeated, tag = "6")]
    pub(super) codes: Vec<u32>,
    #[prost(uint64, repeated, tag = "7")]
    pub(super) counts: Vec<u64>,
}

/// An epoch that is not held any more.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredRetirement {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
    #[prost(string, tag = "2")]
    pub(super) producer: String,
    #[prost(fixed64, tag = "3")]
    pub(super) epoch: u64,
    /// Events up to then may have been counted in it, in microseconds since 1970.
    #[prost(sint64, tag = "4")]
    pub(super) until_us: i64,
}

/// Named events of one request: the accepted ones, and how many others there were of each source.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredBatch {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) events: Vec<StoredEvent>,
    #[prost(message, repeated, tag = "3")]
    pub(super) others: Vec<StoredOthers>,
}

/// Events of a source that were not accepted.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredOthers {
    #[prost(string, tag = "1")]
    pub(super) source: String,
    /// 0: duplicates; else the number of a [`RejectCode`].
    #[prost(uint32, tag = "2")]
    pub(super) code: u32,
    #[prost(uint64, tag = "3")]
    pub(super) events: u64,
}

/// A named event.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredEvent {
    #[prost(string, tag = "1")]
    source: String,
    #[prost(string, tag = "2")]
    id: String,
    #[prost(string, tag = "3")]
    event_type: String,
    #[prost(string, tag = "4")]
    agent: String,
    #[prost(string, tag = "5")]
    customer: String,
    #[prost(string, tag = "6")]
    subscription: String,
    #[prost(string, tag = "7")]
    delegation: String,
    #[prost(sint64, tag = "8")]
    at_us: i64,
    #[prost(uint32, tag = "9")]
    logical: u32,
    #[prost(message, repeated, tag = "10")]
    properties: Vec<StoredProperty>,
    #[prost(bytes = "vec", optional, tag = "11")]
    signature: Option<Vec<u8>>,
    /// SHA-256 of namespace, source and id.
    #[prost(bytes = "vec", tag = "12")]
    key: Vec<u8>,
    /// SHA-256 of the payload as it was sent.
    #[prost(bytes = "vec", tag = "13")]
    digest: Vec<u8>,
}

/// A property: one of the values.
#[derive(Clone, PartialEq, Message)]
struct StoredProperty {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, optional, tag = "2")]
    text: Option<String>,
    /// In units of 10^-18, little endian.
    #[prost(bytes = "vec", optional, tag = "3")]
    number: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "4")]
    flag: Option<bool>,
}

impl StoredEvent {
    pub(super) fn of(event: &Event, key: &[u8; 32], digest: &[u8; 32]) -> Option<Self> {
        let EventId::Named { source, id } = &event.id else { return None };
        let property = |(name, value): &(Arc<str>, Value)| {
            let mut stored = StoredProperty { name: name.to_string(), text: None, number: None, flag: None };
            match value {
                Value::Text(text) => stored.text = Some(text.to_string()),
                Value::Number(number) => stored.number = Some(number.atto().to_le_bytes().to_vec()),
                Value::Flag(flag) => stored.flag = Some(*flag),
            }
            stored
        };
        Some(Self {
            source: source.to_string(),
            id: id.to_string(),
            event_type: event.event_type.to_string(),
            agent: event.agent.to_string(),
            customer: event.customer.to_string(),
            subscription: event.subscription.to_string(),
            delegation: event.delegation.to_string(),
            at_us: event.at_us,
            logical: event.logical,
            properties: event.properties.iter().map(property).collect(),
            signature: event.signature.as_ref().map(|signature| signature.to_vec()),
            key: key.to_vec(),
            digest: digest.to_vec(),
        })
    }

    pub(super) fn read(self) -> Option<(Event, [u8; 32], [u8; 32])> {
        let property = |stored: StoredProperty| {
            let value = match (stored.text, stored.number, stored.flag) {
                (Some(text), None, None) => Value::Text(text.into()),
                (None, Some(number), None) => {
                    Value::Number(Quantity::from_atto(i128::from_le_bytes(number.try_into().ok()?))?)
                }
                (None, None, Some(flag)) => Value::Flag(flag),
                _ => return None,
            };
            Some((Arc::from(stored.name), value))
        };
        let event = Event {
            id: EventId::Named { source: self.source.into(), id: self.id.into() },
            event_type: self.event_type.into(),
            agent: self.agent.into(),
            customer: self.customer.into(),
            subscription: self.subscription.into(),
            delegation: self.delegation.into(),
            at_us: self.at_us,
            logical: self.logical,
            properties: self.properties.into_iter().map(property).collect::<Option<_>>()?,
            signature: self.signature.map(Vec::into_boxed_slice),
        };
        Some((event, self.key.try_into().ok()?, self.digest.try_into().ok()?))
    }
}

/// What of a frame is not taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// Events at its beginning that were known.
    pub(super) known: u32,
    /// Events behind those that cannot be counted: index and code, rising.
    pub(super) rejected: Vec<(u32, RejectCode)>,
}

impl Left {
    /// Whether an event is counted, asked for rising events.
    pub(super) fn keeps(&self) -> impl Fn(usize) -> bool + '_ {
        |event| {
            event >= self.known as usize
                && self.rejected.binary_search_by_key(&event, |(index, _)| *index as usize).is_err()
        }
    }

    /// Payload of a frame's record: `namespace length u8, namespace, known u32, rejected u32, (index u32, code u8)...,
    /// frame`.
    pub(super) fn encode(&self, namespace: &str, frame: &[u8], out: &mut Vec<u8>) {
        out.push(namespace.len() as u8);
        out.extend_from_slice(namespace.as_bytes());
        out.extend_from_slice(&self.known.to_le_bytes());
        out.extend_from_slice(&(self.rejected.len() as u32).to_le_bytes());
        for (index, code) in &self.rejected {
            out.extend_from_slice(&index.to_le_bytes());
            out.push(code.number());
        }
        out.extend_from_slice(frame);
    }

    /// Bytes of that payload, with so many rejected.
    pub(super) const fn size(namespace: &str, rejected: usize, frame: usize) -> usize {
        9 + namespace.len() + 5 * rejected + frame
    }

    /// What was written: the namespace, what is left out, and the bytes of the frame.
    pub(super) fn read(payload: &Bytes) -> Option<(&str, Self, Bytes)> {
        let length = *payload.first()? as usize;
        let namespace = std::str::from_utf8(payload.get(1..=length)?).ok()?;
        let word = |at: usize| Some(u32::from_le_bytes(payload.get(at..at + 4)?.try_into().ok()?));
        let mut at = 1 + length;
        let (known, count) = (word(at)?, word(at + 4)?);
        at += 8;
        let mut rejected = Vec::with_capacity((count as usize).min(crate::MAX_FRAME_EVENTS));
        for _ in 0..count {
            rejected.push((word(at)?, RejectCode::from_number(*payload.get(at + 4)?)?));
            at += 5;
        }
        Some((namespace, Self { known, rejected }, payload.slice(at..)))
    }
}
