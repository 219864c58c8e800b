//! The quotas of this process, by name.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::Arc,
};

use thiserror::Error;

use crate::{Quota, QuotaSpec, SpecError, sync::Mutex};

/// Most quotas in a process.
pub const MAX_QUOTAS: usize = 1024;

/// The quotas of this process. A policy that is loaded again finds the handles, and the leases, of the one before.
///
/// Quotas stay for the life of the process: a handle knows which leases it took, and one made anew would take a lease
/// that is sent again.
pub struct Quotas {
    by_name: Mutex<BTreeMap<Box<str>, Arc<Quota>>>,
}

/// Why a quota cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// The spec itself is wrong.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The name is taken by a quota that counts something else.
    #[error(
        "quota {name} counts {meter} in {unit} since it was first loaded; give one that counts something else another name"
    )]
    Changed {
        /// The name.
        name: Box<str>,
        /// What the quota counts.
        meter: Box<str>,
        /// Its unit.
        unit: Box<str>,
    },
    /// [`MAX_QUOTAS`] are there.
    #[error(
        "a process has at most {MAX_QUOTAS} quotas, those of earlier policies among them; restart it or merge quotas"
    )]
    TooMany,
}

impl Default for Quotas {
    fn default() -> Self {
        Self::new()
    }
}

impl Quotas {
    /// No quotas.
    #[must_use]
    pub fn new() -> Self {
        Self { by_name: Mutex::new(BTreeMap::new()) }
    }

    /// The quota of this name, made if there is none. One that is there takes over the action.
    ///
    /// # Errors
    /// [`ResolveError`] when the spec is wrong, counts something else than the quota of that name, or is one too many.
    pub fn resolve(&self, spec: QuotaSpec) -> Result<Arc<Quota>, ResolveError> {
        spec.check()?;
        let mut by_name = self.by_name.lock();
        let room = by_name.len() < MAX_QUOTAS;
        match by_name.entry(spec.name.clone()) {
            Entry::Occupied(entry) => {
                let quota = entry.get();
                let QuotaSpec { name, meter, unit, .. } = quota.spec();
                if (meter, unit) != (&spec.meter, &spec.unit) {
                    return Err(ResolveError::Changed {
                        name: name.clone(),
                        meter: meter.clone(),
                        unit: unit.clone(),
                    });
                }
                quota.set_action(spec.action);
                Ok(Arc::clone(quota))
            }
            Entry::Vacant(_) if !room => Err(ResolveError::TooMany),
            Entry::Vacant(entry) => Ok(Arc::clone(entry.insert(Arc::new(Quota::new(spec)?)))),
        }
    }

    /// All quotas, by name: to report, to refill, to give back on exit.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Quota>> {
        self.by_name.lock().values().map(Arc::clone).collect()
    }
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}
