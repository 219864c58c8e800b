//! The rules that every engine is given, and the calls that it decides.
//!
//! An allow rule is about one host, three methods and the paths below `/v1/`; a deny rule about every host, DELETE and
//! the paths below `/v1/d<n>/`, so that it takes away what an allow rule grants.

use crate::engine::Calls;

/// Calls of a scene.
const CALLS: usize = 512;
/// Most deny rules.
const DENIES: usize = 10;

/// The methods of every allow rule.
pub(crate) const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];
/// The method of every deny rule.
pub(crate) const DENIED_METHOD: &str = "DELETE";
/// What the paths of every allow rule begin with.
pub(crate) const PREFIX: &str = "/v1/";

/// So many rules, a tenth of them deny rules, at most ten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) allows: usize,
    pub(crate) denies: usize,
}

/// What a data path knows of a call.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
}

impl Rules {
    pub(crate) fn of(count: usize) -> Self {
        let denies = (count / 10).min(DENIES);
        Self { allows: count - denies, denies }
    }

    /// The host of each allow rule.
    pub(crate) fn hosts(self) -> impl Iterator<Item = String> {
        (0..self.allows).map(host)
    }

    /// What the paths of each deny rule begin with.
    pub(crate) fn denied_prefixes(self) -> impl Iterator<Item = String> {
        (0..self.denies).map(|n| format!("{PREFIX}d{n}/"))
    }

    /// Calls over all hosts and some that no rule knows. Of 16, one has a method that no rule knows, one a path, one is
    /// a DELETE that is denied, one a DELETE that is not.
    pub(crate) fn calls(self) -> Calls<Facts> {
        let facts: Vec<Facts> = (0..CALLS).map(|n| self.call(n)).collect();
        let allowed = facts.iter().map(|facts| self.allow(facts)).collect();
        Calls { facts: facts.leak(), allowed }
    }

    fn call(self, n: usize) -> Facts {
        // 97 is prime to both: every residue comes up with every host.
        let host = host(n * 97 % (self.allows + self.allows / 8 + 1));
        let (method, path) = match n % 16 {
            0 => ("PUT", "/v1/messages/batches/42".to_owned()),
            1 => ("GET", "/v2/messages/batches/42".to_owned()),
            2 => ("DELETE", format!("{PREFIX}d{}/batches/42", n / 16 % self.denies)),
            3 => ("DELETE", "/v1/messages/batches/42".to_owned()),
            n if n % 3 == 0 => ("POST", "/v1/messages/batches/42".to_owned()),
            _ => ("GET", "/v1/messages/batches/42".to_owned()),
        };
        Facts { method: method.to_owned(), host, path }
    }

    /// The rules read by hand, one after the other.
    fn allow(self, facts: &Facts) -> bool {
        let denied = facts.method == DENIED_METHOD
            && self.denied_prefixes().any(|prefix| facts.path.starts_with(&prefix));
        !denied
            && METHODS.contains(&facts.method.as_str())
            && facts.path.starts_with(PREFIX)
            && self.hosts().any(|host| host == facts.host)
    }
}

fn host(n: usize) -> String {
    format!("host-{n}.example.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_allowed_and_refused_for_every_reason() {
        for count in [10, 100, 1_000, 10_000] {
            let rules = Rules::of(count);
            let calls = rules.calls();
            let allowed = calls.allowed.iter().filter(|allowed| **allowed).count();
            assert!(allowed > CALLS / 2 && allowed < CALLS * 7 / 8, "{allowed}");
            let refused = |reason: &dyn Fn(&Facts) -> bool| {
                calls.facts.iter().zip(&calls.allowed).any(|(facts, allowed)| !allowed && reason(facts))
            };
            let known = |facts: &Facts| rules.hosts().any(|host| host == facts.host);
            assert!(refused(&|facts| !known(facts)));
            assert!(refused(&|facts| known(facts) && facts.method == "PUT"));
            assert!(refused(&|facts| known(facts) && !facts.path.starts_with(PREFIX)));
            assert!(refused(&|facts| known(facts)
                && facts.method == "DELETE"
                && facts.path.contains("/d0/")));
        }
    }
}
