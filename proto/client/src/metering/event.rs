//! An event, as it is handed in.

use std::borrow::Cow;

use super::{Decimal, RecordError};

/// Longest event type, agent, customer, subscription or property name, in bytes.
pub const MAX_NAME_BYTES: usize = 128;
/// Longest delegation or text of a property, in bytes.
pub const MAX_TEXT_BYTES: usize = 1_024;
/// Most properties of one event.
pub const MAX_PROPERTIES: usize = 64;
/// Largest event: all its texts together, in bytes.
pub const MAX_EVENT_BYTES: usize = 16 * 1024;
/// Latest time of an event, in microseconds since 1970: the end of the year 9999. The earliest is 0.
pub const MAX_AT_US: i64 = 253_402_300_799_999_999;
/// What an event takes beside its texts, as the ring counts it, in bytes.
pub(crate) const EVENT_OVERHEAD: usize = 192;

/// Text that costs nothing when it is a literal.
pub(crate) type Text = Cow<'static, str>;

/// The value of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(Cow<'static, str>),
    /// A number.
    Number(Decimal),
    /// Yes or no.
    Flag(bool),
}

/// An event to record. What is not set is empty; the time is that of the recording unless it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    pub(crate) event_type: Text,
    pub(crate) agent: Text,
    pub(crate) customer: Text,
    pub(crate) subscription: Text,
    pub(crate) delegation: Text,
    pub(crate) at_us: Option<i64>,
    pub(crate) properties: Vec<(Text, Value)>,
    problem: Option<&'static str>,
}

impl EventDraft {
    /// Of this type, such as `image.rendered`: what meters name.
    #[must_use]
    pub fn new(event_type: impl Into<Cow<'static, str>>) -> Self {
        Self {
            event_type: event_type.into(),
            agent: Text::default(),
            customer: Text::default(),
            subscription: Text::default(),
            delegation: Text::default(),
            at_us: None,
            properties: Vec::new(),
            problem: None,
        }
    }

    /// The agent that used it.
    #[must_use]
    pub fn agent(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.agent = name.into();
        self
    }

    /// Who pays.
    #[must_use]
    pub fn customer(mut self, id: impl Into<Cow<'static, str>>) -> Self {
        self.customer = id.into();
        self
    }

    /// The subscription that it is billed under.
    #[must_use]
    pub fn subscription(mut self, id: impl Into<Cow<'static, str>>) -> Self {
        self.subscription = id.into();
        self
    }

    /// Names of the agents of the delegation, joined by `/`, root first.
    #[must_use]
    pub fn delegation(mut self, names: impl Into<Cow<'static, str>>) -> Self {
        self.delegation = names.into();
        self
    }

    /// When it happened, in microseconds since 1970, if not now: 0 to [`MAX_AT_US`].
    #[must_use]
    pub fn at_us(mut self, at_us: i64) -> Self {
        self.at_us = Some(at_us);
        self
    }

    /// A text property.
    #[must_use]
    pub fn text(mut self, name: impl Into<Cow<'static, str>>, text: impl Into<Cow<'static, str>>) -> Self {
        self.properties.push((name.into(), Value::Text(text.into())));
        self
    }

    /// A number property: whole, or a [`Decimal`]. One that no decimal of 18 digits holds makes the recording fail.
    #[must_use]
    pub fn number(mut self, name: impl Into<Cow<'static, str>>, number: impl TryInto<Decimal>) -> Self {
        match number.try_into() {
            Ok(number) => self.properties.push((name.into(), Value::Number(number))),
            Err(_) => self.problem = Some("a number has at most 18 digits before the point and 18 after"),
        }
        self
    }

    /// A yes-or-no property.
    #[must_use]
    pub fn flag(mut self, name: impl Into<Cow<'static, str>>, flag: bool) -> Self {
        self.properties.push((name.into(), Value::Flag(flag)));
        self
    }

    /// What a ring or frame counts it as, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        EVENT_OVERHEAD + self.text_bytes()
    }

    fn text_bytes(&self) -> usize {
        let properties: usize = self
            .properties
            .iter()
            .map(|(name, value)| name.len() + if let Value::Text(text) = value { text.len() } else { 16 })
            .sum();
        let names = [&self.event_type, &self.agent, &self.customer, &self.subscription, &self.delegation];
        properties + names.iter().map(|text| text.len()).sum::<usize>()
    }

    /// Refuses what no control plane would take.
    pub(crate) fn check(&self) -> Result<(), RecordError> {
        let invalid = |field: &'static str, problem: String| Err(RecordError::Invalid { field, problem });
        if let Some(problem) = self.problem {
            return invalid("properties", problem.into());
        }
        if self.event_type.is_empty() {
            return invalid("event_type", "name what happened, such as image.rendered".into());
        }
        if let Some(at_us) = self.at_us.filter(|at_us| !(0..=MAX_AT_US).contains(at_us)) {
            return invalid(
                "at_us",
                format!("{at_us} is no time of an event: use microseconds since 1970, 0 to {MAX_AT_US}"),
            );
        }
        let names = [
            ("event_type", &self.event_type),
            ("agent", &self.agent),
            ("customer", &self.customer),
            ("subscription", &self.subscription),
        ];
        for (field, text) in names {
            if text.len() > MAX_NAME_BYTES {
                return invalid(field, format!("it has {} bytes: at most {MAX_NAME_BYTES}", text.len()));
            }
        }
        if self.delegation.len() > MAX_TEXT_BYTES {
            return invalid(
                "delegation",
                format!("it has {} bytes: at most {MAX_TEXT_BYTES}", self.delegation.len()),
            );
        }
        if self.properties.len() > MAX_PROPERTIES {
            return invalid(
                "properties",
                format!("there are {}: at most {MAX_PROPERTIES}", self.properties.len()),
            );
        }
        for (at, (name, value)) in self.properties.iter().enumerate() {
            if name.is_empty() || name.len() > MAX_NAME_BYTES {
                return invalid(
                    "properties",
                    format!("a name has {} bytes: 1 to {MAX_NAME_BYTES}", name.len()),
                );
            }
            if matches!(value, Value::Text(text) if text.len() > MAX_TEXT_BYTES) {
                return invalid(
                    "properties",
                    format!("the text of `{name}` is longer than {MAX_TEXT_BYTES} bytes"),
                );
            }
            if self.properties[..at].iter().any(|(earlier, _)| earlier == name) {
                return invalid("properties", format!("`{name}` is there twice"));
            }
        }
        if self.text_bytes() > MAX_EVENT_BYTES {
            return invalid(
                "event",
                format!("it has {} bytes: at most {MAX_EVENT_BYTES}", self.text_bytes()),
            );
        }
        Ok(())
    }
}
