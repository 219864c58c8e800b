//! A recorded call: what was decided of it, and what is known of it.
//!
//! Not recorded are headers, query, arguments, and most of what stands in a body.

use std::fmt;

use creto_call::{Call, Capture, Details, Kind, McpCall, ModelCall, RefusalCode, Scheme};
use creto_classify::Endpoint;
use creto_policy::PolicySet;
use creto_proto::v1;
use http::HeaderMap;

use crate::commands::policy::meaning::{Meant, known};
use crate::commands::policy::test::Verdict;
use crate::words;

/// Longest path that a sidecar records; of one as long the end may be missing.
const LONGEST_PATH: usize = 4096;
/// Longest name of a model, tool or skill that it records.
const LONGEST_SUBJECT: usize = 256;
/// Most names that it records of a batch.
const MOST_SUBJECTS: usize = 16;

/// A verdict with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Before {
    pub(super) verdict: Verdict,
    /// Empty when allowed.
    pub(super) code: String,
    /// Policy and rule; empty for a default.
    pub(super) by: Option<(String, String)>,
}

impl Before {
    pub(super) fn new(verdict: Verdict, code: &str, by: Option<(String, String)>) -> Self {
        Self { verdict, code: code.to_owned(), by }
    }
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verdict.as_str())?;
        match &self.by {
            Some((policy, rule)) => write!(f, " {policy}/{rule}"),
            None if self.code.is_empty() => Ok(()),
            None => write!(f, " {}", self.code),
        }
    }
}

/// Why a call is left out: what refused it was not policy.
#[derive(Debug)]
pub(super) struct LeftOut(pub(super) String);

/// A recorded call.
#[derive(Debug)]
pub(super) struct Record<'r> {
    pub(super) before: Before,
    begun: &'r v1::CallBegun,
    kind: Kind,
    scheme: Scheme,
    port: u16,
    /// What it asked, for people.
    pub(super) asks: String,
    /// Whether its body was read, as far as it has one.
    read: bool,
    /// Whether it certainly had no body.
    empty: bool,
}

/// What a call is to a set of policies: the meaning of one of its messages.
#[derive(Debug)]
pub(super) struct Understood {
    pub(super) meant: Meant,
    pub(super) body_read: bool,
    pub(super) size: Option<u64>,
}

