//! A frame: events of one producer, by column, checked.

mod column;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use creto_proto::v1::IngestFrame;
use creto_rating::Quantity;
use prost::Message as _;

use crate::bounds::{
    MAX_FRAME_BYTES, MAX_FRAME_CELLS, MAX_FRAME_COLUMNS, MAX_FRAME_EVENTS, MAX_FRAME_STRINGS,
};
use crate::meter::is_name;
use crate::{Event, EventId, FrameError, Value};

pub(crate) use column::{Cell, Column};

/// A frame whose columns fit together; what its events say is judged by a store. Keeps the bytes it was sent as.
#[derive(Clone, Debug)]
pub struct Frame {
    encoded: Bytes,
    namespace: String,
    producer: Arc<str>,
    epoch: u64,
    first_sequence: u64,
    count: u32,
    strings: Vec<String>,
    event_type: Vec<u32>,
    agent: Vec<u32>,
    customer: Vec<u32>,
    subscription: Vec<u32>,
    delegation: Vec<u32>,
    at_us: Vec<i64>,
    logical: Vec<u32>,
    columns: Vec<Column>,
    decimals: Vec<Quantity>,
}

/// Sequences stay below this, so that no sum of them overflows.
const MAX_SEQUENCE: u64 = 1 << 63;

impl Frame {
    /// From bytes of an [`IngestFrame`], which must name its producer and epoch.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(encoded: Bytes) -> Result<Self, FrameError> {
        if encoded.len() > MAX_FRAME_BYTES {
            return Err(FrameError::TooLarge(encoded.len()));
        }
        let message = IngestFrame::decode(&encoded[..]).map_err(|e| FrameError::Encoding(e.to_string()))?;
        Self::checked(message, encoded)
    }

    /// From a message. Later frames of a stream leave namespace, producer and epoch out: fill them in first.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(message: IngestFrame) -> Result<Self, FrameError> {
        let bytes = message.encoded_len();
        if bytes > MAX_FRAME_BYTES {
            return Err(FrameError::TooLarge(bytes));
        }
        let encoded = message.encode_to_vec().into();
        Self::checked(message, encoded)
    }

    fn checked(message: IngestFrame, encoded: Bytes) -> Result<Self, FrameError> {
        let IngestFrame { namespace, producer, epoch, first_sequence, count, strings, .. } = message;
        if !is_name(&producer) {
            return Err(FrameError::Producer(producer.chars().take(40).collect()));
        }
        if count == 0 || count as usize > MAX_FRAME_EVENTS {
            return Err(FrameError::Events(count));
        }
        if first_sequence == 0 || first_sequence.saturating_add(u64::from(count)) >= MAX_SEQUENCE {
            return Err(FrameError::Sequence { first: first_sequence, count });
        }
        if strings.len() > MAX_FRAME_STRINGS {
            return Err(FrameError::Strings(strings.len()));
        }
        if message.properties.len() > MAX_FRAME_COLUMNS {
            return Err(FrameError::Columns(message.properties.len()));
        }
        let columns = message.properties.len();
        if columns * count as usize > MAX_FRAME_CELLS {
            return Err(FrameError::Cells { columns, events: count });
        }
        let check = column::Checker { events: count as usize, strings: &strings };
        let event_type = check.indices("event_type", message.event_type)?;
        let agent = check.indices("agent", message.agent)?;
        let customer = check.indices("customer", message.customer)?;
        let subscription = check.indices("subscription", message.subscription)?;
        let delegation = check.indices("delegation", message.delegation)?;
        let at_us = check.times(message.at_us)?;
        let logical = check.whole("logical", message.logical)?;
        let (columns, decimals) = check.properties(message.properties)?;
        Ok(Self {
            encoded,
            namespace,
            producer: producer.into(),
            epoch,
            first_sequence,
            count,
            event_type,
            agent,
            customer,
            subscription,
            delegation,
            at_us,
            logical,
            columns,
            decimals,
            strings,
        })
    }

    /// The bytes of the [`IngestFrame`].
    #[must_use]
    pub const fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// The namespace it says; may be empty.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whose events.
    #[must_use]
    pub const fn producer(&self) -> &Arc<str> {
        &self.producer
    }

    /// Of which run of its process.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The sequence of the first event.
    #[must_use]
    pub const fn first_sequence(&self) -> u64 {
        self.first_sequence
    }

    /// The sequence of the last event.
    #[must_use]
    pub const fn last_sequence(&self) -> u64 {
        self.first_sequence + self.count as u64 - 1
    }

    /// How many events: 1 to [`MAX_FRAME_EVENTS`].
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// How many of its events are at or below a mark.
    #[must_use]
    pub fn events_up_to(&self, mark: u64) -> usize {
        let known = mark.saturating_add(1).saturating_sub(self.first_sequence);
        usize::try_from(known).map_or(self.len(), |known| known.min(self.len()))
    }

    /// When an event happened, in microseconds since 1970.
    ///
    /// # Panics
    /// When there is no such event.
    #[must_use]
    pub fn at_us(&self, event: usize) -> i64 {
        self.at_us.get(event).copied().unwrap_or(0)
    }

    /// The events that `keep` says yes to, by index, in their order.
    pub fn events<'f>(
        &'f self,
        keep: impl Fn(usize) -> bool + 'f,
    ) -> impl Iterator<Item = (usize, Event)> + 'f {
        let names: Vec<Arc<str>> =
            std::iter::once("").chain(self.strings.iter().map(String::as_str)).map(Arc::from).collect();
        let columns: Vec<Arc<str>> =
            self.columns.iter().map(|column| self.string(column.name).into()).collect();
        let name = move |names: &[Arc<str>], column: &[u32], event: usize| {
            Arc::clone(&names[column.get(event).copied().unwrap_or(0) as usize])
        };
        (0..self.len()).filter(move |event| keep(*event)).map(move |event| {
            let value = |cell: Cell| match cell {
                Cell::Text(index) => Some(Value::Text(Arc::clone(&names[index as usize]))),
                Cell::Flag(flag) => Some(Value::Flag(flag)),
                // Judged before; a number that is none is in no accepted event.
                cell => self.number(cell).map(Value::Number),
            };
            let properties = self
                .columns
                .iter()
                .zip(&columns)
                .filter_map(|(column, name)| Some((Arc::clone(name), value(column.cell(event))?)));
            let event_of = Event {
                id: EventId::Sequenced {
                    producer: Arc::clone(&self.producer),
                    epoch: self.epoch,
                    sequence: self.first_sequence + event as u64,
                },
                event_type: name(&names, &self.event_type, event),
                agent: name(&names, &self.agent, event),
                customer: name(&names, &self.customer, event),
                subscription: name(&names, &self.subscription, event),
                delegation: name(&names, &self.delegation, event),
                at_us: self.at_us(event),
                logical: self.logical(event),
                properties: properties.collect(),
                signature: None,
            };
            (event, event_of)
        })
    }

    /// Memory it takes, about, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let cells = self.columns.len() * self.len() * size_of::<Cell>();
        2 * self.encoded.len() + cells + self.strings.len() * size_of::<String>()
    }

    /// A string by its index; the empty one for 0.
    pub(crate) fn string(&self, index: u32) -> &str {
        (index as usize).checked_sub(1).and_then(|at| self.strings.get(at)).map_or("", String::as_str)
    }

    /// Strings there are indices for, the empty one included.
    pub(crate) const fn string_count(&self) -> usize {
        self.strings.len() + 1
    }

    pub(crate) fn logical(&self, event: usize) -> u32 {
        self.logical.get(event).copied().unwrap_or(0)
    }

    pub(crate) fn type_index(&self, event: usize) -> u32 {
        self.event_type.get(event).copied().unwrap_or(0)
    }

    /// Agent, customer and subscription of an event: indices of strings.
    pub(crate) fn who(&self, event: usize) -> [u32; 3] {
        let at = |column: &[u32]| column.get(event).copied().unwrap_or(0);
        [at(&self.agent), at(&self.customer), at(&self.subscription)]
    }

    pub(crate) fn delegation_index(&self, event: usize) -> u32 {
        self.delegation.get(event).copied().unwrap_or(0)
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| self.string(column.name) == name)
    }

    /// The number a cell holds, when it holds one within bounds.
    pub(crate) fn number(&self, cell: Cell) -> Option<Quantity> {
        match cell {
            Cell::Whole(units, 0) => Quantity::whole(units),
            Cell::Whole(mantissa, scale) => {
                // At most 18: see the checker.
                let factor = 10_i128.pow(18_u32.saturating_sub(u32::from(scale)));
                Quantity::from_atto(i128::from(mantissa).checked_mul(factor)?)
            }
            Cell::Decimal(index) => self.decimals.get(index as usize).copied(),
            _ => None,
        }
    }
}
