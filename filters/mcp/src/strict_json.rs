//! JSON that can be read in one way only.
//!
//! A parser that keeps the first of two equal keys and one that keeps the last see two different requests in the same
//! bytes. Whatever decides by the content of a body reads it here: RFC 8259, and no duplicate key in any object, no
//! lone surrogate, nothing after the value, and bounds on size, depth and count of values.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The deepest nesting any bounds may ask for: below the depth at which the JSON reader itself gives up.
pub const MAX_DEPTH: usize = 120;

/// How large a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Longest text, in bytes.
    pub bytes: usize,
    /// Deepest nesting of arrays and objects; at most [`MAX_DEPTH`] holds.
    pub depth: usize,
    /// Most values, keys not counted: bounds the memory of a text full of tiny values.
    pub values: usize,
}

impl Default for Bounds {
    /// 32 MiB, 64 deep, a million values.
    fn default() -> Self {
        Self { bytes: 32 << 20, depth: 64, values: 1_000_000 }
    }
}

/// Why a text is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrictJsonProblem {
    /// Longer than the bounds allow.
    #[error("the JSON text has {bytes} bytes, more than the {limit} allowed")]
    TooLong {
        /// Bytes of the text.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("the JSON text is not UTF-8 at byte {at}")]
    NotUtf8 {
        /// The first byte that does not fit.
        at: usize,
    },
    /// An object has a key twice.
    #[error("the key \"{key}\" occurs twice in one JSON object; send it once")]
    DuplicateKey {
        /// The key, its first 64 characters.
        key: String,
    },
    /// Arrays and objects nest too deep.
    #[error("the JSON text nests deeper than {limit} levels")]
    TooDeep {
        /// The bound.
        limit: usize,
    },
    /// More values than the bounds allow.
    #[error("the JSON text has more than {limit} values")]
    TooManyValues {
        /// The bound.
        limit: usize,
    },
    /// Not JSON, or more than one value.
    #[error("the text is not one JSON value: {detail}")]
    Syntax {
        /// What the reader met, with line and column.
        detail: String,
    },
}

/// Reads one JSON value.
///
/// # Errors
/// [`StrictJsonProblem`] for whatever is not exactly one JSON value within the bounds.
pub fn parse(bytes: &[u8], bounds: Bounds) -> Result<Value, StrictJsonProblem> {
    if bytes.len() > bounds.bytes {
        return Err(StrictJsonProblem::TooLong { bytes: bytes.len(), limit: bounds.bytes });
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| StrictJsonProblem::NotUtf8 { at: error.valid_up_to() })?;
    let reading = Reading { bounds, values: Cell::new(0), problem: RefCell::new(None) };
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = OneValue { reading: &reading, depth: 0 }.deserialize(&mut reader);
    match value.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => Err(reading
            .problem
            .into_inner()
            .unwrap_or_else(|| StrictJsonProblem::Syntax { detail: error.to_string() })),
    }
}

/// Whether `key` is another spelling of `known` that a reader that ignores letter case takes for it.
///
/// Some JSON libraries match keys without regard to case (Go's `encoding/json` does, with Unicode folding: `ſ` for
/// `s`, the Kelvin sign for `k`), so `{"method": …, "Method": …}` is a duplicate to them and not to others.
#[must_use]
pub fn looks_like(key: &str, known: &str) -> bool {
    // The longest folding of a character to an ASCII letter has three bytes.
    key != known
        && key.len() >= known.len()
        && key.len() <= known.len() * 3
        && key.chars().map(fold).eq(known.chars().map(fold))
}

/// One simple case folding: enough for known keys, which are ASCII.
fn fold(letter: char) -> char {
    match letter {
        'ſ' => 's',
        '\u{212A}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}

struct Reading {
    bounds: Bounds,
    values: Cell<usize>,
    problem: RefCell<Option<StrictJsonProblem>>,
}

impl Reading {
    /// Remembers the problem in its own words; the error only stops the reader.
    fn refuse<E: serde::de::Error>(&self, problem: StrictJsonProblem) -> E {
        let error = E::custom(&problem);
        self.problem.replace(Some(problem));
        error
    }
}

#[derive(Clone, Copy)]
struct OneValue<'r> {
    reading: &'r Reading,
    depth: usize,
}

impl OneValue<'_> {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        let limit = self.reading.bounds.depth.min(MAX_DEPTH);
        if self.depth >= limit {
            return Err(self.reading.refuse(StrictJsonProblem::TooDeep { limit }));
        }
        Ok(Self { reading: self.reading, depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for OneValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        let seen = self.reading.values.get() + 1;
        if seen > self.reading.bounds.values {
            let limit = self.reading.bounds.values;
            return Err(self.reading.refuse(StrictJsonProblem::TooManyValues { limit }));
        }
        self.reading.values.set(seen);
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                let key = key.chars().take(64).collect();
                return Err(self.reading.refuse(StrictJsonProblem::DuplicateKey { key }));
            }
            let value = members.next_value_seed(inside)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
