//! What the log holds, as it is counted: the same for what comes in and for what is read again at start.

use std::sync::Arc;

use prost::Message as _;

use super::payload::{Left, StoredBatch, StoredMeter, StoredRefusal, StoredRepeat, StoredRetirement};
use super::record::{Header, Kind, Record};
use super::segment::Position;
use crate::{Event, Frame, Meter};

/// Code of accepted events in [`What::Named`].
pub(super) const ACCEPTED: u32 = 255;
/// Code of duplicates in [`What::Named`].
pub(super) const DUPLICATE: u32 = 0;

/// Where no epoch of a producer was retired: no event is as old.
pub(super) const NOTHING_RETIRED: i64 = i64::MIN;

/// A record of the log.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) record: u64,
    pub(super) first_order: u64,
    pub(super) now_us: i64,
    pub(super) events: u32,
    /// Where the next record begins.
    pub(super) end: Position,
    /// How long it is in the log.
    pub(super) bytes: u64,
    /// Events of its epoch up to then may have been counted in one that was retired, in microseconds since 1970.
    pub(super) from_us: i64,
    pub(super) namespace: Arc<str>,
    pub(super) what: What,
}

/// A named event with its key and digest.
#[derive(Clone, Debug)]
pub(super) struct NamedEntry {
    pub(super) event: Event,
    pub(super) key: [u8; 32],
    pub(super) digest: [u8; 32],
}

/// Named events of one account and what became of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedCount {
    pub(super) account: Arc<str>,
    /// [`ACCEPTED`], [`DUPLICATE`] or the number of a reject code.
    pub(super) code: u32,
    pub(super) events: u64,
}

/// What it holds.
#[derive(Debug)]
pub(super) enum What {
    Frame { frame: Box<Frame>, left: Left },
    Named { events: Vec<NamedEntry>, counts: Vec<NamedCount> },
    Meter(Box<Meter>),
    Repeated { producer: Arc<str>, epoch: u64, events: u64 },
    Refused { producer: Arc<str>, epoch: u64, mark: u64, known: u64, codes: Vec<(u8, u64)> },
    Retired { producer: Arc<str>, epoch: u64, until_us: i64 },
}

impl Applied {
    pub(super) fn new(header: &Header, end: Position, namespace: Arc<str>, what: What) -> Self {
        let &Header { record, first_order, now_us, events, .. } = header;
        let bytes = end.offset.saturating_sub(u64::from(header.at));
        Self { record, first_order, now_us, events, end, bytes, from_us: NOTHING_RETIRED, namespace, what }
    }

    /// Reads a record; none when its payload is not what its kind says.
    pub(super) fn read(record: &Record, end: Position) -> Option<Self> {
        let payload = &record.payload;
        let (namespace, what) = match record.header.kind {
            Kind::Frame => {
                let (namespace, left, frame) = Left::read(payload)?;
                let frame = Box::new(Frame::decode(frame).ok()?);
                (namespace.into(), What::Frame { frame, left })
            }
            Kind::Named => {
                let batch = StoredBatch::decode(&payload[..]).ok()?;
                let entry = |(event, key, digest)| NamedEntry { event, key, digest };
                let events = batch.events.into_iter().map(|event| event.read().map(entry));
                let counts = batch.others.into_iter().map(|others| NamedCount {
                    account: others.source.into(),
                    code: others.code,
                    events: others.events,
                });
                let what = What::Named { events: events.collect::<Option<_>>()?, counts: counts.collect() };
                (batch.namespace.into(), what)
            }
            Kind::Meter => {
                let (namespace, meter) = StoredMeter::read(payload)?;
                (namespace, What::Meter(Box::new(meter)))
            }
            Kind::Repeated => {
                let repeat = StoredRepeat::decode(&payload[..]).ok()?;
                let StoredRepeat { namespace, producer, epoch, events } = repeat;
                (namespace.into(), What::Repeated { producer: producer.into(), epoch, events })
            }
            Kind::Refused => {
                let refusal = StoredRefusal::decode(&payload[..]).ok()?;
                let StoredRefusal { namespace, producer, epoch, mark, known, codes, counts } = refusal;
                let codes = codes.into_iter().map(|code| u8::try_from(code).ok()).zip(counts);
                let codes = codes.map(|(code, count)| Some((code?, count))).collect::<Option<_>>()?;
                (namespace.into(), What::Refused { producer: producer.into(), epoch, mark, known, codes })
            }
            Kind::Retired => {
                let retirement = StoredRetirement::decode(&payload[..]).ok()?;
                let StoredRetirement { namespace, producer, epoch, until_us } = retirement;
                (namespace.into(), What::Retired { producer: producer.into(), epoch, until_us })
            }
        };
        Some(Self::new(&record.header, end, namespace, what))
    }

    /// When its events happened: the first and the last.
    pub(super) fn times(&self) -> Option<(i64, i64)> {
        let mut span: Option<(i64, i64)> = None;
        let mut widen = |at: i64| {
            span = Some(span.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
        };
        match &self.what {
            What::Frame { frame, left } => {
                let keeps = left.keeps();
                (0..frame.len()).filter(|event| keeps(*event)).for_each(|event| widen(frame.at_us(event)));
            }
            What::Named { events, .. } => events.iter().for_each(|entry| widen(entry.event.at_us)),
            What::Meter(_) | What::Repeated { .. } | What::Refused { .. } | What::Retired { .. } => {}
        }
        span
    }
}
