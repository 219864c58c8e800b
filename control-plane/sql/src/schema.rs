//! The tables of a store, and how they came about.

/// The tables of one store.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// What its tables begin with: `<name>_`. Lower-case letters.
    pub name: &'static str,
    /// Every step from nothing to today, in order. Steps that were released are never edited.
    pub steps: &'static [Step],
}

/// One step: scripts that both databases take, and those that only one does.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// For both.
    pub tables: &'static str,
    /// For SQLite, after that.
    pub sqlite: &'static str,
    /// For PostgreSQL, after that.
    pub postgres: &'static str,
}

impl Schema {
    /// The version it brings a database to: the number of its steps.
    pub(crate) fn version(&self) -> i64 {
        i64::try_from(self.steps.len()).unwrap_or(i64::MAX)
    }

    /// The steps a database of this version lacks.
    pub(crate) fn after(&self, version: i64) -> &'static [Step] {
        let done = usize::try_from(version).unwrap_or_default();
        self.steps.get(done..).unwrap_or_default()
    }

    /// Number of the lock that programs take in PostgreSQL while they bring the schema up to date.
    pub(crate) fn lock(&self) -> i64 {
        let mut number = [0; 8];
        for (to, from) in number.iter_mut().zip(b"creto".iter().chain(self.name.as_bytes())) {
            *to = *from;
        }
        i64::from_be_bytes(number)
    }
}
