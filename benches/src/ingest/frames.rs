//! Frames of synthetic events, encoded before the clock starts.

use std::collections::HashMap;

use bytes::Bytes;
use creto_proto::v1::{IngestFrame, PropertyColumn};
use prost::Message as _;

use super::Load;

const MODELS: u64 = 2;

/// Numbers that look random and are the same each time.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// One event.
struct Row {
    agent: u64,
    event_type: u64,
    at_us: i64,
    units: u64,
    cost: u64,
}

/// The frames of one producer, of agents and types at random.
pub(crate) fn of_producer(load: &Load, producer: u64, events: u64, start_us: i64) -> Vec<Bytes> {
    let mut numbers = Numbers(producer + 1);
    let step = (load.seconds * 1_000_000) as f64 / events as f64;
    let rows = (0..events).map(|event| Row {
        agent: numbers.below(load.agents),
        event_type: numbers.below(load.types),
        at_us: start_us + (event as f64 * step) as i64,
        units: numbers.below(4_000),
        cost: numbers.below(50_000_000),
    });
    encoded(load, &format!("sidecar/{producer}"), rows)
}

/// Frames of one of the producers that together send every agent with every type once.
pub(crate) fn of_every_series(load: &Load, producer: u64, start_us: i64) -> Vec<Bytes> {
    let every = (0..load.agents * load.types).filter(|which| which % load.producers == producer);
    let rows = every.map(|which| Row {
        agent: which / load.types,
        event_type: which % load.types,
        at_us: start_us,
        units: 1,
        cost: 1,
    });
    encoded(load, &format!("first/{producer}"), rows)
}

fn encoded(load: &Load, producer: &str, rows: impl Iterator<Item = Row>) -> Vec<Bytes> {
    let mut rows = rows.peekable();
    let mut frames = Vec::new();
    let mut first_sequence = 1;
    while rows.peek().is_some() {
        let frame = frame(producer, first_sequence, rows.by_ref().take(load.frame_events as usize));
        first_sequence += u64::from(frame.count);
        frames.push(frame.encode_to_vec().into());
    }
    frames
}

fn frame(producer: &str, first_sequence: u64, rows: impl Iterator<Item = Row>) -> IngestFrame {
    let mut strings: Vec<String> = Vec::new();
    let mut index_of = HashMap::new();
    let mut index = |text: String| {
        *index_of.entry(text.clone()).or_insert_with(|| {
            strings.push(text);
            strings.len() as u32
        })
    };
    let mut frame =
        IngestFrame { producer: producer.to_owned(), epoch: 7, first_sequence, ..IngestFrame::default() };
    let mut units = PropertyColumn { name: index("units".into()), ..PropertyColumn::default() };
    let mut cost = PropertyColumn { name: index("cost".into()), scale: 9, ..PropertyColumn::default() };
    let mut model = PropertyColumn { name: index("model".into()), ..PropertyColumn::default() };
    let mut last = 0;
    for Row { agent, event_type, at_us, units: used, cost: paid } in rows {
        frame.count += 1;
        frame.event_type.push(index(format!("type-{event_type}")));
        frame.agent.push(index(format!("agent-{agent:05}")));
        frame.customer.push(index(format!("customer-{:03}", agent % 100)));
        frame.subscription.push(index(format!("subscription-{:03}", agent % 100)));
        frame.at_us.push(at_us - last);
        last = at_us;
        units.numbers.push(used as i64);
        cost.numbers.push(paid as i64);
        model.texts.push(index(format!("model-{}", agent % MODELS)));
    }
    frame.properties = vec![units, cost, model];
    frame.strings = strings;
    frame
}
