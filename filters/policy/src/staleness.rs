//! How old policy may be for the calls that it decides.

use std::time::Duration;

use crate::{Document, RiskClass};

/// How long after the control plane was last heard policy still decides, by what a call risks. None: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// For calls that only read.
    pub read: Option<Duration>,
    /// For calls that may change something.
    pub write: Option<Duration>,
    /// For calls that cost money or go out with a secret.
    pub spend: Option<Duration>,
}

/// A limit as a document says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Limit {
    /// So long; orders before [`Limit::Never`], so that the smallest limit is the strictest.
    After(Duration),
    /// `"never"`.
    Never,
}

/// The limits of one document, in the order of [`RiskClass::ALL`]; none where it does not say.
pub(crate) type Limits = [Option<Limit>; 3];

impl Staleness {
    /// Where no document says otherwise: a day for reading, a working day for writing, half of one for spending.
    pub const DEFAULT: Self = Self { read: Some(hours(24)), write: Some(hours(8)), spend: Some(hours(4)) };

    /// The shortest limit that a document can set.
    pub const SHORTEST: Duration = Duration::from_secs(1);
    /// The longest limit that a document can set: 365 days; beyond it stands `"never"`.
    pub const LONGEST: Duration = hours(365 * 24);

    /// How long policy decides calls of this class; none for ever.
    #[must_use]
    pub fn limit(&self, class: RiskClass) -> Option<Duration> {
        match class {
            RiskClass::Read => self.read,
            RiskClass::Write => self.write,
            RiskClass::Spend => self.spend,
        }
    }

    /// Of each class the smallest limit that any of the documents names, else the default.
    pub(crate) fn of(documents: &[&Document]) -> Self {
        let limit = |class: RiskClass| {
            let named = documents.iter().filter_map(|document| document.staleness[class as usize]).min();
            match named {
                None => Self::DEFAULT.limit(class),
                Some(Limit::Never) => None,
                Some(Limit::After(time)) => Some(time),
            }
        };
        Self { read: limit(RiskClass::Read), write: limit(RiskClass::Write), spend: limit(RiskClass::Spend) }
    }
}

impl Default for Staleness {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}
