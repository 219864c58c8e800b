//! Why a body, or one event of it, is refused.

use thiserror::Error;

use crate::bounds::MAX_NAME_BYTES;

use super::bounds::{MAX_ATTRIBUTES, MAX_BODY_BYTES, MAX_ITEM_BYTES, MAX_ITEMS, MAX_QUOTED_CHARACTERS};

/// Why nothing of a body was read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// More than [`MAX_BODY_BYTES`].
    #[error("the body has {0} bytes, at most {MAX_BODY_BYTES} are read: send smaller batches")]
    TooLarge(usize),
    /// More than [`MAX_ITEMS`].
    #[error("the batch has more than {MAX_ITEMS} events: send smaller batches")]
    TooManyItems,
    /// Not UTF-8.
    #[error("the body is not UTF-8, at byte {0}: send JSON as UTF-8")]
    NotText(usize),
    /// No JSON, or none whose events can be told from each other.
    #[error("the body is not JSON, at byte {at}: {why}")]
    NotJson {
        /// Where, in bytes from the start.
        at: usize,
        /// What is wrong there.
        why: &'static str,
    },
    /// An array where one event was announced, or the reverse.
    #[error("{content_type} announces {announced}, the body is not: correct the content type or the body")]
    WrongShape {
        /// What was announced.
        content_type: &'static str,
        /// What it has to be.
        announced: &'static str,
    },
    /// A content type that holds no events.
    #[error(
        "content type {0:?} is not read: send application/cloudevents+json, application/cloudevents-batch+json or application/json"
    )]
    ContentType(String),
}

impl BodyError {
    /// The machine code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "body_too_large",
            Self::TooManyItems => "too_many_events",
            Self::NotText(_) | Self::NotJson { .. } | Self::WrongShape { .. } => "bad_json",
            Self::ContentType(_) => "unsupported_content_type",
        }
    }
}

/// Why one event is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ItemProblem {
    /// No JSON object.
    #[error("not an event in JSON: {0}")]
    BadJson(String),
    /// A member that is there twice: which one was meant cannot be told.
    #[error("{0} is there twice: send it once")]
    DuplicateKey(String),
    /// More than [`MAX_ITEM_BYTES`].
    #[error("the event has {0} bytes, at most {MAX_ITEM_BYTES} are read")]
    TooLarge(usize),
    /// More than [`MAX_ATTRIBUTES`].
    #[error("the event has more than {MAX_ATTRIBUTES} attributes and extensions")]
    TooManyAttributes,
    /// An attribute that has to be there.
    #[error(
        "{0} is missing: CloudEvents 1.0 requires specversion, id, source and type, metering time as well"
    )]
    MissingAttribute(&'static str),
    /// No CloudEvents 1.0.
    #[error("specversion is {0:?}: send \"1.0\"")]
    SpecVersion(String),
    /// An attribute of the wrong kind.
    #[error("{name} {why}")]
    BadAttribute {
        /// Which.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An attribute longer than it may be.
    #[error("{name} has {bytes} bytes, at most {most} are kept")]
    AttributeTooLong {
        /// Which.
        name: &'static str,
        /// How long it is, in bytes.
        bytes: usize,
        /// How long it may be, in bytes.
        most: usize,
    },
    /// No `time`.
    #[error("time is missing: say when it was used, such as 2026-10-14T10:20:00Z")]
    TimeMissing,
    /// A `time` that is none.
    #[error("time {0:?} is no RFC 3339 timestamp: write it as 2026-10-14T10:20:00Z")]
    BadTime(String),
    /// Data that is no object of properties.
    #[error("{0}: send data as one flat JSON object of properties")]
    UnsupportedData(&'static str),
    /// An object or array in a property.
    #[error("property {0} is an object or an array: properties are texts, numbers, true or false")]
    NestedData(String),
    /// NaN or an infinity, written as a text because JSON has no number for it.
    #[error("property {name} is {text}: send what was used, in digits")]
    NotFinite {
        /// Which.
        name: String,
        /// What was sent.
        text: String,
    },
    /// A number that cannot be kept exactly.
    #[error("property {name}: {why}")]
    BadNumber {
        /// Which.
        name: String,
        /// Why.
        why: String,
    },
    /// A text longer than it may be.
    #[error("property {name} has {bytes} bytes, at most {most} are kept")]
    TextTooLong {
        /// Which.
        name: String,
        /// How long it is, in bytes.
        bytes: usize,
        /// How long it may be, in bytes.
        most: usize,
    },
    /// A property with a name that cannot be kept.
    #[error("{0:?} is no name of a property: 1 to {MAX_NAME_BYTES} visible ASCII characters")]
    BadPropertyName(String),
    /// A text that cannot be kept.
    #[error("property {0} holds a character that no text may hold (U+0000)")]
    BadText(String),
    /// More properties than may be.
    #[error("the event has more than {0} properties")]
    TooManyProperties(usize),
    /// A signature that is none.
    #[error("signature {0}")]
    BadSignature(&'static str),
}

impl ItemProblem {
    /// The machine code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadJson(_) => "bad_json",
            Self::DuplicateKey(_) => "duplicate_key",
            Self::TooLarge(_) => "event_too_large",
            Self::TooManyAttributes => "too_many_attributes",
            Self::MissingAttribute(_) => "missing_attribute",
            Self::SpecVersion(_) => "wrong_specversion",
            Self::BadAttribute { .. } => "bad_attribute",
            Self::AttributeTooLong { .. } => "attribute_too_long",
            Self::TimeMissing => "time_missing",
            Self::BadTime(_) => "bad_time",
            Self::UnsupportedData(_) => "unsupported_data",
            Self::NestedData(_) => "nested_data",
            Self::NotFinite { .. } => "not_finite",
            Self::BadNumber { .. } => "bad_number",
            Self::TextTooLong { .. } => "text_too_long",
            Self::BadPropertyName(_) => "bad_property_name",
            Self::BadText(_) => "bad_text",
            Self::TooManyProperties(_) => "too_many_properties",
            Self::BadSignature(_) => "bad_signature",
        }
    }
}

/// The start of what was sent, for a message.
pub(super) fn quoted(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARACTERS).collect()
}
