//! Frames: events by column, as they go over the wire, and read back.

use std::collections::HashMap;

use creto_proto::v1::{IngestFrame, PropertyColumn};
use thiserror::Error;

use super::event::Value;
use super::ring::Recorded;
use super::{Decimal, MAX_SCALE};

/// Who sends a frame, and where in its sequence it is.
#[derive(Clone, Copy, Debug)]
pub struct FramePlace<'a> {
    /// Whose events.
    pub namespace: &'a str,
    /// Who sends them.
    pub producer: &'a str,
    /// The run of its process; not zero.
    pub epoch: u64,
    /// Of the first event, from 1.
    pub first_sequence: u64,
}

/// The frame's dictionary while it is built.
#[derive(Default)]
struct Dictionary {
    places: HashMap<String, u32>,
    strings: Vec<String>,
}

impl Dictionary {
    fn place(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        self.strings.push(text.to_owned());
        // A frame has at most 8,192 events of at most 16 KiB: far fewer than 2^32 texts.
        let place = u32::try_from(self.strings.len()).unwrap_or(0);
        self.places.insert(text.to_owned(), place);
        place
    }
}

/// One property while the frame is built.
#[derive(Default)]
struct Property {
    texts: Vec<(u32, u32)>,
    numbers: Vec<(u32, Decimal)>,
    flags: Vec<(u32, bool)>,
}

/// Packs events into a frame. They should be at most 8,192, of at most 1 MiB together.
#[must_use]
pub fn pack_frame(place: FramePlace<'_>, events: &[Recorded]) -> IngestFrame {
    let mut dictionary = Dictionary::default();
    let mut frame = IngestFrame {
        namespace: place.namespace.to_owned(),
        producer: place.producer.to_owned(),
        epoch: place.epoch,
        first_sequence: place.first_sequence,
        count: u32::try_from(events.len()).unwrap_or(u32::MAX),
        ..IngestFrame::default()
    };
    let mut order: Vec<u32> = Vec::new();
    let mut properties: HashMap<u32, Property> = HashMap::new();
    let mut before = 0_i64;
    for (at, recorded) in (0_u32..).zip(events) {
        let draft = &recorded.draft;
        frame.event_type.push(dictionary.place(&draft.event_type));
        frame.agent.push(dictionary.place(&draft.agent));
        frame.customer.push(dictionary.place(&draft.customer));
        frame.subscription.push(dictionary.place(&draft.subscription));
        frame.delegation.push(dictionary.place(&draft.delegation));
        frame.at_us.push(recorded.at_us.wrapping_sub(before));
        before = recorded.at_us;
        frame.logical.push(recorded.logical);
        for (name, value) in &draft.properties {
            let name = dictionary.place(name);
            let property = properties.entry(name).or_insert_with(|| {
                order.push(name);
                Property::default()
            });
            match value {
                Value::Text(text) => property.texts.push((at, dictionary.place(text))),
                Value::Number(number) => property.numbers.push((at, *number)),
                Value::Flag(flag) => property.flags.push((at, *flag)),
            }
        }
    }
    for column in [
        &mut frame.event_type,
        &mut frame.agent,
        &mut frame.customer,
        &mut frame.subscription,
        &mut frame.delegation,
        &mut frame.logical,
    ] {
        if column.iter().all(|entry| *entry == 0) {
            column.clear();
        }
    }
    for name in order {
        if let Some(property) = properties.remove(&name) {
            columns(&mut frame.properties, name, property, events.len(), &mut dictionary);
        }
    }
    frame.strings = dictionary.strings;
    frame
}

/// The columns of one property: one a kind of value that it has.
fn columns(
    into: &mut Vec<PropertyColumn>,
    name: u32,
    property: Property,
    all: usize,
    dictionary: &mut Dictionary,
) {
    let column =
        |events: Vec<u32>| PropertyColumn { name, events: gaps(events, all), ..PropertyColumn::default() };
    if !property.texts.is_empty() {
        let (events, texts) = property.texts.into_iter().unzip();
        into.push(PropertyColumn { texts, ..column(events) });
    }
    if !property.flags.is_empty() {
        let (events, flags) = property.flags.into_iter().unzip();
        into.push(PropertyColumn { flags, ..column(events) });
    }
    let scale = property.numbers.iter().map(|(_, number)| number.scale()).max().unwrap_or(0);
    let (mut events, mut numbers) = (Vec::new(), Vec::new());
    let (mut wide_events, mut decimals) = (Vec::new(), Vec::new());
    for (at, number) in property.numbers {
        if let Some(scaled) = number.scaled(scale) {
            events.push(at);
            numbers.push(scaled);
        } else {
            wide_events.push(at);
            decimals.push(dictionary.place(&number.to_string()));
        }
    }
    if !numbers.is_empty() {
        into.push(PropertyColumn { numbers, scale, ..column(events) });
    }
    if !decimals.is_empty() {
        into.push(PropertyColumn { decimals, ..column(wide_events) });
    }
}

/// Which events have a property: nothing if all do, else the first and the differences.
fn gaps(mut events: Vec<u32>, all: usize) -> Vec<u32> {
    if events.len() == all {
        return Vec::new();
    }
    let mut before = 0;
    for at in &mut events {
        let gap = *at - before;
        before = *at;
        *at = gap;
    }
    events
}

