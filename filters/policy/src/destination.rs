//! What is known of a destination before a request has been read.

use creto_call::RuleName;

/// What policy says of a host and port alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'s> {
    /// Whether any allow rule is about this port, for whatever host.
    pub port_known: bool,
    /// Whether some request to this host and port could be allowed.
    pub may_allow: bool,
    /// The deny rule that refuses every request to it, whatever its method and path.
    pub denied: Option<RuleName<'s>>,
    /// The allow rule that says `tls = "pass"`: its TLS is not opened.
    pub pass: Option<RuleName<'s>>,
    /// Whether the name may resolve to private addresses.
    pub private: bool,
    /// Whether what would be refused is let through and recorded ([`crate::PolicySet::observes`]).
    pub observes: bool,
}
