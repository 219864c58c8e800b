//! The events as frames of sixteen producers, each frame sent when the one before was acknowledged, some twice.

use std::collections::HashMap;

use creto_event_store::{Aggregation, EmbeddedEventStore, EventStore as _, Frame, Meter};
use creto_proto::v1::{IngestFrame, PropertyColumn};

use super::usage::{KINDS, NOW_US, PROPERTIES, Payer, Usage, Value, usage};
use super::{Failed, NAMESPACE};

const PRODUCERS: u64 = 16;
const FRAME_EVENTS: u64 = 512;
/// One frame in so many is sent twice.
const REPEATED: u64 = 100;

/// What went in.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) accepted: u64,
    pub(super) repeated: u64,
}

pub(super) async fn ingest(store: &EmbeddedEventStore, events: u64) -> Result<Sent, Failed> {
    for (name, kind, aggregation, field) in [
        ("month.tokens", "llm", Aggregation::Sum, "tokens"),
        ("month.cost", "llm", Aggregation::Sum, "cost"),
        ("month.calls", "api", Aggregation::Count, ""),
        ("month.egress", "egress", Aggregation::Sum, "gigabytes"),
        ("month.disk", "disk", Aggregation::WeightedSum, "gigabytes"),
        ("month.logins", "login", Aggregation::Count, ""),
        ("month.gpus", "gpu", Aggregation::Max, "gpus"),
        ("month.level", "level", Aggregation::Latest, "level"),
        ("month.seconds", "job", Aggregation::Sum, "seconds"),
        ("month.paid", "pay", Aggregation::Sum, "amount"),
        ("month.seats", "seat", Aggregation::Sum, "seats"),
        ("month.probes", "probe", Aggregation::Count, ""),
    ] {
        store.put_meter(NAMESPACE, &Meter::new(name, kind, aggregation, field)).await?;
    }
    let mut producers = tokio::task::JoinSet::new();
    for producer in 0..PRODUCERS {
        producers.spawn(produce(store.clone(), producer, events));
    }
    let mut sent = Sent::default();
    while let Some(part) = producers.join_next().await {
        let part = part??;
        sent.accepted += part.accepted;
        sent.repeated += part.repeated;
    }
    if sent.accepted == events {
        Ok(sent)
    } else {
        Err(format!("{} of {events} events were accepted", sent.accepted).into())
    }
}

async fn produce(store: EmbeddedEventStore, producer: u64, events: u64) -> Result<Sent, Failed> {
    let mut sent = Sent::default();
    let mut first_sequence = 1;
    for nth in (producer..events.div_ceil(FRAME_EVENTS)).step_by(PRODUCERS as usize) {
        let first = nth * FRAME_EVENTS;
        let last = (first + FRAME_EVENTS).min(events);
        let frame = frame(producer, first_sequence, (first..last).map(|nth| usage(nth, events)));
        first_sequence += last - first;
        let times = 1 + u64::from(nth % REPEATED == 7);
        for _ in 0..times {
            let outcome = store.ingest_frame(NAMESPACE, Frame::new(frame.clone())?, NOW_US).await?;
            if let Some(rejected) = outcome.rejected.first() {
                return Err(format!("{rejected:?}").into());
            }
            sent.accepted += outcome.accepted;
            sent.repeated += outcome.duplicate;
        }
    }
    Ok(sent)
}

#[derive(PartialEq, Eq, Hash)]
enum Text {
    Fixed(&'static str),
    Agent(u32),
    Customer(u32),
    Subscription(u32),
    User(u32),
}

/// The strings of a frame, each once.
#[derive(Default)]
struct Strings {
    list: Vec<String>,
    known: HashMap<Text, u32>,
}

impl Strings {
    fn index(&mut self, text: Text) -> u32 {
        if let Some(known) = self.known.get(&text) {
            return *known;
        }
        self.list.push(match text {
            Text::Fixed(text) => text.to_owned(),
            Text::Agent(agent) => agent_name(agent),
            Text::Customer(customer) => customer_id(customer),
            Text::Subscription(customer) => subscription_id(customer),
            Text::User(user) => user_name(user),
        });
        let index = self.list.len() as u32;
        self.known.insert(text, index);
        index
    }
}

pub(super) fn agent_name(agent: u32) -> String {
    format!("agent-{agent:04}")
}

pub(super) fn customer_id(customer: u32) -> String {
    format!("customer-{customer:03}")
}

pub(super) fn subscription_id(customer: u32) -> String {
    format!("sub-{customer:03}")
}

pub(super) fn user_name(user: u32) -> String {
    format!("user-{user:06}")
}

/// The id of a subscription that there is not.
pub(super) const UNKNOWN: &str = "sub-unknown";

fn frame(producer: u64, first_sequence: u64, events: impl Iterator<Item = Usage>) -> IngestFrame {
    let mut strings = Strings::default();
    let mut frame = IngestFrame {
        producer: format!("sidecar/{producer}"),
        epoch: 7,
        first_sequence,
        ..IngestFrame::default()
    };
    let mut columns: [PropertyColumn; PROPERTIES.len()] = std::array::from_fn(|_| PropertyColumn::default());
    let mut last_events = [0; PROPERTIES.len()];
    let mut last_at = 0;
    for (event, used) in (0_u32..).zip(events) {
        frame.count += 1;
        let kind = &KINDS[used.kind];
        frame.event_type.push(strings.index(Text::Fixed(kind.name)));
        frame.agent.push(strings.index(Text::Agent(used.agent)));
        let (customer, subscription) = match used.payer {
            Payer::Subscription(customer) => {
                (strings.index(Text::Customer(customer)), strings.index(Text::Subscription(customer)))
            }
            Payer::Customer(customer) => (strings.index(Text::Customer(customer)), 0),
            Payer::Unknown => (0, strings.index(Text::Fixed(UNKNOWN))),
            Payer::Nobody => (0, 0),
        };
        frame.customer.push(customer);
        frame.subscription.push(subscription);
        frame.at_us.push(used.at_us - last_at);
        last_at = used.at_us;
        for (place, value) in kind.properties.iter().zip(used.values) {
            let column = &mut columns[*place];
            match value {
                Value::None => continue,
                Value::Number(number) => column.numbers.push(number),
                Value::Word(word) => column.texts.push(strings.index(Text::Fixed(word))),
                Value::User(user) => column.texts.push(strings.index(Text::User(user))),
            }
            column.events.push(event - last_events[*place]);
            last_events[*place] = event;
        }
    }
    for (property, mut column) in PROPERTIES.iter().zip(columns) {
        if !column.events.is_empty() {
            column.name = strings.index(Text::Fixed(property.name));
            column.scale = property.scale.unwrap_or(0);
            frame.properties.push(column);
        }
    }
    frame.strings = strings.list;
    frame
}
