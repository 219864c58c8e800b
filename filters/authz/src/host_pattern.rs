//! Host patterns: one name or address, all names under one, or everything.

use std::fmt;

use creto_call::{HostError, NormalHost};
use thiserror::Error;

/// Which hosts are meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// `*`: every name and address.
    Any,
    /// `api.github.com` or an address, in normal form.
    Exact(Box<str>),
    /// `*.github.com`: names with one or more labels before `.github.com`; kept without the `*`, with the dot.
    Under(Box<str>),
}

/// Why a text is no host pattern.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HostPatternError {
    /// A `*` other than as the whole pattern or as its first label.
    #[error("`*` stands for everything, or for the labels before a name as in `*.example.com`; nowhere else")]
    StrayStar,
    /// No host.
    #[error("{0}")]
    Host(#[from] HostError),
}

impl HostPattern {
    /// Reads a pattern and brings it to normal form.
    ///
    /// # Errors
    /// [`HostPatternError`] for a stray `*` or what is no host.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(name) = text.strip_prefix("*.") {
            if name.contains('*') {
                return Err(HostPatternError::StrayStar);
            }
            let host = NormalHost::parse(name)?;
            if host.ip().is_some() {
                return Err(HostPatternError::StrayStar);
            }
            return Ok(Self::Under(format!(".{host}").into()));
        }
        if text.contains('*') {
            return Err(HostPatternError::StrayStar);
        }
        Ok(Self::Exact(NormalHost::parse(text)?.into_string().into()))
    }

    /// Whether a host in normal form is meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => **name == *host,
            Self::Under(suffix) => host.len() > suffix.len() && host.ends_with(&**suffix),
        }
    }

    /// Whether every host that `other` means is meant here too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Any) => false,
            (_, Self::Exact(host)) => self.matches(host),
            (Self::Exact(_), Self::Under(_)) => false,
            (Self::Under(wide), Self::Under(narrow)) => narrow.ends_with(&**wide),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
            Self::Under(suffix) => write!(f, "*{suffix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        HostPattern::parse(text).unwrap()
    }

    #[test]
    fn a_wildcard_means_one_or_more_labels() {
        let under = pattern("*.GitHub.com");
        assert!(under.matches("api.github.com") && under.matches("a.b.github.com"));
        assert!(!under.matches("github.com") && !under.matches("evilgithub.com"));
        assert!(!under.matches(".github.com"));
        assert_eq!(under.to_string(), "*.github.com");
    }

    #[test]
    fn a_star_elsewhere_is_refused() {
        for text in ["a.*.com", "api*.com", "**", "*.*", "*.", "*.1.2", "*.10.0.0.1", ""] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn covering_follows_the_labels() {
        for (wide, narrow, covers) in [
            ("*", "*", true),
            ("*", "*.a.b", true),
            ("*.a.b", "*", false),
            ("*.a.b", "x.a.b", true),
            ("*.a.b", "a.b", false),
            ("*.a.b", "*.a.b", true),
            ("*.a.b", "*.x.a.b", true),
            ("*.x.a.b", "*.a.b", false),
            ("*.a.b", "*.xa.b", false),
            ("x.a.b", "*.a.b", false),
            ("::1", "::1", true),
        ] {
            assert_eq!(pattern(wide).covers(&pattern(narrow)), covers, "{wide} over {narrow}");
        }
    }
}