/// A property's value, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadValue {
    /// Text.
    Text(String),
    /// A number.
    Number(Decimal),
    /// Yes or no.
    Flag(bool),
}

/// An event of a frame, read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadEvent {
    /// Its place in the producer's epoch.
    pub sequence: u64,
    /// What happened.
    pub event_type: String,
    /// The agent that used it.
    pub agent: String,
    /// Who pays.
    pub customer: String,
    /// The subscription.
    pub subscription: String,
    /// Names of agents, joined by `/`, root first.
    pub delegation: String,
    /// Microseconds since 1970.
    pub at_us: i64,
    /// Counts within the microsecond.
    pub logical: u32,
    /// By name, in the order of the frame's columns.
    pub properties: Vec<(String, ReadValue)>,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// A column that is neither empty nor as long as the frame.
    #[error("the column {0} has not one entry for each event")]
    Length(&'static str),
    /// A reference to no string.
    #[error("the column {0} points past the frame's strings")]
    Dangling(&'static str),
    /// A property column without values, with two kinds of them, or for events that are not there.
    #[error("a property column does not say one value for each of its events")]
    Property,
}

/// Reads a frame's events.
///
/// # Errors
/// [`FrameError`] for a frame that this module does not write.
pub fn read_frame(frame: &IngestFrame) -> Result<Vec<ReadEvent>, FrameError> {
    let count = frame.count as usize;
    let text = |column: &'static str, place: u32| match place {
        0 => Ok(String::new()),
        place => frame.strings.get(place as usize - 1).cloned().ok_or(FrameError::Dangling(column)),
    };
    let names = |column: &'static str, places: &[u32]| -> Result<Vec<String>, FrameError> {
        match places.len() {
            0 => Ok(vec![String::new(); count]),
            length if length == count => places.iter().map(|place| text(column, *place)).collect(),
            _ => Err(FrameError::Length(column)),
        }
    };
    if frame.at_us.len() != count {
        return Err(FrameError::Length("at_us"));
    }
    if !frame.logical.is_empty() && frame.logical.len() != count {
        return Err(FrameError::Length("logical"));
    }
    let mut types = names("event_type", &frame.event_type)?.into_iter();
    let mut agents = names("agent", &frame.agent)?.into_iter();
    let mut customers = names("customer", &frame.customer)?.into_iter();
    let mut subscriptions = names("subscription", &frame.subscription)?.into_iter();
    let mut delegations = names("delegation", &frame.delegation)?.into_iter();
    let mut at_us = 0_i64;
    let mut events: Vec<ReadEvent> = (0..count)
        .map(|at| {
            at_us = at_us.wrapping_add(frame.at_us[at]);
            ReadEvent {
                sequence: frame.first_sequence + at as u64,
                event_type: types.next().unwrap_or_default(),
                agent: agents.next().unwrap_or_default(),
                customer: customers.next().unwrap_or_default(),
                subscription: subscriptions.next().unwrap_or_default(),
                delegation: delegations.next().unwrap_or_default(),
                at_us,
                logical: frame.logical.get(at).copied().unwrap_or(0),
                properties: Vec::new(),
            }
        })
        .collect();
    for column in &frame.properties {
        let name = text("properties", column.name)?;
        let values = values(column, &text)?;
        let at: Vec<usize> = if column.events.is_empty() {
            (0..count).collect()
        } else {
            let mut before = 0;
            column
                .events
                .iter()
                .map(|gap| {
                    before += *gap as usize;
                    before
                })
                .collect()
        };
        if at.len() != values.len() {
            return Err(FrameError::Property);
        }
        for (at, value) in at.into_iter().zip(values) {
            let event = events.get_mut(at).ok_or(FrameError::Property)?;
            event.properties.push((name.clone(), value));
        }
    }
    Ok(events)
}

fn values(
    column: &PropertyColumn,
    text: &dyn Fn(&'static str, u32) -> Result<String, FrameError>,
) -> Result<Vec<ReadValue>, FrameError> {
    let kinds = [
        column.texts.is_empty(),
        column.numbers.is_empty(),
        column.decimals.is_empty(),
        column.flags.is_empty(),
    ];
    if kinds.iter().filter(|empty| !**empty).count() != 1 || column.scale > MAX_SCALE {
        return Err(FrameError::Property);
    }
    let number =
        |digits: i64| Decimal::new(i128::from(digits), column.scale).map_err(|_| FrameError::Property);
    let decimal = |place: u32| text("decimals", place)?.parse().map_err(|_| FrameError::Property);
    if !column.texts.is_empty() {
        column.texts.iter().map(|place| Ok(ReadValue::Text(text("texts", *place)?))).collect()
    } else if !column.numbers.is_empty() {
        column.numbers.iter().map(|digits| Ok(ReadValue::Number(number(*digits)?))).collect()
    } else if !column.decimals.is_empty() {
        column.decimals.iter().map(|place| Ok(ReadValue::Number(decimal(*place)?))).collect()
    } else {
        Ok(column.flags.iter().map(|flag| ReadValue::Flag(*flag)).collect())
    }
}

#[cfg(test)]
mod tests;
