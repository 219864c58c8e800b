//! Base-URL routes: a path on the sidecar's own address that stands for an upstream.

use creto_call::{RuleName, Scheme};

/// A route as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) scheme: Scheme,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path before the rest; empty, or absolute without a slash at the end.
    pub(crate) base: String,
}

impl Route {
    /// Its name, unique in its document.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path that it stands behind.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What of the path comes behind the prefix: empty, or beginning with `/`. None if the path is not the route's.
    pub(crate) fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(self.prefix.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Where a path on the sidecar's own address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteMatch<'s, 'p> {
    /// The route, by policy and name.
    pub by: RuleName<'s>,
    /// Upstream scheme.
    pub scheme: Scheme,
    /// Upstream host in normal form.
    pub host: &'s str,
    /// Upstream port.
    pub port: u16,
    /// Path that goes before the rest; empty, or absolute without a slash at the end.
    pub base: &'s str,
    /// The rest of the path as sent: empty, or beginning with `/`. The upstream's path is `base` + `rest`, or `/` when
    /// both are empty.
    pub rest: &'p str,
}
