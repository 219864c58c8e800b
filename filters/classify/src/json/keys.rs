//! The keys of the objects that are open.

use std::{borrow::Cow, collections::HashSet};

use super::MAX_OPEN_KEYS;

/// Up to so many keys of an object are compared one by one; beyond it a set is kept.
const COMPARED: usize = 16;

/// Keys of all open objects, innermost last.
#[derive(Default)]
pub(crate) struct Keys<'t> {
    small: Vec<Cow<'t, str>>,
    /// Keys beyond the first few, of the objects that have them.
    in_sets: usize,
}

/// The keys of one object.
#[derive(Default)]
pub(crate) struct ObjectKeys<'t> {
    from: usize,
    // Seeded hashes: the keys are the caller's choice, and a flood of equal hashes must not slow us.
    set: Option<HashSet<Cow<'t, str>>>,
}

/// What adding a key found.
pub(crate) enum Added {
    New,
    Twice,
    TooMany,
}

impl<'t> Keys<'t> {
    pub(crate) fn open(&self) -> ObjectKeys<'t> {
        ObjectKeys { from: self.small.len(), set: None }
    }

    pub(crate) fn add(&mut self, object: &mut ObjectKeys<'t>, key: Cow<'t, str>) -> Added {
        if self.small.len() + self.in_sets >= MAX_OPEN_KEYS {
            return Added::TooMany;
        }
        let own = self.small.get(object.from..).unwrap_or_default();
        if own.contains(&key) {
            return Added::Twice;
        }
        if own.len() < COMPARED {
            self.small.push(key);
            return Added::New;
        }
        if !object.set.get_or_insert_default().insert(key) {
            return Added::Twice;
        }
        self.in_sets += 1;
        Added::New
    }

    pub(crate) fn close(&mut self, object: &ObjectKeys<'t>) {
        self.small.truncate(object.from);
        self.in_sets -= object.set.as_ref().map_or(0, HashSet::len);
    }
}
