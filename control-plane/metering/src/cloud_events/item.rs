//! One event: its attributes, from JSON or from headers, and its properties.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::value::RawValue;

use super::bounds::{MAX_ATTRIBUTES, MAX_ITEM_BYTES, MAX_TIME_BYTES};
use super::problem::{ItemProblem, quoted};
use super::{data, object, time};
use crate::NamedEvent;
use crate::bounds::{MAX_DELEGATION_BYTES, MAX_ID_BYTES, MAX_NAME_BYTES, MAX_SIGNATURE_BYTES};

/// The version of CloudEvents that is read.
const SPEC_VERSION: &str = "1.0";
/// Base64 of the longest signature, padding included.
const MAX_SIGNATURE_TEXT: usize = MAX_SIGNATURE_BYTES.div_ceil(3) * 4;

/// Attributes we read, and how many bytes each may have. Others are let through unread, as the specification asks of
/// who does not know them.
const READ: [(&str, usize); 12] = [
    ("specversion", 8),
    ("id", MAX_ID_BYTES),
    ("source", MAX_ID_BYTES),
    ("type", MAX_NAME_BYTES),
    ("time", MAX_TIME_BYTES),
    ("subject", MAX_NAME_BYTES),
    ("datacontenttype", 256),
    ("agent", MAX_NAME_BYTES),
    ("customer", MAX_NAME_BYTES),
    ("subscription", MAX_NAME_BYTES),
    ("delegation", MAX_DELEGATION_BYTES),
    ("signature", MAX_SIGNATURE_TEXT),
];

/// The attributes of one event that we read, whichever way they came.
#[derive(Default)]
pub(super) struct Attributes([Option<String>; READ.len()]);

impl Attributes {
    /// Takes one in; one that is not read is let through.
    pub(super) fn take(&mut self, name: &str, text: String) -> Result<(), ItemProblem> {
        let Some(which) = READ.iter().position(|(known, _)| *known == name) else { return Ok(()) };
        let (name, most) = READ[which];
        let bad = |why| Err(ItemProblem::BadAttribute { name: name.to_owned(), why });
        if text.is_empty() {
            return bad("is empty: leave it out, or say what it is");
        }
        if text.len() > most {
            if name == "specversion" {
                return Err(ItemProblem::SpecVersion(quoted(&text)));
            }
            if name == "time" {
                return Err(ItemProblem::BadTime(quoted(&text)));
            }
            return Err(ItemProblem::AttributeTooLong { name, bytes: text.len(), most });
        }
        if text.contains(char::is_control) {
            return bad("holds a control character");
        }
        if self.0[which].replace(text).is_some() {
            return Err(ItemProblem::DuplicateKey(name.to_owned()));
        }
        Ok(())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let which = READ.iter().position(|(known, _)| *known == name)?;
        self.0[which].as_deref()
    }

    fn required(&self, name: &'static str) -> Result<&str, ItemProblem> {
        self.get(name).ok_or(ItemProblem::MissingAttribute(name))
    }

    fn or_empty(&self, name: &str) -> Arc<str> {
        self.get(name).unwrap_or_default().into()
    }
    /// The event, with its properties.
    pub(super) fn into_event(self, data: Option<&str>) -> Result<NamedEvent, ItemProblem> {
        match self.required("specversion")? {
            SPEC_VERSION => {}
            other => return Err(ItemProblem::SpecVersion(quoted(other))),
        }
        let id = self.required("id")?.into();
        let source = self.required("source")?.into();
        let event_type = self.required("type")?.into();
        let at_us = time::micros(self.get("time").ok_or(ItemProblem::TimeMissing)?)?;
        let properties = match data {
            Some(data) => {
                self.check_content_type()?;
                data::properties(data)?
            }
            None => Vec::new(),
        };
        Ok(NamedEvent {
            source,
            id,
            event_type,
            agent: self.or_empty("agent"),
            // Who is metered, for senders that know CloudEvents only.
            customer: self.get("customer").or_else(|| self.get("subject")).unwrap_or_default().into(),
            subscription: self.or_empty("subscription"),
            delegation: self.or_empty("delegation"),
            at_us: Some(at_us),
            logical: 0,
            properties,
            signature: self.get("signature").map(signature).transpose()?,
        })
    }

    fn check_content_type(&self) -> Result<(), ItemProblem> {
        match self.get("datacontenttype") {
            Some(kind) if !is_json(kind) => Err(ItemProblem::UnsupportedData("datacontenttype is not JSON")),
            _ => Ok(()),
        }
    }
}

/// Whether a content type is JSON: `application/json`, `text/json`, or anything `+json`.
pub(super) fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.split_once('/').is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}

fn signature(text: &str) -> Result<Box<[u8]>, ItemProblem> {
    let bytes = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
    match bytes {
        Ok(bytes) if bytes.len() > MAX_SIGNATURE_BYTES => Err(ItemProblem::BadSignature("is too long")),
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => Err(ItemProblem::BadSignature("is not base64 (RFC 4648, section 4)")),
    }
}

/// The event a JSON object is.
pub(super) fn structured(text: &str) -> Result<NamedEvent, ItemProblem> {
    if text.len() > MAX_ITEM_BYTES {
        return Err(ItemProblem::TooLarge(text.len()));
    }
    let mut attributes = Attributes::default();
    let mut data = None;
    for (name, value) in object::members(text, MAX_ATTRIBUTES, || ItemProblem::TooManyAttributes)? {
        // An attribute that is null is one that is not there (CloudEvents JSON format, section 2.2).
        if value.get() == "null" {
            continue;
        }
        match &*name {
            "data" => data = Some(value),
            "data_base64" => return Err(ItemProblem::UnsupportedData("data_base64 is binary")),
            _ if READ.iter().any(|(known, _)| *known == name) => {
                attributes.take(&name, attribute_text(&name, value)?)?;
            }
            _ => {}
        }
    }
    attributes.into_event(data.map(RawValue::get))
}

fn attribute_text(name: &str, value: &RawValue) -> Result<String, ItemProblem> {
    match value.get().as_bytes().first() {
        Some(b'"') => {
            serde_json::from_str(value.get()).map_err(|error| ItemProblem::BadJson(error.to_string()))
        }
        _ if name == "specversion" => Err(ItemProblem::SpecVersion(quoted(value.get()))),
        _ => Err(ItemProblem::BadAttribute { name: name.to_owned(), why: "is no text: put it in quotes" }),
    }
}
