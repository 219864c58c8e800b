//! Usage out of an event store.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;
use creto_event_store::{Event, EventId, EventStore, Value as Stored};
use creto_rating::{Moment, MomentError, Order, UsageEvent, Value};

use crate::usage_source::{SourceError, SourcedEvent, UsageSource};

/// The events of an [`EventStore`] as usage: the meter is the event's type, events of one instant are in the order in
/// which they came in, and the id tells the event among all of its namespace.
///
/// Ids are `sequence/<producer>/<epoch in hex>/<sequence>` and `named/<bytes of the source>/<source>/<id>`: no two
/// events share one, whatever a producer or source calls itself.
#[derive(Clone)]
pub struct MeteredUsage {
    store: Arc<dyn EventStore>,
}

impl std::fmt::Debug for MeteredUsage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MeteredUsage").finish_non_exhaustive()
    }
}

impl MeteredUsage {
    /// The usage a store holds.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl UsageSource for MeteredUsage {
    async fn scan(
        &self,
        namespace: &str,
        from: Moment,
        to: Moment,
        each: &mut (dyn for<'e> FnMut(&'e SourcedEvent) -> ControlFlow<()> + Send),
    ) -> Result<(), SourceError> {
        let mut shown = Shown::default();
        let mut refused = None;
        let mut show = |event: &Event, number: u64| match shown.set(event, number) {
            Ok(sourced) => each(sourced),
            Err(error) => {
                refused = Some(SourceError(format!("event {}: {error}", id_text(&event.id))));
                ControlFlow::Break(())
            }
        };
        let read = self.store.scan(namespace, from.micros(), to.micros(), &mut show).await;
        read.map_err(|error| SourceError(error.to_string()))?;
        refused.map_or(Ok(()), Err)
    }
}

/// Types of events whose last event is kept.
const MAX_SHAPES: usize = 256;

/// One event at a time, each in the memory of the last of its type: a month has tens of millions of them, and those of a
/// type are mostly alike.
#[derive(Default)]
struct Shown {
    events: Vec<SourcedEvent>,
    /// By type, the place in `events`.
    places: HashMap<String, usize>,
}

impl Shown {
    fn set(&mut self, event: &Event, number: u64) -> Result<&SourcedEvent, MomentError> {
        let order = Order { at: Moment::from_micros(event.at_us)?, sequence: number };
        let place = match self.places.get(&*event.event_type) {
            Some(place) => *place,
            None => self.place_for(event, order),
        };
        let sourced = &mut self.events[place];
        let SourcedEvent { subscription, customer, event: usage } = &mut *sourced;
        usage.order = order;
        replace(subscription, &event.subscription);
        replace(customer, &event.customer);
        replace(&mut usage.agent, &event.agent);
        usage.id.clear();
        write_id(&mut usage.id, &event.id);
        set_properties(&mut usage.properties, event);
        Ok(sourced)
    }

    fn place_for(&mut self, event: &Event, order: Order) -> usize {
        if self.events.len() >= MAX_SHAPES {
            self.events.clear();
            self.places.clear();
        }
        self.events.push(nothing(event, order));
        let place = self.events.len() - 1;
        self.places.insert(event.event_type.to_string(), place);
        place
    }
}

fn nothing(event: &Event, order: Order) -> SourcedEvent {
    let event = UsageEvent {
        id: String::new(),
        meter: event.event_type.to_string(),
        order,
        agent: String::new(),
        properties: BTreeMap::new(),
    };
    SourcedEvent { subscription: String::new(), customer: String::new(), event }
}

/// The same text as before stays as it is.
fn replace(text: &mut String, new: &str) {
    if text != new {
        text.clear();
        text.push_str(new);
    }
}

/// Keeps the map where the names are those of the event before, which they nearly always are.
fn set_properties(properties: &mut BTreeMap<String, Value>, event: &Event) {
    let known = properties.len() == event.properties.len()
        && event.properties.iter().all(|(name, value)| match properties.get_mut(&**name) {
            Some(place) => {
                set_value(place, value);
                true
            }
            None => false,
        });
    if !known {
        properties.clear();
        properties.extend(event.properties.iter().map(|(name, value)| (name.to_string(), value_of(value))));
    }
}

fn set_value(place: &mut Value, value: &Stored) {
    match (place, value) {
        (Value::Text(text), Stored::Text(new)) => replace(text, new),
        (place, value) => *place = value_of(value),
    }
}

fn value_of(value: &Stored) -> Value {
    match value {
        Stored::Text(text) => Value::Text(text.to_string()),
        Stored::Number(number) => Value::Number(*number),
        Stored::Flag(flag) => Value::Flag(*flag),
    }
}

fn id_text(id: &EventId) -> String {
    let mut text = String::new();
    write_id(&mut text, id);
    text
}

fn write_id(text: &mut String, id: &EventId) {
    // Writing into a string cannot fail.
    let _ = match id {
        EventId::Sequenced { producer, epoch, sequence } => {
            write!(text, "sequence/{producer}/{epoch:x}/{sequence}")
        }
        EventId::Named { source, id } => write!(text, "named/{}/{source}/{id}", source.len()),
    };
}
