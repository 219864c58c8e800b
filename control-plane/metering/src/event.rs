//! One event: who used what, when, and how much.

use std::borrow::Cow;
use std::sync::Arc;

use creto_rating::Quantity;
use sha2::{Digest as _, Sha256};

/// A property's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(Arc<str>),
    /// A decimal.
    Number(Quantity),
    /// True or false.
    Flag(bool),
}

impl Value {
    /// As a text, the way dimensions and distinct values compare it.
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

/// What makes an event itself: the same identity is the same event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventId {
    /// The place in a producer's sequence.
    Sequenced {
        /// Who sent it.
        producer: Arc<str>,
        /// The run of its process.
        epoch: u64,
        /// From 1 in each epoch.
        sequence: u64,
    },
    /// CloudEvents' `source` and `id`.
    Named {
        /// Who made it.
        source: Arc<str>,
        /// Its name there.
        id: Arc<str>,
    },
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its identity.
    pub id: EventId,
    /// What happened, such as `creto.call`.
    pub event_type: Arc<str>,
    /// The agent that used it; empty when no agent did.
    pub agent: Arc<str>,
    /// Who pays; empty when not known.
    pub customer: Arc<str>,
    /// Under which subscription; empty when not known.
    pub subscription: Arc<str>,
    /// Names of agents from the root to the one that acted, joined by `/`; empty when not known.
    pub delegation: Arc<str>,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// The hybrid logical clock's counter within the microsecond.
    pub logical: u32,
    /// How much, and of what kind. No name is there twice.
    pub properties: Vec<(Arc<str>, Value)>,
    /// Ed25519 signature of the producer, where there is one.
    pub signature: Option<Box<[u8]>>,
}

impl Event {
    /// The value of a property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.properties.iter().find(|(key, _)| &**key == name).map(|(_, value)| value)
    }
}

/// An event of a third party, which names it itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedEvent {
    /// CloudEvents' `source`.
    pub source: Arc<str>,
    /// CloudEvents' `id`: unique within the source.
    pub id: Arc<str>,
    /// What happened.
    pub event_type: Arc<str>,
    /// The agent that used it; may be empty.
    pub agent: Arc<str>,
    /// Who pays; may be empty.
    pub customer: Arc<str>,
    /// Under which subscription; may be empty.
    pub subscription: Arc<str>,
    /// Names of agents, root first, joined by `/`; may be empty.
    pub delegation: Arc<str>,
    /// When, in microseconds since 1970; none: when it comes in (and sending it again is no conflict).
    pub at_us: Option<i64>,
    /// The hybrid logical clock's counter within the microsecond.
    pub logical: u32,
    /// How much, and of what kind.
    pub properties: Vec<(Arc<str>, Value)>,
    /// Signature, where there is one. It is kept, and is no part of the payload's digest.
    pub signature: Option<Box<[u8]>>,
}

impl NamedEvent {
    /// SHA-256 over namespace, source and id: what an event is found by.
    #[must_use]
    pub fn key(&self, namespace: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [namespace, &*self.source, &*self.id] {
            text(&mut digest, part);
        }
        digest.finalize().into()
    }

    /// SHA-256 over all that is said of it besides its identity and signature, properties by name: the same event sent
    /// again has the same, however its properties are ordered.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [&self.event_type, &self.agent, &self.customer, &self.subscription, &self.delegation] {
            text(&mut digest, part);
        }
        match self.at_us {
            Some(at) => {
                digest.update([1]);
                digest.update(at.to_le_bytes());
            }
            None => digest.update([0]),
        }
        digest.update(self.logical.to_le_bytes());
        let mut properties: Vec<_> = self.properties.iter().collect();
        properties.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, value) in properties {
            text(&mut digest, name);
            match value {
                Value::Text(value) => {
                    digest.update([1]);
                    text(&mut digest, value);
                }
                Value::Number(number) => {
                    digest.update([2]);
                    digest.update(number.atto().to_le_bytes());
                }
                Value::Flag(flag) => digest.update([3, u8::from(*flag)]),
            }
        }
        digest.finalize().into()
    }

    /// As it is kept, when it came in at `now_us`.
    #[must_use]
    pub fn into_event(self, now_us: i64) -> Event {
        Event {
            id: EventId::Named { source: self.source, id: self.id },
            event_type: self.event_type,
            agent: self.agent,
            customer: self.customer,
            subscription: self.subscription,
            delegation: self.delegation,
            at_us: self.at_us.unwrap_or(now_us),
            logical: self.logical,
            properties: self.properties,
            signature: self.signature,
        }
    }
}

/// A text with its length before it, so that no two lists of texts are the same bytes.
fn text(digest: &mut Sha256, text: &str) {
    digest.update((text.len() as u64).to_le_bytes());
    digest.update(text.as_bytes());
}