impl<'r> Record<'r> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`LeftOut`] when its verdict is not policy's, or it is of a kind that this program does not know.
    pub(super) fn of(call: &'r v1::CallRecord) -> Result<Self, LeftOut> {
        let unknown = || LeftOut("of an unknown kind".to_owned());
        let begun = call.begun.as_ref().ok_or_else(unknown)?;
        let verdict = match begun.verdict() {
            v1::Verdict::Allowed => Verdict::Allow,
            v1::Verdict::Observed => Verdict::Observe,
            v1::Verdict::Denied => Verdict::Deny,
            v1::Verdict::Unspecified => return Err(unknown()),
        };
        if verdict == Verdict::Deny && !is_of_policy(&begun.code) {
            return Err(LeftOut(begun.code.clone()));
        }
        let kinds = [Kind::Http, Kind::Grpc, Kind::WebSocket, Kind::Opaque];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == begun.kind).ok_or_else(unknown)?;
        let scheme = match begun.scheme.as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(unknown()),
        };
        let port = u16::try_from(begun.port).map_err(|_| unknown())?;
        let by = (!begun.rule.is_empty()).then(|| (begun.policy.clone(), begun.rule.clone()));
        let sent = call.ended.as_ref().filter(|ended| ended.outcome() == v1::Outcome::Completed);
        let went = verdict != Verdict::Deny;
        // Nobody sends a body with a GET; of others it is known once they went out whole.
        let empty = kind == Kind::Http
            && match sent {
                Some(ended) if went => ended.request_bytes == 0,
                _ => matches!(begun.method.as_str(), "GET" | "HEAD"),
            };
        Ok(Self {
            before: Before::new(verdict, &begun.code, by),
            begun,
            kind,
            scheme,
            port,
            asks: words::asks(begun),
            read: went && kind == Kind::Http,
            empty,
        })
    }

    /// Host, with the port where it is not the scheme's.
    pub(super) fn destination(&self) -> String {
        let host = &self.begun.host;
        if self.port == self.scheme.default_port() { host.clone() } else { format!("{host}:{}", self.port) }
    }

    /// Its method, or what else it is.
    pub(super) fn method_shown(&self) -> &str {
        if self.begun.method.is_empty() { &self.begun.kind } else { &self.begun.method }
    }

    /// Whether it came in over a base-URL route.
    pub(super) fn is_routed(&self) -> bool {
        self.begun.capture() == v1::CaptureMode::BaseUrl
    }

    /// `scheme://host:port/path`, the path without its query.
    pub(super) fn url(&self) -> String {
        let host = &self.begun.host;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        format!("{}://{host}:{}{}", self.scheme.as_str(), self.port, self.begun.path)
    }

    /// All that counts in it, for an agent.
    pub(super) fn key(&self, agent: &str) -> String {
        let v1::CallBegun { method, host, path, meaning, .. } = self.begun;
        format!(
            "{agent}\n{:?} {:?} {:?} {host} {} {} {} {}\n{method}\n{path}\n{meaning:?}",
            self.before,
            self.kind,
            self.scheme,
            self.port,
            self.is_routed(),
            self.read,
            self.empty
        )
    }

    /// Host, port and path.
    pub(super) fn place(&self) -> (&str, u16, &str) {
        (&self.begun.host, self.port, &self.begun.path)
    }

    /// A message of which nothing is known.
    pub(super) fn blank(&self) -> Understood {
        Understood { meant: Meant::Plain, body_read: false, size: None }
    }

    /// What it is to these policies, a message each; none when the record does not tell.
    pub(super) fn understood(&self, set: &PolicySet) -> Option<Vec<Understood>> {
        let begun = self.begun;
        if begun.path.len() >= LONGEST_PATH {
            return None;
        }
        if self.kind == Kind::Opaque {
            return Some(vec![Understood { meant: Meant::Plain, body_read: false, size: None }]);
        }
        let known = known(set, &begun.host, self.port, &begun.path);
        let endpoint = Endpoint::of(&begun.method, &begun.host, &begun.path, "", &HeaderMap::new(), known);
        let head = Meant::of_head(&endpoint);
        let size = self.empty.then_some(0);
        let Some(meaning) = &begun.meaning else {
            return Some(vec![Understood { meant: head, body_read: false, size }]);
        };
        let subjects: Vec<Option<&str>> = match meaning.subjects.as_slice() {
            [] => vec![None],
            // A batch whose messages cannot be told apart, or whose names are cut.
            all if all.len() >= MOST_SUBJECTS
                || all.len() > 1 && meaning.operation.contains(',')
                || all.iter().any(|one| one.len() >= LONGEST_SUBJECT) =>
            {
                return None;
            }
            all => all.iter().map(|one| Some(one.as_str())).collect(),
        };
        let operations: Vec<&str> = meaning.operation.split(',').collect();
        if operations.len() > 1 && meaning.subjects.len() == 1 {
            return None;
        }
        let mut out = Vec::new();
        for operation in operations {
            for subject in &subjects {
                out.push(self.message(meaning, operation, *subject, &head, known, size)?);
            }
        }
        Some(out)
    }

    fn message(
        &self,
        meaning: &v1::CallMeaning,
        operation: &str,
        subject: Option<&str>,
        head: &Meant,
        known: creto_classify::Known<'_>,
        size: Option<u64>,
    ) -> Option<Understood> {
        let owned = || subject.map(str::to_owned);
        let (meant, body_read) = match (meaning.protocol.as_str(), head) {
            // What stands in the body of a model call is not recorded, but the model's name is.
            ("model", Meant::Model(call)) => {
                let call = ModelCall { model: owned().or_else(|| call.model.clone()), ..call.clone() };
                (Meant::Model(call), false)
            }
            ("mcp", Meant::Mcp(_) | Meant::Plain) => {
                let server = known.mcp_server.unwrap_or_default().to_owned();
                let mut call = McpCall { server, method: operation.to_owned(), ..McpCall::default() };
                match operation {
                    "tools/call" => call.tool = owned(),
                    "prompts/get" => call.prompt = owned(),
                    _ => call.resource = owned(),
                }
                (Meant::Mcp(call), !operation.is_empty())
            }
            ("a2a", Meant::A2a(call)) => {
                let mut call = call.clone();
                call.method = operation.to_owned();
                call.skill = owned();
                (Meant::A2a(call), self.read || subject.is_some())
            }
            // These policies know the destination as something else than those that decided.
            _ => return None,
        };
        Some(Understood { meant, body_read, size })
    }

    /// The call as policy is asked about it.
    pub(super) fn call<'c>(&'c self, understood: &'c Understood) -> Call<'c> {
        let begun = self.begun;
        let opaque = self.kind == Kind::Opaque;
        let details = Details {
            query: "",
            headers: None,
            size: understood.size,
            body_read: understood.body_read,
            meaning: understood.meant.meaning(),
        };
        Call {
            capture: Capture::Connect,
            kind: self.kind,
            scheme: self.scheme,
            method: if opaque { "" } else { &begun.method },
            host: &begun.host,
            port: self.port,
            path: if opaque { "" } else { &begun.path },
            details: if opaque { Details::default() } else { details },
        }
    }
}

/// Whether a refusal is one that another policy could take back.
fn is_of_policy(code: &str) -> bool {
    [RefusalCode::NoRuleAllows, RefusalCode::RuleDenies, RefusalCode::PortForbidden, RefusalCode::NoPolicy]
        .iter()
        .any(|known| known.as_str() == code)
}
