//! Events as tests write them.

use std::collections::BTreeMap;

use creto_proto::v1::{IngestFrame, PropertyColumn};

use crate::{Aggregation, EventStore, Frame, FrameOutcome, Meter, MeterQuery, MeterValue, NamedEvent, Value};

/// A moment within an hour, a day and a month: Wednesday, 14 October 2026, 10:20:00 UTC; in microseconds since 1970.
pub const NOW_US: i64 = 1_791_973_200_000_000;
/// A second, in microseconds.
pub const SECOND_US: i64 = 1_000_000;
/// A minute, in microseconds.
pub const MINUTE_US: i64 = 60 * SECOND_US;
/// An hour, in microseconds.
pub const HOUR_US: i64 = 60 * MINUTE_US;
/// A day, in microseconds.
pub const DAY_US: i64 = 24 * HOUR_US;

/// An event, before it has an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its type.
    pub event_type: String,
    /// Who used it.
    pub agent: String,
    /// Who pays.
    pub customer: String,
    /// Under which subscription.
    pub subscription: String,
    /// Under which delegation.
    pub delegation: String,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// The logical clock within it.
    pub logical: u32,
    /// How much.
    pub properties: BTreeMap<String, Value>,
}

/// An event of type `use` of agent `a`, at [`NOW_US`].
#[must_use]
pub fn sample() -> Sample {
    Sample {
        event_type: "use".into(),
        agent: "a".into(),
        customer: "acme".into(),
        subscription: "sub-1".into(),
        delegation: "root/a".into(),
        at_us: NOW_US,
        logical: 0,
        properties: BTreeMap::new(),
    }
}

impl Sample {
    /// Of another type.
    #[must_use]
    pub fn of(mut self, event_type: &str) -> Self {
        self.event_type = event_type.into();
        self
    }

    /// Of another agent.
    #[must_use]
    pub fn agent(mut self, agent: &str) -> Self {
        self.agent = agent.into();
        self
    }

    /// At another time.
    #[must_use]
    pub const fn at(mut self, at_us: i64) -> Self {
        self.at_us = at_us;
        self
    }

    /// With a number, as it is written.
    #[must_use]
    pub fn number(mut self, name: &str, number: &str) -> Self {
        self.properties.insert(name.into(), Value::Number(number.parse().unwrap()));
        self
    }

    /// With a text.
    #[must_use]
    pub fn text(mut self, name: &str, text: &str) -> Self {
        self.properties.insert(name.into(), Value::Text(text.into()));
        self
    }

    /// With a flag.
    #[must_use]
    pub fn flag(mut self, name: &str, flag: bool) -> Self {
        self.properties.insert(name.into(), Value::Flag(flag));
        self
    }

    /// As an event of a third party.
    #[must_use]
    pub fn named(&self, source: &str, id: &str) -> NamedEvent {
        let Self { event_type, agent, customer, subscription, delegation, at_us, logical, properties } =
            self.clone();
        NamedEvent {
            source: source.into(),
            id: id.into(),
            event_type: event_type.into(),
            agent: agent.into(),
            customer: customer.into(),
            subscription: subscription.into(),
            delegation: delegation.into(),
            at_us: Some(at_us),
            logical,
            properties: properties.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            signature: None,
        }
    }
}

/// The strings of a frame, each once.
#[derive(Default)]
struct Strings {
    list: Vec<String>,
    known: BTreeMap<String, u32>,
}

impl Strings {
    fn index(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        *self.known.entry(text.into()).or_insert_with(|| {
            self.list.push(text.into());
            self.list.len() as u32
        })
    }
}

