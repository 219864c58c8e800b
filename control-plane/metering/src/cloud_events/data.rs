//! The properties of an event: `data`, a flat object.

use std::sync::Arc;

use creto_rating::Quantity;
use serde_json::value::RawValue;

use super::object;
use super::problem::{ItemProblem, quoted};
use crate::Value;
use crate::bounds::{MAX_PROPERTIES, MAX_TEXT_BYTES};
use crate::meter::is_name;

/// What serializers write where JSON has no number.
const NOT_FINITE: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// Properties in the order they are written; a `null` is a property that is not there.
pub(super) fn properties(data: &str) -> Result<Vec<(Arc<str>, Value)>, ItemProblem> {
    match data.as_bytes().first() {
        Some(b'{') => {}
        Some(b'[') => return Err(ItemProblem::UnsupportedData("data is an array")),
        _ => return Err(ItemProblem::UnsupportedData("data is a single value")),
    }
    let members = object::members(data, MAX_PROPERTIES, || ItemProblem::TooManyProperties(MAX_PROPERTIES))?;
    let mut properties = Vec::with_capacity(members.len());
    for (name, value) in members {
        if !is_name(&name) {
            return Err(ItemProblem::BadPropertyName(quoted(&name)));
        }
        if let Some(value) = property(&name, value)? {
            properties.push((name.into(), value));
        }
    }
    Ok(properties)
}

fn property(name: &str, value: &RawValue) -> Result<Option<Value>, ItemProblem> {
    let written = value.get();
    let named = || quoted(name);
    Ok(Some(match written.as_bytes().first() {
        Some(b'n') => return Ok(None),
        Some(b't') => Value::Flag(true),
        Some(b'f') => Value::Flag(false),
        Some(b'"') => {
            let text: String =
                serde_json::from_str(written).map_err(|error| ItemProblem::BadJson(error.to_string()))?;
            if text.len() > MAX_TEXT_BYTES {
                let (bytes, most) = (text.len(), MAX_TEXT_BYTES);
                return Err(ItemProblem::TextTooLong { name: named(), bytes, most });
            }
            if NOT_FINITE.contains(&text.as_str()) {
                return Err(ItemProblem::NotFinite { name: named(), text });
            }
            if text.contains('\0') {
                return Err(ItemProblem::BadText(named()));
            }
            Value::Text(text.into())
        }
        Some(b'{' | b'[') => return Err(ItemProblem::NestedData(named())),
        _ => Value::Number(
            written
                .parse::<Quantity>()
                .map_err(|error| ItemProblem::BadNumber { name: named(), why: error.to_string() })?,
        ),
    }))
}
