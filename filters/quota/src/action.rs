//! What happens when a quota is short.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// What happens to a call that no lease covers: the actions of `QuotaConfig`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Action {
    /// The call is refused. The default.
    #[default]
    Block,
    /// The call goes on; what it uses counts as overage, to be billed as such.
    AllowWithOverage,
    /// The call goes on; what it uses is counted so that people can be told.
    NotifyOnly,
}

impl Action {
    /// The name in policies and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::AllowWithOverage => "allow-with-overage",
            Self::NotifyOnly => "notify-only",
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Block => 0,
            Self::AllowWithOverage => 1,
            Self::NotifyOnly => 2,
        }
    }

    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            1 => Self::AllowWithOverage,
            2 => Self::NotifyOnly,
            _ => Self::Block,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not the name of an [`Action`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no action is called {0:?}; use block, allow-with-overage or notify-only")]
pub struct UnknownAction(String);

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Block, Self::AllowWithOverage, Self::NotifyOnly]
            .into_iter()
            .find(|action| action.as_str() == name)
            .ok_or_else(|| UnknownAction(name.chars().take(64).collect()))
    }
}
