//! What was used: one event, its place in the order of all events, and its properties.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Moment, Quantity};

/// Where an event stands among all others: by time, then by the sequence number ingestion gave it. No two events of a
/// subscription share both, so nothing that depends on order is left to chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Order {
    /// When it happened.
    pub at: Moment,
    /// The number ingestion gave it.
    pub sequence: u64,
}

/// A property of an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(Quantity),
    /// True or false.
    Flag(bool),
}

impl Value {
    /// As a text, the way filters and groups compare it.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Flag(true) => Cow::Borrowed("true"),
            Self::Flag(false) => Cow::Borrowed("false"),
        }
    }
}

/// One use of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageEvent {
    /// The idempotency key: the same id is the same event.
    pub id: String,
    /// What was used: the event's type.
    pub meter: String,
    /// When, and which of those at the same time.
    #[serde(flatten)]
    pub order: Order,
    /// The agent that used it.
    pub agent: String,
    /// How much, and of what kind.
    #[serde(default)]
    pub properties: BTreeMap<String, Value>,
}