/// Samples as a message: whole numbers as such, other decimals as text, texts and flags in columns of their own.
#[must_use]
pub fn message(producer: &str, epoch: u64, first_sequence: u64, samples: &[Sample]) -> IngestFrame {
    let mut strings = Strings::default();
    let mut columns: BTreeMap<(u32, u8), PropertyColumn> = BTreeMap::new();
    let mut last_event: BTreeMap<(u32, u8), u32> = BTreeMap::new();
    let mut last_at = 0;
    let mut message = IngestFrame {
        producer: producer.into(),
        epoch,
        first_sequence,
        count: samples.len() as u32,
        ..IngestFrame::default()
    };
    for (event, sample) in samples.iter().enumerate() {
        message.event_type.push(strings.index(&sample.event_type));
        message.agent.push(strings.index(&sample.agent));
        message.customer.push(strings.index(&sample.customer));
        message.subscription.push(strings.index(&sample.subscription));
        message.delegation.push(strings.index(&sample.delegation));
        message.at_us.push(sample.at_us.wrapping_sub(last_at));
        last_at = sample.at_us;
        message.logical.push(sample.logical);
        for (name, value) in &sample.properties {
            let name = strings.index(name);
            let whole = match value {
                Value::Number(number) => number.to_string().parse::<i64>().ok(),
                _ => None,
            };
            let kind = match (value, whole) {
                (Value::Text(_), _) => 0,
                (Value::Number(_), Some(_)) => 1,
                (Value::Number(_), None) => 2,
                (Value::Flag(_), _) => 3,
            };
            let column = columns.entry((name, kind)).or_default();
            column.name = name;
            let last = last_event.insert((name, kind), event as u32).unwrap_or(0);
            column.events.push(event as u32 - last);
            match (value, whole) {
                (Value::Text(text), _) => column.texts.push(strings.index(text)),
                (Value::Number(_), Some(whole)) => column.numbers.push(whole),
                (Value::Number(number), None) => column.decimals.push(strings.index(&number.to_string())),
                (Value::Flag(flag), _) => column.flags.push(*flag),
            }
        }
    }
    message.properties = columns.into_values().collect();
    message.strings = strings.list;
    message
}

/// Samples as a frame.
#[must_use]
pub fn frame(producer: &str, epoch: u64, first_sequence: u64, samples: &[Sample]) -> Frame {
    Frame::new(message(producer, epoch, first_sequence, samples)).unwrap()
}

/// Sends samples of producer `p` in epoch 1.
pub async fn send(
    store: &dyn EventStore,
    namespace: &str,
    first_sequence: u64,
    samples: &[Sample],
) -> FrameOutcome {
    store.ingest_frame(namespace, frame("p", 1, first_sequence, samples), NOW_US).await.unwrap()
}

/// Meters over events of type `use`: `use.count`, and `use.sum`, `use.max`, `use.latest`, `use.weighted` of `units`, and
/// `use.users` of `user`; by `model`.
pub async fn define(store: &dyn EventStore, namespace: &str) {
    for meter in meters() {
        store.put_meter(namespace, &meter).await.unwrap();
    }
}

/// The meters [`define`] defines.
#[must_use]
pub fn meters() -> Vec<Meter> {
    let meter = |name, aggregation, field| Meter::new(name, "use", aggregation, field).by(&["model"]);
    vec![
        meter("use.count", Aggregation::Count, ""),
        meter("use.sum", Aggregation::Sum, "units"),
        meter("use.max", Aggregation::Max, "units"),
        meter("use.latest", Aggregation::Latest, "units"),
        meter("use.weighted", Aggregation::WeightedSum, "units"),
        meter("use.users", Aggregation::UniqueCount, "user"),
    ]
}

/// A day around [`NOW_US`]: from midnight to midnight.
#[must_use]
pub fn today(meter: &str) -> MeterQuery {
    let midnight = NOW_US - NOW_US % DAY_US;
    MeterQuery::new(meter, midnight, midnight + DAY_US)
}

/// The answer, which recomputing gives, too.
pub async fn ask(store: &dyn EventStore, namespace: &str, query: &MeterQuery) -> Vec<MeterValue> {
    let values = store.query(namespace, query).await.unwrap();
    assert_eq!(values, store.recompute(namespace, query).await.unwrap(), "rollups and recomputation differ");
    values
}

/// What a meter comes to today, in all, and of how many events.
pub async fn total(store: &dyn EventStore, namespace: &str, meter: &str) -> (String, u64) {
    match ask(store, namespace, &today(meter)).await.as_slice() {
        [] => ("nothing".into(), 0),
        [value] => (value.value.to_string(), value.events),
        values => panic!("{values:?}"),
    }
}

/// What a meter comes to, with the start of the window in minutes from [`NOW_US`] and the group.
pub async fn table(
    store: &dyn EventStore,
    namespace: &str,
    query: &MeterQuery,
) -> Vec<(i64, Vec<String>, String)> {
    let values = ask(store, namespace, query).await;
    values
        .into_iter()
        .map(|value| {
            let group = value.group.iter().map(|(_, name)| name.to_string()).collect();
            ((value.window_starts_us - NOW_US) / MINUTE_US, group, value.value.to_string())
        })
        .collect()
}
