//! Conversions between types.

use std::fmt::Write;

use super::{Machine, Outcome};
use crate::{
    Duration, Timestamp,
    plan::Function,
    problem::{FaultKind, Stop},
    syntax::Span,
    value::Value,
};

impl<'e> Machine<'e> {
    pub(super) fn convert(&mut self, to: Function, value: Value<'e>, span: Span) -> Outcome<Value<'e>> {
        if let Value::Str(text) = value {
            self.spend_bytes(text.len(), span)?;
        }
        let converted = match to {
            Function::ToBool => to_bool(value),
            Function::ToInt => to_int(value),
            Function::ToUint => to_uint(value),
            Function::ToDouble => to_double(value),
            Function::ToText => return self.write_text(value, span),
            Function::ToBytes => match value {
                Value::Bytes(_) => Ok(value),
                Value::Str(text) => Ok(Value::Bytes(text.as_bytes())),
                _ => Err(FaultKind::NoOverload),
            },
            Function::ToTimestamp => match value {
                Value::Timestamp(_) => Ok(value),
                Value::Int(seconds) => {
                    Timestamp::new(seconds, 0).map(Value::Timestamp).ok_or(FaultKind::Overflow)
                }
                Value::Str(text) => Timestamp::parse(text).map(Value::Timestamp).ok_or(FaultKind::Conversion),
                _ => Err(FaultKind::NoOverload),
            },
            Function::ToDuration => match value {
                Value::Duration(_) => Ok(value),
                Value::Str(text) => Duration::parse(text).map(Value::Duration).ok_or(FaultKind::Conversion),
                _ => Err(FaultKind::NoOverload),
            },
            _ => Err(FaultKind::NoOverload),
        };
        converted.map_err(|kind| Stop::fault(kind, span))
    }

    fn write_text(&mut self, value: Value<'e>, span: Span) -> Outcome<Value<'e>> {
        // No number or time is written with more letters than this.
        const LONGEST: usize = 48;
        let plain = match value {
            Value::Str(_) => return Ok(value),
            Value::Bytes(bytes) => {
                self.spend_bytes(bytes.len(), span)?;
                let text =
                    std::str::from_utf8(bytes).map_err(|_| Stop::fault(FaultKind::Conversion, span))?;
                return Ok(Value::Str(text));
            }
            Value::Bool(true) => return Ok(Value::Str("true")),
            Value::Bool(false) => return Ok(Value::Str("false")),
            plain => plain,
        };
        self.reserve(LONGEST, span)?;
        let mut out = bumpalo::collections::String::with_capacity_in(LONGEST, self.memory);
        let written = match plain {
            Value::Int(value) => write!(out, "{value}"),
            Value::Uint(value) => write!(out, "{value}"),
            Value::Double(value) => write_double(&mut out, value),
            Value::Timestamp(value) => value.write(&mut out),
            Value::Duration(value) => value.write(&mut out),
            _ => return Err(Stop::fault(FaultKind::NoOverload, span)),
        };
        written.map_err(|_| Stop::fault(FaultKind::Memory, span))?;
        Ok(Value::Str(out.into_bump_str()))
    }
}

fn to_bool(value: Value<'_>) -> Result<Value<'_>, FaultKind> {
    match value {
        Value::Bool(_) => Ok(value),
        Value::Str("1" | "t" | "true" | "TRUE" | "True") => Ok(Value::Bool(true)),
        Value::Str("0" | "f" | "false" | "FALSE" | "False") => Ok(Value::Bool(false)),
        Value::Str(_) => Err(FaultKind::Conversion),
        _ => Err(FaultKind::NoOverload),
    }
}

fn to_int(value: Value<'_>) -> Result<Value<'_>, FaultKind> {
    /// 2^63: the first double above every `int`.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    let found = match value {
        Value::Int(_) => return Ok(value),
        Value::Uint(value) => i64::try_from(value).ok(),
        // Its lowest value is excluded too: the specification's tests have it so.
        Value::Double(value) => (value > -ABOVE && value < ABOVE).then_some(value as i64),
        Value::Timestamp(value) => Some(value.seconds()),
        Value::Str(text) => return text.parse().map(Value::Int).map_err(|_| FaultKind::Conversion),
        _ => return Err(FaultKind::NoOverload),
    };
    found.map(Value::Int).ok_or(FaultKind::Overflow)
}

fn to_uint(value: Value<'_>) -> Result<Value<'_>, FaultKind> {
    /// 2^64: the first double above every `uint`.
    const ABOVE: f64 = 18_446_744_073_709_551_616.0;
    let found = match value {
        Value::Uint(_) => return Ok(value),
        Value::Int(value) => u64::try_from(value).ok(),
        Value::Double(value) => (0.0..ABOVE).contains(&value).then_some(value as u64),
        Value::Str(text) => return text.parse().map(Value::Uint).map_err(|_| FaultKind::Conversion),
        _ => return Err(FaultKind::NoOverload),
    };
    found.map(Value::Uint).ok_or(FaultKind::Overflow)
}

fn to_double(value: Value<'_>) -> Result<Value<'_>, FaultKind> {
    match value {
        Value::Double(_) => Ok(value),
        Value::Int(value) => Ok(Value::Double(value as f64)),
        Value::Uint(value) => Ok(Value::Double(value as f64)),
        Value::Str(text) => text.parse().map(Value::Double).map_err(|_| FaultKind::Conversion),
        _ => Err(FaultKind::NoOverload),
    }
}

/// The shortest text that reads back as the same number, with an exponent for very large and very small ones.
fn write_double(out: &mut impl Write, value: f64) -> std::fmt::Result {
    if value.is_nan() {
        return out.write_str("NaN");
    }
    if value.is_infinite() {
        return out.write_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e21).contains(&size) {
        return write!(out, "{value:e}");
    }
    write!(out, "{value}")
}
