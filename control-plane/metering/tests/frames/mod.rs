//! Frames for tests: events written down one by one, packed by column.

use std::collections::HashMap;

use creto_event_store::{Event, Frame, Value};
use creto_proto::v1::{IngestFrame, PropertyColumn};

/// Strings of a frame, each once.
#[derive(Default)]
struct Strings {
    all: Vec<String>,
    known: HashMap<String, u32>,
}

impl Strings {
    fn index(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        *self.known.entry(text.to_owned()).or_insert_with(|| {
            self.all.push(text.to_owned());
            self.all.len() as u32
        })
    }
}

/// The frame of these events, from sequence `first` on; their identities are not looked at.
pub fn frame(producer: &str, epoch: u64, first: u64, events: &[Event]) -> Frame {
    let mut strings = Strings::default();
    let mut message = IngestFrame {
        producer: producer.into(),
        epoch,
        first_sequence: first,
        count: events.len() as u32,
        ..IngestFrame::default()
    };
    let mut columns: Vec<(u32, PropertyColumn)> = Vec::new();
    let mut last = 0;
    for (at, event) in events.iter().enumerate() {
        message.event_type.push(strings.index(&event.event_type));
        message.agent.push(strings.index(&event.agent));
        message.customer.push(strings.index(&event.customer));
        message.subscription.push(strings.index(&event.subscription));
        message.delegation.push(strings.index(&event.delegation));
        message.at_us.push(event.at_us - last);
        last = event.at_us;
        message.logical.push(event.logical);
        for (name, value) in &event.properties {
            let name = strings.index(name);
            let kind = match value {
                Value::Text(_) => 0,
                Value::Number(_) => 1,
                Value::Flag(_) => 2,
            };
            let found = columns.iter_mut().find(|(other, column)| *other == kind && column.name == name);
            let column = match found {
                Some((_, column)) => column,
                None => {
                    columns.push((kind, PropertyColumn { name, ..PropertyColumn::default() }));
                    &mut columns.last_mut().unwrap().1
                }
            };
            // Whole for now; differences below.
            column.events.push(at as u32);
            match value {
                Value::Text(text) => column.texts.push(strings.index(text)),
                Value::Number(number) => column.decimals.push(strings.index(&number.to_string())),
                Value::Flag(flag) => column.flags.push(*flag),
            }
        }
    }
    message.properties = columns.into_iter().map(|(_, column)| column).collect();
    for column in &mut message.properties {
        for at in (1..column.events.len()).rev() {
            column.events[at] -= column.events[at - 1];
        }
    }
    message.strings = strings.all;
    Frame::new(message).unwrap()
}
