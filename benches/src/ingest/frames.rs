//! Frames of synthetic events, encoded before the clock starts.

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

/// The frames of one producer.
pub(crate) fn of_producer(load: &Load, producer: u64, events: u64, start_us: i64) -> Vec<Bytes> {
    let mut numbers = Numbers(producer + 1);
    let step = (load.seconds * 1_000_000) as f64 / events as f64;
    let mut frames = Vec::new();
    let mut first = 0;
    while first < events {
        let count = load.frame_events.min(events - first);
        let mut strings: Vec<String> = Vec::new();
        let mut index_of = std::collections::HashMap::new();
        let mut index = |text: String| {
            *index_of.entry(text.clone()).or_insert_with(|| {
                strings.push(text);
                strings.len() as u32
            })
        };
        let mut frame = IngestFrame {
            producer: format!("sidecar/{producer}"),
            epoch: 7,
            first_sequence: first + 1,
            count: count as u32,
            ..IngestFrame::default()
        };
        let mut units = PropertyColumn { name: index("units".into()), ..PropertyColumn::default() };
        let mut cost = PropertyColumn { name: index("cost".into()), scale: 9, ..PropertyColumn::default() };
        let mut model = PropertyColumn { name: index("model".into()), ..PropertyColumn::default() };
        let mut last = 0;
        for event in 0..count {
            let agent = numbers.below(load.agents);
            frame.event_type.push(index(format!("type-{}", numbers.below(load.types))));
            frame.agent.push(index(format!("agent-{agent:05}")));
            frame.customer.push(index(format!("customer-{:03}", agent % 100)));
            frame.subscription.push(index(format!("subscription-{:03}", agent % 100)));
            let at = start_us + ((first + event) as f64 * step) as i64;
            frame.at_us.push(at - last);
            last = at;
            units.numbers.push(numbers.below(4_000) as i64);
            cost.numbers.push(numbers.below(50_000_000) as i64);
            model.texts.push(index(format!("model-{}", agent % MODELS)));
        }
        frame.properties = vec![units, cost, model];
        frame.strings = strings;
        frames.push(frame.encode_to_vec().into());
        first += count;
    }
    frames
}
