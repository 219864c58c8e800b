//! An account, what it may do, and why people are not kept.

use std::fmt;
use std::str::FromStr;

use creto_oversight::Person;
use creto_sql::SqlError;

use crate::bounds::{MAX_ACCOUNTS, PASSWORD_BYTES};

/// What an account may do. Who decides a request is said by policy: the role alone decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Looks, and nothing else.
    Viewer,
    /// Decides where policy names it.
    Approver,
    /// The same, and hands on, cancels and takes back what others were asked.
    Admin,
}

impl Role {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No role.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no role: write viewer, approver or admin")]
pub struct RoleError(String);

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let roles = [Self::Viewer, Self::Approver, Self::Admin];
        roles.into_iter().find(|role| role.name() == text).ok_or_else(|| RoleError(text.to_owned()))
    }
}

/// One who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The namespace whose requests it sees.
    pub namespace: String,
    /// The id that policy names approvers by.
    pub name: Person,
    /// What it may do.
    pub role: Role,
    /// Whether nobody signs in with it.
    pub disabled: bool,
    /// When it was made, milliseconds since 1970.
    pub created_ms: u64,
}

/// Why people are not kept.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// No namespace.
    #[error("`{0}` names no namespace: 1 to 63 of a-z, 0-9 and -")]
    Namespace(String),
    /// Too short or too long.
    #[error("a password has {} to {} bytes", PASSWORD_BYTES.start(), PASSWORD_BYTES.end())]
    Password,
    /// There is one.
    #[error(
        "namespace `{namespace}` has an account `{name}` already: give it another password, or remove it first"
    )]
    Exists {
        /// Where.
        namespace: String,
        /// Who.
        name: String,
    },
    /// There is none.
    #[error("namespace `{namespace}` has no account `{name}`")]
    Unknown {
        /// Where.
        namespace: String,
        /// Who.
        name: String,
    },
    /// Too many.
    #[error("namespace `{0}` has {MAX_ACCOUNTS} accounts: remove some first")]
    Full(String),
    /// Too many passwords at once.
    #[error("too many people sign in at this moment: try again in a few seconds")]
    Busy,
    /// The password cannot be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] SqlError),
}
