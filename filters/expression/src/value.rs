//! Values, and the borrowed view of a call that expressions read.

mod entry;
mod list;
mod map;
mod number;

use std::fmt;

use crate::{Slot, Type};

pub use entry::{Entry, Key};
pub use list::{List, Sequence};
pub use map::{Lookup, Map};
pub(crate) use number::Number;

/// The facts of one call, by slot.
pub trait View {
    /// The value of an attribute. A slot that this view does not know is [`Value::Absent`].
    fn get<'v>(&'v self, slot: Slot) -> Value<'v>;

    /// What a map from text to text has under a key. To be overridden where a lookup is dear and the same key is asked for
    /// again and again; it must say the same.
    fn entry<'v>(&'v self, slot: Slot, key: &Key) -> Entry<'v> {
        Entry::of(self.get(slot), key.as_str())
    }
}

/// Nanoseconds from one point in time to another: up to 292 years either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    pub(crate) nanos: i64,
}

impl Duration {
    /// So many nanoseconds.
    #[must_use]
    pub fn from_nanos(nanos: i64) -> Self {
        Self { nanos }
    }

    /// How many nanoseconds.
    #[must_use]
    pub fn as_nanos(self) -> i64 {
        self.nanos
    }
}

/// A point in time from the year 1 to the year 9999, to the nanosecond, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
}

impl Timestamp {
    const FIRST_SECOND: i64 = -62_135_596_800;
    const LAST_SECOND: i64 = 253_402_300_799;

    /// Seconds since 1970-01-01T00:00:00Z and nanoseconds after them; nothing if that is out of range.
    #[must_use]
    pub fn new(seconds: i64, nanos: u32) -> Option<Self> {
        let fits = (Self::FIRST_SECOND..=Self::LAST_SECOND).contains(&seconds) && nanos < 1_000_000_000;
        fits.then_some(Self { seconds, nanos })
    }

    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after [`Timestamp::seconds`].
    #[must_use]
    pub fn nanos(self) -> u32 {
        self.nanos
    }
}

/// A value, borrowed from the call, from the expression, or from the memory of one evaluation.
#[derive(Clone, Copy)]
pub enum Value<'v> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number with a sign.
    Int(i64),
    /// A whole number without a sign.
    Uint(u64),
    /// A floating point number.
    Double(f64),
    /// Text.
    Str(&'v str),
    /// Bytes.
    Bytes(&'v [u8]),
    /// A point in time.
    Timestamp(Timestamp),
    /// A length of time.
    Duration(Duration),
    /// A list.
    List(List<'v>),
    /// A map.
    Map(Map<'v>),
    /// A JSON value: whole numbers are `int`, or `uint` above its range; all others are `double`.
    Json(&'v serde_json::Value),
    /// A map from text to text, such as headers.
    Lookup(&'v dyn Lookup),
    /// The call has no such attribute: reading it is an error, `has()` is false.
    Absent,
    /// Not known yet.
    Unknown,
}

impl<'v> Value<'v> {
    /// The same value without `Json` and `Lookup`.
    pub(crate) fn plain(self) -> Self {
        match self {
            Self::Json(json) => Self::of_json(json),
            Self::Lookup(entries) => Self::Map(Map::from_lookup(entries)),
            plain => plain,
        }
    }

    fn of_json(json: &'v serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::String(text) => Self::Str(text),
            serde_json::Value::Array(elements) => Self::List(List::from_json(elements)),
            serde_json::Value::Object(entries) => Self::Map(Map::from_json(entries)),
            serde_json::Value::Number(number) => {
                if let Some(value) = number.as_i64() {
                    Self::Int(value)
                } else if let Some(value) = number.as_u64() {
                    Self::Uint(value)
                } else {
                    Self::Double(number.as_f64().unwrap_or(f64::NAN))
                }
            }
        }
    }

    pub(crate) fn number(self) -> Option<Number> {
        match self {
            Self::Int(value) => Some(Number::Int(value)),
            Self::Uint(value) => Some(Number::Uint(value)),
            Self::Double(value) => Some(Number::Double(value)),
            _ => None,
        }
    }

    /// Whether two keys of a map are the same.
    pub(crate) fn same_key(self, other: Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Str(a), Self::Str(b)) => a == b,
            (a, b) => a.number().zip(b.number()).is_some_and(|(a, b)| a.equals(b)),
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Uint(value) => write!(f, "{value}u"),
            Self::Double(value) => write!(f, "{value:?}"),
            Self::Str(value) => write!(f, "{value:?}"),
            Self::Bytes(value) => write!(f, "b\"{}\"", value.escape_ascii()),
            Self::Timestamp(value) => write!(f, "{value:?}"),
            Self::Duration(value) => write!(f, "{value:?}"),
            Self::List(value) => write!(f, "{value:?}"),
            Self::Map(value) => write!(f, "{value:?}"),
            Self::Json(value) => write!(f, "{value:?}"),
            Self::Lookup(value) => write!(f, "{:?}", Map::from_lookup(*value)),
            Self::Absent => f.write_str("absent"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),+) => {
        $(impl<'v> From<$from> for Value<'v> {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        })+
    };
}

value_from!(
    bool => Bool, i64 => Int, u64 => Uint, f64 => Double, &'v str => Str, &'v [u8] => Bytes, Timestamp => Timestamp,
    Duration => Duration, List<'v> => List, Map<'v> => Map, &'v serde_json::Value => Json, &'v dyn Lookup => Lookup
);

/// A value that is part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Box<str>),
    Bytes(Box<[u8]>),
    Timestamp(Timestamp),
    Duration(Duration),
    List(Box<[Constant]>),
    Map(Box<[(Constant, Constant)]>),
}

impl Constant {
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Uint(value) => Value::Uint(*value),
            Self::Double(value) => Value::Double(*value),
            Self::Text(value) => Value::Str(value),
            Self::Bytes(value) => Value::Bytes(value),
            Self::Timestamp(value) => Value::Timestamp(*value),
            Self::Duration(value) => Value::Duration(*value),
            Self::List(elements) => Value::List(List::from_constants(elements)),
            Self::Map(entries) => Value::Map(Map::from_constants(entries)),
        }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A value without parts, to keep.
    pub(crate) fn of(value: Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Int(value) => Self::Int(value),
            Value::Uint(value) => Self::Uint(value),
            Value::Double(value) => Self::Double(value),
            Value::Str(value) => Self::Text(value.into()),
            Value::Bytes(value) => Self::Bytes(value.into()),
            Value::Timestamp(value) => Self::Timestamp(value),
            Value::Duration(value) => Self::Duration(value),
            _ => return None,
        })
    }

    pub(crate) fn kind(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Uint(_) => Type::Uint,
            Self::Double(_) => Type::Double,
            Self::Text(_) => Type::String,
            Self::Bytes(_) => Type::Bytes,
            Self::Timestamp(_) => Type::Timestamp,
            Self::Duration(_) => Type::Duration,
            Self::List(_) => Type::list(Type::Dyn),
            Self::Map(_) => Type::Map(Box::new(Type::Dyn), Box::new(Type::Dyn)),
        }
    }
}
