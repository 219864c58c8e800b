//! The attributes that expressions may read.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// Most attributes of a schema: what an expression reads is one bit each of a `u64`.
pub const MAX_SLOTS: u8 = 64;

/// The number of an attribute, 0 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u8);

/// The attributes that an expression reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slots(pub u64);

impl Slots {
    /// Whether this one is read.
    #[must_use]
    pub fn contains(self, slot: Slot) -> bool {
        slot.0 < MAX_SLOTS && self.0 & (1 << slot.0) != 0
    }

    /// Whether any of those is read.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// With one more.
    #[must_use]
    pub fn with(self, slot: Slot) -> Self {
        if slot.0 < MAX_SLOTS { Self(self.0 | 1 << slot.0) } else { self }
    }
}

impl FromIterator<Slot> for Slots {
    fn from_iter<I: IntoIterator<Item = Slot>>(slots: I) -> Self {
        slots.into_iter().fold(Self::default(), Self::with)
    }
}

/// What is known of a value when an expression is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Anything: checked when the expression runs.
    Dyn,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits with a sign.
    Int,
    /// A whole number of 64 bits without a sign.
    Uint,
    /// A floating point number of 64 bits.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A point in time.
    Timestamp,
    /// A length of time.
    Duration,
    /// A list of such values.
    List(Box<Type>),
    /// A map from such keys to such values.
    Map(Box<Type>, Box<Type>),
}

impl Type {
    /// `list(string)`.
    #[must_use]
    pub fn strings() -> Self {
        Self::List(Box::new(Self::String))
    }

    /// `map(string, string)`.
    #[must_use]
    pub fn string_map() -> Self {
        Self::Map(Box::new(Self::String), Box::new(Self::String))
    }

    pub(crate) fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// Whether a value of one type can equal a value of the other.
    pub(crate) fn comparable(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::List(a), Self::List(b)) => a.comparable(b),
            (Self::Map(a, c), Self::Map(b, d)) => a.comparable(b) && c.comparable(d),
            (a, b) => a == b || a.is_number() && b.is_number(),
        }
    }

    /// The type of a value that is of one type or of the other.
    pub(crate) fn join(self, other: &Self) -> Self {
        if self == *other {
            return self;
        }
        match (self, other) {
            (Self::List(a), Self::List(b)) => Self::list(a.join(b)),
            (Self::Map(a, c), Self::Map(b, d)) => Self::Map(Box::new(a.join(b)), Box::new(c.join(d))),
            _ => Self::Dyn,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dyn => "dyn",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::List(of) => return write!(f, "list({of})"),
            Self::Map(key, of) => return write!(f, "map({key}, {of})"),
        })
    }
}

/// Why a schema cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Not words with dots between them.
    #[error("`{0}` is not an attribute name: write words of letters, digits and `_` with dots between them")]
    Name(String),
    /// Said twice, or one is a part of the other.
    #[error("attribute `{0}` is there twice, or stands inside or around another attribute")]
    Conflict(String),
    /// The slot is 64 or more, or another attribute has it.
    #[error("slot {1} of attribute `{0}` is taken or above 63")]
    Slot(String, u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) slot: Slot,
    pub(crate) kind: Type,
}

/// The closed set of attributes that expressions may read. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    attributes: Arc<BTreeMap<String, Attribute>>,
}

impl Schema {
    /// Builds it from dotted names, their types and their slots.
    ///
    /// # Errors
    /// [`SchemaError`] for a bad or repeated name or slot.
    pub fn new<'n>(attributes: impl IntoIterator<Item = (&'n str, Type, Slot)>) -> Result<Self, SchemaError> {
        let mut known: BTreeMap<String, Attribute> = BTreeMap::new();
        let mut taken = Slots::default();
        for (name, kind, slot) in attributes {
            if !name.split('.').all(is_word) {
                return Err(SchemaError::Name(name.to_owned()));
            }
            if slot.0 >= MAX_SLOTS || taken.contains(slot) {
                return Err(SchemaError::Slot(name.to_owned(), slot.0));
            }
            if known.keys().any(|other| is_inside(other, name) || is_inside(name, other)) {
                return Err(SchemaError::Conflict(name.to_owned()));
            }
            taken = taken.with(slot);
            known.insert(name.to_owned(), Attribute { slot, kind });
        }
        Ok(Self { attributes: Arc::new(known) })
    }

    /// The slot of an attribute.
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<Slot> {
        self.attribute(name).map(|attribute| attribute.slot)
    }

    /// The names of all attributes, in the order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.attributes.keys().map(String::as_str)
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(name)
    }

    /// The attributes inside a name that is not one itself: `llm.model` for `llm`.
    pub(crate) fn inside<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.names().filter(move |known| *known != name && is_inside(known, name))
    }
}

fn is_word(word: &str) -> bool {
    let first = word.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_inside(name: &str, outer: &str) -> bool {
    name.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_slots_are_unambiguous() {
        let build = |list: &[(&'static str, u8)]| {
            Schema::new(list.iter().map(|(name, slot)| (*name, Type::String, Slot(*slot))))
        };
        assert!(build(&[("a.b", 0), ("a.bc", 1), ("d", 63)]).is_ok());
        assert_eq!(build(&[("a", 0), ("a", 1)]), Err(SchemaError::Conflict("a".to_owned())));
        assert_eq!(build(&[("a", 0), ("a.b", 1)]), Err(SchemaError::Conflict("a.b".to_owned())));
        assert_eq!(build(&[("a.b", 0), ("a", 1)]), Err(SchemaError::Conflict("a".to_owned())));
        assert_eq!(build(&[("a", 0), ("b", 0)]), Err(SchemaError::Slot("b".to_owned(), 0)));
        assert_eq!(build(&[("a", 64)]), Err(SchemaError::Slot("a".to_owned(), 64)));
        for name in ["", "a.", ".a", "a..b", "a-b", "1a"] {
            assert_eq!(build(&[(name, 0)]), Err(SchemaError::Name(name.to_owned())), "{name}");
        }
    }
}
