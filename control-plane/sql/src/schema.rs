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

    /// Number of the lock that programs take in PostgreSQL while they bring the schema up to date: the name, hashed
    /// (FNV-1a, 64 bits), so that each schema has its own. Programs of every version must agree on it: it never changes.
    pub(crate) fn lock(&self) -> i64 {
        let bytes = b"creto-sql/".iter().chain(self.name.as_bytes());
        let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        bytes.fold(0xcbf2_9ce4_8422_2325, hash).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::Schema;

    #[test]
    fn a_schema_takes_the_same_lock_in_every_version_of_the_program_and_no_other_schema_does() {
        let lock = |name| Schema { name, steps: &[] }.lock();
        assert_eq!(lock("billing"), -7_758_215_603_028_384_829);
        assert_eq!(lock("oversight"), -461_500_129_415_276_097);
        assert_ne!(lock("billing"), lock("billings"));
    }
}
