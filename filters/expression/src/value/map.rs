//! Maps.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    hash::BuildHasher,
    ops::ControlFlow,
};

use super::{Constant, Value};

/// A map from text to text that is kept in some other form, such as headers.
pub trait Lookup {
    /// The value of a key.
    fn get(&self, key: &str) -> Option<&str>;

    /// How many keys.
    fn len(&self) -> usize;

    /// Shows every key once with its value, until told to stop.
    fn each<'s>(&'s self, visit: &mut dyn FnMut(&'s str, &'s str) -> ControlFlow<()>);

    /// Whether a key is there.
    fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether there are no keys.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Lookup for BTreeMap<String, String> {
    fn get(&self, key: &str) -> Option<&str> {
        Self::get(self, key).map(String::as_str)
    }

    fn len(&self) -> usize {
        Self::len(self)
    }

    fn each<'s>(&'s self, visit: &mut dyn FnMut(&'s str, &'s str) -> ControlFlow<()>) {
        let _ = self.iter().try_for_each(|(key, value)| visit(key, value));
    }
}

impl<S: BuildHasher> Lookup for HashMap<String, String, S> {
    fn get(&self, key: &str) -> Option<&str> {
        Self::get(self, key).map(String::as_str)
    }

    fn len(&self) -> usize {
        Self::len(self)
    }

    fn each<'s>(&'s self, visit: &mut dyn FnMut(&'s str, &'s str) -> ControlFlow<()>) {
        let _ = self.iter().try_for_each(|(key, value)| visit(key, value));
    }
}

/// A map of values.
#[derive(Clone, Copy)]
pub struct Map<'v>(Repr<'v>);

#[derive(Clone, Copy)]
enum Repr<'v> {
    Pairs(&'v [(Value<'v>, Value<'v>)]),
    Constants(&'v [(Constant, Constant)]),
    Json(&'v serde_json::Map<String, serde_json::Value>),
    Lookup(&'v dyn Lookup),
}

impl<'v> Map<'v> {
    /// A map of these entries; their keys must differ.
    #[must_use]
    pub fn from_pairs(pairs: &'v [(Value<'v>, Value<'v>)]) -> Self {
        Self(Repr::Pairs(pairs))
    }

    /// The entries of a JSON object.
    #[must_use]
    pub fn from_json(entries: &'v serde_json::Map<String, serde_json::Value>) -> Self {
        Self(Repr::Json(entries))
    }

    /// A map in another form.
    #[must_use]
    pub fn from_lookup(entries: &'v dyn Lookup) -> Self {
        Self(Repr::Lookup(entries))
    }

    pub(crate) fn from_constants(entries: &'v [(Constant, Constant)]) -> Self {
        Self(Repr::Constants(entries))
    }

    /// How many keys.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.0 {
            Repr::Pairs(pairs) => pairs.len(),
            Repr::Constants(entries) => entries.len(),
            Repr::Json(entries) => entries.len(),
            Repr::Lookup(entries) => entries.len(),
        }
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: Value<'_>) -> Option<Value<'v>> {
        match (self.0, key) {
            (Repr::Json(entries), Value::Str(key)) => {
                entries.get(key).map(|value| Value::Json(value).plain())
            }
            (Repr::Lookup(entries), Value::Str(key)) => entries.get(key).map(Value::Str),
            (Repr::Json(_) | Repr::Lookup(_), _) => None,
            (Repr::Pairs(pairs), key) => {
                pairs.iter().find(|(known, _)| known.same_key(key)).map(|(_, value)| value.plain())
            }
            (Repr::Constants(entries), key) => {
                entries.iter().find(|(known, _)| known.value().same_key(key)).map(|(_, value)| value.value())
            }
        }
    }

    /// Whether a key is there.
    #[must_use]
    pub fn contains(&self, key: Value<'_>) -> bool {
        match (self.0, key) {
            (Repr::Lookup(entries), Value::Str(key)) => entries.contains(key),
            _ => self.get(key).is_some(),
        }
    }

    /// How many keys a search may have to look at.
    pub(crate) fn effort(&self) -> usize {
        match self.0 {
            Repr::Pairs(_) | Repr::Constants(_) => self.len(),
            Repr::Json(_) | Repr::Lookup(_) => 1,
        }
    }

    /// Shows every key with its value, until told to stop.
    pub fn each(self, visit: &mut dyn FnMut(Value<'v>, Value<'v>) -> ControlFlow<()>) {
        let _ = match self.0 {
            Repr::Pairs(pairs) => pairs.iter().try_for_each(|(key, value)| visit(key.plain(), value.plain())),
            Repr::Constants(entries) => {
                entries.iter().try_for_each(|(key, value)| visit(key.value(), value.value()))
            }
            Repr::Json(entries) => {
                entries.iter().try_for_each(|(key, value)| visit(Value::Str(key), Value::Json(value).plain()))
            }
            Repr::Lookup(entries) => {
                entries.each(&mut |key, value| visit(Value::Str(key), Value::Str(value)));
                ControlFlow::Continue(())
            }
        };
    }
}

impl fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        self.each(&mut |key, value| {
            map.entry(&key, &value);
            ControlFlow::Continue(())
        });
        map.finish()
    }
}
