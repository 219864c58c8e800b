//! Permissions: `verb:resource`.

use std::fmt;

use creto_call::{Call, Kind, Method};
use thiserror::Error;

use crate::{CallPath, GlobError, HostPattern, HostPatternError, MAX_PERMISSION_BYTES, PathGlob};

/// What a delegation permits: a verb on a resource.
///
/// The verb is a method in lower case, `connect` for tunnels that are not looked into, or `*`. The resource is a host
/// pattern, optionally with a path glob: `get:api.github.com/repos/**`, `*:*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Permission {
    text: Box<str>,
    verbs: u16,
    host: HostPattern,
    path: Option<PathGlob>,
}

/// Why a text is no permission.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PermissionError {
    /// Over 256 bytes.
    #[error("a permission is at most {MAX_PERMISSION_BYTES} bytes")]
    TooLong,
    /// No colon.
    #[error("a permission is `verb:resource`, such as `get:api.github.com/repos/**`")]
    NoVerb,
    /// Another verb.
    #[error(
        "`{verb}` is no verb: write a method in lower case (get, head, post, put, delete, options, trace, patch), `connect` or `*`"
    )]
    UnknownVerb {
        /// What stands there.
        verb: Box<str>,
    },
    /// The host part.
    #[error("{0}")]
    Host(#[from] HostPatternError),
    /// The path part.
    #[error("{0}")]
    Path(#[from] GlobError),
    /// Says something that has a shorter or other spelling.
    #[error("one permission has one spelling: write `{canonical}`")]
    NotCanonical {
        /// The one spelling.
        canonical: Box<str>,
    },
    /// Too many in one link.
    #[error("a delegation names 1 to {max} permissions")]
    Count {
        /// The bound.
        max: usize,
    },
    /// Repeated or not in order.
    #[error("permissions are sorted and stand once: `{permission}` is out of place")]
    NotSorted {
        /// The one that is out of place.
        permission: Box<str>,
    },
}

impl Permission {
    /// Reads a permission in its one spelling.
    ///
    /// # Errors
    /// [`PermissionError`] says what is wrong and how to write it.
    pub fn parse(text: &str) -> Result<Self, PermissionError> {
        if text.len() > MAX_PERMISSION_BYTES {
            return Err(PermissionError::TooLong);
        }
        let (verb, resource) = text.split_once(':').ok_or(PermissionError::NoVerb)?;
        let verbs = verb_mask(verb).ok_or_else(|| PermissionError::UnknownVerb { verb: verb.into() })?;
        let (host, path) = match resource.find('/') {
            Some(at) => (&resource[..at], Some(PathGlob::parse(&resource[at..])?)),
            None => (resource, None),
        };
        let host = HostPattern::parse(host)?;
        let canonical = match &path {
            Some(path) => format!("{verb}:{host}{path}"),
            None => format!("{verb}:{host}"),
        };
        if canonical != text {
            return Err(PermissionError::NotCanonical { canonical: canonical.into() });
        }
        Ok(Self { text: canonical.into(), verbs, host, path })
    }

    /// The permission as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether everything that `other` permits is permitted here too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.verbs & !self.verbs == 0
            && self.host.covers(&other.host)
            && match (&self.path, &other.path) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(wide), Some(narrow)) => wide.covers(narrow),
            }
    }

    /// Whether the call is permitted. Allocates only for a path that is not plain.
    #[must_use]
    pub fn permits(&self, call: &Call<'_>) -> bool {
        self.permits_verb(verb_of(call), call, &CallPath::new(call.path))
    }

    pub(crate) fn permits_verb(&self, verb: u16, call: &Call<'_>, path: &CallPath<'_>) -> bool {
        self.verbs & verb != 0
            && self.host.matches(call.host)
            && match &self.path {
                None => true,
                Some(glob) => call.kind != Kind::Opaque && glob.matches_every_reading(path),
            }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The bit of the verb that a call needs.
pub(crate) fn verb_of(call: &Call<'_>) -> u16 {
    match call.kind {
        Kind::Opaque => Method::parse("CONNECT").mask(),
        Kind::Http | Kind::Grpc | Kind::WebSocket => Method::parse(call.method).mask(),
    }
}

fn verb_mask(verb: &str) -> Option<u16> {
    if verb == "*" {
        return Some(Method::ANY_MASK);
    }
    if verb.bytes().any(|byte| !byte.is_ascii_lowercase()) {
        return None;
    }
    Some(Method::parse(&verb.to_ascii_uppercase()))
        .filter(|method| *method != Method::OTHER)
        .map(Method::mask)
}

#[cfg(test)]
mod tests {
    use creto_call::{Capture, Details, Scheme};
    use proptest::prelude::*;

    use super::*;

    fn permission(text: &str) -> Permission {
        Permission::parse(text).unwrap()
    }

    fn call<'a>(method: &'a str, host: &'a str, path: &'a str) -> Call<'a> {
        let kind = if method.is_empty() { Kind::Opaque } else { Kind::Http };
        Call {
            capture: Capture::Connect,
            kind,
            scheme: Scheme::Https,
            method,
            host,
            port: 443,
            path,
            details: Details::default(),
        }
    }

    #[test]
    fn a_permission_is_verb_host_and_path() {
        for (text, method, host, path, permits) in [
            ("get:api.github.com/repos/**", "GET", "api.github.com", "/repos/a", true),
            ("get:api.github.com/repos/**", "POST", "api.github.com", "/repos/a", false),
            ("get:api.github.com/repos/**", "get", "api.github.com", "/repos/a", false),
            ("get:api.github.com/repos/**", "GET", "api.github.com", "/user", false),
            ("get:api.github.com/repos/**", "GET", "api.github.com", "/repos/../user", false),
            ("*:*", "PROPFIND", "10.0.0.1", "/", true),
            ("*:*", "", "x.example", "", true),
            ("connect:x.example", "", "x.example", "", true),
            ("get:x.example", "", "x.example", "", false),
            ("*:x.example/**", "", "x.example", "", false),
            ("get:::1", "GET", "::1", "/", true),
        ] {
            assert_eq!(
                permission(text).permits(&call(method, host, path)),
                permits,
                "{text} on {method} {host}{path}"
            );
        }
    }

    #[test]
    fn what_is_no_permission_is_refused_with_the_way_to_write_it() {
        for text in [
            "",
            "get",
            "GET:a.b",
            "fetch:a.b",
            "get:",
            "get:a.b:443",
            "get:a.b/x?y",
            "get:a..b",
            "other:x.y",
            ":x",
        ] {
            assert!(Permission::parse(text).is_err(), "{text}");
        }
        let error = Permission::parse("get:API.github.com.").unwrap_err();
        assert_eq!(error.to_string(), "one permission has one spelling: write `get:api.github.com`");
        assert_eq!(Permission::parse(&format!("get:a.b/{}", "x".repeat(250))), Err(PermissionError::TooLong));
    }

    fn any_permission() -> impl Strategy<Value = Permission> {
        let host = prop_oneof![
            Just("*"),
            Just("*.a.b"),
            Just("x.a.b"),
            Just("a.b"),
            Just("*.x.a.b"),
            Just("y.x.a.b")
        ];
        let path = proptest::option::of("/([pq]|\\*\\*?[pq]|/[pq]){0,3}(\\*\\*?)?");
        let verb = prop_oneof![Just("*"), Just("get"), Just("post"), Just("connect")];
        (verb, host, path).prop_filter_map("normal form", |(verb, host, path)| {
            Permission::parse(&format!("{verb}:{host}{}", path.unwrap_or_default())).ok()
        })
    }

    proptest! {
        #[test]
        fn what_a_covered_permission_permits_the_covering_one_permits(
            wide in any_permission(),
            narrow in any_permission(),
            method in prop_oneof![Just("GET"), Just("POST"), Just("PURGE"), Just("")],
            host in prop_oneof![Just("a.b"), Just("x.a.b"), Just("y.x.a.b"), Just("c.d")],
            paths in proptest::collection::vec("/[pq/.%2eF]{0,7}", 16),
        ) {
            if wide.covers(&narrow) {
                for path in &paths {
                    let call = call(method, host, path);
                    prop_assert!(!narrow.permits(&call) || wide.permits(&call), "{} over {} on {:?}", wide, narrow, call);
                }
            }
            prop_assert!(wide.covers(&wide));
        }
    }
}
