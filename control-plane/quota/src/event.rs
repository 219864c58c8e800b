//! What people are told of.

use std::{fmt, str::FromStr};

use crate::Window;

/// What happened; each once for a limit and a window, however often it is crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Use reached the warning.
    Warning,
    /// A request could not be met for the first time.
    Exhausted,
    /// The hour is a spike; the window is the hour.
    Spike,
    /// What was kept is gone or older than what was answered: the window grants only what comes back.
    DataLost,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Warning, Self::Exhausted, Self::Spike, Self::DataLost];

    /// The name in stores and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Exhausted => "exhausted",
            Self::Spike => "spike",
            Self::DataLost => "data-lost",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|level| level.as_str() == name).ok_or(())
    }
}

/// One thing people are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaEvent {
    /// Rises with each event of the namespace: by one, and with [`Level::DataLost`] to its [`QuotaEvent::at_ms`] at least,
    /// so that whoever read events before the loss reads it too. Another gap says that events were dropped unread.
    pub sequence: u64,
    /// The limit's name.
    pub limit: Box<str>,
    /// What happened.
    pub level: Level,
    /// The window it happened in; for [`Level::Spike`], the hour.
    pub window: Window,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Units used; for [`Level::Spike`], in that hour.
    pub used: u64,
    /// The units it is measured by: the limit's amount; for [`Level::Spike`], those of all hours of the mean together.
    pub measure: u64,
    /// For [`Level::Spike`], how many hours the mean goes over; else 0.
    pub hours: u32,
}
