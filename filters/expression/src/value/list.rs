//! Lists.

use std::{borrow::Cow, fmt};

use super::{Constant, Value};

/// A list that is kept in some other form.
pub trait Sequence {
    /// How many elements.
    fn len(&self) -> usize;

    /// An element, from 0.
    fn get(&self, index: usize) -> Option<Value<'_>>;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Sequence for Vec<Cow<'_, str>> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn get(&self, index: usize) -> Option<Value<'_>> {
        self.as_slice().get(index).map(|text| Value::Str(text))
    }
}

/// A list of values.
#[derive(Clone, Copy)]
pub struct List<'v>(Repr<'v>);

#[derive(Clone, Copy)]
enum Repr<'v> {
    Values(&'v [Value<'v>]),
    Strs(&'v [&'v str]),
    Strings(&'v [String]),
    Json(&'v [serde_json::Value]),
    Constants(&'v [Constant]),
    Sequence(&'v dyn Sequence),
}

impl<'v> List<'v> {
    /// A list of these values.
    #[must_use]
    pub fn from_values(values: &'v [Value<'v>]) -> Self {
        Self(Repr::Values(values))
    }

    /// A list of texts.
    #[must_use]
    pub fn from_strs(texts: &'v [&'v str]) -> Self {
        Self(Repr::Strs(texts))
    }

    /// A list of texts.
    #[must_use]
    pub fn from_strings(texts: &'v [String]) -> Self {
        Self(Repr::Strings(texts))
    }

    /// The elements of a JSON array.
    #[must_use]
    pub fn from_json(elements: &'v [serde_json::Value]) -> Self {
        Self(Repr::Json(elements))
    }

    /// A list in another form.
    #[must_use]
    pub fn from_sequence(elements: &'v dyn Sequence) -> Self {
        Self(Repr::Sequence(elements))
    }

    pub(crate) fn from_constants(elements: &'v [Constant]) -> Self {
        Self(Repr::Constants(elements))
    }

    /// How many elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.0 {
            Repr::Values(values) => values.len(),
            Repr::Strs(texts) => texts.len(),
            Repr::Strings(texts) => texts.len(),
            Repr::Json(elements) => elements.len(),
            Repr::Constants(elements) => elements.len(),
            Repr::Sequence(elements) => elements.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An element, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Value<'v>> {
        match self.0 {
            Repr::Values(values) => values.get(index).map(|value| value.plain()),
            Repr::Strs(texts) => texts.get(index).map(|text| Value::Str(text)),
            Repr::Strings(texts) => texts.get(index).map(|text| Value::Str(text)),
            Repr::Json(elements) => elements.get(index).map(|value| Value::Json(value).plain()),
            Repr::Constants(elements) => elements.get(index).map(Constant::value),
            Repr::Sequence(elements) => elements.get(index).map(Value::plain),
        }
    }

    /// Its elements in order.
    pub fn iter(self) -> impl Iterator<Item = Value<'v>> {
        (0..self.len()).map_while(move |index| self.get(index))
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
